"""`legacy-doctor profile`, and `--profile` on the commands that judge and treat."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.cli import profiling
from legacy_doctor.knowledge import profiles
from tests import conftest
from tests.cli.wards import Ward, copied
from tests.conftest import Answer, Doctor, Site

F5 = profiles.find("f5-tts")
OLD = ("--cpu", "phenom-ii")


def _flat(answer: Answer) -> str:
    return " ".join(answer.out.split())


# --- list and show


def test_the_list_has_a_line_for_each(inside: Doctor) -> None:
    answer = inside("profile", "list")

    rows = {
        line.split()[0]: [word for word in line.split() if word != "*"][1:5]
        for line in answer.out.partition("\n\n")[0].splitlines()
        if line[0] != " "
    }
    assert answer.code == 0
    assert {*rows} == {"profile", *profiles.names()}
    assert rows["faster-whisper"] == ["fails", "runs", "runs", "runs"]


def test_the_list_is_had_as_json(inside: Doctor) -> None:
    found = json.loads(inside("profile", "list", "--format", "json").out)["profiles"]

    assert [item["id"] for item in found] == [*profiles.names()]
    assert found[1]["tiers"]["below-v2"] == "runs-treated"
    assert found[2]["grades"]["below-v2"] == "emulated"


@pytest.mark.parametrize("name", profiles.names())
def test_every_profile_is_shown_whole(name: str, inside: Doctor, site: Site) -> None:
    profile = profiles.find(name)

    answer = inside("profile", "show", name, *OLD, "--python", str(site.folder))

    shown = _flat(answer)
    assert answer.code == 0
    assert all(" ".join(status.text.split()) in shown for status in profile.status)
    assert all(
        item.ref in shown and " ".join(item.cure.split()) in shown for item in profile.issues
    )
    assert all(item.module in shown for item in profile.imports)
    assert shown.count("<- this CPU") == 1


def test_the_build_for_a_cpu_comes_with_a_native_project(inside: Doctor) -> None:
    assert "-DGGML_AVX=OFF" in inside("profile", "show", "whisper-cpp", *OLD).out
    assert "cmake" not in inside("profile", "show", "piper", *OLD).out


def test_it_says_where_nothing_was_run_and_what_was(inside: Doctor) -> None:
    told = _flat(inside("profile", "show", "coqui-tts", *OLD))
    ran = _flat(inside("profile", "show", "piper", *OLD))

    assert ("no run of its probe is recorded" in told) is not any(
        run.profile == "coqui-tts" for run in profiles.runs()
    )
    assert "[emulated] phenom, 2026-11-26, CPython 3.11.7: with its treatment: ok" in ran
    assert "below-v2: runs once treated <- this CPU" in ran


def test_a_profile_is_had_as_json(inside: Doctor) -> None:
    shown = json.loads(inside("profile", "show", "f5-tts", *OLD, "--format", "json").out)

    assert shown["smoke"]["kind"] == "tiny-model"
    assert {item["id"] for item in shown["outlook"]["patches"]} >= {"torch-onednn-off"}
    assert [item["tier"] for item in shown["status"]] == [*shown["profile"]["tiers"]]


@pytest.mark.parametrize(
    "words",
    [("profile", "show"), ("check", "--profile"), ("pins", "--profile"), ("fix", "--profile")],
    ids=" ".join,
)
def test_an_unknown_name_is_a_mistake_with_a_hint(words: tuple[str, ...], inside: Doctor) -> None:
    answer = inside(*words, "f5tts")

    assert (answer.code, answer.out) == (2, "")
    assert "no profile 'f5tts'; did you mean 'f5-tts'?" in answer.err


# --- detect


def test_an_environment_is_recognised(inside: Doctor, site: Site) -> None:
    site.install("f5-tts", "1.1.22")

    answer = inside("profile", "detect", "--python", str(site.folder))

    assert answer.code == 0
    assert f"f5-tts certain {site.folder}: f5-tts is installed" in _flat(answer)


def test_nothing_is_recognised_in_a_bare_one(inside: Doctor, site: Site) -> None:
    answer = inside("profile", "detect", "--python", str(site.folder))

    assert (answer.code, answer.out) == (0, "no profile matches; see legacy-doctor profile list\n")


CHECKOUTS: dict[str, tuple[dict[str, str], list[tuple[str, bool]]]] = {
    "by what its requirements ask for": (
        {"requirements.txt": "faster_whisper>=1\nnumpy\n"},
        [("faster-whisper", True)],
    ),
    "by the name in its metadata": (
        {"pyproject.toml": '[project]\nname = "Kokoro-ONNX"\nversion = "1"\n'},
        [("kokoro-onnx", True)],
    ),
    "by its files": (
        {"meldataset.py": "", "models.py": "", "Utils/PLBERT/util.py": ""},
        [("styletts2", True)],
    ),
    "by most of what it needs": (
        {"requirements.txt": "\n".join(profiles.find("styletts2").needs)},
        [("styletts2", False)],
    ),
    "a file that is no TOML is passed over": (
        {"pyproject.toml": "[project", "requirements.txt": "piper-tts\n"},
        [("piper", True)],
    ),
    "a name that is none": ({"pyproject.toml": "[project]\nname = 3\n"}, []),
    "nothing": ({}, []),
}


@pytest.mark.parametrize(("files", "expected"), CHECKOUTS.values(), ids=CHECKOUTS)
def test_a_checkout_is_recognised(
    files: dict[str, str], expected: list[tuple[str, bool]], inside: Doctor, tmp_path: Path
) -> None:
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    answer = inside("profile", "detect", str(folder), "--format", "json")

    found = json.loads(answer.out)["matches"]
    assert [(item["profile"], item["certain"]) for item in found] == expected
    assert all(item["place"] == str(folder) for item in found)


def test_a_folder_that_is_not_there_is_a_mistake(inside: Doctor, tmp_path: Path) -> None:
    answer = inside("profile", "detect", str(tmp_path / "gone"))

    assert answer.code == 2
    assert "gone: no folder" in answer.err


# --- check, pins and fix


def test_check_says_on_one_screen_whether_it_will_run(inside: Doctor, site: Site) -> None:
    site.install("numpy", "2.4.6")

    answer = inside("check", "--profile", "f5-tts", *OLD, "--python", str(site.folder))

    assert answer.code == 1, "numpy 2.4.6 dies here"
    assert "F5-TTS below x86-64-v2: runs once treated" in answer.out
    assert "patch torch-onednn-off, datasets-stub" in _flat(answer)
    assert "numpy 2.4.6 dies on import" in _flat(answer)
    assert len(answer.out.splitlines()) <= 60


def test_an_empty_environment_is_something_to_speak_of(inside: Doctor, site: Site) -> None:
    answer = inside("check", "--profile", "f5-tts", *OLD, "--python", str(site.folder))

    assert answer.code == 0, "what is missing is a warning"
    assert "f5-tts not installed here: f5-tts, torch" in _flat(answer)


def test_what_does_not_run_here_fails_the_check(inside: Doctor, site: Site) -> None:
    place = ("--python", str(site.folder))

    old = inside("check", "--profile", "faster-whisper", *OLD, *place)
    new = inside("check", "--profile", "faster-whisper", "--cpu", "nehalem", *place)

    assert (old.code, new.code) == (1, 0)
    assert "does not run on this CPU: CTranslate2 dies at the first computation" in _flat(old)


@pytest.mark.parametrize("form", ["json", "sarif", "github", "markdown", "junit"])
def test_every_format_has_the_profile(form: str, inside: Doctor, site: Site) -> None:
    site.install("numpy", "1.26.4")

    place = ("--python", str(site.folder), "--format", form)
    answer = inside("check", "--profile", "kokoro-onnx", *OLD, *place)

    assert "kokoro-onnx" in answer.out
    assert "runs-treated" in answer.out if form == "json" else "runs once treated" in answer.out


def test_the_probe_of_the_project_waits_for_it(doctor: Doctor, site: Site) -> None:
    site.install("numpy", "1.26.4")

    place = ("--python", str(site.folder), "--format", "json", "--no-cache")
    answer = doctor("check", "--profile", "piper", "--probe", "risky", *place)

    results = {item["id"]: item for item in json.loads(answer.out)["probes"]["results"]}
    assert results["piper-tts/profile"]["outcome"] == "skipped"
    assert results["piper-tts/profile"]["reason"].startswith("needs piper-tts")


def test_the_probe_of_the_project_is_run_with_the_others(doctor: Doctor, site: Site) -> None:
    place = ("--python", str(site.folder), "--format", "json", "--no-cache")
    site.install(
        "piper-tts",
        "1.8.0",
        files={
            "piper/__init__.py": b"",
            "piper/phonemize_espeak.py": b"raise RuntimeError('no espeak')\n",
        },
    )

    answer = doctor("check", "--profile", "piper", "--probe", "risky", *place)

    results = {item["id"]: item for item in json.loads(answer.out)["probes"]["results"]}
    assert results["piper-tts/profile"]["outcome"] == "raised"
    assert results["piper-tts/profile"]["raised"]["message"] == "no espeak"


def test_pins_of_a_project_are_those_it_names(inside: Doctor) -> None:
    told = json.loads(inside("pins", "--profile", "piper", *OLD, "--format", "json").out)["pins"]
    everything = json.loads(inside("pins", *OLD, "--format", "json").out)["pins"]

    names = {item["name"] for item in told}
    assert names <= {*profiles.find("piper").pins}
    assert "numpy" in names
    assert [item for item in everything if item["name"] in names] == told


def test_fix_plans_what_the_project_needs_before_it_is_installed(
    inside: Doctor, ward: Ward
) -> None:
    words = ("fix", "--probe", "none", *OLD, "--python", str(ward.folder), "--format", "json")

    plain = json.loads(inside(*words).out)
    planned = json.loads(inside(*words, "--profile", "f5-tts").out)

    assert "patch:datasets-stub" not in {step["id"] for step in plain["steps"]}
    assert {"patch:datasets-stub", "pins"} <= {step["id"] for step in planned["steps"]}


def test_fix_builds_what_the_project_needs_here(inside: Doctor, ward: Ward) -> None:
    words = ("--probe", "none", *OLD, "--python", str(ward.folder))

    planned = _flat(inside("fix", *words, "--profile", "styletts2"))

    assert "Build monotonic_align with the numpy and the Cython of the environment" in planned


def test_fix_plans_no_patch_that_the_cpu_does_not_need(inside: Doctor, ward: Ward) -> None:
    words = ("fix", "--probe", "none", "--cpu", "nehalem", "--python", str(ward.folder))

    planned = json.loads(inside(*words, "--profile", "f5-tts", "--format", "json").out)

    assert not [step for step in planned["steps"] if step["id"].startswith("patch:")]


def test_fix_applies_the_stand_in_and_undo_takes_it_back(inside: Doctor, ward: Ward) -> None:
    place = ("--python", str(ward.folder))
    words = ("--probe", "none", *OLD, *place, "--skip", "packages")

    applied = inside("fix", "--apply", "--profile", "f5-tts", *words)
    constraints = (ward.folder / "legacy-doctor-constraints.txt").read_text()
    (stub,) = ward.folder.glob("lib/python*/site-packages/datasets/__init__.py")
    undone = inside("undo", *place)

    assert applied.code == 1, "numpy was skipped"
    assert "numpy<2.4" in constraints
    assert undone.code == 0
    assert not stub.exists()


def test_the_command_to_apply_it_names_the_project(inside: Doctor, ward: Ward) -> None:
    words = ("--probe", "none", *OLD, "--python", str(ward.folder))

    assert "--profile f5-tts" in inside("fix", "--profile", "f5-tts", *words).out


def _proof(doctor: Doctor, name: str, ward: Ward) -> str:
    """How the probe of a project ends on the emulated Phenom."""
    words = ("check", "--profile", name, *OLD, "--python", str(ward.folder), "--probe", "risky")
    results = json.loads(doctor(*words, "--format", "json").out)["probes"]["results"]
    (mine,) = [item for item in results if item["id"].endswith("/profile")]
    return str(mine["outcome"])


@pytest.mark.qemu
@pytest.mark.wheels
def test_a_project_that_dies_lives_once_it_is_treated(
    doctor: Doctor, qemu: Path, tmp_path: Path
) -> None:
    """Piper, for it needs no torch; what the others do is in pinsets/profiles/runs.toml."""
    installed = conftest.real_environment("piper-tts==1.8.0", "numpy==2.4.6")
    ward = copied(installed, tmp_path / "venv")

    died = _proof(doctor, "piper", ward)
    words = ("fix", "--apply", "--profile", "piper", *OLD, "--python", str(ward.folder))
    treated = doctor(*words)

    assert died == "illegal-instruction"
    assert treated.code == 0, treated.out + treated.err
    assert _proof(doctor, "piper", ward) == "ok"


# --- binary

Program = Callable[..., Path]

PLAIN = "return 2;"
AVX2 = '__asm__ volatile("vpaddd %ymm0, %ymm0, %ymm0"); return 2;'
ENDLESS = "sleep(60);"
SAYS = 'fprintf(stderr, "system_info: n_threads = 1 / 2 | CPU : {} | \\n"); '


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Compile a program that does what it is told, whatever the arguments."""
    if shutil.which("cc") is None:
        conftest.lacking("cc", "there is no C compiler")

    def compiled(name: str, body: str, folder: str = "bin") -> Path:
        target = tmp_path / folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = tmp_path / f"{name}.c"
        source.write_text(
            "#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n"
            "#include <signal.h>\n#include <stdlib.h>\n"
            f"int main(int argc, char **argv) {{ (void)argc; (void)argv; {body} }}\n"
        )
        subprocess.run(["cc", "-o", str(target), str(source)], check=True)
        return target

    return compiled


