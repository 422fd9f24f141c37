"""Patients of every kind: each ends, is told about, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import resource
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.probe import leftovers, patient, sandbox
from legacy_doctor.probe.landlock import SHARED_MEMORY
from legacy_doctor.probe.sandbox import Job, Limits, Run
from tests.conftest import ROOT, clean

# pytest-xdist keeps a thread in each of its workers; the doctor has none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

Python = Callable[..., Job]

PRELUDE = "import os, signal, socket, sys, time\nRECORD = int(sys.argv[1])\n"


@pytest.fixture(params=["natively", pytest.param("emulated", marks=pytest.mark.qemu)])
def emulated(request: pytest.FixtureRequest) -> bool:
    return request.param == "emulated"


@pytest.fixture
def python(emulated: bool, request: pytest.FixtureRequest) -> Python:
    """Make jobs that run a snippet, on this CPU or on an emulated one."""
    under: list[str] = []
    if emulated:
        under = [str(request.getfixturevalue("qemu")), "-cpu", "phenom"]
    return lambda code, **options: job(code, under=under, **options)


def job(code: str, *, under: Sequence[str] = (), **options: Any) -> Job:
    words = [*under, sys.executable, "-I", "-S", "-c", PRELUDE + code]
    return Job(command=lambda record, _folder: [*words, str(record)], **options)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary folders, in which nothing may be left; nor any process."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = leftovers.children(os.getpid())
    yield folder
    assert patients_in(folder) == []
    assert leftovers.children(os.getpid()) == before
    assert list(folder.iterdir()) == []


def patients_in(folder: Path) -> list[int]:
    """All processes on this machine that were started as patients with a home in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"HOME={folder}".encode() in environ and leftovers.MARKER.encode() in environ:
            found.append(int(process.name))
    return found


def alone(one: Job) -> Run:
    (told,) = sandbox.run([one], 1)
    return told


def said(run: Run) -> bytes:
    """What the patient itself wrote into its record."""
    return run.record.partition(b"\n")[2]


def holds(run: Run, what: str) -> bool:
    return any(word.partition(":")[0] == what for word in run.held)


# How it ended


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise RuntimeError", 1),
        ("os._exit(0)", 0),
        ("os._exit(77)", 77),
        ("os.kill(os.getpid(), signal.SIGILL)", -signal.SIGILL),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.abort()", -signal.SIGABRT),
        ("os.closerange(0, 4096); time.sleep(0.1); os._exit(5)", 5),
    ],
    ids=[
        "it runs to its end",
        "it exits with a status",
        "it raises",
        "it vanishes with status 0",
        "it vanishes with another status",
        "it dies of SIGILL",
        "it is killed",
        "it aborts",
        "it closes all descriptors and runs on",
    ],
)
def test_the_status_is_that_of_the_process(python: Python, code: str, status: int) -> None:
    run = alone(python(code))

    assert (run.status, run.stopped, run.leftovers) == (status, "", 0)


def test_the_record_comes_back_whole_and_unread(python: Python) -> None:
    run = alone(python("os.write(RECORD, bytes(range(256)) * 100)"))

    assert said(run) == bytes(range(256)) * 100


def test_of_stderr_the_end_is_kept_whatever_bytes_it_has(python: Python) -> None:
    run = alone(python("os.write(2, b'x' * 10_000 + b'\\xff the end')"))

    assert len(run.stderr) == patient.LONGEST_TAIL
    assert run.stderr.endswith("x\N{REPLACEMENT CHARACTER} the end")


def test_the_folder_is_home_and_working_folder_with_the_files_in_it(python: Python) -> None:
    code = """
import json, stat
here = os.getcwd()
mode = stat.S_IMODE(os.stat(here).st_mode)
names = "HOME TMPDIR TEMP TMP XDG_CACHE_HOME XDG_RUNTIME_DIR".split()
os.write(RECORD, json.dumps([here, mode, [os.environ[name] for name in names],
    open("text.py", encoding="utf-8").read(), os.readlink("/proc/self/fd/0")]).encode())
"""
    here, mode, homes, text, stdin = json.loads(
        said(alone(python(code, files={"text.py": "grüße"})))
    )

    assert mode == 0o700
    assert homes == [here] * 4 + [f"{here}/.cache", f"{here}/.runtime"]
    assert (text, stdin) == ("grüße", "/dev/null")


