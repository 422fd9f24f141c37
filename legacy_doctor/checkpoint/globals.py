"""What the classes and functions that a pickle asks for may do.

`ALLOWED` and `OPCODES` are those of `torch/_weights_only_unpickler.py` in torch 2.13.0; a test
compares the list with the real one. A list of dangerous names can never be complete, so what is
on no list is `unknown`, never harmless.
"""

from __future__ import annotations

from typing import Final

from legacy_doctor.model import Trust

HIDDEN: Final = "(hidden)"
"""Stands for the module of a reference that the opcodes do not name."""

OPCODES: Final = frozenset(
    "PROTO STOP GLOBAL NEWOBJ REDUCE BUILD APPEND APPENDS SETITEM SETITEMS MARK TUPLE "
    "TUPLE1 TUPLE2 TUPLE3 NONE NEWTRUE NEWFALSE EMPTY_TUPLE EMPTY_LIST EMPTY_DICT EMPTY_SET "
    "BININT BININT1 BININT2 BINFLOAT BINUNICODE SHORT_BINSTRING BINPERSID BINGET LONG_BINGET "
    "BINPUT LONG_BINPUT "
    "LONG1".split()
)
"""What weights_only=True reads; any other opcode ends it."""

MAPPINGS: Final = {("collections", "OrderedDict"), ("collections", "Counter")}

_SCALARS: Final = "Double Float Half Long Int Short Char Byte Bool BFloat16".split()
_SPARSE: Final = [word for word in _SCALARS if word != "Bool"]
_COMPLEX: Final = ["ComplexDouble", "ComplexFloat"]
_QUANTIZED: Final = "QUInt8 QInt8 QInt32 QUInt4x2 QUInt2x4".split()
_DTYPES: Final = (
    "bfloat16 bits16 bits1x8 bits2x4 bits4x2 bits8 bool complex128 complex32 complex64 float16 "
    "float32 float4_e2m1fn_x2 float64 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz "
    "float8_e8m0fnu int1 int16 int2 int3 int32 int4 int5 int6 int64 int7 int8 per_channel_affine "
    "per_channel_affine_float_qparams per_channel_symmetric per_tensor_affine per_tensor_symmetric "
    "qint32 qint8 quint2x4 quint4x2 quint8 uint1 uint16 uint2 uint3 uint32 uint4 uint5 uint6 "
    "uint64 uint7 uint8"
).split()
_REBUILD: Final = (
    "device_tensor_from_cpu_tensor device_tensor_from_numpy meta_tensor_no_storage nested_tensor "
    "parameter parameter_with_state qtensor sparse_tensor tensor tensor_v2 tensor_v3 "
    "wrapper_subclass"
).split()

ALLOWED: Final = frozenset(
    [
        *("_codecs.encode", "builtins.bytearray", "builtins.complex", "builtins.set"),
        *("collections.Counter", "collections.OrderedDict", "torch.Size", "torch.Tensor"),
        *("torch.device", "torch.nn.parameter.Parameter", "torch.serialization._get_layout"),
        *("torch.storage.TypedStorage", "torch.storage.UntypedStorage"),
        "torch._tensor._rebuild_from_type_v2",
        *(f"torch._utils._rebuild_{word}" for word in _REBUILD),
        *(f"torch.{word}" for word in _DTYPES),
        *(f"torch.{word}Storage" for word in [*_SCALARS, *_COMPLEX, *_QUANTIZED]),
        *(f"torch.cuda.{word}Storage" for word in [*_SCALARS, *_COMPLEX]),
        *(f"torch.{word}Tensor" for word in _SCALARS),
        *(f"torch.cuda.{word}Tensor" for word in _SCALARS),
        *(f"torch.sparse.{word}Tensor" for word in _SPARSE),
        *(f"torch.cuda.sparse.{word}Tensor" for word in _SPARSE),
    ]
)

_HARMLESS: Final = frozenset(
    "argparse.Namespace collections.defaultdict collections.deque copyreg._reconstructor "
    "datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone "
    "decimal.Decimal fractions.Fraction pathlib.Path pathlib.PosixPath pathlib.PurePath "
    "pathlib.PurePosixPath pathlib.PureWindowsPath pathlib.WindowsPath types.SimpleNamespace "
    "uuid.UUID builtins.bool builtins.bytes builtins.dict builtins.float builtins.frozenset "
    "builtins.int builtins.list builtins.object builtins.range builtins.slice builtins.str "
    "builtins.tuple numpy.dtype numpy.ndarray numpy._core.multiarray._reconstruct "
    "numpy._core.multiarray.scalar numpy.core.multiarray._reconstruct "
    "numpy.core.multiarray.scalar torch.torch_version.TorchVersion typing.Any".split()
)
"""Constructors of plain data in the standard library, numpy and torch."""