def _binary(inside: Doctor, path: Path, *words: str) -> tuple[int, dict[str, Any]]:
    answer = inside("profile", "binary", str(path), *words, "--format", "json")
    return answer.code, json.loads(answer.out)


def test_a_program_that_runs_here(inside: Doctor, program: Program) -> None:
    code, told = _binary(inside, program("whisper-cli", SAYS.format("SSE3 = 1") + PLAIN))

    assert (code, told["runs"], told["outcome"]) == (0, True, "ok")
    assert (told["how"], told["told"]) == ("on this CPU", ["pni"])


@pytest.mark.qemu
def test_what_it_does_is_seen_on_the_cpu_that_is_named(
    inside: Doctor, program: Program, qemu: Path
) -> None:
    del qemu
    path = program("whisper-cli", AVX2)

    code, told = _binary(inside, path, *OLD)
    living = _binary(inside, path, "--cpu", "haswell")

    assert (code, told["runs"], told["outcome"]) == (1, False, "illegal-instruction")
    assert told["how"].endswith("-cpu phenom")
    assert (living[0], living[1]["outcome"]) == (0, "ok")


@pytest.mark.qemu
def test_what_it_was_built_for_is_told_though_it_dies_first(
    inside: Doctor, program: Program, qemu: Path
) -> None:
    del qemu
    says = SAYS.format("AVX = 1 | AVX2 = 1")

    answer = inside("profile", "binary", str(program("whisper-bench", f"{says}{AVX2}")), *OLD)

    assert answer.code == 1
    assert "does not run on this CPU: illegal-instruction; it needs avx avx2" in _flat(answer)


