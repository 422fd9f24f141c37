"""Run the probe of every profile on emulated CPUs, and write down what came of it.

`python -m benchmarks.profiles` builds an environment for each profile (from the registry that pip
knows, or with `--find-links FOLDER --no-index` from wheels), runs `check --profile` on each CPU as
it is installed, treats it with `fix --profile --apply`, checks again, and undoes that. The rows go
to `pinsets/profiles/runs.toml`; `--table` prints the README's table from it and runs nothing.

A native program is treated by building it from source, with the switches that its profile gives
for the CPU, and judged by `profile binary`. Where a project does not install, what of its named
dependencies does is installed one by one, and their imports are probed: the row says so.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, NamedTuple

from legacy_doctor.cpu import features, models
from legacy_doctor.knowledge import profiles
from legacy_doctor.model import Fitness, Outcome, Profile, ProfileRun
from legacy_doctor.report import profiles as told
from tests.conftest import clean

CPUS: Final = ("phenom", "nehalem", "sandybridge", "haswell")
RUNS: Final = profiles.folder() / f"{profiles.RUNS}.toml"
_HEAD: Final = (
    "# Written by `python -m benchmarks.profiles`; never by hand. One entry a profile, CPU and "
    "state.\n# A row that is not here was not run by it: `profile show` then tells what is "
    "reported or inferred.\nschema = 1\n"
)
NAMES: Final = {"phenom": "phenom-ii"}
"""What legacy-doctor calls them, where that is not the same."""
BUILT: Final = ("--target", "whisper-bench", "whisper-cli")
_WORST: Final = (*(item.value for item in Outcome if item.died), "raised", "vanished", "timeout")


class Ended(NamedTuple):
    """How a probe ended, why, and what played the CPU."""

    outcome: str
    detail: str
    how: str
    proves: bool = True
    """False where it is the emulator's own fault."""

    @classmethod
    def of(cls, result: dict[str, Any], how: str) -> Ended:
        """Read it from what `check` or `probe` says of a probe."""
        fault = result["fault"]
        odd = bool(fault and fault["kind"] == "other" and fault["needs"])
        detail = f"{why(result)}: {fault['known']}" if odd else why(result)
        return cls(result["outcome"], detail, how, proves=not odd)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One profile in one environment."""

    profile: Profile
    folder: Path
    options: tuple[str, ...]
    """Of pip: where wheels come from."""
    refusal: str = ""
    """Why the project itself is not installed."""

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / "bin/python"

    def doctor(self, *words: str) -> dict[str, Any]:
        """Run a command of legacy-doctor on the environment; return its JSON."""
        command = [sys.executable, "-m", "legacy_doctor", *words, "--python", str(self.folder)]
        done = _run([*command, "--format", "json"])
        if done.returncode not in {0, 1}:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr[-500:]}")
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def versions(self) -> tuple[str, ...]:
        """What of the profile is installed, with its version."""
        names = (*self.profile.distributions, *self.profile.needs, *self.profile.pins)
        script = (
            "import sys, importlib.metadata as m\n"
            "there = {d.metadata['Name'].lower().replace('_', '-'): d.version"
            " for d in m.distributions()}\n"
            "print('\\n'.join(f'{n} {there[n]}' for n in sys.argv[1:] if n in there))"
        )
        done = _run([str(self.python), "-c", script, *dict.fromkeys(names)])
        return tuple(line for line in done.stdout.splitlines() if line)


def _run(command: Sequence[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=clean(os.environ), cwd=folder
    )


def build(profile: Profile, home: Path, options: Sequence[str]) -> Bench:
    """Return the profile's environment, made where it is not there yet."""
    folder = home / profile.id
    note = folder / "refusal.txt"
    if not note.is_file():
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        note.write_text(_install(profile, folder, options), encoding="utf-8")
    refusal = note.read_text(encoding="utf-8")
    return Bench(profile=profile, folder=folder, options=tuple(options), refusal=refusal)


def _install(profile: Profile, folder: Path, options: Sequence[str]) -> str:
    """Install the project, else what of its needs there is; return why it was not the project."""
    smoke = profile.smoke.probe.requires if profile.smoke else ()
    own = profile.distributions[:1] if profile.native or not profile.checkout else ()
    wanted = (*own, *smoke)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--prefer-binary", *options]
    done = _run([*pip, *dict.fromkeys(wanted)]) if wanted else None
    if done is not None and done.returncode == 0:
        return ""
    for name in profile.needs:
        _run([*pip, name])
    said = done.stderr.strip().splitlines() if done else []
    return said[-1] if said else "it has no distribution of its own"


