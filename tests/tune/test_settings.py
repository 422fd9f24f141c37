"""Settings with their reasons, and what is wrong with those that are set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from legacy_doctor.errors import UnknownNameError
from legacy_doctor.knowledge import tuning
from legacy_doctor.model import Severity, Work
from legacy_doctor.tune import settings
from tests.tune.consultations import alike, choice, cpu

QWEN = tuning.find("qwen3-tts")
GENERAL = tuning.find("general")
BOTH = (QWEN, GENERAL)
PHENOM, HASWELL = cpu("phenom-ii"), cpu("haswell")
SAPPHIRE = replace(HASWELL, features=HASWELL.features | {"avx512_bf16", "amx_bf16"})
"""No model of the table has either; Sapphire Rapids has both."""


def variables(
    threads: int, *, model: str | None = None, production: bool = True
) -> dict[str, str | None]:
    weights = settings.model(QWEN, model)
    found = settings.variables(QWEN, choice(threads), weights=weights, production=production)
    return {item.name: item.value for item in found}


def test_the_server_gets_every_variable_of_its_guide() -> None:
    assert variables(4) == {
        "TTS_BACKEND": "pytorch",
        "TTS_MODEL_ID": "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice",
        "TTS_DEVICE": "cpu",
        "TTS_DTYPE": "float32",
        "TTS_ATTN": "sdpa",
        "CPU_THREADS": "4",
        "CPU_INTEROP": "1",
        "USE_IPEX": "false",
        "OV_DEVICE": None,
        "OV_MODEL_DIR": None,
        "OV_CACHE_DIR": None,
        "TTS_WARMUP_ON_START": "true",
        "WORKERS": "1",
    }


@pytest.mark.parametrize(
    ("model", "production", "warm"),
    [
        pytest.param(None, True, "true", id="production warms up"),
        pytest.param(None, False, "false", id="development does not"),
        pytest.param("Qwen3-TTS-12Hz-0.6B-Base", True, "false", id="a Base model cannot"),
    ],
)
def test_the_warm_up(model: str | None, production: bool, warm: str) -> None:
    found = variables(12, model=model, production=production)

    assert found["TTS_WARMUP_ON_START"] == warm
    assert found["CPU_INTEROP"] == "2"


def test_a_model_is_named_in_full_or_by_its_last_part() -> None:
    name = "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"

    for wanted in (name, "qwen3-tts-12hz-1.7b-customvoice"):
        found = settings.model(QWEN, wanted)
        assert found is not None
        assert found.id == name


@pytest.mark.parametrize(
    ("guide", "wanted", "said"),
    [
        pytest.param(QWEN, "0.6B-CustomVoice", "did you mean 'Qwen3-TTS-12Hz-0.6B-CustomVoice'", id="near"),
        pytest.param(QWEN, "bark", "one of Qwen3-TTS-12Hz-0.6B-CustomVoice, ", id="far"),
        pytest.param(GENERAL, "bark", "one of none", id="a guide without models"),
    ],
)  # fmt: skip
def test_an_unknown_model_is_an_error(guide: tuning.Guide, wanted: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match="knows no model") as error:
        settings.model(guide, wanted)

    assert said in str(error.value)


def test_each_engine_is_told_what_is_right_for_its_work() -> None:
    choices = {Work.DENSE: choice(12), Work.AUTOREGRESSIVE: choice(4)}

    told = {(item.engine, item.name) for item in settings.calls(GENERAL, choices, Work.DENSE)}

    assert told == {
        ("torch", "torch.set_num_threads(12)"),
        ("torch", "torch.set_num_interop_threads(2)"),
        ("onnxruntime", "SessionOptions.intra_op_num_threads = 12"),
        ("onnxruntime", "SessionOptions.inter_op_num_threads = 1"),
        ("ctranslate2", "intra_threads=4, inter_threads=1"),
        ("whisper.cpp", "-t 4"),
    }


def test_a_choice_of_cpus_is_pinned_by_what_acts_on_libgomp() -> None:
    (only,) = settings.pinning(choice(4, 0, 2, 4, 6))

    assert (only.engine, only.name) == ("start with", "taskset -c 0,2,4,6 ...")
    assert "KMP_AFFINITY" in only.reason
    assert not list(settings.pinning(choice(4)))


@pytest.mark.parametrize(
    ("name", "subjects"),
    [
        pytest.param(
            "phenom-ii",
            {"bfloat16", "flash attention", "torch dynamic INT8 (FBGEMM)", "oneDNN", "bitsandbytes"},
            id="Phenom II cannot use any of it",
        ),
        pytest.param(
            "nehalem",
            {"bfloat16", "flash attention", "torch dynamic INT8 (FBGEMM)", "bitsandbytes"},
            id="Nehalem has SSE4.1 for oneDNN",
        ),
        pytest.param("sandy-bridge", {"bfloat16", "flash attention", "bitsandbytes"}, id="Sandy Bridge has AVX"),
        pytest.param("haswell", {"bfloat16", "flash attention"}, id="Haswell has AVX2"),
    ],
)  # fmt: skip
def test_what_a_cpu_cannot_use(name: str, subjects: set[str]) -> None:
    found = list(settings.limits(BOTH, cpu(name)))

    assert {item.subject for item in found} == subjects
    assert all(item.severity is Severity.INFO and item.evidence for item in found)


def test_no_cpu_has_flash_attention() -> None:
    assert [item.subject for item in settings.limits(BOTH, SAPPHIRE)] == ["flash attention"]


def test_bfloat16_is_worth_a_measurement_where_the_cpu_has_it() -> None:
    (only,) = settings.chances(SAPPHIRE)

    assert "amx_bf16" in only.text
    assert not list(settings.chances(HASWELL))


def test_what_goes_round_and_is_wrong_is_corrected() -> None:
    found = {item.subject.strip("'"): item.text for item in settings.corrections(BOTH)}

    assert "0.6B-CustomVoice can" in found["0.6B-Base with the voice Vivian"]
    assert "NotImplementedError" in found["the OpenVINO backend is experimental"]
    assert "nothing loads a .env by itself" in found["a .env file is enough"]
    assert "read by none of" in found["libraries see how many CPUs a container has"]
    assert "2.8.0" in found["IPEX is a stable gain of 20 to 40 per cent"]
    assert "16 on an i5-1240P" in found["`lscpu | grep '^CPU(s)'` counts the cores"]


@pytest.mark.parametrize(
    ("values", "severity", "said"),
    [
        pytest.param({"TTS_BACKEND": "openvino"}, "error", "does not synthesise", id="openvino"),
        pytest.param({"TTS_BACKEND": "OpenVINO"}, "error", "does not synthesise", id="in any case"),
        pytest.param({"TTS_BACKEND": "pytorh"}, "error", "did you mean 'pytorch'", id="a typo"),
        pytest.param({"TTS_BACKEND": "onnx"}, "error", "one of official", id="an unknown backend"),
        pytest.param({"TTS_BACKEND": "official"}, "warning", "ignores", id="official"),
        pytest.param({"TTS_BACKEND": "vllm-omni"}, "warning", "need a GPU", id="vllm"),
        pytest.param({"TTS_MODEL_ID": "Qwen/Qwen3-TTS-12Hz-0.6B-Base"}, "warning", "no preset voices", id="Base"),
        pytest.param({"TTS_DTYPE": "bfloat16"}, "warning", "converted", id="bfloat16 without it"),
        pytest.param({"TTS_DTYPE": "bf16"}, "error", "did you mean", id="a dtype that becomes float32"),
        pytest.param({"TTS_DTYPE": "float16"}, "warning", "half", id="float16"),
        pytest.param({"TTS_ATTN": "flash_attention_2"}, "warning", "GPU only", id="flash attention"),
        pytest.param({"TTS_DEVICE": "cuda:0"}, "warning", "asks for a GPU", id="a GPU"),
        pytest.param({"USE_IPEX": "true"}, "warning", "127", id="IPEX"),
        pytest.param({"OV_DEVICE": "TPU"}, "error", "not a value", id="an OpenVINO device"),
        pytest.param({"CPU_THREADS": "all"}, "error", "whole number", id="threads in words"),
        pytest.param({"CPU_THREADS": "0"}, "error", "whole number", id="no threads"),
        pytest.param({"MKL_NUM_THREADS": "²"}, "error", "whole number", id="a digit that is none"),
        pytest.param({"TTS_MODEL_NAME": "a", "TTS_MODEL_ID": "b"}, "warning", "one of them only", id="a clash"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_work_is_told(values: dict[str, str], severity: str, said: str) -> None:
    (only,) = settings.judged(BOTH, values, HASWELL, ".env")

    assert only.severity.value == severity
    assert said in only.text
    assert only.text.endswith("(set in .env)")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"PATH": "/bin", "CPU_THREADS": "4"}, id="nothing wrong"),
        pytest.param({"TTS_DTYPE": "bfloat16"}, id="bfloat16 where the CPU has it"),
        pytest.param({"OMP_NUM_THREADS": "4,2"}, id="a number a nested level"),
        pytest.param({"TTS_MODEL_NAME": "a", "TTS_MODEL_ID": "a"}, id="the same model twice"),
    ],
)
def test_a_value_that_works_is_not(values: dict[str, str]) -> None:
    assert not list(settings.judged(BOTH, values, SAPPHIRE, ".env"))


def test_a_model_that_does_not_fit_is_an_error_that_names_the_limit() -> None:
    small = replace(
        alike(4), available=2_000_000_000, memory_limit=2 << 30, memory_limit_from="/m/memory.max"
    )

    (only,) = settings.machine(small, settings.model(QWEN))

    assert only.severity is Severity.ERROR
    assert "needs about 4.4 GB of memory, and 2.0 GB can be had (limit: /m/memory.max)" in only.text
    assert not list(settings.machine(small, None))
    assert not list(settings.machine(alike(4), settings.model(QWEN)))


@pytest.mark.parametrize(
    ("load", "measured", "severity"),
    [
        pytest.param(3.0, False, "info", id="a busy machine"),
        pytest.param(3.0, True, "warning", id="a busy machine that was measured on"),
        pytest.param(1.0, True, None, id="an idle one"),
        pytest.param(None, True, None, id="one that does not tell"),
    ],
)
def test_other_load_is_told(load: float | None, measured: bool, severity: str | None) -> None:
    found = list(settings.machine(replace(alike(4), load=load), None, measured=measured))

    assert [item.severity.value for item in found] == ([severity] if severity else [])


def test_what_could_not_be_read_is_passed_on() -> None:
    (only,) = settings.machine(replace(alike(1), notes=("sysfs is silent",)), None)

    assert only.text == "sysfs is silent"


def test_other_models_are_told_where_they_fit() -> None:
    taken = settings.model(QWEN)

    def names(available: int | None) -> list[str]:
        room = replace(alike(4), available=available)
        return [item.subject for item in settings.others(QWEN, room, taken)]

    assert names(5_000_000_000) == ["Qwen3-TTS-12Hz-0.6B-Base"]
    assert len(names(None)) == len(names(9_000_000_000)) == 3
