"""A CPU for a person."""

from __future__ import annotations

from typing import Any

import pytest

from legacy_doctor.model import Cpu, Hidden, HiddenBy, Witness
from legacy_doctor.report import chart, layout
from legacy_doctor.report.layout import Page
from tests.diagnosis.patients import NEW, PHENOM, cpu


def shown(on: Cpu, remedies: Any = ()) -> str:
    return layout.plain(chart.lines(on, Page(), remedies))


def test_a_whole_chart() -> None:
    on = cpu(
        lacking="sse4_2",
        brand="Old CPU",
        microarchitecture="core2",
        hypervisor="KVMKVMKVM",
        hidden=(
            Hidden(feature="sse4_2", reason=HiddenBy.HYPERVISOR, detail="CPU type kvm64"),
            Hidden(feature="popcnt", reason=HiddenBy.HYPERVISOR, detail="CPU type kvm64"),
            Hidden(feature="avx", reason=HiddenBy.KERNEL, detail="clearcpuid=avx"),
        ),
        witnesses=(
            Witness(name="cpuid", features=frozenset()),
            Witness(name="ld.so", features=frozenset()),
            Witness(
                name="kernel",
                features=frozenset(),
                extra=frozenset({"avx", "sse4_2"}),
                lacking=frozenset({"popcnt"}),
            ),
            Witness(name="py-cpuinfo", features=None, note="not installed"),
        ),
    )
    assert shown(on, [("hypervisor", "change its CPU type"), ("kernel", "reboot")]) == (
        """\
Old CPU
  level          x86-64-v1
  identity       GenuineIntel family 6 model 15 stepping 1
  archspec       core2
  cpuid level    10 (highest basic leaf)
  hypervisor     KVMKVMKVM
  has            fpu cx8 cmov mmx fxsr sse sse2 syscall pni ssse3 sse4_1 popcnt
                 cx16 lahf_lm
  lacks for v2   sse4_2
  lacks for v3   avx avx2 fma f16c bmi1 bmi2 abm movbe xsave
  lacks for v4   avx512f avx512bw avx512cd avx512dq avx512vl
  hidden         by the hypervisor: sse4_2 popcnt (CPU type kvm64)
  hidden         by the kernel: avx (clearcpuid=avx)
  if hypervisor  change its CPU type
  if kernel      reboot
  cpuid          believed
  ld.so          agrees
  kernel         disagrees: also shows sse4_2 avx; does not show popcnt
  py-cpuinfo     silent: not installed
"""
    )


def test_a_cpu_of_which_little_is_known_and_that_lacks_nothing() -> None:
    little = {"vendor": "", "family": 0, "model": 0, "stepping": 0, "cpuid_level": None}
    lines = shown(cpu(level="x86-64-v4", brand="", **little)).splitlines()
    assert lines[0] == "family 0 model 0"
    assert [line[2:17].strip() for line in lines[1:]] == ["level", "has", "", ""]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param({"vendor": "", "family": 6}, True, id="a family alone"),
        pytest.param({"vendor": "GenuineIntel", "family": 0}, True, id="a vendor alone"),
        pytest.param({"vendor": "", "family": 0}, False, id="neither"),
    ],
)
def test_an_identity_is_shown_where_there_is_one(facts: dict[str, Any], said: bool) -> None:
    assert ("  identity" in shown(cpu(**facts))) is said


@pytest.mark.parametrize(
    ("on", "said"),
    [
        pytest.param(PHENOM, True, id="SSE4a without SSE4.1"),
        pytest.param(cpu("sse4a"), False, id="SSE4a with SSE4.1"),
        pytest.param(cpu(lacking="sse4_1"), False, id="neither"),
        pytest.param(NEW, False, id="SSE4.1 alone"),
    ],
)
def test_sse4a_is_not_taken_for_sse4(on: Cpu, said: bool) -> None:
    warned = "SSE4a is AMD's own and is neither SSE4.1 nor SSE4.2" in shown(on)
    assert warned is said


def test_one_sided_disagreement() -> None:
    on = cpu(
        witnesses=(
            Witness(name="a", features=frozenset(), extra=frozenset({"avx"})),
            Witness(name="b", features=frozenset(), lacking=frozenset({"avx"})),
        )
    )
    assert shown(on).splitlines()[-2:] == [
        "  a              disagrees: also shows avx",
        "  b              disagrees: does not show avx",
    ]


def test_a_table_has_columns_and_its_last_one_wraps() -> None:
    rows = [
        ("name", "level", "what it is"),
        ("phenom-ii", "v1", "AMD " * 9),
        ("core2", "below v1", "x"),
    ]
    assert layout.plain(chart.table(rows, Page(width=40))) == (
        """\
name       level     what it is
phenom-ii  v1        AMD AMD AMD AMD AMD
                     AMD AMD AMD AMD
core2      below v1  x
"""
    )


def test_the_heading_of_a_table_is_bold() -> None:
    head, row = chart.table([("a", "b"), ("c", "d")], Page())
    assert (head[0].style, row[0].style) == ("bold", "")
