"""The file by which a start-up hook is found, without the rest of what a hook is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

BOOT: Final = "_legacy_doctor_boot"
"""The module that the interpreter imports when it starts; its name says whose it is."""


def lies_in(folders: Iterable[Path]) -> bool:
    """Tell whether a file of that name lies in one of these folders."""
    return any(os.path.isfile(folder / f"{BOOT}.py") for folder in folders)