def test_no_descriptor_of_the_doctor_is_passed_on() -> None:
    run = alone(job("os.write(RECORD, repr(sorted(os.listdir('/proc/self/fd'))).encode())"))

    # the fourth is the record, the fifth was the listing's own
    assert len(json.loads(said(run).replace(b"'", b'"'))) == 5


def test_a_command_that_cannot_be_started_raises_and_stops_the_others() -> None:
    jobs = [job("time.sleep(60)"), Job(command=lambda _record, _folder: ["/no/such/program"])]

    with pytest.raises(FileNotFoundError, match="/no/such/program"):
        sandbox.run(jobs, 2)


def test_without_jobs_there_is_nothing_to_tell() -> None:
    assert sandbox.run([], 4) == []


# Several at a time


def test_parallel_jobs_overlap_and_are_told_in_their_own_order() -> None:
    finished: list[int] = []
    naps = [0.9, 0.5, 0.1]
    code = "time.sleep({0}); os.write(RECORD, b'{0}')"

    began = time.monotonic()
    runs = sandbox.run(
        [job(code.format(nap)) for nap in naps], 3, lambda index, _run: finished.append(index)
    )

    assert time.monotonic() - began < sum(naps)
    assert [float(said(run)) for run in runs] == naps
    assert finished == [2, 1, 0]


def test_no_more_jobs_run_at_a_time_than_there_are_slots() -> None:
    code = "a = time.monotonic(); time.sleep(0.1); os.write(RECORD, f'{a} {time.monotonic()}'.encode())"

    runs = sandbox.run([job(code) for _ in range(3)], 1)

    spans = [tuple(map(float, said(run).split())) for run in runs]
    assert all(one[1] < other[0] for one, other in itertools.pairwise(spans))


def test_a_daemon_of_one_job_does_not_end_with_another() -> None:
    """Its helper, in another session and no child of it any more, serves it to the end."""
    helper = """
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        open("helper", "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
os.wait()
while not os.path.exists("helper") or not open("helper").read():
    time.sleep(0.01)
"""
    code = """
time.sleep(1)
os.kill(int(open("helper").read()), 0)
os.write(RECORD, b"served")
"""
    jobs = [job(helper), *[job("time.sleep(0.2)")] * 2, job(helper + code)]

    runs = sandbox.run(jobs, 4)

    assert [run.leftovers for run in runs] == [1, 0, 0, 1]
    assert said(runs[3]) == b"served"


# Limits


def test_a_sleeper_is_killed_when_its_time_is_up_and_its_grandchildren_with_it(
    python: Python, emulated: bool
) -> None:
    seconds = 4.0 if emulated else 0.5
    code = "os.fork(); os.fork(); os.write(RECORD, b'.'); time.sleep(60)"

    run = alone(python(code, limits=Limits(seconds=seconds)))

    assert (run.status, run.stopped) == (-signal.SIGKILL, "timeout")
    assert said(run) == b"...."
    assert seconds <= run.seconds < seconds + 2


