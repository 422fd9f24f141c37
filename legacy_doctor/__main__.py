"""`python -m legacy_doctor`, and the `legacy-doctor` command."""

from __future__ import annotations

import gc
import sys

from legacy_doctor import __version__


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        # Asked in scripts and bug reports: answered before anything else is loaded.
        print(f"legacy-doctor {__version__}")  # noqa: T201
        return
    # It ends soon and keeps nearly all that it reads: to look for garbage after every few hundred
    # objects takes a tenth of its time.
    gc.set_threshold(100_000)
    from legacy_doctor.cli.main import run

    code = run(sys.argv[1:])
    # Python looks through all of it once more when it ends; the system takes it back anyhow.
    gc.freeze()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
