"""What a native build says of itself, and the switches that build it for a CPU."""

from __future__ import annotations

import pytest

from legacy_doctor.cpu import models
from legacy_doctor.diagnosis import native
from legacy_doctor.knowledge import profiles
from legacy_doctor.model import Cpu, Native
from tests.diagnosis.patients import HASWELL, NEHALEM, PHENOM, words

FOUND = profiles.find("whisper-cpp").native
assert FOUND is not None
GGML: Native = FOUND

# Printed by libwhisper 1.8.5 as the wheel pywhispercpp carries it, on a CPU with AVX-512.
LINE = (
    "WHISPER : COREML = 0 | OPENVINO = 0 | CPU : SSE3 = 1 | SSSE3 = 1 | AVX = 1 | AVX2 = 1 | "
    "F16C = 1 | FMA = 1 | BMI2 = 1 | OPENMP = 1 | REPACK = 1 | "
)
OLD_LINE = (
    "AVX = 1 | AVX2 = 0 | AVX512 = 0 | FMA = 0 | NEON = 0 | ARM_FMA = 0 | METAL = 0 | F16C = 0 | "
    "FP16_VA = 0 | WASM_SIMD = 0 | BLAS = 0 | SSE3 = 1 | SSSE3 = 1 | VSX = 0 | COREML = 0 | "
)

LINES = {
    "today's": (LINE, "pni ssse3 avx avx2 f16c fma bmi2"),
    "that of older releases, with what is off": (OLD_LINE, "avx pni ssse3"),
    "none": ("", ""),
}


@pytest.mark.parametrize(("line", "features"), LINES.values(), ids=LINES)
def test_its_own_line(line: str, features: str) -> None:
    assert native.told(GGML, line) == words(features)


def test_the_line_is_found_among_others() -> None:
    said = f"loading\nsystem_info: n_threads = 1 / 2 | {LINE}\nerror: failed\n"

    assert native.info_line(said) == f"system_info: n_threads = 1 / 2 | {LINE}".strip()
    assert native.info_line("usage: main [options]\n") == ""


CACHE = """
# This is the CMakeCache file.
GGML_AVX2:BOOL={avx2}
GGML_CCACHE:BOOL=ON
GGML_FMA:BOOL=off
GGML_NATIVE:BOOL={native}
CMAKE_BUILD_TYPE:STRING=Release
"""


def test_the_switches_of_a_build() -> None:
    switches = native.cached(GGML, CACHE.format(native="OFF", avx2="ON"))

    assert switches == {"GGML_NATIVE": False, "GGML_AVX2": True, "GGML_FMA": False}
    assert next(iter(switches)) == "GGML_NATIVE"
    assert native.switched_on(GGML, switches) == words("avx2")


def test_a_build_for_the_machine_itself_says_nothing_by_its_switches() -> None:
    switches = native.cached(GGML, CACHE.format(native="ON", avx2="TRUE"))

    assert switches["GGML_AVX2"]
    assert native.switched_on(GGML, switches) == frozenset()


BUILDS = {
    "nothing of it on a Phenom": (PHENOM, ""),
    "SSE4.2 on Nehalem": (NEHALEM, "GGML_SSE42"),
    "AVX on Sandy Bridge": (models.find("sandybridge").cpu, "GGML_SSE42 GGML_AVX"),
    "F16C too on Ivy Bridge": (models.find("ivybridge").cpu, "GGML_SSE42 GGML_AVX GGML_F16C"),
    "FMA without AVX2 on Piledriver": (
        models.find("piledriver").cpu,
        "GGML_SSE42 GGML_AVX GGML_FMA GGML_F16C",
    ),
    "all of it on Haswell": (
        HASWELL,
        "GGML_SSE42 GGML_AVX GGML_AVX2 GGML_BMI2 GGML_FMA GGML_F16C",
    ),
}


@pytest.mark.parametrize(("cpu", "on"), BUILDS.values(), ids=BUILDS)
def test_the_command_that_builds_it(cpu: Cpu, on: str) -> None:
    command, build = native.built_for(GGML, cpu)
    head, *switches = command.split(" -D")

    assert (head, switches[0]) == ("cmake -B build", "GGML_NATIVE=OFF")
    assert {*on.split()} == {item[:-3] for item in switches if item.endswith("=ON")}
    assert len(switches) == 7, "what is on by default is said, on or off"
    assert build == "cmake --build build -j"


def test_any_witness_is_enough() -> None:
    assert native.lacking(PHENOM, [words("sse2"), words("avx pni")]) == words("avx")
    assert native.lacking(PHENOM, []) == frozenset()
