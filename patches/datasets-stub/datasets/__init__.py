# legacy-doctor: a stand-in for Hugging Face `datasets`, which needs pyarrow, which needs SSE4.1.
#
# Programs that only mention `datasets` (Trainer, F5-TTS inference) can be imported; whoever uses
# it is told why that fails. Names are made when they are asked for: classes are real classes
# (isinstance says no, subclassing works), functions are real functions. Python 3.8 and later.

import abc
import importlib
import importlib.machinery
import sys
import types

WHY = (
    "this is legacy-doctor's stand-in for `datasets`: the real one needs pyarrow, and pyarrow dies "
    "on CPUs without SSE4.1. Load the data another way (torch.utils.data, json, soundfile). To put "
    "the real one back: pip uninstall datasets, then pip install datasets"
)
_MODULES = frozenset(
    "arrow_dataset arrow_reader arrow_writer builder combine commands config data_files "
    "dataset_dict distributed download exceptions features filesystems fingerprint formatting hub "
    "info inspect io iterable_dataset load logging naming packaged_modules parallel search splits "
    "streaming table utils".split()
)
_made = {}


def _refuse(name):
    raise ImportError("%s: %s" % (name, WHY), name="datasets")


def _function(name):
    def function(*args, **kwargs):
        _refuse(name)

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__doc__ = WHY
    return function


# ABCMeta, so that a class may inherit from one of these and from an abstract class.
class _Meta(abc.ABCMeta):
    def __call__(cls, *args, **kwargs):
        _refuse("datasets." + cls.__name__)

    def __getattr__(cls, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return _function("datasets.%s.%s" % (cls.__name__, name))


def _make(name):
    if name.endswith(("Error", "Exception")):
        return type(name, (Exception,), {"__module__": "datasets", "__doc__": WHY})
    if name.endswith("Warning"):
        return type(name, (Warning,), {"__module__": "datasets", "__doc__": WHY})
    if name.isupper():
        _refuse("datasets." + name)
    if name[0].isupper():
        return _Meta(name, (), {"__module__": "datasets", "__doc__": WHY})
    return _function("datasets." + name)


def _named(name):
    if name not in _made:
        _made[name] = _make(name)
    return _made[name]


class _Module(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError("module %r has no attribute %r" % (self.__name__, name))
        if name in _MODULES:  # datasets.utils.logging, datasets.features.features
            return importlib.import_module("%s.%s" % (self.__name__, name))
        return _named(name)


class _Finder:
    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if not fullname.startswith("datasets."):
            return None
        return importlib.machinery.ModuleSpec(fullname, _Finder, is_package=True)

    @staticmethod
    def create_module(spec):
        return _Module(spec.name, WHY)

    @staticmethod
    def exec_module(module):
        pass


def __getattr__(name):
    if name == "__version__":
        from importlib import metadata

        return metadata.version("datasets")
    if name.startswith("_"):
        raise AttributeError("module 'datasets' has no attribute %r" % name)
    if name in _MODULES:
        return importlib.import_module("datasets." + name)
    return _named(name)


sys.meta_path.append(_Finder)