@pytest.mark.qemu
def test_what_it_says_counts_where_it_does_not_die(
    inside: Doctor, program: Program, qemu: Path
) -> None:
    del qemu
    path = program("main", SAYS.format("AVX = 1") + PLAIN)

    answer = inside("profile", "binary", str(path), *OLD)

    assert answer.code == 1
    assert "is built for what this CPU lacks: avx" in _flat(answer)


def test_kernels_that_have_to_be_stopped_have_run(inside: Doctor, program: Program) -> None:
    body = f'if (argc > 1 && !strcmp(argv[1], "-w")) {{ {ENDLESS} }} {PLAIN}'

    code, told = _binary(inside, program("whisper-bench", body))

    assert (code, told["outcome"]) == (0, "ok")


def test_a_program_that_never_answers_is_stopped(inside: Doctor, program: Program) -> None:
    code, told = _binary(inside, program("whisper-cli", ENDLESS))

    assert (code, told["outcome"], told["detail"]) == (0, "timeout", "stopped: timeout")


CACHE = "GGML_NATIVE:BOOL=OFF\nGGML_AVX2:BOOL=ON\nGGML_SSE42:BOOL=OFF\n"


def test_a_build_folder_is_judged_by_its_switches(
    inside: Doctor, program: Program, tmp_path: Path
) -> None:
    program("whisper-cli", PLAIN, "build/bin")
    (tmp_path / "build/CMakeCache.txt").write_text(CACHE)
    (tmp_path / "build/bin/notes").write_text("no program")

    code, told = _binary(inside, tmp_path / "build", "--cpu", "sandybridge")

    assert (code, told["missing"]) == (1, ["avx2"])
    assert told["program"].endswith("build/bin/whisper-cli")
    assert told["switched"] == {"GGML_NATIVE": False, "GGML_SSE42": False, "GGML_AVX2": True}
    assert "-DGGML_AVX=ON -DGGML_AVX2=OFF" in told["build"][0]