_GATEWAYS: Final = frozenset(
    "builtins.getattr builtins.setattr builtins.delattr builtins.vars builtins.globals "
    "builtins.locals builtins.map builtins.filter builtins.apply builtins.type builtins.super "
    "functools.partial functools.reduce functools.partialmethod operator.attrgetter "
    "operator.methodcaller operator.itemgetter operator.call types.MethodType types.FunctionType "
    "types.CodeType types.ModuleType inspect.getattr_static itertools.starmap "
    "pkgutil.resolve_name".split()
)

_RUNNERS: Final = frozenset(
    "builtins.eval builtins.exec builtins.execfile builtins.compile builtins.__import__ "
    "builtins.open builtins.input builtins.breakpoint builtins.exit builtins.quit builtins.help "
    "io.open io.open_code _io.open _io.FileIO io.FileIO codecs.open numpy.load numpy.fromfile "
    "numpy.save numpy.savetxt numpy.loadtxt numpy.genfromtxt numpy.memmap torch.load torch.save "
    "torch.serialization.load torch.serialization.save torch.compile torch.ops "
    "torch.classes pandas.read_pickle joblib.load shelve.open".split()
)

_ROOTS: Final = frozenset(
    "os posix nt sys subprocess builtins shutil socket ctypes importlib runpy pickle marshal "
    "multiprocessing".split()
)
"""Modules that lie about in other modules: an attribute of such a name leads to them."""

_MODULES: Final = frozenset(
    "os posix nt sys subprocess _posixsubprocess shutil socket _socket ctypes _ctypes runpy code "
    "codeop pty importlib imp zipimport pkgutil pickle _pickle cPickle cloudpickle dill marshal "
    "webbrowser asyncio multiprocessing threading _thread http urllib urllib2 urllib3 requests "
    "httpx aiohttp ftplib smtplib telnetlib poplib imaplib xmlrpc socketserver ssl tempfile glob "
    "fileinput timeit pdb bdb cProfile profile doctest trace pip ensurepip venv pydoc "
    "signal resource mmap fcntl popen2 commands distutils setuptools concurrent sched gc inspect "
    "dis sqlite3 tarfile zipfile logging.config unittest tkinter idlelib site atexit "
    "faulthandler nturl2path cffi numpy.testing numpy.f2py numpy.distutils "
    "torch.hub torch.package torch.utils.cpp_extension torch.utils.bottleneck torch._inductor "
    "torch._dynamo torch.jit torch.fx torch.multiprocessing "
    "torch.utils._config_module torch.utils.collect_env torch.utils.model_zoo".split()
)
"""Modules of which nothing belongs into a file of weights."""

WHY: Final = {
    Trust.ALLOWED: "on torch's own list",
    Trust.HARMLESS: "plain data",
    Trust.UNKNOWN: "code of another package runs; nothing is known of it here",
    Trust.GATEWAY: "reaches anything that is installed",
    Trust.DANGEROUS: "runs code, or reaches files, processes or the network",
}


def trust(module: str, name: str) -> Trust:
    """Return what may come of a class or function.

    Protocol 4 lets a name go through attributes (`torch.serialization`, `os.system`): a dangerous
    word at any of its dots counts.
    """
    path = f"{module}.{name}"
    if path in ALLOWED:
        return Trust.ALLOWED
    if path in _HARMLESS:
        return Trust.HARMLESS
    if path in _RUNNERS or _within(path, _MODULES) or _passes_through(name):
        return Trust.DANGEROUS
    if path in _GATEWAYS or module == HIDDEN or "__" in name:
        return Trust.GATEWAY
    return Trust.UNKNOWN


def _within(path: str, modules: frozenset[str]) -> bool:
    """Tell whether a name belongs to one of the modules, or is one."""
    parts = path.split(".")
    return any(".".join(parts[: end + 1]) in modules for end in range(min(len(parts), 5)))


def _passes_through(name: str) -> bool:
    """Tell whether a name goes through a module that its own module has merely imported."""
    return not _ROOTS.isdisjoint(name.split("."))