def benchmark(bench: Bench, cpu: str) -> Iterator[ProfileRun]:
    """Yield what came of it as installed, and treated where it was treated."""
    name = NAMES.get(cpu, cpu)
    ended = _outcome(bench, name)
    plain = _row(bench, cpu, name, ended, treated=False)
    yield plain
    if plain.fitness is Fitness.RUNS or not ended.proves:
        return
    if bench.profile.native is not None:
        yield _row(bench, cpu, name, _built(bench, name), treated=True)
        return
    answer = bench.doctor("fix", "--profile", bench.profile.id, "--cpu", name, "--apply")
    if not answer["runs"]:
        return
    try:
        yield _row(bench, cpu, name, _outcome(bench, name), treated=True)
    finally:
        for _ in answer["runs"]:
            _run([sys.executable, "-m", "legacy_doctor", "undo", "--python", str(bench.folder)])


def _row(bench: Bench, cpu: str, name: str, ended: Ended, *, treated: bool) -> ProfileRun:
    played = models.find(name)
    outcome = ended.outcome
    lived = Fitness.TREATED if treated else Fitness.RUNS
    fitness = lived if outcome == Outcome.OK.value else Fitness.FAILS
    told = {Outcome.SKIPPED.value, Outcome.TIMEOUT.value, profiles.NOT_INSTALLABLE}
    if outcome in told or not ended.proves:
        fitness = Fitness.UNKNOWN
    version = _run([str(bench.python), "-c", "import platform; print(platform.python_version())"])
    return ProfileRun(
        profile=bench.profile.id,
        cpu=cpu,
        tier=profiles.tier(played.cpu),
        day=datetime.now(timezone.utc).date().isoformat(),
        treated=treated,
        fitness=fitness,
        outcome=outcome,
        detail=ended.detail.strip(),
        python=version.stdout.strip(),
        emulator=ended.how,
        lacks=played.cpu.missing(features.cumulative("x86-64-v3")),
        versions=bench.versions(),
    )


def _outcome(bench: Bench, name: str) -> Ended:
    """Return how the smoke probe ended."""
    smoke = bench.profile.smoke
    if smoke is not None and not bench.refusal:
        answer = bench.doctor("check", "--profile", bench.profile.id, "--cpu", name)
        results = answer["probes"]["results"]
        (mine,) = [
            item for item in results if item["id"] == smoke.probe.id and not item["overrides"]
        ]
        return Ended.of(mine, answer["probes"]["how"])
    if bench.profile.native is not None:
        return _probed(bench, name, bench.profile.distributions[:1], "its binding for Python")
    modules = [item.module for item in bench.profile.imports if not item.lazy]
    there = [module for module in modules if _can_find(bench, module)]
    if not there:
        return Ended(profiles.NOT_INSTALLABLE, bench.refusal, "")
    chain = f"import {', '.join(there)}"
    chain += f"; not installed: {bench.refusal}" if bench.refusal else ""
    return _probed(bench, name, there, chain)


def _probed(bench: Bench, name: str, what: Iterable[str], told: str) -> Ended:
    """Return how the worst of these probes ended, and why; `told` says what was probed."""
    answer = bench.doctor("probe", *what, "--cpu", name)
    ended = {item["outcome"]: item for item in reversed(answer["probes"])}
    worst = next((word for word in _WORST if word in ended), Outcome.OK.value)
    if worst == Outcome.OK.value:
        return Ended(worst, told, answer["how"])
    found = Ended.of(ended[worst], answer["how"])
    return found._replace(detail=f"{told}: {found.detail}")


def _built(bench: Bench, name: str) -> Ended:
    """Build the program from the source in the sdist as the profile says, and look at it."""
    shown = bench.doctor("profile", "show", bench.profile.id, "--cpu", name)
    source = _source(bench)
    folder = source / f"build-{name}"
    for text in shown["build"]:
        words = [str(folder) if word == "build" else word for word in shlex.split(text)]
        done = _run([*words, *(BUILT if "--build" in words else ())], folder=source)
        if done.returncode:
            return Ended(Outcome.SKIPPED.value, f"{text}: {done.stderr[-200:]}", "")
    command = ["profile", "binary", str(folder), "--cpu", name, "--format", "json"]
    found = json.loads(_run([sys.executable, "-m", "legacy_doctor", *command]).stdout)
    told = f"{found['program'].rsplit('/', 1)[-1]}, built with {shown['build'][0]}"
    return Ended(found["outcome"], told, found["how"])