def test_a_program_is_judged_by_the_build_that_it_lies_in(
    inside: Doctor, program: Program, tmp_path: Path
) -> None:
    path = program("whisper-cli", PLAIN, "build/bin")
    (tmp_path / "build/CMakeCache.txt").write_text(CACHE)

    answer = inside("profile", "binary", str(path), "--cpu", "sandybridge")

    assert answer.code == 1
    assert "built with GGML_AVX2" in _flat(answer)


def test_a_folder_without_its_programs_is_looked_at_all_the_same(
    inside: Doctor, program: Program, tmp_path: Path
) -> None:
    program("other", PLAIN)

    code, told = _binary(inside, tmp_path / "bin")

    assert (code, told["program"], told["outcome"]) == (0, None, "skipped")


BAD: dict[str, tuple[str, str]] = {
    "nothing there": ("gone", "does not exist"),
    "no program": ("text.txt", "no ELF file"),
    "an empty folder": ("empty", "no ELF file"),
}


@pytest.mark.parametrize(("name", "said"), BAD.values(), ids=BAD)
def test_what_is_no_program_is_a_mistake(
    name: str, said: str, inside: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "empty").mkdir()

    answer = inside("profile", "binary", str(tmp_path / name))

    assert answer.code == 2
    assert said in answer.err


