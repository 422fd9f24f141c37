"""Dispatch variables: what each value asks for, and what each library makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_doctor.cpu import features
from legacy_doctor.environment import overrides
from legacy_doctor.knowledge import patches
from legacy_doctor.model import OverrideKind

AVX2 = "avx avx2 fma"
SKX = "avx512f avx512bw avx512cd avx512dq avx512vl"
V2 = "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"
V3 = f"{V2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"
UNKNOWN = None

# variable, value, features it asks for (None: the library does not understand the value)
VALUES: dict[str, tuple[str, str, str | None]] = {
    "OpenBLAS, a core": ("OPENBLAS_CORETYPE", "Haswell", AVX2),
    "OpenBLAS, in any case": ("OPENBLAS_CORETYPE", "hASWELL", AVX2),
    "OpenBLAS, an old core": ("OPENBLAS_CORETYPE", "Barcelona", "pni"),
    "OpenBLAS, AVX-512": ("OPENBLAS_CORETYPE", "SkylakeX", SKX),
    "OpenBLAS, no core": ("OPENBLAS_CORETYPE", "Pentium5", UNKNOWN),
    "ATen, default": ("ATEN_CPU_CAPABILITY", "default", ""),
    "ATen, AVX2": ("ATEN_CPU_CAPABILITY", "avx2", AVX2),
    "ATen, with blanks": ("ATEN_CPU_CAPABILITY", " avx512 ", SKX),
    "ATen, nonsense": ("ATEN_CPU_CAPABILITY", "fast", UNKNOWN),
    "numpy, a list by comma": ("NPY_ENABLE_CPU_FEATURES", "AVX2,FMA3", "avx2 fma"),
    "numpy, a list by blank and tab": (
        "NPY_ENABLE_CPU_FEATURES",
        "SSE41  AVX\tF16C",
        "sse4_1 avx f16c",
    ),
    "numpy, a list with gaps": ("NPY_ENABLE_CPU_FEATURES", ",SSE42,,", "sse4_2"),
    "numpy, in any case": ("NPY_ENABLE_CPU_FEATURES", "avx512_skx", SKX),
    "numpy, a level": ("NPY_ENABLE_CPU_FEATURES", "X86_V2", V2),
    "numpy, a higher level": ("NPY_ENABLE_CPU_FEATURES", "X86_V3", V3),
    "numpy, one unknown of many": ("NPY_ENABLE_CPU_FEATURES", "AVX2 NEON", UNKNOWN),
    "numpy, switched off": ("NPY_DISABLE_CPU_FEATURES", "AVX2,FMA3", ""),
    "numpy, unknown switched off": ("NPY_DISABLE_CPU_FEATURES", "AVX2,NEON", UNKNOWN),
    "faiss, AVX2": ("FAISS_OPT_LEVEL", "avx2", AVX2),
    "faiss, generic": ("FAISS_OPT_LEVEL", "generic", ""),
    "faiss, anything else is generic": ("FAISS_OPT_LEVEL", "whatever", ""),
    "numba, a CPU": ("NUMBA_CPU_NAME", "nehalem", V2),
    "numba, a CPU of GCC's": ("NUMBA_CPU_NAME", "haswell", V3),
    "numba, generic": ("NUMBA_CPU_NAME", "generic", ""),
    "numba, no CPU": ("NUMBA_CPU_NAME", "z80", UNKNOWN),
    "numba, only what is switched on": ("NUMBA_CPU_FEATURES", "+avx2,-sse4.1", "avx2"),
    "numba, several switched on": ("NUMBA_CPU_FEATURES", "+sahf,+lzcnt", "lahf_lm abm"),
    "numba, all switched off": ("NUMBA_CPU_FEATURES", "-avx,-avx2", ""),
    "numba, unknown switched on": ("NUMBA_CPU_FEATURES", "+neon", UNKNOWN),
    "numba, unknown switched off": ("NUMBA_CPU_FEATURES", "-neon", ""),
    "oneDNN, everything": ("ONEDNN_MAX_CPU_ISA", "ALL", ""),
    "oneDNN, the lowest": ("ONEDNN_MAX_CPU_ISA", "SSE41", "sse4_1"),
    "oneDNN by its old name": ("DNNL_MAX_CPU_ISA", "avx512_core_amx", f"{SKX} amx_tile"),
    "oneDNN, nonsense": ("DNNL_MAX_CPU_ISA", "SSE2", UNKNOWN),
    "MKL, a level": ("MKL_ENABLE_INSTRUCTIONS", "SSE4_2", "sse4_2"),
    "MKL, nonsense": ("MKL_ENABLE_INSTRUCTIONS", "MMX", UNKNOWN),
    "MKL, reproducible": ("MKL_CBWR", "COMPATIBLE", ""),
    "MKL, reproducible at a level, strictly": ("MKL_CBWR", "AVX2,STRICT", "avx2"),
    "MKL, reproducible, nonsense": ("MKL_CBWR", "MMX,STRICT", UNKNOWN),
    "MKL, the dead one": ("MKL_DEBUG_CPU_TYPE", "5", ""),
    "MKL, the dead one, another value": ("MKL_DEBUG_CPU_TYPE", "4", UNKNOWN),
    "CTranslate2, generic": ("CT2_FORCE_CPU_ISA", "generic", ""),
    "CTranslate2, AVX": ("CT2_FORCE_CPU_ISA", "AVX", "avx"),
    "CTranslate2, nonsense": ("CT2_FORCE_CPU_ISA", "SSE2", UNKNOWN),
    "Arrow, none": ("ARROW_USER_SIMD_LEVEL", "NONE", ""),
    "Arrow, a level": ("ARROW_USER_SIMD_LEVEL", "sse4_2", "sse4_2"),
    "polars, compat": ("POLARS_FORCE_PKG", "compat", V2),
    "polars, 64 bit": ("POLARS_FORCE_PKG", "64", f"{V3} pclmulqdq"),
    "polars, preferred": ("POLARS_PREFER_PKG", "32", f"{V3} pclmulqdq"),
    "polars, nonsense": ("POLARS_PREFER_PKG", "16", UNKNOWN),
    "polars, check silenced": ("POLARS_SKIP_CPU_CHECK", "1", ""),
    "OpenCV, check silenced": ("OPENCV_SKIP_CPU_BASELINE_CHECK", "on", ""),
    "conda, a CPU": ("CONDA_OVERRIDE_ARCHSPEC", "nehalem", V2),
    "conda, a level": ("CONDA_OVERRIDE_ARCHSPEC", "x86_64_v3", V3),
    "conda, nonsense": ("CONDA_OVERRIDE_ARCHSPEC", "m68k", UNKNOWN),
    "torch, loads no backends": ("TORCH_DEVICE_BACKEND_AUTOLOAD", "0", ""),
    "the doctor, switched off": ("LEGACY_DOCTOR_DISABLE", "1", ""),
    "glibc": ("GLIBC_TUNABLES", "glibc.malloc.check=1:glibc.cpu.hwcaps=-AVX2", ""),
}


@pytest.mark.parametrize(("name", "value", "wanted"), VALUES.values(), ids=VALUES)
def test_a_value_asks_for(name: str, value: str, wanted: str | None) -> None:
    (override,) = overrides.found({name: value})
    assert (override.variable, override.value) == (name, value)
    assert override.understood is (wanted is not None)
    assert override.needs == set((wanted or "").split())


def test_every_variable_is_tested() -> None:
    assert {name for name, _, _ in VALUES.values()} == {item.name for item in overrides.VARIABLES}


KINDS = {
    "force": "OPENBLAS_CORETYPE ATEN_CPU_CAPABILITY FAISS_OPT_LEVEL NUMBA_CPU_NAME "
    "NUMBA_CPU_FEATURES POLARS_FORCE_PKG POLARS_PREFER_PKG CONDA_OVERRIDE_ARCHSPEC",
    "checked": "NPY_ENABLE_CPU_FEATURES CT2_FORCE_CPU_ISA",
    "ceiling": "NPY_DISABLE_CPU_FEATURES ONEDNN_MAX_CPU_ISA DNNL_MAX_CPU_ISA MKL_CBWR "
    "MKL_ENABLE_INSTRUCTIONS ARROW_USER_SIMD_LEVEL GLIBC_TUNABLES",
    "mask": "POLARS_SKIP_CPU_CHECK OPENCV_SKIP_CPU_BASELINE_CHECK",
    "dead": "MKL_DEBUG_CPU_TYPE",
    "disarm": "TORCH_DEVICE_BACKEND_AUTOLOAD LEGACY_DOCTOR_DISABLE",
}


@pytest.mark.parametrize("kind", OverrideKind)
def test_what_a_library_does_with_a_value_it_cannot_honour(kind: OverrideKind) -> None:
    found = {item.name for item in overrides.VARIABLES if item.kind is kind}
    assert found == set(KINDS[kind.value].split())


PASSED_OVER = {
    "nothing set": {},
    "set to nothing": {"OPENBLAS_CORETYPE": "", "NPY_ENABLE_CPU_FEATURES": ""},
    "variables of no concern": {"PATH": "/bin", "OPENBLAS_NUM_THREADS": "4"},
    "another case of the name": {"openblas_coretype": "Haswell"},
    "glibc's tunables of other things": {"GLIBC_TUNABLES": "glibc.malloc.check=3"},
    "torch told what it does anyway": {"TORCH_DEVICE_BACKEND_AUTOLOAD": "1"},
    "the doctor, switched off for others": {"LEGACY_DOCTOR_DISABLE": "torchaudio,datasets"},
    "the doctor, switched off by nothing": {"LEGACY_DOCTOR_DISABLE": "0"},
}


@pytest.mark.parametrize("environ", PASSED_OVER.values(), ids=PASSED_OVER)
def test_what_is_passed_over(environ: dict[str, str]) -> None:
    assert overrides.found(environ) == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("TORCH_DEVICE_BACKEND_AUTOLOAD", "", id="torch takes only a 1 for yes"),
        pytest.param("TORCH_DEVICE_BACKEND_AUTOLOAD", "true", id="not even this"),
        pytest.param("LEGACY_DOCTOR_DISABLE", "datasets,torch", id="torch among others"),
    ],
)
def test_the_guard_is_disarmed_by(name: str, value: str) -> None:
    (override,) = overrides.found({name: value})
    assert (override.kind, override.value) == (OverrideKind.DISARM, value)


def test_the_patch_names_what_disarms_it() -> None:
    """What patch.toml says and what is looked for are one list."""
    guard = patches.find("torch-onednn-off")
    for setting in guard.disarmed_by:
        name, _, value = setting.partition("=")
        (override,) = overrides.found({name: value})
        assert guard.provides is not None
        assert override.readers == (guard.provides.name,)


def test_variables_are_told_in_the_order_of_their_names() -> None:
    environ = {name: value for name, value, _ in reversed(VALUES.values())}
    names = [item.variable for item in overrides.found(environ)]
    assert names == sorted(environ)


@pytest.mark.parametrize("variable", overrides.VARIABLES, ids=lambda item: item.name)
def test_laws_of_a_variable(variable: overrides.Variable) -> None:
    assert frozenset().union(*variable.values.values()) <= features.KNOWN
    assert variable.effect
    assert variable.source
    assert variable.accepts or variable.values
    assert len({name.lower() for name in variable.values}) == len(variable.values)


def test_an_override_says_what_the_variable_accepts() -> None:
    listed, spoken = overrides.found({"ATEN_CPU_CAPABILITY": "x", "NUMBA_CPU_FEATURES": "+x"})
    assert listed.accepts == "default avx avx2 avx512"
    assert spoken.accepts == "+feature,-feature with LLVM's names"
    assert listed.readers == ("torch",)


@given(st.sampled_from(overrides.VARIABLES), st.text())
def test_any_value_is_understood_or_not(variable: overrides.Variable, value: str) -> None:
    override = variable.read(value)
    assert override.needs <= features.KNOWN
    assert override.understood or not override.needs
