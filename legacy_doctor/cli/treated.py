"""The ward of an environment that is treated without a diagnosis: undo, history, patch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from legacy_doctor.cli.ward import Ward
from legacy_doctor.environment import interpreter
from legacy_doctor.treatment.installer import DEFAULTS, Options

INSTALLING: Final = ("find_links", "no_index", "prefer_binary", "break_system_packages")
"""The options of `options.installer_options`."""


def ward(
    python: str | None,
    words: Mapping[str, Any] | None = None,
    watch: Callable[[str], object] | None = None,
) -> Ward:
    """Return the ward of the environment that `python` names."""
    executable, why = interpreter.choose(python, os.environ, Path.cwd())
    return Ward(
        interpreter=interpreter.examine(executable, why),
        options=Options(**{key: words[key] for key in INSTALLING}) if words else DEFAULTS,
        watch=watch,
    )
