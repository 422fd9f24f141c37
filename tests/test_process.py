"""Asking another program one question: how it ended, what it said, and how long it may take."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from legacy_doctor import process
from legacy_doctor.process import Answer


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


ENDINGS = {
    "well": ("raise SystemExit(0)", 0, None),
    "with a status": ("raise SystemExit(3)", 3, None),
    "by an illegal instruction": ("import os; os.kill(os.getpid(), 4)", -4, "SIGILL"),
    "by an abort": ("import os; os.abort()", -6, "SIGABRT"),
    "by a shell's word for SIGILL": ("raise SystemExit(132)", 132, "SIGILL"),
    "by a status that no signal has": ("raise SystemExit(255)", 255, None),
    "by the status below all signals": ("raise SystemExit(128)", 128, None),
}


@pytest.mark.parametrize(("code", "status", "name"), ENDINGS.values(), ids=ENDINGS)
def test_how_it_ended(code: str, status: int, name: str | None) -> None:
    answer = process.ask(python(code))
    assert (answer.status, answer.signal) == (status, name)


SIGNALS = {
    "SIGSEGV": (-11, "SIGSEGV"),
    "SIGFPE through a shell": (136, "SIGFPE"),
    "a number that no signal has": (-250, None),
    "a plain failure": (1, None),
}


@pytest.mark.parametrize(("status", "name"), SIGNALS.values(), ids=SIGNALS)
def test_signal_of_a_status(status: int, name: str | None) -> None:
    assert Answer(status, "", "").signal == name


WORDS = {
    "none": ("", ""),
    "blank lines": ("\n \n", ""),
    "one line": ("oh no\n", "oh no"),
    "the last of many": ("Traceback:\n  File\n  OSError: gone  \n\n", "OSError: gone"),
}


@pytest.mark.parametrize(("stderr", "wanted"), WORDS.values(), ids=WORDS)
def test_last_words(stderr: str, wanted: str) -> None:
    assert Answer(1, "", stderr).last_words == wanted


def test_both_streams_are_kept_apart() -> None:
    answer = process.ask(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert answer == (0, "out\n", "err\n")


def test_much_output_on_both_streams_is_kept_whole() -> None:
    code = "import os\nfor _ in range(64): os.write(1, b'o' * 9999); os.write(2, b'e' * 9999)"
    answer = process.ask(python(code))
    assert (len(answer.stdout), len(answer.stderr)) == (64 * 9999, 64 * 9999)


def test_bytes_that_are_no_text_are_marked() -> None:
    answer = process.ask(python("import os; os.write(1, b'a\\xffb')"))
    assert answer.stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_there_is_nothing_to_read_on_stdin() -> None:
    assert process.ask(python("import sys; print(repr(sys.stdin.read()))")).stdout == "''\n"


def test_no_shell_reads_the_words() -> None:
    code = "import sys; print(sys.argv[1:])"
    words = ["$HOME", "; echo", "*"]
    assert process.ask([*python(code), *words]).stdout == f"{words}\n"


def test_the_environment_is_the_one_given() -> None:
    code = "import os; print(sorted(os.environ.items()))"
    answer = process.ask(python(code), env={"ONLY": "this", "LC_ALL": "C"})
    assert answer.stdout == "[('LC_ALL', 'C'), ('ONLY', 'this')]\n"


def test_without_one_it_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDED_DOWN", "yes")
    assert process.ask(python("import os; print(os.environ['HANDED_DOWN'])")).stdout == "yes\n"


def test_no_answer_in_time_is_a_timeout() -> None:
    with pytest.raises(TimeoutError, match=r"^no answer in 0\.3 s$"):
        process.ask(python("import time; time.sleep(60)"), seconds=0.3)


def test_who_does_not_answer_in_time_is_ended(tmp_path: Path) -> None:
    code = f"echo $$ > {tmp_path / 'pid'}; exec sleep 60"
    with pytest.raises(TimeoutError):
        process.ask(["/bin/sh", "-c", code], seconds=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


UNSTARTABLE = {
    "missing": (None, 0, FileNotFoundError),
    "not executable": ("#!/bin/sh\n", 0o644, PermissionError),
    "no program at all": ("no program\n", 0o755, OSError),
}


@pytest.mark.parametrize(("text", "mode", "error"), UNSTARTABLE.values(), ids=UNSTARTABLE)
def test_what_cannot_be_started(
    text: str | None, mode: int, error: type[OSError], tmp_path: Path
) -> None:
    path = tmp_path / "program"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(error):
        process.ask([str(path)])


def test_work_keeps_all_that_was_said_in_order() -> None:
    seen: list[str] = []
    code = "import os; os.write(1, b'one\\n'); os.write(2, b'two\\n'); os.write(1, b'thr\\xffe')"
    answer = process.work(python(code), watch=seen.append)
    assert answer == (0, "", "one\ntwo\nthr\N{REPLACEMENT CHARACTER}e")
    assert seen == ["one\n", "two\n", "thr\N{REPLACEMENT CHARACTER}e"]


@pytest.mark.parametrize(("code", "status", "name"), ENDINGS.values(), ids=ENDINGS)
def test_how_work_ended(code: str, status: int, name: str | None) -> None:
    answer = process.work(python(code), env={"LC_ALL": "C"})
    assert (answer.status, answer.signal) == (status, name)


def test_work_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        process.work([str(tmp_path / "none")])


STUBBORN = """
import os, signal, subprocess, sys, time
if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "60"])
print(os.getpid(), child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["willing", "stubborn"])
def test_interrupted_work_ends_with_all_that_it_started(kind: str) -> None:
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.extend(map(int, line.split()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.work([*python(STUBBORN), kind], watch=interrupt, grace=0.3)
    assert len(pids) == 2
    for pid in pids:
        _gone(pid)


def _gone(pid: int) -> None:
    """Wait until it is no more, or only waits to be buried by somebody else."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still alive")


def test_work_that_ended_before_it_was_interrupted() -> None:
    def late(_: str) -> None:
        time.sleep(0.3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.work(python("print(1)"), watch=late)


def test_a_descriptor_is_held_until_the_end(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        code = f"import os; os.fstat({lock.fileno()}); print('held')"
        assert process.work(python(code), hold=[lock.fileno()]).stderr == "held\n"
        assert process.work(python(code)).status == 1
