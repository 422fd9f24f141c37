# mypy: ignore-errors
# ruff: noqa: ANN201, BLE001, F401, INP001, S110, SIM105
"""legacy-doctor's start-up hook for where no .pth file is read: arms it, then runs the next one.

Python runs only the first `sitecustomize` on its path, so this one looks for the one behind it.
"""

import sys

KEEP_PATH = True

try:
    import _legacy_doctor_boot
except Exception:
    pass


def next_one():
    """Return the spec of the next sitecustomize on the path, or None."""
    here = __file__.rpartition("/")[0]
    places = [index for index, entry in enumerate(sys.path) if entry.rstrip("/") == here]
    rest = sys.path[places[0] + 1 :] if places else sys.path
    rest = [entry for entry in rest if entry.rstrip("/") != here]
    if not KEEP_PATH:
        # Not seen by the program; PYTHONPATH stays, for its children.
        sys.path[:] = [entry for entry in sys.path if entry.rstrip("/") != here]
    return sys.modules["_frozen_importlib_external"].PathFinder.find_spec(__name__, rest)


try:
    spec = next_one()
except Exception:
    spec = None
if spec is not None and hasattr(spec.loader, "exec_module"):
    # As if Python had found it first: it is there while it runs, and `site` tells what it raises.
    sys.modules[__name__] = sys.modules["_frozen_importlib"].module_from_spec(spec)
    spec.loader.exec_module(sys.modules[__name__])
