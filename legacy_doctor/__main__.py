"""`python -m legacy_doctor`, and the `legacy-doctor` command."""

from __future__ import annotations

import sys

from legacy_doctor import __version__


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        # Asked in scripts and bug reports: answered before anything else is loaded.
        print(f"legacy-doctor {__version__}")  # noqa: T201
        return
    if sys.argv[1:2] == ["requirements"]:
        import gc

        # Run at every commit: it ends before anything is garbage, and the looking takes a tenth.
        gc.disable()
    from legacy_doctor.cli.main import run

    raise SystemExit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
