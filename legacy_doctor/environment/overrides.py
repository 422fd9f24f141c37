"""Dispatch variables: environment variables by which a user overrules a library's CPU check.

Each entry says what the variable accepts, what the library does with a value that the CPU cannot
honour, and which features each value asks for. Sources are named per variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.model import Override, OverrideKind

Values = Mapping[str, frozenset[str]]
Parser = Callable[[str, Values], frozenset[str] | None]
"""Features that a value asks for, or None where the library would not understand it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One dispatch variable."""

    name: str
    kind: OverrideKind
    values: Values
    readers: tuple[str, ...]
    effect: str
    source: str
    accepts: str = ""
    parser: Parser | None = None
    counts: Callable[[str], bool] = bool
    """Tells whether a value does anything at all."""

    def read(self, value: str) -> Override:
        """Return what `value` means for this variable."""
        needs = (self.parser or _single)(value, self.values)
        return Override(
            variable=self.name,
            value=value,
            kind=self.kind,
            needs=needs or frozenset(),
            understood=needs is not None,
            accepts=self.accepts or " ".join(self.values),
            readers=self.readers,
            effect=self.effect,
            source=self.source,
        )


def found(environ: Mapping[str, str]) -> tuple[Override, ...]:
    """Return the dispatch variables that are set, in the order of their names."""
    return tuple(sorted(_found(environ), key=lambda item: item.variable))


def _found(environ: Mapping[str, str]) -> Iterator[Override]:
    for variable in VARIABLES:
        value = environ.get(variable.name)
        if value is not None and variable.counts(value):
            yield variable.read(value)


def _single(value: str, values: Values) -> frozenset[str] | None:
    folded = {name.lower(): needs for name, needs in values.items()}
    return folded.get(value.strip().lower())


def _listed(value: str, values: Values) -> frozenset[str] | None:
    """Several names, split by comma, space or tab."""
    asked = [_single(word, values) for word in re.split(r"[\s,]+", value) if word]
    if any(needs is None for needs in asked):
        return None
    return frozenset().union(*(needs for needs in asked if needs is not None))


def _signed(value: str, values: Values) -> frozenset[str] | None:
    """`+avx2,-sse4.1`: only what is switched on asks for anything."""
    asked = [word[1:] for word in value.split(",") if word.startswith("+")]
    return _listed(",".join(asked), values)


def _anything(value: str, values: Values) -> frozenset[str] | None:
    """Unknown words are taken as the plain library, so every value is understood."""
    return _single(value, values) or frozenset()


def _needs(table: Mapping[str, str]) -> dict[str, frozenset[str]]:
    return {name: frozenset(needed.split()) for name, needed in table.items()}


_AVX2: Final = "avx avx2 fma"
_SKX: Final = "avx512f avx512bw avx512cd avx512dq avx512vl"
_V2: Final = "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"
_V3: Final = "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"

_LADDER: Final = _needs({"AVX": "avx", "AVX2": _AVX2, "AVX512": _SKX})

_OPENBLAS_CORES: Final = _needs(
    {
        "Katmai": "sse",
        "Coppermine": "sse",
        "Northwood": "sse2",
        "Prescott": "pni",
        "Banias": "sse2",
        "Atom": "ssse3",
        "Core2": "ssse3",
        "Penryn": "sse4_1",
        "Dunnington": "sse4_1",
        "Nehalem": "sse4_2",
        "Athlon": "sse2",
        "Opteron": "sse2",
        "Opteron_SSE3": "pni",
        "Barcelona": "pni",
        "Bobcat": "ssse3",
        "Nano": "ssse3",
        "Sandybridge": "avx",
        "Bulldozer": "avx fma4",
        "Piledriver": "avx fma fma4",
        "Steamroller": "avx fma fma4",
        "Excavator": "avx avx2 fma",
        "Haswell": _AVX2,
        "Zen": _AVX2,
        "SkylakeX": _SKX,
        "Cooperlake": f"{_SKX} avx512_bf16",
        "SapphireRapids": f"{_SKX} avx512_bf16",
    }
)

_LLVM_FEATURES: Final = _needs(
    {
        "sse": "sse",
        "sse2": "sse2",
        "sse3": "pni",
        "ssse3": "ssse3",
        "sse4.1": "sse4_1",
        "sse4.2": "sse4_2",
        "sse4a": "sse4a",
        "popcnt": "popcnt",
        "cx16": "cx16",
        "sahf": "lahf_lm",
        "avx": "avx",
        "avx2": "avx2",
        "fma": "fma",
        "f16c": "f16c",
        "bmi": "bmi1",
        "bmi2": "bmi2",
        "lzcnt": "abm",
        "movbe": "movbe",
        "aes": "aes",
        "pclmul": "pclmulqdq",
        "avx512f": "avx512f",
        "avx512bw": "avx512bw",
        "avx512cd": "avx512cd",
        "avx512dq": "avx512dq",
        "avx512vl": "avx512vl",
    }
)

_NUMPY_FEATURES: Final = _needs(
    {
        "SSE": "sse",
        "SSE2": "sse2",
        "SSE3": "pni",
        "SSSE3": "ssse3",
        "SSE41": "sse4_1",
        "POPCNT": "popcnt",
        "SSE42": "sse4_2",
        "AVX": "avx",
        "F16C": "f16c",
        "XOP": "xop",
        "FMA4": "fma4",
        "FMA3": "fma",
        "AVX2": "avx2",
        "AVX512F": "avx512f",
        "AVX512CD": "avx512cd",
        "AVX512_SKX": _SKX,
        "AVX512_ICL": f"{_SKX} avx512_vnni avx512ifma avx512vbmi",
        "AVX512_SPR": f"{_SKX} avx512_fp16",
        "X86_V2": _V2,
        "X86_V3": f"{_V2} {_V3}",
        "X86_V4": f"{_V2} {_V3} {_SKX}",
    }
)

_ONEDNN_ISAS: Final = _needs(
    {
        "DEFAULT": "",
        "ALL": "",
        "SSE41": "sse4_1",
        "AVX": "avx",
        "AVX2": "avx2",
        "AVX2_VNNI": "avx2 avx_vnni",
        "AVX2_VNNI_2": "avx2 avx_vnni",
        "AVX512_CORE": _SKX,
        "AVX512_CORE_VNNI": f"{_SKX} avx512_vnni",
        "AVX512_CORE_BF16": f"{_SKX} avx512_bf16",
        "AVX512_CORE_FP16": f"{_SKX} avx512_fp16",
        "AVX512_CORE_AMX": f"{_SKX} amx_tile",
    }
)

_MKL_ISAS: Final = {
    **_needs({"SSE4_2": "sse4_2", "AVX": "avx", "AVX2": "avx2"}),
    **_needs(dict.fromkeys(("AVX512", "AVX512_E1", "AVX512_E2", "AVX512_E3"), _SKX)),
}

_TORCH: Final = ("torch",)
_GUARD: Final = ("legacy-doctor-torch-guard",)
"""What the patch torch-onednn-off installs."""
_MKL: Final = ("torch", "mkl", "tensorflow", "ctranslate2")

VARIABLES: Final = (
    Variable(
        name="OPENBLAS_CORETYPE",
        kind=OverrideKind.FORCE,
        values=_OPENBLAS_CORES,
        readers=("numpy", "scipy", "faiss-cpu", "scipy-openblas32", "scipy-openblas64"),
        effect="OpenBLAS takes the kernels of that core without asking the CPU",
        source="OpenBLAS docs/runtime_variables.md; numpy/numpy#11517; emulated: with Haswell, "
        "numpy 1.26.4 dies of SIGILL on Nehalem",
    ),
    Variable(
        name="ATEN_CPU_CAPABILITY",
        kind=OverrideKind.FORCE,
        values=_needs({"default": "", "avx": "avx", "avx2": _AVX2, "avx512": _SKX}),
        readers=_TORCH,
        effect="torch takes the ATen kernels of that level unchecked",
        source="PyTorch aten/src/ATen/native/DispatchStub.cpp; pytorch/pytorch#12112",
    ),
    Variable(
        name="NPY_ENABLE_CPU_FEATURES",
        kind=OverrideKind.CHECKED,
        values=_NUMPY_FEATURES,
        parser=_listed,
        readers=("numpy",),
        effect="numpy raises RuntimeError at import for a feature that the CPU lacks",
        source="NumPy documentation, CPU build options",
    ),
    Variable(
        name="NPY_DISABLE_CPU_FEATURES",
        kind=OverrideKind.CEILING,
        values=_NUMPY_FEATURES,
        parser=lambda value, values: None if _listed(value, values) is None else frozenset(),
        readers=("numpy",),
        effect="only dispatched features can be switched off, never the baseline of the wheel",
        source="NumPy documentation, CPU build options",
    ),
    Variable(
        name="FAISS_OPT_LEVEL",
        kind=OverrideKind.FORCE,
        values=_needs({"GENERIC": "", "AVX2": _AVX2, "AVX512": _SKX, "AVX512_SPR": _SKX}),
        parser=_anything,
        readers=("faiss-cpu",),
        effect="the faiss loader loads that library without asking the CPU",
        source="facebookresearch/faiss python/loader.py; facebookresearch/faiss#5296",
    ),
    Variable(
        name="NUMBA_CPU_NAME",
        kind=OverrideKind.FORCE,
        values=features.COMPILER_TARGETS,
        readers=("numba", "llvmlite"),
        effect="numba compiles for that CPU, whatever it runs on",
        source="Numba documentation, environment variables; numba/numba#9582",
    ),
    Variable(
        name="NUMBA_CPU_FEATURES",
        kind=OverrideKind.FORCE,
        values=_LLVM_FEATURES,
        parser=_signed,
        accepts="+feature,-feature with LLVM's names",
        readers=("numba", "llvmlite"),
        effect="numba compiles with those features, whatever the CPU has",
        source="Numba documentation, environment variables",
    ),
    *(
        Variable(
            name=name,
            kind=OverrideKind.CEILING,
            values=_ONEDNN_ISAS,
            readers=(*_TORCH, "tensorflow", "tensorflow-cpu", "ctranslate2"),
            effect="oneDNN uses at most that level; SSE41 is the lowest, so it cannot help a "
            "CPU without SSE4.1",
            source="oneDNN documentation, CPU dispatcher control",
        )
        for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
    ),
    Variable(
        name="MKL_ENABLE_INSTRUCTIONS",
        kind=OverrideKind.CEILING,
        values=_MKL_ISAS,
        readers=_MKL,
        effect="MKL uses at most that level, on Intel CPUs only",
        source="oneMKL documentation",
    ),
    Variable(
        name="MKL_CBWR",
        kind=OverrideKind.CEILING,
        values={**_needs({"COMPATIBLE": "", "AUTO": "", "SSE2": "", "OFF": ""}), **_MKL_ISAS},
        parser=lambda value, values: _single(value.partition(",")[0], values),
        readers=_MKL,
        effect="MKL's reproducibility mode; on CPUs not by Intel only AUTO and COMPATIBLE count",
        source="oneMKL documentation",
    ),
    Variable(
        name="MKL_DEBUG_CPU_TYPE",
        kind=OverrideKind.DEAD,
        values=_needs({"5": ""}),
        readers=_MKL,
        effect="nothing reads it since MKL 2020.1; an older MKL would take AVX2 kernels unchecked",
        source="danieldk.eu, 'Intel MKL on AMD Zen'",
    ),
    Variable(
        name="CT2_FORCE_CPU_ISA",
        kind=OverrideKind.CHECKED,
        values={"GENERIC": frozenset(), **_LADDER},
        readers=("ctranslate2",),
        effect="CTranslate2 throws invalid_argument for a level that the CPU lacks",
        source="OpenNMT/CTranslate2 src/cpu/cpu_isa.cc",
    ),
    Variable(
        name="ARROW_USER_SIMD_LEVEL",
        kind=OverrideKind.CEILING,
        values={"NONE": frozenset(), "SSE4_2": frozenset({"sse4_2"}), **_LADDER},
        readers=("pyarrow",),
        effect="limits Arrow's dispatched kernels; the wheel's SSE4.2 baseline stays",
        source="Apache Arrow documentation, environment variables; apache/arrow#34527",
    ),
    *(
        Variable(
            name=name,
            kind=OverrideKind.FORCE,
            values=_needs(
                {
                    "compat": f"{_V2}",
                    "64": f"{_V2} {_V3} pclmulqdq",
                    "32": f"{_V2} {_V3} pclmulqdq",
                }
            ),
            readers=("polars",),
            effect="polars loads that runtime without asking the CPU",
            source="pola-rs/polars py-polars/src/polars/_plr.py",
        )
        for name in ("POLARS_FORCE_PKG", "POLARS_PREFER_PKG")
    ),
    Variable(
        name="POLARS_SKIP_CPU_CHECK",
        kind=OverrideKind.MASK,
        values={},
        parser=_anything,
        accepts="any value",
        readers=("polars",),
        effect="silences polars' own CPU warning; the SIGILL behind it stays",
        source="pola-rs/polars#15404; pola-rs/polars#26426",
    ),
    Variable(
        name="OPENCV_SKIP_CPU_BASELINE_CHECK",
        kind=OverrideKind.MASK,
        values={},
        parser=_anything,
        accepts="any value",
        readers=("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
        effect="turns OpenCV's clean abort into a possible SIGILL",
        source="opencv/opencv#19698",
    ),
    Variable(
        name="CONDA_OVERRIDE_ARCHSPEC",
        kind=OverrideKind.FORCE,
        values={name.replace("-", "_"): needs for name, needs in features.COMPILER_TARGETS.items()},
        accepts="archspec's names, e.g. nehalem or x86_64_v2",
        readers=(),
        effect="conda installs builds for that CPU, whatever this one is",
        source="conda-forge/conda-forge.github.io#2105",
    ),
    Variable(
        name="GLIBC_TUNABLES",
        kind=OverrideKind.CEILING,
        values={},
        parser=_anything,
        counts=lambda value: "glibc.cpu.hwcaps" in value,
        accepts="glibc.cpu.hwcaps=-AVX2,... (case-sensitive)",
        readers=(),
        effect="lowers glibc's own string functions only; no Python package looks at it",
        source="glibc manual, Tunables, glibc.cpu.hwcaps",
    ),
    Variable(
        name="TORCH_DEVICE_BACKEND_AUTOLOAD",
        kind=OverrideKind.DISARM,
        values={},
        parser=_anything,
        counts=lambda value: value != "1",  # set to nothing switches it off too
        accepts="1; anything else switches it off",
        readers=_GUARD,
        effect="torch does not load the guard that switches oneDNN off for this CPU",
        source="PyTorch torch/__init__.py, _is_device_backend_autoload_enabled",
    ),
    Variable(
        name="LEGACY_DOCTOR_DISABLE",
        kind=OverrideKind.DISARM,
        values={},
        parser=_anything,
        counts=lambda value: not {"1", "torch"}.isdisjoint(value.split(",")),
        accepts="1, or names split by comma",
        readers=_GUARD,
        effect="the guard that switches oneDNN off for this CPU does nothing",
        source="patches/torch-onednn-off/patch.toml, disarmed-by",
    ),
)