@pytest.mark.parametrize("where", ["1", "2", "RECORD"], ids=["stdout", "stderr", "the record"])
def test_a_gigabyte_is_cut_off_and_not_kept(python: Python, where: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = f"chunk = b'x' * 65536\nfor _ in range(16384): os.write({where}, chunk)"

    run = alone(python(code, limits=Limits(output=8 << 20)))

    assert (run.status, run.stopped) == (-signal.SIGKILL, "output")
    assert len(run.record) <= patient.LARGEST_RECORD
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10  # KiB


def test_the_beginning_of_a_long_record_is_kept(python: Python) -> None:
    code = "os.write(RECORD, b'first '); [os.write(RECORD, b'x' * 65536) for _ in range(32)]"

    run = alone(python(code))

    assert (run.status, run.stopped) == (0, "")
    assert said(run).startswith(b"first ")
    assert len(run.record) == patient.LARGEST_RECORD


def test_processor_time_is_limited() -> None:
    run = alone(job("while True: pass", limits=Limits(cpu_seconds=1, seconds=30)))

    assert (run.status, run.stopped) == (-signal.SIGKILL, "")


def test_address_space_is_limited() -> None:
    run = alone(job("bytearray(1 << 30)", limits=Limits(memory=256 << 20)))

    assert run.status == 1
    assert run.stderr.rstrip().endswith("MemoryError")


def test_a_process_that_has_said_its_last_word_and_hangs_gets_its_grace_and_no_more(
    python: Python,
) -> None:
    asked: list[bytes] = []

    def settled(record: bytes) -> bool:
        asked.append(record)
        return record.endswith(b"dead")

    code = "os.write(RECORD, b'dying'); time.sleep(0.2); os.write(RECORD, b'dead'); time.sleep(60)"
    run = alone(python(code, limits=Limits(grace=0.3), settled=settled))

    assert (run.status, run.stopped) == (-signal.SIGKILL, "")
    assert said(run) == b"dyingdead"
    assert run.seconds < 10
    assert asked[-1] == run.record


def test_a_process_that_has_said_its_last_word_may_die_by_itself() -> None:
    code = "os.write(RECORD, b'dead'); time.sleep(0.2); os.abort()"

    run = alone(job(code, settled=lambda record: record.endswith(b"dead")))

    assert (run.status, run.stopped) == (-signal.SIGABRT, "")


def test_a_process_that_not_even_the_kernel_can_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patient.Patient, "kill", lambda _self: None)
    monkeypatch.setattr(patient, "_DYING", 0.1)

    run = alone(job("time.sleep(60)", limits=Limits(seconds=0.2)))

    assert (run.status, run.stopped) == (-signal.SIGKILL, "timeout")
    assert run.seconds < 5


# Malice


def test_a_listening_server_on_this_machine_hears_nothing(python: Python) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        code = f"""
try:
    socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), timeout=2).send(b"secret")
except OSError as error:
    os.write(RECORD, b"refused")
"""
        run = alone(python(code))

        assert holds(run, "no-network") == (said(run) == b"refused")
        if holds(run, "no-network"):
            with pytest.raises(BlockingIOError):
                server.accept()


@pytest.mark.parametrize(
    "place",
    ["home", "temporary folder", "shared memory", "elsewhere"],
    ids=lambda place: f"in {place}",
)
def test_no_file_appears_outside_the_sandbox(python: Python, place: str, tmp_path: Path) -> None:
    name = f"legacy-doctor-test-{secrets.token_hex(8)}"
    outside = {
        "home": Path.home(),
        "temporary folder": Path("/tmp"),  # noqa: S108
        "shared memory": Path(SHARED_MEMORY),
        "elsewhere": tmp_path,
    }[place] / name
    try:
        # in two words: a job whose command lies in shared memory would not get its own
        code = f"open({str(outside.parent)[:-1]!r} {str(outside)[len(str(outside.parent)) - 1 :]!r}, 'w')"
        run = alone(python(code))
        left = outside.exists()
    finally:
        outside.unlink(missing_ok=True)

    held = "own-shared-memory" if place == "shared memory" else "read-only"
    assert holds(run, held) != left