def test_a_cpu_that_cannot_be_played_is_judged_by_words(inside: Doctor, program: Program) -> None:
    code, told = _binary(inside, program("whisper-cli", PLAIN), "--cpu", "skylake-avx512")

    assert (code, told["outcome"], told["how"]) == (0, "skipped", "")
    assert "cannot play" in told["detail"]


ENDS: dict[str, tuple[str, str, str]] = {
    "it ends itself by a signal that is nobody's fault": (
        "raise(SIGTERM); return 0;",
        "vanished",
        "killed by signal 15",
    ),
    "it aborts": ("abort();", "aborted", "died of signal 6"),
    "it says why it gave up": (
        'fprintf(stderr, "no model\\n"); return 3;',
        "ok",
        "exit status 3: no model",
    ),
}


@pytest.mark.parametrize(("body", "outcome", "detail"), ENDS.values(), ids=ENDS)
def test_how_a_program_can_end(
    body: str, outcome: str, detail: str, inside: Doctor, program: Program
) -> None:
    _, told = _binary(inside, program("whisper-cli", body))

    assert (told["outcome"], told["detail"]) == (outcome, detail)


def test_a_program_that_may_not_be_started_is_told(inside: Doctor, program: Program) -> None:
    path = program("whisper-cli", PLAIN)
    path.write_bytes(path.read_bytes()[:4] + b"\0" * 60)

    code, told = _binary(inside, path)

    assert (code, told["outcome"]) == (0, "skipped")
    assert told["detail"].startswith("cannot be started")


def test_links_and_what_lies_too_deep_are_passed_over(
    inside: Doctor, program: Program, tmp_path: Path
) -> None:
    real = program("whisper-cli", PLAIN, "build/bin")
    program("main", PLAIN, "build/a/b/c/d/e")
    program("bench", PLAIN, "build/CMakeFiles/x")
    (tmp_path / "build/bin/whisper-bench").symlink_to(real)

    assert _binary(inside, tmp_path / "build")[1]["program"] == str(real)


def test_a_library_is_not_started(inside: Doctor, program: Program) -> None:
    _, told = _binary(inside, program("libwhisper.so.1", PLAIN))

    assert (told["program"], told["outcome"]) == (None, "skipped")


def test_a_shell_completes_the_names() -> None:
    names = [item.value for item in profiling._names(None, None, "kokoro")]  # type: ignore[arg-type]

    assert names == ["kokoro", "kokoro-onnx"]
