# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202, ANN204, BLE001, D103, F821, INP001, PLR0913
# ruff: noqa: RET503, S102, S110, UP031
"""legacy-doctor's start-up hook, second part: loaded when a listed module is first looked for.

`find` runs under the import lock of the whole interpreter, so it decides nothing and imports
nothing. What is to be done is decided when the module is executed, under that module's own lock.
"""

sys = boot.sys
os = sys.modules["os"]
external = sys.modules["_frozen_importlib_external"]
thread_of = sys.modules["_thread"].get_ident

GUARDS = {}
SHIMS = {}
BITS = {}
CPU = ""
# For `legacy-doctor hook status`: how the CPU was named, whose word this is, what is left out.
TARGET = ""
PINSETS = ()
SKIPPED = ()

LOG = []
BUSY = set()
CODE = {}

# Python leaves frames of this file out of tracebacks, with those of the import system beside them.
UNSEEN = "<frozen importlib._bootstrap>"


class CpuFeatureError(ImportError):
    """A package that would kill this process, because the CPU cannot execute it."""

    distribution = version = remedy = None
    missing = ()


CpuFeatureError.__module__ = boot.__name__
boot.CpuFeatureError = CpuFeatureError
boot.LOG = LOG


def find(name, path, target):
    spec = ask_the_others(name, path, target)
    loader = None if spec is None else spec.loader
    if not hasattr(loader, "exec_module"):
        return None  # a namespace, or Python 3.8's zipimport
    holder = loader
    # Others share one loader among modules, or stand for it: only what is known to be this
    # module's own is written to. `type`, because a proxy lies to isinstance.
    if not issubclass(type(loader), external.FileLoader):
        holder = spec.loader = Holder(loader)
    elif name in GUARDS and issubclass(type(loader), external.ExtensionFileLoader):
        # Code of an extension module runs when it is created.
        loader.create_module = creator(name, loader.create_module)
    holder.exec_module = executor(name, holder, loader.exec_module)
    return spec


def ask_the_others(name, path, target):
    behind = False
    for finder in tuple(sys.meta_path or ()):
        if finder is boot:
            behind = True
        elif behind:
            if not hasattr(finder, "find_spec"):
                return None  # before Python 3.12: a finder that only the import system can ask
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
    return None


class Holder:
    """Stands in for a loader that serves other modules too."""

    def __init__(self, loader):
        self.loader = loader

    def __getattr__(self, name):
        if name == "loader":
            raise AttributeError(name)
        return getattr(self.loader, name)


def unseen(function):
    function.__code__ = function.__code__.replace(co_filename=UNSEEN)
    return function


def creator(name, create):
    def create_module(spec):
        error = verdict(name, spec)
        if error is not None:
            raise error
        return create(spec)

    return unseen(create_module)


def executor(name, holder, execute):
    def exec_module(module):
        # Finders that ask the import system again (wrapt's) lead here twice for one import.
        key = name, thread_of()
        if key in BUSY:
            return execute(module)
        BUSY.add(key)
        try:
            error = verdict(name, getattr(module, "__spec__", None))
            if error is not None:
                raise error
            hand_over(name, holder, module)
            acted = replaced(name, module)
            if not acted:
                execute(module)
        finally:
            BUSY.discard(key)
        if not finish(name, module) and not acted:
            leave(holder)

    return unseen(exec_module)


def hand_over(name, holder, module):
    """Give a module that is let through the loader that it would have without us."""
    try:
        if type(holder) is Holder:
            if module.__spec__.loader is holder:
                module.__spec__.loader = holder.loader
            if getattr(module, "__loader__", None) is holder:
                module.__loader__ = holder.loader
    except Exception as error:
        say("%s: %r" % (name, error))


def leave(holder):
    """Leave no trace on the loader of a module in which nothing was done."""
    holder.__dict__.pop("exec_module", None)
    holder.__dict__.pop("create_module", None)


def verdict(name, spec):
    """Return the error to raise in place of the import, or None to let it run."""
    try:
        for guard in GUARDS.get(name, ()):
            error = judge(name, spec, *guard)
            if error is not None:
                return error
    except Exception as error:
        say("guard:%s: let through, because of %r" % (name, error))
    return None