@pytest.mark.parametrize(
    "change",
    [
        "os.unlink(FILE)",
        "os.rename(FILE, FILE + '.moved')",
        "os.rename('mine', FILE)",
        "os.link(FILE, 'linked')",
        "os.truncate(FILE, 0)",
        "open(FILE, 'a').write('x')",
        "os.chmod(FILE, 0o777)",
        "os.utime(FILE, (0, 0))",
    ],
)
def test_a_file_outside_the_sandbox_stays_as_it_is(change: str, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("kept")
    before = file.stat()
    code = f"open('mine', 'w').close()\nFILE = {str(file)!r}\n{change}"

    run = alone(job(code))

    if holds(run, "own-shared-memory"):  # which says that mounts are read-only too
        assert run.status == 1
        assert file.read_text() == "kept"
        assert (file.stat().st_mode, file.stat().st_mtime) == (before.st_mode, before.st_mtime)


def test_inside_its_folder_and_in_shared_memory_a_patient_may_do_as_it_likes(
    python: Python,
) -> None:
    code = """
import mmap
os.makedirs("a/b"); open("a/b/c", "w").write("x"); os.rename("a/b/c", "a/d"); os.symlink("d", "a/e")
os.chmod("a/d", 0o600); os.link("a/d", "a/f"); os.truncate("a/d", 0); os.mkfifo("a/g")
open("/dev/null", "w").write("x")
with open("/dev/" "shm/x", "w+b") as file: file.truncate(4096); mmap.mmap(file.fileno(), 4096)
os.unlink("/dev/" "shm/x")
assert open("/proc/self/maps").read()
os.write(RECORD, b"all of it")
"""
    run = alone(python(code))

    assert said(run) == b"all of it", run.stderr


def test_multiprocessing_works_inside(python: Python) -> None:
    code = """
import multiprocessing
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        os.write(RECORD, repr(pool.map(abs, [-1, -2, -3])).encode())
"""
    run = alone(python(code))

    assert (said(run), run.status, run.leftovers) == (b"[1, 2, 3]", 0, 0)


@pytest.mark.parametrize(
    "attack",
    [
        "os.kill(os.getppid(), 9)",
        "os.killpg(os.getpgid(os.getppid()), 9)",
        "os.kill(-1, 9)",
        "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))",
        "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)",
        "open(f'/proc/{os.getppid()}/mem', 'r+b')",
        "import fcntl; fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
    ],
)
def test_the_doctor_outlives_an_attack(python: Python, attack: str) -> None:
    # The doctor of this test is not the one that runs it: it might fall.
    told = doctor_of(python(attack))

    assert told["status"] == 1
    assert re.search("PermissionError|Read-only file system", told["stderr"])


@pytest.mark.parametrize("silent", [False, True], ids=["", "without the marker"])
def test_a_daemon_is_found_and_ended(python: Python, tmp_path: Path, silent: bool) -> None:
    program = ["/bin/sh", "-c", "while sleep 0.05; do date >> trace; done"]
    code = f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sh", {program!r}, {{}} if {silent} else dict(os.environ))
    os._exit(0)
os.wait()
"""
    run = alone(python(code))

    # the shell, and the `sleep` or `date` it was at
    assert (run.status, run.stopped) == (0, "")
    assert run.leftovers in {1, 2}
    assert not any(b"do date >> trace" in line for line in command_lines())


def command_lines() -> Iterator[bytes]:
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != str(os.getpid()):
            with contextlib.suppress(OSError):
                yield (process / "cmdline").read_bytes()


def test_two_hundred_children_in_sessions_of_their_own_are_all_gone(
    python: Python, emulated: bool
) -> None:
    number = 20 if emulated else 200
    code = f"""
for _ in range({number}):
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
"""
    run = alone(python(code))

    assert run.leftovers == number


def test_helpers_that_end_with_their_master_are_no_leftovers() -> None:
    code = """
reader, writer = os.pipe()
if os.fork() == 0:
    os.close(writer)
    os.read(reader, 1)  # until the master is gone
    os._exit(0)
"""
    assert alone(job(code)).leftovers == 0


def test_a_folder_made_unreadable_is_removed(python: Python) -> None:
    code = """
os.makedirs("a/b/c")
open("a/b/c/file", "w").close()
for path in ("a/b/c/file", "a/b/c", "a/b", "a", "."):
    os.chmod(path, 0)
"""
    assert alone(python(code)).status == 0


def test_a_link_out_of_the_folder_is_not_followed(python: Python, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    outside.chmod(0o500)
    code = f"os.symlink({str(outside)!r}, 'link'); os.mkdir('d'); os.symlink({str(outside)!r}, 'd/link')"

    run = alone(python(code))

    assert run.status == 0
    assert (outside / "file").read_text() == "kept"
    assert outside.stat().st_mode & 0o777 == 0o500


# The doctor's own circumstances

DOCTOR = """
import json, os, sys
from legacy_doctor.probe import sandbox
commands = json.loads(sys.argv[1])
jobs = [
    sandbox.Job(command=lambda record, _folder, words=words: [*words, str(record)])
    for words in commands
]
runs = sandbox.run(jobs, len(jobs))
print(json.dumps([[run.status, run.stderr] for run in runs]))
"""


def start_doctor(jobs: Sequence[Job]) -> subprocess.Popen[str]:
    """Run jobs in a doctor of their own, in a session of its own."""
    commands = [[*one.command(0, Path())][:-1] for one in jobs]
    return subprocess.Popen(
        [sys.executable, "-c", DOCTOR, json.dumps(commands)],
        env={**clean(os.environ), "PYTHONPATH": str(ROOT), "TMPDIR": str(tempfile.tempdir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def doctor_of(one: Job) -> dict[str, Any]:
    with start_doctor([one]) as doctor:
        out, _ = doctor.communicate(timeout=60)
    ((status, stderr),) = json.loads(out)
    return {"status": status, "stderr": stderr}


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


STUBBORN = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    os.fork()
time.sleep(60)
"""


def test_ctrl_c_ends_every_patient_and_removes_every_folder(temporary: Path) -> None:
    with start_doctor([job(STUBBORN), job(STUBBORN)]) as doctor:
        wait_for(lambda: len(patients_in(temporary)) == 6)
        doctor.send_signal(signal.SIGINT)
        _, err = doctor.communicate(timeout=30)

    assert doctor.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert patients_in(temporary) == []
    assert list(temporary.iterdir()) == []


def test_when_the_doctor_is_killed_its_patients_die_too(temporary: Path) -> None:
    with start_doctor([job("time.sleep(60)")]) as doctor:
        wait_for(lambda: len(patients_in(temporary)) == 1)
        doctor.kill()
        doctor.communicate(timeout=30)

    wait_for(lambda: patients_in(temporary) == [])
    for folder in temporary.iterdir():  # nobody was left to do it
        subprocess.run(["rm", "-r", str(folder)], check=True)


def test_an_exception_of_the_listener_stops_everything() -> None:
    def listener(_index: int, _run: Run) -> None:
        raise LookupError("no such bed")

    with pytest.raises(LookupError, match="no such bed"):
        sandbox.run([job(""), job("time.sleep(60)")], 2, listener)


def test_children_of_the_caller_are_spared() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        alone(job(""))

        assert child.poll() is None
        child.kill()


def test_a_caller_that_ignores_the_end_of_children_gets_their_status_all_the_same() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        run = alone(job("sys.exit(3)"))
        after = signal.getsignal(signal.SIGCHLD)
    finally:
        signal.signal(signal.SIGCHLD, before)

    assert run.status == 3
    assert after == signal.SIG_IGN


def test_the_end_is_noticed_where_the_kernel_does_not_announce_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "pidfd_open")

    run = alone(job("os.closerange(0, 4096); os._exit(4)"))

    assert run.status == 4
    assert run.seconds < 5


