"""The start-up files run in the process of the tests, under their own names, as coverage sees them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from legacy_doctor.hook import generate
from legacy_doctor.hook.rules import Armed

STARTUP = Path(generate.__file__).parent / "startup"


def execute(part: str, space: dict[str, Any], constants: Mapping[str, object]) -> dict[str, Any]:
    """Run one source with its empty tables filled, line for line."""
    path = STARTUP / f"{part}.py"
    text = generate._filled(path.read_text(encoding="utf-8"), constants)
    exec(compile(text, str(path), "exec", dont_inherit=True), space)  # noqa: S102
    return space


class Hook:
    """One hook, armed in this process: `load` and `space` as the generated files have them."""

    def __init__(self, rules: Armed, folder: Path) -> None:
        self.rules = rules
        self.boot = ModuleType("_legacy_doctor_boot")
        self.boot.__file__ = str(folder / "_legacy_doctor_boot.py")
        for name, content in generate.files(rules, (3, 11)).items():
            if name.endswith(".py"):
                (folder / name).write_bytes(content)

    def arm(self) -> dict[str, Any]:
        """Execute the first file (it puts itself into sys.meta_path)."""
        sys.modules["_legacy_doctor_boot"] = self.boot
        names = {"NAMES": dict.fromkeys(self.rules.modules), "ID": "made up"}
        execute("boot", self.boot.__dict__, names)
        self.boot.__dict__["load"] = self.load
        return self.boot.__dict__

    def load(self, part: str) -> dict[str, Any]:
        space: dict[str, Any] = {"__name__": f"_legacy_doctor_{part}", "boot": self.boot}
        if part == "shims":
            return execute("shims", space, {})
        tables = {
            "GUARDS": generate._guards(self.rules),
            "SHIMS": generate._shims(self.rules),
            "BITS": generate._bits(self.rules),
            "CPU": self.rules.cpu,
            "UNSEEN": str(STARTUP / "finder.py"),
        }
        execute("finder", space, tables)
        execute("cpu", space, {})
        return execute("versions", space, {})


Load = Callable[..., dict[str, Any]]
