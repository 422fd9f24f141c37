"""Every statement of the write-ups that a doctor could act upon, and what of the house answers it.

The write-ups: one on running text-to-speech below AVX2 (S0), its sequels on listening (S1) and on
two projects compared (S2), the guide to the CPU backends of a server (S3), and what reading their
sources added (R). Classes: D detect, P pin, X patch, C check, T tuning, G generator, I known issue,
L training lint, A advice, H help in listening. A statement that proved wrong is answered in its
corrected form. An answer is `kind:what`; several are joined by ` + `, and every one must exist.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

import click
import pytest

from legacy_doctor.cli import main
from legacy_doctor.diagnosis import rules
from legacy_doctor.environment import overrides
from legacy_doctor.knowledge import catalogue, document, patches, probes, profiles
from tests.conftest import ROOT


class Row(NamedTuple):
    """One statement, and its answer."""

    id: str
    kind: str
    statement: str
    answer: str = ""


def rows(text: str) -> tuple[Row, ...]:
    """Read a table: id, class, statement and answer, apart by ` | `."""
    cells = (line.split(" | ") for line in text.strip().splitlines())
    return tuple(Row(*(cell.strip() for cell in row)) for row in cells)


ROWS: Final = rows("""
S0-detect-flags | D | report SSE3 to F16C | command:cpu
S0-detect-level | D | map the CPU to x86-64-v1 to v4, name what is missing | command:cpu
S0-detect-model | D | name family and microarchitecture | command:cpu
S0-detect-tiers | D | four tiers | command:profile list
S0-signal-sigill | C | each import in a child, classify SIGILL | command:probe + text:legacy_doctor/model/probing.py>illegal-instruction
S0-signal-sigfpe | C | classify SIGFPE apart | text:legacy_doctor/model/probing.py>floating-point-exception
S0-triage-list | C | probe the risky packages in one go | option:check --probe
S0-triage-pyarrow | D | pyarrow dies in static initialisation | pin:below-v2/pyarrow
S0-triage-numpy2 | D | a numpy wheel too new for the CPU (2.4, not 2.0) | pin:below-v2/numpy
S0-triage-torch-dynamo | D | SIGFPE at the import of torch._dynamo | pin:below-v2/torch + probe:torch/dynamo
S0-triage-pandas | D | pandas dies (of pyarrow, or of numpy 2.4) | pin:below-v2/pandas
S0-triage-cython | D | the build of monotonic_align dies | patch:no-build-isolation
S0-triage-dataloader | D | SIGFPE in a DataLoader worker | probe:torch/worker
S0-triage-v2-fewer | A | from v2 on fewer items apply | counsel:newer-cpus-need-less
S0-pin-numpy | P | numpy 1.26.4 (below 2.4) | pin:below-v2/numpy + option:pins --profile
S0-pin-torch | P | torch 2.7.0 (or newer, with oneDNN off) | pin:below-v2/torch + patch:torch-onednn-off
S0-pin-torchaudio | P | torchaudio 2.7.0 (below 2.9) | pin:below-v2/torchaudio
S0-pin-transformers | P | transformers 4.57.3 | pin:below-v2/transformers
S0-pin-latest-ok | P | numba, scipy and librosa may stay | pin:below-v2/numba + pin:below-v2/scipy + pin:below-v2/librosa
S0-pin-absent | P | keep pyarrow, datasets and torchcodec out | pin:below-v2/pyarrow + pin:below-v2/torchcodec + patch:datasets-stub
S0-pin-reasons | P | every pin has its reason | text:legacy_doctor/knowledge/document.py>nothing is stated without evidence
S0-pin-verified-versions | C | remember what was verified on this very CPU | text:legacy_doctor/probe/session.py>What else decides a result: CPU
S0-install-layering | G | the project first, then the pins | command:fix + option:fix --profile
S0-install-prefer-binary | G | --prefer-binary | option:fix --prefer-binary
S0-install-uninstall | G | what has to go is uninstalled | command:fix
S0-patch-1-dynamo-stub | X | early return in dynamo's table | patch:torch-dynamo-stub
S0-patch-1-backup | X | keep the original, restore it | command:undo
S0-patch-1-locate | X | find the file without the import that crashes | text:legacy_doctor/treatment/application.py>installed.root / edit.file
S0-patch-1-first-only | X | once and idempotently | text:legacy_doctor/treatment/patching.py>unchanged where it is patched already
S0-patch-1-per-install | C | notice a reinstall | command:patch status
S0-patch-1-scope | A | it concerns torch.compile only | text:patches/torch-dynamo-stub/patch.toml>torch.compile raises
S0-patch-1-cause | A | the cause (a division in Xbyak) | text:pinsets/below-v2.toml>`idivl` in Xbyak::util::Cpu
S0-patch-2-detect | C | probe matmul and mels on the CPU | probe:torch/matmul-f32 + probe:torch/mel
S0-patch-2a-mel-gpu | X | mels on the GPU and back | patch:mel-on-gpu
S0-patch-2b-mel-precompute | G | mels once, to disk | command:mel precompute
S0-patch-2-choose-b | A | the second is faster over all | counsel:mels-ahead
S0-patch-3-num-workers | X | num_workers=0 (and its companions) | patch:dataloader-num-workers-0 + counsel:workers-0
S0-patch-3-subprocess | C | a patch must reach the workers | probe:torch/worker + counsel:patches-live-in-site-packages
S0-patch-4-weights-only | X | weights_only=False for old checkpoints | patch:torch-load-weights-only-false
S0-patch-4-affected | D | the calls concerned | counsel:styletts2-weights-sites + command:checkpoint
S0-patch-4-version | D | from torch 2.6 on only | text:patches/torch-load-weights-only-false/patch.toml>versions = ">=2.6,<3"
S0-patch-5-stub-datasets | X | a stub of datasets | patch:datasets-stub
S0-patch-5-spec-none | C | a stub whose spec is None | counsel:f5-hand-made-stub
S0-patch-5-transformers | C | transformers takes the stub for the real one | text:patches/datasets-stub/patch.toml>believe that datasets is installed
S0-patch-6-no-build-isolation | G | --no-build-isolation --no-deps | patch:no-build-isolation
S0-patch-6-build-env | C | numpy and cython are there before | text:patches/no-build-isolation/patch.toml>requires = ["setuptools + counsel:styletts2-build-tools
S0-proj-f5 | C | F5-TTS | profile:f5-tts
S0-proj-f5-minimal-trainer | A | a trainer without datasets | counsel:minimal-trainer
S0-issue-f5-1292 | I | EMA-only checkpoint | issue:SWivid/F5-TTS#1292
S0-proj-styletts2 | C | StyleTTS2 | profile:styletts2
S0-issue-st2-361 | I | weights_only | issue:yl4579/StyleTTS2#361
S0-issue-st2-362 | I | pandas | issue:yl4579/StyleTTS2#362
S0-proj-kokoro | C | kokoro by ONNX, or torch on Python below 3.13 | profile:kokoro + profile:kokoro-onnx
S0-issue-kokoro-321 | I | the pin of misaki (Python is too new) | issue:hexgrad/kokoro#321
S0-proj-whispercpp | C | whisper.cpp, built on the machine | profile:whisper-cpp + command:profile binary
S0-nowork-pyarrow-source | A | do not build pyarrow | counsel:no-pyarrow-from-source
S0-nowork-numpy2-source | A | numpy 2 from source (it does work) | text:pinsets/below-v2.toml>-Csetup-args=-Dcpu-baseline=none
S0-nowork-bitsandbytes | D | bitsandbytes needs AVX2 | pin:avx-no-avx2/bitsandbytes
S0-avx-tier-patch1 | A | with AVX patch 1 is needless | counsel:try-first
S0-avx-tier-arrow | A | with AVX pyarrow installs | counsel:try-first
S0-avx-try-first | C | try before uninstalling | counsel:try-first
S0-rule-gpu-inference | A | inference on the GPU (a choice now) | counsel:gpu-is-a-choice
S0-detect-gpu | D | a usable GPU | counsel:see-the-gpu
S0-rule-pins-short | P | the short form of the pins | option:pins --profile
S0-rule-stub-or-uninstall | X | stub or uninstall | patch:datasets-stub + command:fix
S0-rule-once-per-torch | X | once per installation of torch | command:patch apply
S0-rule-precompute | A | mels ahead | counsel:mels-ahead
S0-rule-workers-0 | X | train with num_workers 0 | counsel:workers-0
S0-rule-upgrade-rebreaks | C | check after upgrades | counsel:check-after-upgrades
S1-loop-steps | H | render, listen, diagnose, choose | counsel:listening-loop
S1-verdict-no-difference | H | no difference | counsel:listening-verdicts
S1-verdict-mangled | H | words mangled | counsel:listening-verdicts
S1-verdict-wrong-accent | H | the wrong direction | counsel:listening-verdicts
S1-verdict-feature-missing | H | a feature missing | counsel:listening-verdicts
S1-verdict-drifted | H | drifted past the goal | counsel:listening-verdicts
S1-lint-lr-decay | L | look at the rate of four steps | counsel:constant-rate
S1-lint-drift-budget | L | the summed rate | counsel:drift-budget
S1-lint-constant-lr | L | a constant rate for short runs | counsel:constant-rate
S1-lint-peak-lr | L | 1e-5 against 5e-5 | counsel:peak-rate
S1-lint-loss-flat | L | flat means are ambiguous | counsel:loss-does-not-choose
S1-lint-loss-falls | L | a falling loss can hide overfitting | counsel:loss-does-not-choose
S1-lint-no-single-metric | L | no correlation of waveforms | counsel:loss-does-not-choose
S1-ckpt-per-epoch | L | a checkpoint for every epoch | counsel:checkpoint-each-epoch
S1-ckpt-six | H | render six or more | counsel:listening-passage
S1-probe-passage | H | one passage | counsel:listening-passage
S1-marker-table | H | a table of markers | counsel:listening-passage
S1-same-reference | H | one reference clip | counsel:listening-passage
S1-native-listener | A | a native listener | counsel:native-listener
S1-record-both | H | write down both | counsel:listening-loop
S1-render-cost | H | what a comparison costs | counsel:listening-passage
S1-knobs | H | the knobs | counsel:listening-loop
S1-asr-whispercpp | A | transcripts by whisper.cpp | counsel:transcripts-by-whisper-cpp
S1-gist-links | A | link the example scripts | counsel:patches-are-here
S2-trainer-when | A | when the small trainer is the way | counsel:minimal-trainer
S2-trainer-stub-first | X | the stub before any import of f5_tts | counsel:minimal-trainer + patch:datasets-stub
S2-trainer-ema-detect | C | EMA-only, from the header | command:checkpoint
S2-trainer-ema-strip | X | strip the prefix | option:checkpoint --strip-prefix
S2-trainer-ema-naive | C | loaders that skip the prefix | issue:SWivid/F5-TTS#1292
S2-trainer-no-decay | L | a constant rate below 50 epochs | counsel:constant-rate
S2-trainer-workers-0 | X | num_workers 0 | counsel:workers-0
S2-trainer-mels | G | train from mels | command:mel precompute
S2-trainer-no-accelerate | A | without accelerate | counsel:minimal-trainer
S2-arch-choose | A | which project for what | counsel:accent-or-phonemes
S2-arch-corpus-size | A | by the hours of audio | counsel:accent-or-phonemes
S2-epochs-f5 | L | 6 to 9 epochs | counsel:f5-epochs
S2-epochs-st2 | L | 3 to 4 epochs | counsel:styletts2-epochs
S2-fail-f5 | H | how F5-TTS fails late | counsel:f5-epochs
S2-fail-st2 | H | how StyleTTS2 fails late | counsel:styletts2-epochs
S2-st2-losses | C | the weights of the losses | counsel:styletts2-eight-losses
S2-f5-loss | A | one spectral loss | counsel:accent-or-phonemes
S2-loss-not-predictor | A | the loss chooses nothing | counsel:loss-does-not-choose
S2-pipeline | G | the order of the data | counsel:pipeline-order
S2-params-memory | T | memory from parameters | counsel:memory-by-parameters
S2-ship-two | A | keep two artefacts | counsel:keep-two
S3-backend-table | A | compare the backends | counsel:qwen-backends
S3-backend-pytorch | T | TTS_BACKEND=pytorch | tuning:qwen3-tts/TTS_BACKEND
S3-env-backend | C | validate it | tuning:qwen3-tts/TTS_BACKEND
S3-env-model-id | C | validate the model, and the clash | tuning:qwen3-tts/TTS_MODEL_ID + text:pinsets/tuning/qwen3-tts.toml>names = ["TTS_MODEL_NAME", "TTS_MODEL_ID"]
S3-model-small | T | the 0.6B model (CustomVoice) | text:pinsets/tuning/qwen3-tts.toml>Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice
S3-model-table | A | the models | counsel:qwen-models
S3-env-device | C | TTS_DEVICE | tuning:qwen3-tts/TTS_DEVICE
S3-env-dtype | C | TTS_DTYPE | tuning:qwen3-tts/TTS_DTYPE
S3-dtype-fp32 | T | float32 | tuning:qwen3-tts/TTS_DTYPE
S3-dtype-avoid-half | T | no half precision (but by the flags) | text:pinsets/tuning/qwen3-tts.toml>unless-any = ["avx512_bf16", "amx_bf16"]
S3-env-attn | C | TTS_ATTN | tuning:qwen3-tts/TTS_ATTN
S3-attn-sdpa | T | sdpa, then eager | tuning:qwen3-tts/TTS_ATTN
S3-attn-no-flash | T | flash attention is for GPUs | text:pinsets/tuning/general.toml>subject = "flash attention"
S3-env-cpu-threads | C | CPU_THREADS | tuning:qwen3-tts/CPU_THREADS
S3-threads-physical-cores | T | physical cores | tuning:general/OMP_NUM_THREADS + text:legacy_doctor/tune/advice.py>one thread a physical core
S3-threads-hybrid | T | P and E cores | text:legacy_doctor/tune/advice.py>the performance cores alone
S3-env-cpu-interop | C | CPU_INTEROP | tuning:qwen3-tts/CPU_INTEROP
S3-interop-low | T | one or two | tuning:qwen3-tts/CPU_INTEROP
S3-env-omp-mkl | G | export OMP and MKL | tuning:general/MKL_NUM_THREADS
S3-dotenv | G | a .env (which nothing reads by itself) | option:tune --write + text:pinsets/tuning/qwen3-tts.toml>nothing in the server reads a .env
S3-lscpu | C | count the cores (lscpu counts threads) | text:pinsets/tuning/qwen3-tts.toml>it counts logical CPUs
S3-start-commands | G | start it | counsel:qwen-start
S3-client-check | C | ask it for a word | counsel:qwen-start
S3-ipex-install | G | IPEX (never) | text:pinsets/tuning/general.toml>IPEX was archived
S3-ipex-enable | T | USE_IPEX (false) | tuning:qwen3-tts/USE_IPEX
S3-ipex-gain | A | 20 to 40 per cent | counsel:qwen-backends
S3-ipex-platform | D | Intel, AVX2, the version | pin:avx-no-avx2/intel-extension-for-pytorch + issue:intel/intel-extension-for-pytorch#867
S3-ipex-verify | C | in a child | text:pinsets/tuning/general.toml>import intel_extension_for_pytorch
S3-ipex-missing | D | asked for and not there | tuning:qwen3-tts/USE_IPEX
S3-openvino-warn | A | it does not synthesise | counsel:qwen-backends
S3-openvino-files | C | model.xml and model.bin | counsel:qwen-openvino-errors
S3-openvino-env | C | OV_* | tuning:qwen3-tts/OV_DEVICE + tuning:qwen3-tts/OV_MODEL_DIR + tuning:qwen3-tts/OV_CACHE_DIR
S3-openvino-partial | A | parts only | counsel:qwen-backends
S3-openvino-error | D | its errors | counsel:qwen-openvino-errors
S3-openvino-skip | T | leave it | text:pinsets/tuning/qwen3-tts.toml>backend does not synthesise
S3-preset-default | G | a preset | option:tune --profile
S3-preset-ipex | G | a preset with IPEX (refused) | tuning:qwen3-tts/USE_IPEX
S3-preset-generic4 | G | four cores | option:tune --format
S3-preset-dev | G | development | option:tune --preset
S3-preset-prod | G | production | option:tune --preset
S3-trouble-slow | C | too slow | counsel:qwen-slow
S3-check-load | D | other load | counsel:qwen-slow
S3-trouble-oom | C | out of memory | text:pinsets/tuning/qwen3-tts.toml>megabytes = 4400
S3-batch-size | T | no batches | counsel:qwen-slow
S3-trouble-interop-warning | A | a harmless warning | counsel:qwen-slow
S3-perf-table | A | real-time factors | counsel:qwen-first-request
S3-perf-first-request | A | the first request | counsel:qwen-first-request
S3-warmup | T | warm up in production | tuning:qwen3-tts/TTS_WARMUP_ON_START
S3-quality-same | A | the same quality | counsel:qwen-models
S3-gpu-hint | A | a GPU for throughput | counsel:gpu-for-throughput
R-onednn-off-hook | X | oneDNN off after the import of torch | patch:torch-onednn-off + patch:torch-onednn-off-hook
R-quirk-amd-cpuid | D | AMD whose CPUID ends below 0xB | text:pinsets/below-v2.toml>when = { vendor = "AuthenticAMD", cpuid-level-below = 11 }
R-quirk-no-sse41 | D | SSE4.1 is the floor | pin:below-v2/ctranslate2 + pin:below-v2/pyarrow
R-onednn-version | D | the version inside torch | counsel:onednn-inside-torch
R-functional-probe | C | an import proves an import | probe:ctranslate2
R-env-isa-override | D | dispatch variables | rule:dispatch-override + override:OPENBLAS_CORETYPE
R-cpuid-vs-proc | D | CPUID against /proc/cpuinfo | text:legacy_doctor/cpu/detect.py>/proc/cpuinfo has it, CPUID has not
R-vm-cpu-model | A | the guest's CPU type | rule:hidden-features + counsel:guest-cpu-type
R-numpy-24 | P | numpy below 2.4 | pin:below-v2/numpy
R-conflict-pyarrow26 | C | pyarrow 26 wants numpy 2 | rule:incompatible-versions + text:pinsets/below-v2.toml>second = "pyarrow>=26"
R-conflict-kokoro-onnx | C | kokoro-onnx wants numpy 2 | counsel:kokoro-onnx-numpy-range
R-conflict-coqui | C | coqui 0.27 wants transformers below 4.56 | counsel:coqui-transformers-range
R-remove-pyarrow | X | pandas is well without pyarrow | command:fix + text:pinsets/below-v2.toml>imports = "pyarrow"
R-python-kokoro | C | kokoro wants Python below 3.13 | rule:profile-python + issue:hexgrad/kokoro#321
R-persistent-workers | X | what num_workers=0 brings with it | counsel:workers-0
R-spawn-py314 | C | forkserver in 3.14 | counsel:patches-live-in-site-packages
R-weights-env | X | a variable for one process | issue:yl4579/StyleTTS2#361
R-constraint-build-env | X | constraints reach isolated builds | counsel:styletts2-build-tools
R-ipex-guard | C | IPEX in a child, 127 is a mismatch | text:pinsets/tuning/general.toml>exit status 127
R-openvino-namespace | X | openvino.runtime is gone | counsel:qwen-openvino-errors
R-qwen-voice-model | C | a named voice with a Base model | issue:Blaizzy/mlx-audio#895
R-qwen-name-clash | C | TTS_MODEL_NAME and TTS_MODEL_ID | text:pinsets/tuning/qwen3-tts.toml>[[clashes]]
R-threads-quota | T | quota and affinity | text:pinsets/tuning/general.toml>id = "quota"
R-threads-bench | T | measure | option:tune --measure
R-threads-early | C | variables set too late | text:pinsets/tuning/qwen3-tts.toml>id = "config-omp" + counsel:threads-before-start
R-libgomp | T | what pins libgomp | text:pinsets/tuning/general.toml>id = "libgomp"
R-ggml-flags | G | CMake's switches for a CPU | command:profile binary + counsel:ggml-native-off
R-ct2-fallback | A | whisper.cpp in place of faster-whisper | counsel:ct2-use-whisper-cpp
R-f5-warmup-updates | L | the warm-up has to end | counsel:f5-warmup-is-reached
R-int8-avx | D | dynamic INT8 wants AVX | counsel:int8-needs-avx + text:pinsets/tuning/general.toml>FBGEMM
R-torchaudio-29 | P | torchaudio 2.9 wants torchcodec | pin:below-v2/torchaudio
""")

CLASSES: Final = "DPXCTGILAH"


# --- what an answer may be


def _command(words: str) -> bool:
    return isinstance(_found(words.split()), click.Command)


def _found(words: list[str]) -> click.Command | None:
    if words[0] not in main._COMMANDS:
        return None
    command: click.Command = import_module(f"legacy_doctor.cli.{words[0]}").command
    for word in words[1:]:
        inner = command.commands.get(word) if isinstance(command, click.Group) else None
        if inner is None:
            return None
        command = inner
    return command


def _option(words: str) -> bool:
    *names, option = words.split()
    command = _found(names)
    return command is not None and any(option in item.opts for item in command.params)


def _pin(name: str) -> bool:
    pinset, _, distribution = name.partition("/")
    return any(pin.distribution == distribution for pin in catalogue.find(pinset).pins)


def _tuning(name: str) -> bool:
    program, _, variable = name.partition("/")
    table = document.parse((catalogue.folder() / f"tuning/{program}.toml").read_text("utf-8"))
    return variable in {item["name"] for item in table["variables"]}


def _text(place: str) -> bool:
    path, _, fragment = place.partition(">")
    return fragment in Path(ROOT, path).read_text("utf-8")


@cache
def _counsels() -> frozenset[str]:
    return frozenset(item.key for profile in profiles.every() for item in profile.counsel)


@cache
def _issues() -> frozenset[str]:
    return frozenset(item.ref for profile in profiles.every() for item in profile.issues)


@cache
def _patches() -> frozenset[str]:
    return frozenset(item.id for item in patches.every())


@cache
def _probes() -> frozenset[str]:
    return frozenset(item.id for item in probes.shipped())


KINDS: Final[dict[str, Callable[[str], bool]]] = {
    "command": _command,
    "option": _option,
    "rule": lambda name: name in dict(rules.summaries()),
    "patch": lambda name: name in _patches(),
    "pin": _pin,
    "probe": lambda name: name in _probes(),
    "profile": lambda name: name in profiles.names(),
    "issue": lambda ref: ref in _issues(),
    "counsel": lambda key: key in _counsels(),
    "tuning": _tuning,
    "override": lambda name: bool(overrides.found({name: "x"})),
    "text": _text,
}


def exists(answer: str) -> bool:
    """Tell whether everything that an answer names is there."""
    parts = [part.partition(":") for part in answer.split(" + ")]
    return all(KINDS[kind](what) for kind, _, what in parts)


# --- the table


def test_every_statement_stands_once_and_has_a_class() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)
    assert {row.kind for row in ROWS} == set(CLASSES)
    assert all(row.statement for row in ROWS)


def test_the_table_is_whole() -> None:
    parts = [sum(row.id.startswith(source) for row in ROWS) for source in ("S0", "S1", "S2", "S3")]

    assert parts == [69, 24, 21, 50]
    assert len(ROWS) == sum(parts) + 31


def test_nothing_is_left_without_an_answer() -> None:
    assert [row.id for row in ROWS if not row.answer] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_answer_exists(row: Row) -> None:
    assert exists(row.answer), f"{row.statement}: {row.answer}"


NOWHERE: Final = {
    "a command": "command:cure",
    "a subcommand": "command:profile cure",
    "an option": "option:check --cure",
    "an option of no command": "option:cure --check",
    "a rule": "rule:cure",
    "a patch": "patch:cure",
    "a pin": "pin:below-v2/cure",
    "a probe": "probe:cure",
    "a profile": "profile:cure",
    "an issue": "issue:cure#1",
    "advice": "counsel:cure",
    "a variable": "tuning:general/CURE",
    "a dispatch variable": "override:CURE",
    "a text": "text:pyproject.toml>no such text anywhere",
    "one of two": "command:check + command:cure",
}


@pytest.mark.parametrize("answer", NOWHERE.values(), ids=NOWHERE)
def test_an_answer_that_is_not_there_is_noticed(answer: str) -> None:
    assert not exists(answer)