def _source(bench: Bench) -> Path:
    """Unpack the sdist of the binding, which holds the whole project."""
    folder = bench.folder / "source"
    name = bench.profile.distributions[0]
    if not folder.is_dir():
        get = [str(bench.python), "-m", "pip", "download", "-q", "--no-deps", "--no-binary", name]
        _run([*get, *bench.options, "-d", str(folder), name])
        (archive,) = folder.glob("*.tar.gz")
        shutil.unpack_archive(archive, folder)
    return next(folder.glob("*/*/include/whisper.h")).parent.parent


def _can_find(bench: Bench, module: str) -> bool:
    top = module.partition(".")[0]
    script = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({top!r}) is None)"
    return _run([str(bench.python), "-c", script]).returncode == 0


def why(result: dict[str, Any]) -> str:
    """Return in a few words why a probe did not end well."""
    fault, raised = result["fault"], result["raised"]
    if fault:
        place = fault["path"] or fault["library"] or "generated code"
        return f"{fault['instruction'] or fault['kind']} in {place}"
    if raised:
        return f"{raised['type']}: {raised['message']}"[:160]
    return str(result["reason"])


def written(runs: Iterable[ProfileRun]) -> str:
    """Return the rows as the file holds them."""
    return _HEAD + "".join(f"\n[[runs]]\n{_entry(run)}" for run in sorted(runs, key=_order))


def _order(run: ProfileRun) -> tuple[str, int, bool]:
    place = CPUS.index(run.cpu) if run.cpu in CPUS else len(CPUS)
    return run.profile, place, run.treated


def _entry(run: ProfileRun) -> str:
    values: dict[str, Any] = {
        "profile": run.profile,
        "cpu": run.cpu,
        "tier": run.tier.value,
        "day": run.day,
        "treated": run.treated,
        "fitness": run.fitness.value,
        "outcome": run.outcome,
        "detail": run.detail,
        "python": run.python,
        "emulator": run.emulator,
        "lacks": list(features.ordered(run.lacks)),
        "versions": list(run.versions),
    }
    # JSON's texts, lists and booleans are TOML's as well, but for one character and for surrogates.
    text = "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()
    )
    return text.replace("\x7f", "\\u007f")


def merged(old: Iterable[ProfileRun], new: Sequence[ProfileRun]) -> tuple[ProfileRun, ...]:
    """Return the rows, each profile and CPU that was run again as it is now."""
    again = {(run.profile, run.cpu) for run in new}
    return (*(run for run in old if (run.profile, run.cpu) not in again), *new)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiles", description=__doc__)
    parser.add_argument("profile", nargs="*", default=profiles.names())
    parser.add_argument("--cpu", action="append", choices=CPUS)
    parser.add_argument("--home", type=Path, default=Path("build/profiles"), help="environments")
    parser.add_argument("--find-links", action="append", default=[], metavar="FOLDER")
    parser.add_argument("--no-index", action="store_true")
    parser.add_argument("--constraint", action="append", default=[], metavar="FILE")
    parser.add_argument("--table", action="store_true", help="print the table, run nothing")
    words = parser.parse_args(arguments)
    chosen = [profiles.find(name) for name in words.profile]
    if not words.table:
        for profile in chosen:
            _run_profile(profile, words)
    print(told.table(chosen, profiles.runs(), words.cpu or CPUS), end="")
    return 0


def _run_profile(profile: Profile, words: argparse.Namespace) -> None:
    """Run one profile on every CPU; each row is written as soon as it is there."""
    options = [word for folder in words.find_links for word in ("--find-links", folder)]
    options += [word for file in words.constraint for word in ("--constraint", file)]
    options += ["--no-index"] if words.no_index else []
    bench = build(profile, words.home.resolve(), options)
    for cpu in words.cpu or CPUS:
        try:
            new = tuple(benchmark(bench, cpu))
        except RuntimeError as error:  # one that cannot be treated keeps no other from its turn
            print(f"{profile.id} on {cpu}: {error}", file=sys.stderr)
            continue
        RUNS.write_text(written(merged(profiles.runs(), new)), encoding="utf-8")
        for run in new:
            state = "treated" if run.treated else "as installed"
            print(f"{run.profile} on {cpu}, {state}: {run.outcome} {run.detail}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