def judge(name, spec, distribution, broken, where, remedy, reason):
    subject = "guard:%s: " % name
    if switched_off("guard", name, distribution):
        return say(subject + "switched off")
    lack = lacking([where])
    if not lack:
        return say(subject + "let through, this CPU has what it needs, or cannot be read")
    version = version_of(distribution, spec)
    if broken and (version is None or not matches(broken, version)):
        return say(subject + "let through, version %s is not known to die" % version)
    error = CpuFeatureError(
        "%s would kill this process: this CPU (%s) %s%s. Remedy: %s. "
        "To import it all the same: LEGACY_DOCTOR_DISABLE=guard:%s"
        % (
            "%s %s" % (distribution, version) if version else distribution,
            cpu_name(where),
            " and ".join(lack),
            " (%s)" % reason.rstrip(".") if reason else "",
            remedy.rstrip("."),
            name,
        ),
        name=name,
        path=getattr(spec, "origin", None),
    )
    error.distribution, error.version, error.remedy = distribution, version, remedy
    error.missing = missing(where)
    say(subject + "raised CpuFeatureError: this CPU %s" % " and ".join(lack))
    return error


def replaced(name, module):
    """Put the stand-in in the place of `datasets` where the real one would die of pyarrow."""
    for shim, distribution, versions, where, arguments in SHIMS.get(name, ()):
        if shim != "datasets-stub":
            continue
        try:
            if acts(shim, distribution, versions, where, module) and doomed(*arguments):
                stand_in(module)
                say("shim:datasets-stub: took the place of %s" % name)
                return True
        except Exception as error:
            say("shim:datasets-stub: left out, because of %r" % error)
    return False


def doomed(name):
    """Tell whether the guard of `name` would stop it, or it is not there to be stopped."""
    for distribution, broken, where, _, _ in GUARDS.get(name, ()):
        if lacking([where]):
            version = version_of(distribution, None)
            if not broken or version is None or matches(broken, version):
                return True
    return False


def stand_in(module):
    file = boot.__file__[: -len("boot.py")] + "datasets.py"
    code = external.SourceFileLoader(module.__name__, file).get_code(module.__name__)
    path = list(module.__path__)
    module.__path__[:] = []  # in place: the spec has the same list
    try:
        exec(code, module.__dict__)
    except BaseException:
        module.__path__[:] = path
        raise
    module.WHY = (
        "this is legacy-doctor's stand-in for `datasets`: the real one needs pyarrow, which "
        "would kill this process. Load the data another way (torch.utils.data, json, soundfile). "
        "To get the real one all the same: LEGACY_DOCTOR_DISABLE=1"
    )


def finish(name, module):
    """Apply the shims of a module that has just been executed; tell whether there were any."""
    applied = False
    for shim, distribution, versions, where, arguments in SHIMS.get(name, ()):
        if shim == "datasets-stub":
            continue
        try:
            # A module may have put another object in its place (transformers does).
            now = sys.modules.get(name, module)
            if acts(shim, distribution, versions, where, now):
                if not CODE:
                    CODE.update(boot.load("shims"))
                CODE["SHIMS"][shim](now, *arguments)
                applied = True
                say("shim:%s: applied to %s" % (shim, name))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # some native libraries raise others than Exception
            say("shim:%s: left out, because of %r" % (shim, error))
    return applied


def acts(shim, distribution, versions, where, module):
    if switched_off("shim", shim, distribution):
        return say("shim:%s: switched off" % shim)
    if where and not lacking(where):
        return say("shim:%s: not needed on this CPU, or it cannot be read" % shim)
    if not versions:
        return True
    version = version_of(distribution, module.__spec__)
    if version is None or not matches(versions, version):
        return say("shim:%s: not made for version %s" % (shim, version))
    return True


def switched_off(kind, *names):
    words = os.environ.get("LEGACY_DOCTOR_DISABLE", "").replace(" ", "").split(",")
    return not {"1", kind + "s"}.isdisjoint(words) or any(
        word in words for name in names for word in (name, "%s:%s" % (kind, name))
    )


def say(text):
    try:
        if len(LOG) < 1000:
            LOG.append(text)
        if os.environ.get("LEGACY_DOCTOR_DEBUG") == "1" and sys.stderr is not None:
            sys.stderr.write("legacy-doctor: %s\n" % text)
    except Exception:
        pass
