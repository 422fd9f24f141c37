# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, BLE001, D103, INP001, PLW0603, S102, UP031
"""legacy-doctor's start-up hook. Generated: change it with `legacy-doctor hook install`.

Notices when a module named in NAMES is imported, and does nothing else. Standard library only.
Off: LEGACY_DOCTOR_DISABLE=1. Remove: legacy-doctor hook remove, or delete _legacy_doctor.pth.
"""

import sys

ID = ""
NAMES = {}
RUNTIME = None


def find_spec(name, path=None, target=None):
    global RUNTIME
    if name not in NAMES:
        return None
    try:
        if RUNTIME is None:
            RUNTIME = load("rt")
        return RUNTIME["find"](name, path, target)
    except Exception:  # raised here, it would break every import of the process
        return None


def load(part):
    # Called with the import lock of the whole interpreter held: an import statement in here
    # waits for a thread that waits for this one.
    name = __name__[: -len("boot")] + part
    file = __file__[: -len("boot.py")] + part + ".py"
    space = {"__name__": name, "__file__": file, "boot": sys.modules[__name__]}
    external = sys.modules["_frozen_importlib_external"]
    exec(external.SourceFileLoader(name, file).get_code(name), space)
    return space


def arm():
    # `os` is no global: kept until the end, it costs half a million instructions.
    import os

    off = os.environ.get("LEGACY_DOCTOR_DISABLE", "")
    me = sys.modules[__name__]
    if "1" in off.split(",") or me in sys.meta_path:
        return
    sys.meta_path.insert(0, me)
    if os.environ.get("LEGACY_DOCTOR_DEBUG") == "1" and sys.stderr is not None:
        sys.stderr.write("legacy-doctor: armed for %s\n" % ", ".join(sorted(NAMES)))


def __getattr__(name):
    # An error that comes pickled from another process names its class by this module.
    global RUNTIME
    if name == "CpuFeatureError" and RUNTIME is None:
        RUNTIME = load("rt")
        return RUNTIME[name]
    raise AttributeError("module %r has no attribute %r" % (__name__, name))


arm()
