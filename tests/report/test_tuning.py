"""Settings for a person, for a `.env` and for a shell."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from legacy_doctor.report import layout, tuning
from legacy_doctor.report.layout import Page
from tests.tune import consultations
from tests.tune.consultations import alike, env_file, hybrid, measurement


def shown(**changes: object) -> str:
    return layout.plain(tuning.lines(consultations.tuning(**changes), Page()))  # type: ignore[arg-type]


def test_the_whole_screen() -> None:
    assert shown(file=env_file(written=False)) == (
        """\
A program
  cpu            Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz (named)
  cores          12 physical (4P+8E, says CPUID leaf 0x1A), 16 logical; 18 are
                 online, the affinity mask allows these
  quota          6.5 CPUs (/sys/fs/cgroup/cpu.max)
  memory         4.0 GB can be had of 16.0; the limit is 5.0 GB
                 (/sys/fs/cgroup/memory.max)
  threads        4, the P-cores alone (on CPUs 0,2,4,6): because
  or             12, all physical cores: because
                 which of them is right here, --measure finds out

Variables
  X_THREADS=4
    ╰─> it asks for it
  X_DIR left unset
    ╰─> nobody reads it

In programs and on command lines
  x.cpp: -t 4
    ╰─> four at most

To know
  [!] X_MODEL=big: does not fit
  [i] bfloat16: needs AMX

Start it with the variables set
  run x

  [!] A was set to '1' and would be '2'
.env: not written (--diff)
--- a/.env
+++ b/.env
@@ -1 +1 @@
-A=1
+A=2
"""
    )


def test_what_was_measured_needs_no_hint_that_it_could_be() -> None:
    text = shown(measured=measurement(1.4, kept=True), file=env_file(written=True))

    assert "--measure" not in text
    assert "it is kept" in text
    assert "A was set to '1' and is '2'" in text
    assert ".env: written" in text


def test_a_file_that_is_so_already_is_told() -> None:
    assert shown(file=env_file(written=False, diff="")).endswith(
        "\n.env: nothing to do, it is so already\n"
    )


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        pytest.param(alike(4), "4 physical, 4 logical", id="alike"),
        pytest.param(
            replace(alike(2), cores=tuple(c._replace(package=c.cpus[0], node=c.cpus[0]) for c in alike(2).cores)),
            "2 physical, 2 logical; 2 sockets; 2 NUMA nodes",
            id="two sockets",
        ),
        pytest.param(
            hybrid(),
            "12 physical (4P+8E, says CPUID leaf 0x1A), 16 logical; 18 are online, the affinity mask allows these",
            id="hybrid, with an affinity mask",
        ),
    ],
)  # fmt: skip
def test_the_cores_in_a_sentence(machine: object, said: str) -> None:
    assert tuning.cores(machine) == said  # type: ignore[arg-type]


def test_little_is_shown_where_little_is_known() -> None:
    value = replace(
        consultations.tuning(), topology=alike(1), settings=(), remarks=(), starts=(), what_if=False
    )

    text = layout.plain(tuning.lines(value, Page()))

    assert "quota" not in text
    assert "memory" not in text
    assert "Variables" not in text


def test_memory_of_a_machine_without_a_total() -> None:
    value = replace(consultations.tuning(), topology=replace(alike(1), available=10**9))

    assert "  memory         1.0 GB can be had\n" in layout.plain(tuning.lines(value, Page()))


def test_variables_as_a_file() -> None:
    assert tuning.env(consultations.tuning()) == (
        """\
# A program: 4 threads, the P-cores alone
# it asks for it
X_THREADS=4
# nobody reads it
# X_DIR is left unset
"""
    )


def test_variables_as_commands_of_a_shell() -> None:
    text = tuning.shell(consultations.tuning())

    done = subprocess.run(
        ["sh", "-c", f"{text}\nenv"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "X_THREADS=4\n" in done.stdout
    assert "X_DIR" not in done.stdout
