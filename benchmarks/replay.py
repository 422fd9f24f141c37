"""Replay what really happened: the same wheels, the same snippet, the same emulated CPU.

A file of cases, one JSON object a line: `requirement`, `snippet`, `resolved` (every distribution
with its version) and `results` by `-cpu` model (`outcome`, and `library` for a signal). Each case
gets a fresh environment; the probe's verdict is compared with what the file says.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from legacy_doctor.cpu import detect
from legacy_doctor.environment import distributions, interpreter
from legacy_doctor.environment.ownership import Owners
from legacy_doctor.model import Probe, ProbeResult
from legacy_doctor.probe import emulator, session
from tests.conftest import clean


class Row(NamedTuple):
    """One case on one model: what the file says, what the probe says."""

    name: str
    model: str
    outcome: tuple[str, str]
    library: tuple[str, str]

    @property
    def agrees(self) -> bool:
        return self.outcome[0] == self.outcome[1]

    @property
    def same_library(self) -> bool:
        return self.library[0] == self.library[1]

    @property
    def text(self) -> str:
        if self.agrees and self.same_library:
            return f"{self.name:<44} {self.model:<12} {self.outcome[0]}"
        said, found = (
            "/".join(filter(None, pair)) for pair in zip(self.outcome, self.library, strict=True)
        )
        return f"{self.name:<44} {self.model:<12} DIFFERS: the file says {said}, the probe {found}"


def main(arguments: Sequence[str]) -> int:
    """Replay the chosen cases, print a line each and the agreement."""
    chosen = _options().parse_args(arguments)
    cases = [json.loads(line) for line in Path(chosen.cases).read_text().splitlines()]
    wanted = [case for case in cases if re.search(chosen.only, name_of(case))][:: chosen.every]
    rows: list[Row] = []
    for case in wanted:
        for row in replay(case, chosen.models.split(",") if chosen.models else None):
            rows.append(row)
            print(row.text, flush=True)
    print("\n".join(agreement(rows)))
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks replay", description=__doc__)
    parser.add_argument("cases", help="file of cases, one JSON object a line")
    parser.add_argument("--only", default="", metavar="REGEX", help="cases whose name matches")
    parser.add_argument("--models", default="", metavar="A,B", help="these -cpu models only")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth case")
    return parser


def name_of(case: dict[str, Any]) -> str:
    """`faiss-cpu with numpy<2.4: import faiss`."""
    extra = " with " + " ".join(case["with"]) if case.get("with") else ""
    return f"{case['requirement']}{extra}: {case['snippet'][:24]}"


def replay(case: dict[str, Any], models: Sequence[str] | None) -> Iterator[Row]:
    """Install the case afresh and yield a row for each model."""
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        python = install(case["resolved"], Path(folder) / "venv")
        target = interpreter.examine(python, "--python")
        owners = Owners(distributions.read(target.site_packages).distributions)
        probe = Probe(id="case", distribution="case", imports=case["snippet"], seconds=60.0)
        for model in models or case["results"]:
            expected = case["results"].get(model)
            if expected is not None:
                found = session.run([session.Task(probe)], _setting(target, owners, model))[0]
                yield _row(case, model, expected, found)


def _setting(target: Any, owners: Owners, model: str) -> session.Setting:
    return session.Setting(
        interpreter=target,
        cpu=detect.detect(),
        owners=owners,
        emulator=emulator.find(model, needs_avx=model in {"SandyBridge", "Haswell"}),
    )


def install(resolved: Iterable[str], folder: Path) -> Path:
    """Make an environment of exactly these wheels."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    env = clean(os.environ)
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True, env=env)
    python = folder / "bin/python"
    command = [uv, "pip", "install", "-q", "--no-deps", "--only-binary", ":all:", "--compile"]
    subprocess.run([*command, "--python", str(python), *resolved], check=True, env=env)
    return python


def _row(case: dict[str, Any], model: str, expected: dict[str, Any], found: ProbeResult) -> Row:
    fault = found.fault
    library = Path(fault.library).name if fault and fault.library else ""
    return Row(
        name_of(case),
        model,
        (expected["outcome"], found.outcome.value),
        (expected.get("library") or "", library),
    )


def agreement(rows: Sequence[Row]) -> Iterator[str]:
    """Say how many outcomes and faulting libraries agree."""
    died = [row for row in rows if row.library[0]]
    same = sum(row.agrees for row in rows)
    yield f"outcomes that agree: {same} of {len(rows)}" + _share(same, len(rows))
    named = sum(row.same_library for row in died)
    yield f"faulting libraries that agree: {named} of {len(died)}" + _share(named, len(died))


def _share(part: int, whole: int) -> str:
    return f" ({part / whole:.1%})" if whole else ""
