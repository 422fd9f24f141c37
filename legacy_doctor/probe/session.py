"""Run probes: from the cache what is known, in the sandbox what is not, judged all at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from legacy_doctor.model import Cpu, Interpreter, Outcome, Probe, ProbeResult
from legacy_doctor.probe import cache, emulator, record, sandbox, verdict

if TYPE_CHECKING:
    from legacy_doctor.probe.fault import Owners

RECORDER: Final = Path(__file__).with_name("recorder.py")
_SNIPPETS: Final = {"import": "probe_import.py", "use": "probe_use.py"}
"""Files in the sandbox; named so that no package looks for a module of that name."""

_GRACE_S: Final = 2.0
_GRACE_STRETCH: Final = 5.0
"""Time for the Python frames of a fault; emulated, the interpreter is that much slower."""

POOLS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What sizes the pools of threads that libraries start when they are loaded."""

Overrides = tuple[tuple[str, str], ...]


class Task(NamedTuple):
    """One probe to run, with what distinguishes its runs."""

    probe: Probe
    overrides: Overrides = ()
    """Dispatch variables of the user to run it with; empty for a scrubbed run."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where probes run: interpreter, CPU, environment, limits."""

    interpreter: Interpreter
    cpu: Cpu
    owners: Owners
    emulator: emulator.Emulator | None
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables on top of what the sandbox lets through."""
    slots: int = 1
    seconds: float | None = None
    """A limit that replaces every probe's own."""
    store: cache.Cache = field(default_factory=lambda: cache.Cache(None))
    fingerprint: Callable[..., object] = lambda *names: names
    """Called with the names of distributions: what decides a probe that imports them."""
    weight: Callable[..., int] = lambda *_names: 0
    """Called with the same names: how long the probe may take, beside others."""

    @property
    def how(self) -> str:
        """`qemu-x86_64 7.2.22 -cpu phenom`, or `on this CPU`."""
        return self.emulator.label if self.emulator else "on this CPU"

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs the target's Python with these arguments."""
        python = [str(self.interpreter.executable), *words]
        return self.emulator.command(python) if self.emulator else python

    @cached_property
    def machine(self) -> dict[str, object]:
        """What else decides a result: CPU, emulator, interpreter, the recorder itself."""
        executable = self.interpreter.executable.resolve()
        status = executable.stat()
        played = self.emulator
        return {
            "cpu": sorted(self.cpu.features),
            "signature": [self.cpu.vendor, self.cpu.family, self.cpu.model, self.cpu.cpuid_level],
            "emulator": [played.version, played.cpu] if played else None,
            "python": [str(self.interpreter.executable), str(executable)],
            "build": [self.interpreter.dotted, status.st_size, status.st_mtime_ns],
            "recorder": RECORDER.read_text(encoding="utf-8"),
        }


def run(
    tasks: Sequence[Task],
    setting: Setting,
    finished: Callable[[ProbeResult | None], None] = lambda _: None,
) -> tuple[ProbeResult, ...]:
    """Return the results in the order of the tasks.

    `finished` is called as each comes in: with the result where it was in the cache, with None
    where a process has just ended (it is judged with all the others, at the end).
    """
    keys = [_key(task, setting) for task in tasks]
    known = {
        index: result
        for index, (task, name) in enumerate(zip(tasks, keys, strict=True))
        if (result := setting.store.get(name, task.probe)) is not None
    }
    for result in known.values():
        finished(result)
    fresh = [index for index in range(len(tasks)) if index not in known]
    # The longest first: one that is left for the end would run alone while the other cores idle.
    fresh.sort(key=lambda index: -setting.weight(*_imported(tasks[index].probe)))
    threads = _threads(setting.slots, len(fresh))
    jobs = [_job(tasks[index], setting, threads) for index in fresh]
    runs = sandbox.run(jobs, setting.slots, lambda _index, _run: finished(None))
    judged = _judged([tasks[index] for index in fresh], runs, setting)
    for index, result in zip(fresh, judged, strict=True):
        setting.store.put(keys[index], result)
        known[index] = result
    return tuple(known[index] for index in range(len(tasks)))


def skipped(probe: Probe, reason: str) -> ProbeResult:
    """Return the result of a probe that cannot be run."""
    return ProbeResult(probe=probe, outcome=Outcome.SKIPPED, reason=reason)


def _key(task: Task, setting: Setting) -> str:
    probe = task.probe
    return cache.key(
        [probe.id, probe.distribution, probe.imports, probe.use],
        setting.fingerprint(*_imported(probe)),
        setting.machine,
        task.overrides,
    )


def _imported(probe: Probe) -> tuple[str, ...]:
    """Return the distributions of which it imports modules."""
    return (probe.distribution, *probe.requires)


def _threads(slots: int, jobs: int) -> dict[str, str]:
    """Give each of those that run side by side its share of the cores, as threads.

    Pools as large as the machine, one in each, only wait for each other: on two cores that costs
    a quarter of the time. The kernels that run are the same.
    """
    cores = len(os.sched_getaffinity(0))
    share = max(1, cores // max(1, min(slots, jobs)))
    return dict.fromkeys(POOLS, str(share))


def _job(task: Task, setting: Setting, threads: Mapping[str, str]) -> sandbox.Job:
    sources = {"import": task.probe.imports, "use": task.probe.use}
    stages = [stage for stage in _SNIPPETS if sources[stage]]

    def command(descriptor: int, folder: Path) -> list[str]:
        steps = [f"{stage}:{folder / _SNIPPETS[stage]}" for stage in stages]
        return setting.command([str(RECORDER), str(descriptor), "probe", *steps])

    return sandbox.Job(
        command=command,
        files={_SNIPPETS[stage]: sources[stage] for stage in stages},
        env={**threads, **setting.env, **dict(task.overrides)},
        limits=_limits(task, setting),
        settled=settled,
    )


def _limits(task: Task, setting: Setting) -> sandbox.Limits:
    stretch = emulator.SLOWER if setting.emulator else 1.0
    return sandbox.Limits(
        seconds=(setting.seconds or task.probe.seconds) * stretch,
        memory=_address_space(),
        grace=_GRACE_S * (_GRACE_STRETCH if setting.emulator else 1),
    )


def settled(data: bytes) -> bool:
    """Tell whether a record holds a whole fault: nothing that matters comes after it."""
    return record.MAGIC + b"ENDS" in data


def judged(probe: Probe, run: sandbox.Run, owners: Owners, label: str) -> ProbeResult:
    """Return how a run that no session started ended; `label` names its emulator, if any."""
    case = verdict.Case(probe=probe, run=run, record=record.parse(run.record), emulator=label)
    return verdict.judge(case, owners)


def _judged(
    tasks: Sequence[Task], runs: Sequence[sandbox.Run], setting: Setting
) -> list[ProbeResult]:
    today = datetime.now(timezone.utc).date().isoformat()
    cases = [
        verdict.Case(
            probe=task.probe,
            run=run,
            record=record.parse(run.record),
            limits=_limits(task, setting),
            emulator=setting.emulator.label if setting.emulator else "",
            overrides=task.overrides,
        )
        for task, run in zip(tasks, runs, strict=True)
    ]
    results = verdict.judge_all(cases, setting.owners)
    return [replace(result, day=today) for result in results]


def _address_space() -> int:
    """Return the most a probe may map: what the machine has, and room for mapped files."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(16 << 30, physical + (8 << 30))
