"""How to have a lock file written again: such files are a tool's own and are not edited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_COMMANDS: Final = {
    "uv.lock": "uv lock {each}",
    "poetry.lock": "poetry add {all}",
    "pdm.lock": "pdm add {all}",
    "Pipfile.lock": "pipenv install {all}",
    "freeze": "python -m pip install {all}",
}
"""By format. uv takes the bound for this one resolution; the others write it down as well."""

FORMATS: Final = frozenset({*_COMMANDS, "pylock"})
"""Formats that a tool writes and nobody edits."""


def command(form: str, wanted: Sequence[str]) -> str | None:
    """Return the command that locks anew with these requirements met.

    None where the format does not say which tool wrote it (`pylock.toml`).
    """
    template = _COMMANDS.get(form)
    if template is None:
        return None
    import shlex

    quoted = [shlex.quote(item) for item in wanted]
    each = " ".join(f"--upgrade-package {item}" for item in quoted)
    return template.format(each=each, all=" ".join(quoted))