def test_the_doctor_in_shared_memory_shares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory of the patient's own would hide its very interpreter from it."""
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        link = Path(folder, "python")
        link.symlink_to(sys.executable)
        run = alone(
            Job(
                command=lambda record, _: [
                    str(link),
                    "-c",
                    f"import os; os.write({record}, b'here')",
                ]
            )
        )

    assert said(run) == b"here"
    assert not holds(run, "own-shared-memory")


# The environment


def test_the_environment_is_an_allow_list() -> None:
    folder = Path("/sandbox")
    passed = {"PATH": "/bin", "LC_ALL": "C", "LANG": "de", "TZ": "UTC", "LD_LIBRARY_PATH": "/lib"}
    environ = passed | {
        "PYTHONPATH": "/evil",
        "OPENBLAS_CORETYPE": "Haswell",
        "QEMU_CPU": "max",
        "HOME": "/home/me",
        "AWS_SECRET_ACCESS_KEY": "x",
        "CUDA_VISIBLE_DEVICES": "0",
    }

    env = sandbox.environment(environ, folder, {"OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "2"})

    assert {name: env[name] for name in env if env[name] == environ.get(name)} == passed
    assert set(environ) - set(env) == {
        *("PYTHONPATH", "OPENBLAS_CORETYPE", "QEMU_CPU", "AWS_SECRET_ACCESS_KEY")
    }
    assert env["CUDA_VISIBLE_DEVICES"] == ""
    assert env["HOME"] == "/sandbox"
    assert env["XDG_CACHE_HOME"] == "/sandbox/.cache"
    assert (env["OPENBLAS_NUM_THREADS"], env["NO_COLOR"]) == ("1", "2")


def test_a_job_adds_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    code = "os.write(RECORD, str([os.environ.get('OPENBLAS_CORETYPE'), os.environ['X']]).encode())"

    run = alone(job(code, env={"X": "mine"}))

    assert said(run) == b"[None, 'mine']"


# What the confinement said


@pytest.mark.parametrize(
    ("record", "held"),
    [
        (b'{"event": "held", "held": ["read-only"]}\n{}', ("read-only",)),
        (b"", ()),
        (b"\xff\x00\n", ()),
        (b"[]\n", ()),
        (b'{"event": "ready", "held": ["forged"]}\n', ()),
        (b'{"event": "held"}\n', ()),
        (b'{"event": "held", "held": 3}\n', ()),
    ],
    ids=["a list", "nothing", "noise", "no object", "another event", "no list", "a number"],
)
def test_what_held_is_read_from_the_first_line(record: bytes, held: tuple[str, ...]) -> None:
    assert sandbox._held(record) == held


# The user's own command


def attend(code: str, **options: Any) -> Run:
    return sandbox.attend(
        lambda record: [sys.executable, "-c", PRELUDE + code, str(record)],
        {"MINE": "1"},
        **options,
    )


def test_a_command_of_the_user_is_attended_to_and_nothing_else(
    capfd: pytest.CaptureFixture[str],
) -> None:
    run = attend(
        "print('out'); print('err', file=sys.stderr)\n"
        "assert os.environ['MINE'] and os.getsid(0) == os.getsid(os.getppid())\n"
        "os.write(RECORD, b'word')\n"
        "sys.exit(9)"
    )

    assert (run.status, run.record, run.stopped, run.held) == (9, b"word", "", ())
    assert capfd.readouterr() == ("out\n", "err\n")


def test_a_daemon_of_the_user_does_not_keep_the_doctor_waiting() -> None:
    run = attend(
        "pid = os.fork()\nif pid: os.write(RECORD, str(pid).encode()); os._exit(0)\ntime.sleep(60)"
    )

    os.kill(int(run.record), signal.SIGKILL)
    assert run.status == 0
    assert run.seconds < 10


def test_a_command_of_the_user_that_hangs_after_its_last_word_is_killed() -> None:
    run = attend(
        "os.write(RECORD, b'dead'); time.sleep(60)",
        settled=lambda record: record == b"dead",
        grace=0.2,
    )

    assert (run.status, run.stopped, run.record) == (-signal.SIGKILL, "", b"dead")


def test_a_command_of_the_user_that_cannot_be_started_raises() -> None:
    open_before = len([*Path("/proc/self/fd").iterdir()])

    with pytest.raises(FileNotFoundError):
        sandbox.attend(lambda _record: ["/no/such/program"], {})

    assert len([*Path("/proc/self/fd").iterdir()]) == open_before


@pytest.mark.parametrize("ignored", [False, True], ids=["heard", "ignored from the start"])
def test_ctrl_c_is_for_the_command_and_the_doctor_waits_for_what_it_makes_of_it(
    ignored: bool,
) -> None:
    code = """
import signal, sys
from legacy_doctor.probe import sandbox
if sys.argv[1] == "True":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
program = '''
import signal, sys, time
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
print("ready", flush=True)
end = time.monotonic() + 30
while not heard and time.monotonic() < end:
    time.sleep(0.01)
sys.exit(7)
'''
run = sandbox.attend(lambda record: [sys.executable, "-c", program], {})
print(run.status, run.stopped)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(ignored)],
        env={**clean(os.environ), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as doctor:
        assert doctor.stdout is not None
        assert doctor.stdout.readline() == "ready\n"
        os.killpg(doctor.pid, signal.SIGINT)
        out, _ = doctor.communicate(timeout=40)

    assert out.split() == (["7"] if ignored else ["7", "interrupted"])
