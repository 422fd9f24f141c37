"""The recorder: real crashes, natively and under qemu-user, in every Python at hand."""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from elftools.elf.elffile import ELFFile

from legacy_doctor.model import Frame
from legacy_doctor.probe import record, recorder
from tests import conftest
from tests.conftest import Wheels
from tests.probe import faults
from tests.probe.faults import EXECUTE, probe, watch

PYTHONS = sorted(
    {
        sys.executable,
        *(
            str(path)
            for minor in range(8, 14)
            for path in Path("~/.pyenv/versions").expanduser().glob(f"3.{minor}.*/bin/python")
        ),
        *(path for path in ("/usr/bin/python3",) if os.access(path, os.X_OK)),
    }
)
HANDLER = Path(__file__).with_name("handler.s")
PHENOM = ("-cpu", "phenom")


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The start of a snippet that has the crashing library at hand, with and without the GIL."""
    library = faults.compiled(tmp_path_factory.mktemp("native"), "native", faults.NATIVE)
    return (
        "import ctypes, os, sys, threading, _thread, time\n"
        f"native = ctypes.CDLL({str(library)!r})\nwith_gil = ctypes.PyDLL({str(library)!r})\n"
    )


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    """Each Python at hand."""
    return str(request.param)


class Death(NamedTuple):
    """A way to die, and what the record must say of it."""

    source: str
    signal: signal.Signals
    code: int | None = None
    starts: str | None = ""
    """The bytes at RIP, as far as they are known."""
    target: int | None = None


# asm/siginfo.h names the codes
DEATHS = {
    "ud2": Death("execute('0f0b')", signal.SIGILL, 2, "0f0b"),
    "push es, which no CPU has in 64-bit mode": Death("execute('06')", signal.SIGILL, 2, "06"),
    "tilezero, which AMX lacks without leave": Death(
        "execute('c4e27b49c0')", signal.SIGILL, None, "c4e27b49c0"
    ),
    "integer division by zero": Death("execute('31c9b80100000099f7f9')", signal.SIGFPE, 1, "f7f9"),
    "null dereference": Death("execute('31c08b4010')", signal.SIGSEGV, 1, "8b4010", 0x10),
    "a call of nothing": Death("execute('31c0ffd0')", signal.SIGSEGV, 1, "", 0),
    "a jump out of the canonical addresses": Death(
        "execute('48b80000000000000080ffe0')", signal.SIGSEGV, 0x80, None, 0
    ),
    "a stack pointer to nowhere": Death("execute('31e48f00')", signal.SIGSEGV, None, "8f00"),
    "a mapped file cut short": Death(
        "file = open('cut', 'wb+'); file.truncate(4096)\n"
        "memory = mmap.mmap(file.fileno(), 4096); file.truncate(0); memory[0]",
        signal.SIGBUS,
        2,
    ),
    "int3": Death("execute('cc')", signal.SIGTRAP, 0x80),
    "abort()": Death("os.abort()", signal.SIGABRT, -6, None, 0),
    "kill of itself": Death("os.kill(os.getpid(), signal.SIGSEGV)", signal.SIGSEGV, 0, None, 0),
}


@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS)
def test_a_death_is_recorded(death: Death, tmp_path: Path) -> None:
    source = (
        f"{EXECUTE}def patient():\n    {death.source.replace(chr(10), chr(10) + '    ')}\npatient()"
    )

    ending = probe(source, tmp_path)

    assert ending.status == -death.signal
    assert ending.fault.signal == death.signal
    assert ending.complete
    if death.code is not None:
        assert ending.fault.code == death.code
    if death.target is not None:
        assert ending.fault.target == death.target
    if death.starts is not None:
        assert ending.fault.bytes.hex().startswith(death.starts)
    assert ending.functions[:2] == ["<module>", "patient"]
    assert ending.fault.frames[0].file == str(tmp_path / "snippet.py")
    assert ending.record.stage == "import"
    assert not ending.record.done


def test_the_block_tells_where_it_happened(tmp_path: Path, native: str) -> None:
    ending = probe(native + "native.trap()", tmp_path)

    mapping = ending.fault.where(ending.fault.address)
    assert mapping is not None
    assert mapping.path.endswith("/native.so")
    assert "x" in mapping.permissions
    (stack,) = [item for item in ending.fault.maps if item.path == "[stack]"]
    assert ending.fault.where(ending.fault.stack_pointer) == stack
    assert len(ending.fault.stack) == 2048
    assert ending.fault.stack_pointer % 16 == 0


def test_bytes_are_read_to_the_end_of_the_last_page(tmp_path: Path) -> None:
    source = EXECUTE + (
        "libc = ctypes.CDLL(None)\n"
        "memory = mmap.mmap(-1, 8192, prot=7); memory[4093:4095] = b'\\x0f\\x0b'\n"
        "address = ctypes.addressof(ctypes.c_char.from_buffer(memory))\n"
        "libc.mprotect(ctypes.c_void_p(address + 4096), 4096, 0)\n"
        "ctypes.CFUNCTYPE(None)(address + 4093)()\n"
    )

    assert probe(source, tmp_path).fault.bytes == b"\x0f\x0b\x00"


@pytest.mark.parametrize(
    ("source", "status", "exit_status"),
    [
        ("import os; os._exit(0)", 0, None),
        ("import sys; sys.exit(3)", 3, 3),
        ("import sys; sys.exit()", 0, 0),
        ("import sys; sys.exit(-1)", 255, 255),
        ("import sys; sys.exit('words')", 1, 1),
    ],
    ids=["os._exit: nothing more is written", "3", "nothing", "negative", "words"],
)
def test_an_exit_is_recorded(
    source: str, status: int, exit_status: int | None, tmp_path: Path
) -> None:
    ending = probe(source, tmp_path)

    assert ending.status == status
    assert ending.record == record.Record(ready=True, stage="import", exit_status=exit_status)


def test_steps_share_one_main(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import sys; word = __file__; first = sys.argv")
    (tmp_path / "two.py").write_text(
        "print(word); print(__file__, __name__, sys.argv, sys.path[0])"
    )

    ending = watch("probe", "import:one.py", "use:two.py", cwd=tmp_path)

    one, two = tmp_path / "one.py", tmp_path / "two.py"
    assert ending.record == record.Record(ready=True, stage="use", done=True)
    assert ending.out == f"{one}\n{two} __main__ ['{two}'] {tmp_path}\n"


def test_an_exception_is_recorded_and_printed_as_python_does(tmp_path: Path) -> None:
    (tmp_path / "inner.py").write_text(
        "class Refused(Exception): pass\ndef f(): raise Refused('no \\udcff')\n"
    )

    ending = probe("import inner\n\ninner.f()", tmp_path)

    raised = ending.record.raised
    assert ending.status == 1
    assert raised is not None
    assert (raised.type, raised.message) == ("inner.Refused", "no \\udcff")
    assert raised.frames == (
        Frame(str(tmp_path / "snippet.py"), 3, "<module>"),
        Frame(str(tmp_path / "inner.py"), 2, "f"),
    )
    assert "recorder.py" not in ending.err
    assert ending.err.startswith("Traceback (most recent call last):")


RAISING = {
    "a syntax error": ("1 +", "SyntaxError", 0),
    "an endless recursion, its beginning and end": ("def f(): f()\nf()", "RecursionError", 100),
    "an exception that cannot tell itself": (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        "__main__.E",
        1,
    ),
    "an interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt", 1),
}


@pytest.mark.parametrize(("source", "kind", "frames"), RAISING.values(), ids=RAISING)
def test_what_is_raised_is_named(source: str, kind: str, frames: int, tmp_path: Path) -> None:
    raised = probe(source, tmp_path).record.raised
    assert raised is not None
    assert (raised.type, len(raised.frames)) == (kind, frames)


def test_a_crash_in_a_second_python_thread_shows_that_thread(tmp_path: Path, native: str) -> None:
    source = native + (
        "def work(): native.trap()\n"
        "thread = threading.Thread(target=work)\nthread.start(); thread.join()\n"
    )

    ending = probe(source, tmp_path)

    assert ending.status == -signal.SIGILL
    assert ending.functions[-1] == "work"
    assert "<module>" not in ending.functions


def test_a_native_thread_without_python_has_no_frames(tmp_path: Path, native: str) -> None:
    ending = probe(native + "native.trap_in_thread()", tmp_path)

    assert (ending.status, ending.complete) == (-signal.SIGILL, True)
    assert ending.functions == []
    assert b'"event":"frames"' in ending.data


def test_a_native_thread_that_faults_while_the_gil_is_held(
    python: str, tmp_path: Path, native: str
) -> None:
    """Python can never run again: the block is complete all the same, and the parent kills."""
    ending = probe(native + "with_gil.trap_in_thread()", tmp_path, python=python, patience=0.2)

    assert ending.status == -signal.SIGKILL
    assert ending.complete
    assert ending.fault.signal == signal.SIGILL
    mapping = ending.fault.where(ending.fault.address)
    assert mapping is not None
    assert mapping.path.endswith("/native.so")


def test_two_threads_that_fault_at_once_leave_one_block(tmp_path: Path, native: str) -> None:
    ending = probe(native + "native.trap_in_two_threads()", tmp_path)

    assert ending.status == -signal.SIGILL
    assert ending.data.count(record.MAGIC + b"INFO") == 1
    assert ending.complete


@pytest.mark.parametrize(
    "load", ["import ctypes; ctypes.CDLL('./dies.so')", "import dies"], ids=["dlopen", "import"]
)
def test_a_crash_in_a_static_initialiser(load: str, tmp_path: Path) -> None:
    library = faults.compiled(tmp_path, "dies", faults.STATIC_INITIALISER)

    ending = probe(load, tmp_path)

    mapping = ending.fault.where(ending.fault.address)
    assert ending.status == -signal.SIGILL
    assert mapping is not None
    assert mapping.path == str(library)
    assert ending.functions[0] == "<module>"


OVERFLOWS = {
    "main thread": "native.overflow()",
    "threading": "thread = threading.Thread(target=native.overflow)\nthread.start(); thread.join()",
    "_thread": "_thread.start_new_thread(native.overflow, ())\ntime.sleep(9)",
}


@pytest.mark.parametrize("overflow", OVERFLOWS.values(), ids=OVERFLOWS)
def test_a_stack_overflow(overflow: str, tmp_path: Path, native: str) -> None:
    ending = probe(native + overflow, tmp_path)

    assert ending.status == -signal.SIGSEGV
    assert ending.complete
    assert abs(ending.fault.target - ending.fault.stack_pointer) < 2 * 4096


CALLBACK = {
    "faults": "ctypes.string_at(0)",
    "raises": "raise ValueError",
    "aborts": "os.abort()",
}


@pytest.mark.parametrize("end", CALLBACK.values(), ids=CALLBACK)
def test_a_patient_that_ruins_the_telling_of_its_frames(
    end: str, tmp_path: Path, native: str
) -> None:
    source = native + (
        "def ruin(frame, event, argument):\n"
        f"    if frame.f_code.co_name == 'frames_of': {end}\n"
        "sys.setprofile(ruin)\nnative.trap()\n"
    )

    ending = probe(source, tmp_path)

    assert ending.status == -signal.SIGILL
    assert (ending.complete, ending.fault.signal) == (True, signal.SIGILL)
    assert ending.fault.frames == ()


def test_a_crash_in_the_handler_itself_ends_the_process(tmp_path: Path, native: str) -> None:
    """The data block is taken away from under it: no record, but an end."""
    source = native + (
        f"code = bytes.fromhex({recorder._HANDLER[:19].hex()!r})\n"
        "def start(line): return int(line.split('-')[0], 16)\n"
        "pages = [start(line) for line in open('/proc/self/maps') if ' r-xp 00000000 00:00 0' in line]\n"
        "(page,) = [page for page in pages if ctypes.string_at(page, 19) == code]\n"
        "data = ctypes.c_uint64.from_address(page + 21).value\n"
        "ctypes.CDLL(None).munmap(ctypes.c_void_p(data), 8192)\n"
        "native.trap()\n"
    )

    ending = probe(source, tmp_path)

    assert ending.status == -signal.SIGSEGV
    assert (ending.record.ready, ending.record.fault) == (True, None)


def test_a_crash_after_the_last_python_code(tmp_path: Path, native: str) -> None:
    ending = probe(native + "ctypes.CDLL(None).__cxa_atexit(native.trap, None, None)", tmp_path)

    assert ending.status == -signal.SIGILL
    assert ending.record.done
    assert (ending.complete, ending.fault.frames) == (True, ())


DUMPING = {
    "by a test runner": "import faulthandler; faulthandler.enable(); faulthandler.enable()\n",
    "and given up again": (
        "import faulthandler; faulthandler.enable(); faulthandler.disable(); faulthandler.enable()\n"
    ),
}
END = {"a fault": "native.trap()", "a stack overflow": "native.overflow()", "abort()": "os.abort()"}


@pytest.mark.parametrize("enable", DUMPING.values(), ids=DUMPING)
@pytest.mark.parametrize("end", END.values(), ids=END)
def test_faulthandler_reports_after_us(enable: str, end: str, tmp_path: Path, native: str) -> None:
    ending = probe(native + enable + end, tmp_path)

    assert ending.fault.signal == -ending.status
    assert (ending.fault.code > 0) == (end != "os.abort()")
    assert ending.err.startswith("Fatal Python error: ")
    assert ending.err.count("most recent call first") == 1


def test_faulthandler_from_the_start_reports_after_us(tmp_path: Path, native: str) -> None:
    ending = probe(native + "native.trap()", tmp_path, env={"PYTHONFAULTHANDLER": "1"})

    assert (ending.status, ending.functions) == (-signal.SIGILL, ["<module>"])
    assert ending.err.startswith("Fatal Python error: Illegal instruction")


def test_faulthandler_that_was_disabled_is_silent(tmp_path: Path, native: str) -> None:
    source = "import faulthandler; faulthandler.enable(); faulthandler.disable(); native.trap()"

    ending = probe(native + source, tmp_path)

    assert (ending.status, ending.complete, ending.err) == (-signal.SIGILL, True, "")


CLOSED = {
    "closed": "os.closerange(3, 4096)",
    "a file in its place": (
        "fd = int(os.environ['RECORD_FD']); file = os.open('stolen', os.O_CREAT | os.O_RDWR)\n"
        "os.dup2(file, fd)"
    ),
    "another pipe in its place": (
        "fd = int(os.environ['RECORD_FD']); ends = os.pipe(); os.dup2(ends[1], fd)\nimport atexit"
    ),
}
THEN = {
    "then a fault": ("native.trap()", -signal.SIGILL),
    "then an exception": ("raise ValueError", 1),
    "then the end": ("pass", 0),
}


@pytest.mark.parametrize("closed", CLOSED.values(), ids=CLOSED)
@pytest.mark.parametrize(("then", "status"), THEN.values(), ids=THEN)
def test_a_descriptor_that_is_no_longer_ours_is_left_alone(
    closed: str, then: str, status: int, tmp_path: Path, native: str
) -> None:
    ending = probe(f"{native}{closed}\n{then}", tmp_path)

    assert ending.status == status
    assert ending.record == record.Record(ready=True, stage="import")
    if (tmp_path / "stolen").exists():
        assert (tmp_path / "stolen").read_bytes() == b""


def test_a_descriptor_that_was_never_open(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("print('alive')")
    command = [sys.executable, str(faults.RECORDER), "987", "run", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


CHILDREN = {
    "a fault": ("native.trap()", -4),
    "an exception": ("raise ValueError", 1),
    "an exit": ("sys.exit(5)", 5),
}


@pytest.mark.parametrize(("end", "status"), CHILDREN.values(), ids=CHILDREN)
def test_a_fork_child_s_end_is_not_the_patient_s(
    end: str, status: int, tmp_path: Path, native: str
) -> None:
    source = native + (
        f"child = os.fork()\nif not child: {end}\n"
        "_, status = os.waitpid(child, 0)\n"
        "print(-os.WTERMSIG(status) or os.WEXITSTATUS(status))\n"
    )

    ending = probe(source, tmp_path)

    assert ending.record == record.Record(ready=True, stage="import", done=True)
    assert (ending.status, ending.out) == (0, f"{status}\n")


SPAWN = """
import multiprocessing, os, sys

def name(_):
    return __name__, os.path.basename(sys.argv[0]), os.path.basename(__file__)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(*pool.map(name, [0])[0])
"""


def test_a_spawned_child_finds_the_snippet(python: str, tmp_path: Path) -> None:
    ending = probe(SPAWN, tmp_path, python=python)

    assert ending.out == "__mp_main__ snippet.py snippet.py\n"
    assert (ending.status, ending.record.done) == (0, True)


def test_every_python_records_a_fault(python: str, tmp_path: Path) -> None:
    ending = probe(f"{EXECUTE}def patient(): execute('0f0b')\npatient()", tmp_path, python=python)

    assert ending.status == -signal.SIGILL
    assert ending.complete
    assert ending.fault.bytes[:2] == b"\x0f\x0b"
    assert ending.functions == ["<module>", "patient", "execute"]


def test_every_python_records_the_overflow_of_a_thread(
    python: str, tmp_path: Path, native: str
) -> None:
    ending = probe(native + OVERFLOWS["threading"], tmp_path, python=python)

    assert ending.status == -signal.SIGSEGV
    assert ending.complete
    assert ending.functions[-1] == "run"


def test_every_python_records_an_exception(python: str, tmp_path: Path) -> None:
    ending = probe("def f(): 1 / 0\nf()", tmp_path, python=python)

    raised = ending.record.raised
    assert raised is not None
    assert (ending.status, raised.type) == (1, "ZeroDivisionError")
    assert [frame[1:] for frame in raised.frames] == [(2, "<module>"), (1, "f")]


def test_every_python_says_which_it_is(python: str, tmp_path: Path) -> None:
    ending = probe("import sys; print(list(sys.version_info[:3]))", tmp_path, python=python)

    assert ending.data.splitlines()[0].decode() == (
        f'{{"event":"ready","python":{ending.out.strip().replace(" ", "")}}}'
    )


@pytest.mark.qemu
@pytest.mark.parametrize("name", ["ud2", "null dereference", "abort()"])
def test_an_emulated_death_is_recorded(name: str, qemu: Path, tmp_path: Path) -> None:
    death = DEATHS[name]

    ending = probe(
        f"{EXECUTE}def patient(): {death.source}\npatient()", tmp_path, under=(str(qemu), *PHENOM)
    )

    assert ending.status == -death.signal
    assert ending.complete
    assert (ending.fault.signal, ending.fault.code) == (death.signal, death.code)
    assert ending.fault.bytes.hex().startswith(death.starts or "")
    assert ending.functions[:2] == ["<module>", "patient"]


@pytest.mark.qemu
@pytest.mark.wheels
def test_numpy_2_4_dies_on_a_phenom(qemu: Path, wheels: Wheels, tmp_path: Path) -> None:
    python = str(wheels.deadly / "bin/python")

    ending = probe("import numpy", tmp_path, python=python, under=(str(qemu), *PHENOM))

    mapping = ending.fault.where(ending.fault.address)
    assert ending.status == -signal.SIGILL
    assert mapping is not None
    assert "/numpy/_core/_multiarray_umath" in mapping.path
    assert ending.fault.bytes.hex().startswith("66480f3a22")  # pinsrq
    assert ending.fault.frames[0] == Frame(str(tmp_path / "snippet.py"), 1, "<module>")
    assert any(frame.file.endswith("numpy/__init__.py") for frame in ending.fault.frames)


# Where executable memory is refused (as SELinux's execmem does), here by the kernel's own
# PR_SET_MDWE, kept across exec.
_REFUSING = """
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit("the kernel knows no PR_SET_MDWE (before 6.3)")
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def refusing() -> tuple[str, ...]:
    """A command that runs another where memory cannot be made executable."""
    command = (sys.executable, "-c", _REFUSING)
    done = subprocess.run([*command, "/bin/true"], capture_output=True, text=True, check=False)
    if done.returncode:
        conftest.lacking("mdwe", done.stderr.strip())
    return command


REFUSED = {
    "a fault": ("native.trap()", "SIGILL", ["<module>"]),
    "a fault in a thread": (
        "thread = threading.Thread(target=native.trap)\nthread.start(); thread.join()",
        "SIGILL",
        ["_bootstrap", "_bootstrap_inner", "run"],
    ),
    "a sent signal": ("os.abort()", "SIGABRT", ["<module>"]),
    "a fault in a child of fork": (
        (
            "child = os.fork()\nif not child: native.trap()\n"
            "_, status = os.waitpid(child, 0)\nif os.WTERMSIG(status) == 4: os.abort()"
        ),
        "SIGABRT",
        ["<module>"],
    ),
    "two threads at once": ("native.trap_in_two_threads()", "SIGILL", []),
    "a fault while it is told": (
        (
            "def ruin(frame, event, argument):\n"
            "    if frame.f_code.co_name == 'frames_of': ctypes.string_at(0)\n"
            "sys.setprofile(ruin)\nnative.trap()\n"
        ),
        "SIGILL",
        [],
    ),
}


@pytest.mark.parametrize(("source", "name", "functions"), REFUSED.values(), ids=REFUSED)
def test_where_executable_memory_is_refused_python_writes_the_block(
    source: str,
    name: str,
    functions: list[str],
    refusing: tuple[str, ...],
    tmp_path: Path,
    native: str,
) -> None:
    ending = probe(native + source, tmp_path, under=refusing)

    assert ending.status == -signal.Signals[name]
    assert ending.fault.signal == -ending.status
    assert ending.complete
    assert ending.functions == functions
    assert ending.data.count(record.MAGIC + b"INFO") == 1
    mapping = ending.fault.where(ending.fault.address)
    assert mapping is not None
    assert mapping.path.endswith("/native.so" if name == "SIGILL" else "/libc.so.6")


def test_where_executable_memory_is_refused_the_rest_is_recorded_as_ever(
    refusing: tuple[str, ...], tmp_path: Path, native: str
) -> None:
    source = native + (
        "import faulthandler; faulthandler.enable()\n"
        "thread = threading.Thread(target=print, args=('alive',)); thread.start(); thread.join()\n"
    )

    ending = probe(source, tmp_path, under=refusing)

    assert (ending.status, ending.out, ending.err) == (0, "alive\n", "")
    assert ending.record == record.Record(ready=True, stage="import", done=True)


def test_without_ctypes_the_exit_status_alone_tells(tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without/ctypes.py").write_text("raise ImportError('no _ctypes')")

    without = {"PYTHONPATH": str(tmp_path / "without")}

    ending = probe("import os; os.abort()", tmp_path, env=without)

    assert ending.status == -signal.SIGABRT
    assert ending.record == record.Record(ready=True, stage="import")
    assert probe("", tmp_path, env=without).record.done


# run: what a program can see and what others see of it, beside plain CPython


class Command(NamedTuple):
    """Arguments of Python, and the files they are about."""

    arguments: tuple[str, ...]
    files: dict[str, str]


LOOK = """
import sys
shown = {key: value for key, value in globals().items() if key not in {"sys", "shown"}}
print(__name__, sys.argv, sys.path, getattr(sys, "orig_argv", None), sys.flags)
print(sorted((key, type(value).__name__) for key, value in shown.items()))
print([shown.get(key) for key in ("__file__", "__cached__", "__package__", "__doc__")])
print(sys.modules["__main__"].__dict__ is globals())
"""
FAILING = "def f(): raise ValueError('no') from KeyError(1)\n\nf()\n"
HOOK = (
    "import sys\ndef hook(*given): print(given[0], given[2] is not None)\nsys.excepthook = hook\n"
)

RUNS = {
    "a script": Command(("look.py", "a", "--b"), {"look.py": LOOK}),
    "a script with a dot": Command(("./look.py",), {"look.py": LOOK}),
    "a script in a folder": Command(("in/look.py",), {"in/look.py": LOOK}),
    "a folder": Command(("in", "a"), {"in/__main__.py": LOOK}),
    "a folder by its path": Command(("./in/.", "a"), {"in/__main__.py": LOOK}),
    "this folder": Command((".", "a"), {"__main__.py": LOOK}),
    "a module": Command(("-m", "look", "a"), {"look.py": LOOK}),
    "a package": Command(("-m", "in", "a"), {"in/__main__.py": LOOK, "in/__init__.py": ""}),
    "a string": Command(("-c", LOOK, "a", "-b"), {}),
    "no such script": Command(("none.py",), {}),
    "no such module": Command(("-m", "none_such"), {}),
    "a failing script": Command(("fails.py",), {"fails.py": FAILING}),
    "a failing module": Command(("-m", "fails"), {"fails.py": FAILING}),
    "a failing string": Command(("-c", FAILING), {}),
    "a syntax error": Command(("bad.py",), {"bad.py": "x = 1\ny = = 2\n"}),
    "a syntax error in a string": Command(("-c", "x = = 1"), {}),
    "a script that is Latin-1": Command(
        ("latin.py",), {"latin.py": "# coding: latin-1\nprint(len('\N{POUND SIGN}'))\n"}
    ),
    "an exit code": Command(("-c", "import sys; sys.exit(7)"), {}),
    "an exit beyond a byte": Command(("-c", "import sys; sys.exit(257)"), {}),
    "an exit without a code": Command(("-c", "import sys; sys.exit()"), {}),
    "an exit with words": Command(("-c", "import sys; sys.exit('words')"), {}),
    "an exit with a tuple": Command(("-c", "import sys; sys.exit((1, 2))"), {}),
    "an interrupt": Command(("-c", "raise KeyboardInterrupt"), {}),
    "an excepthook of its own": Command(("hook.py",), {"hook.py": HOOK + "1 / 0"}),
    "an atexit handler": Command(
        ("-c", "import atexit, sys; atexit.register(print, 'bye'); sys.exit(4)"), {}
    ),
    "a thread's exception": Command(
        ("-c", "import threading; threading.Thread(target=int, args='x', name='T').start()"), {}
    ),
    "warnings of its own": Command(
        ("-c", "import warnings; warnings.warn('old', DeprecationWarning)"), {}
    ),
    "future features of nobody": Command(
        (
            "-c",
            "def f(x: int): pass\nprint(f.__annotations__)",
        ),
        {},
    ),
}


EVERYWHERE = (
    "a script with a dot",
    "this folder",
    "a package",
    "a string",
    "a failing script",
)
"""Those that every Python at hand is asked; the others only the one that runs the tests."""


def plain(python: str, arguments: tuple[str, ...], cwd: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [python, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def run_both_ways(python: str, command: Command, cwd: Path) -> None:
    for name, text in command.files.items():
        path = cwd / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="latin-1" if "latin-1" in text else "utf-8")

    ending = watch("run", *command.arguments, cwd=cwd, python=python)

    assert (ending.status, ending.out, ending.err) == plain(python, command.arguments, cwd)
    assert ending.record.ready


@pytest.mark.parametrize("command", RUNS.values(), ids=RUNS)
def test_a_program_runs_as_under_plain_python(command: Command, tmp_path: Path) -> None:
    run_both_ways(sys.executable, command, tmp_path)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_program_runs_as_under_every_plain_python(name: str, python: str, tmp_path: Path) -> None:
    run_both_ways(python, RUNS[name], tmp_path)


def test_a_failing_excepthook_is_told_as_python_does(tmp_path: Path) -> None:
    ending = watch("run", "-c", "import sys; sys.excepthook = None; 1 / 0", cwd=tmp_path)

    assert ending.status == 1
    assert ending.err.startswith("Error in sys.excepthook:\n")
    assert "\nOriginal exception was:\n" in ending.err
    assert ending.err.endswith("ZeroDivisionError: division by zero\n")


def test_a_thread_that_cannot_start_is_refused_as_python_does(tmp_path: Path) -> None:
    ending = watch("run", "-c", "import _thread; _thread.start_new_thread(1, ())", cwd=tmp_path)

    assert (ending.status, ending.err.splitlines()[-1]) == (
        1,
        "TypeError: first arg must be callable",
    )


@pytest.mark.parametrize("flag", ["-I", "-E", "-s", "-P"])
def test_flags_of_python_hold(flag: str, tmp_path: Path) -> None:
    (tmp_path / "look.py").write_text(LOOK)
    reading, writing = os.pipe()
    command = [sys.executable, flag, str(faults.RECORDER), str(writing), "run", "look.py", "a"]

    done = subprocess.run(
        command, cwd=tmp_path, pass_fds=[writing], capture_output=True, text=True, check=False
    )

    os.close(reading)
    os.close(writing)
    assert (0, done.stdout, done.stderr) == plain(sys.executable, (flag, "look.py", "a"), tmp_path)


def test_compiled_scripts_run(tmp_path: Path) -> None:
    (tmp_path / "look.py").write_text(LOOK)
    subprocess.run([sys.executable, "-m", "compileall", "-bq", "look.py"], cwd=tmp_path, check=True)

    ending = watch("run", "look.pyc", cwd=tmp_path)

    assert (ending.status, ending.out, ending.err) == plain(sys.executable, ("look.pyc",), tmp_path)


def test_a_program_s_end_is_recorded(tmp_path: Path) -> None:
    ending = watch("run", "-c", "def f(): 1 / 0\nf()", cwd=tmp_path)

    raised = ending.record.raised
    assert raised is not None
    assert raised.frames == (Frame("<string>", 2, "<module>"), Frame("<string>", 1, "f"))


def test_a_program_s_fault_is_recorded(tmp_path: Path, native: str) -> None:
    ending = watch("run", "-c", f"{native}native.trap()", cwd=tmp_path)

    assert (ending.status, ending.complete) == (-signal.SIGILL, True)
    assert ending.functions == ["<module>"]


# the parts


def test_the_handler_is_what_its_source_says(tmp_path: Path) -> None:
    command = ["cc", "-c", "-o", str(tmp_path / "handler.o"), str(HANDLER)]
    subprocess.run(command, check=True)
    with (tmp_path / "handler.o").open("rb") as file:
        section = ELFFile(file).get_section_by_name(".text")
        assert section is not None
        assert recorder._HANDLER.hex() == section.data().hex()


def test_the_handler_names_the_data_block_once() -> None:
    assert recorder._HANDLER.count(struct.pack("<Q", recorder._DATA)) == 1


@pytest.fixture
def pipe() -> Iterator[tuple[recorder.Pipe, Callable[[], bytes]]]:
    """A pipe as the recorder sees it, and a way to read what was written."""
    reading, writing = os.pipe()
    ours = recorder.Pipe(writing)

    def read() -> bytes:
        os.set_blocking(reading, False)
        return os.read(reading, 65536)

    yield ours, read
    os.close(reading)
    os.close(writing)


def test_what_is_told_is_json(pipe: tuple[recorder.Pipe, Callable[[], bytes]]) -> None:
    ours, read = pipe
    ours.tell("raised", message='"\n\udcff\0é', frames=[("a", 1, "b")], status=-1)
    assert read() == (
        b'{"event":"raised","message":"\\"\\n\\udcff\\u0000\\u00e9","frames":[["a",1,"b"]],'
        b'"status":-1}\n'
    )


def test_a_parent_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    ours = recorder.Pipe(writing)
    os.close(reading)
    ours.tell("done")
    os.close(writing)


def test_the_data_block_is_laid_out_as_the_handler_reads_it(
    pipe: tuple[recorder.Pipe, Callable[[], bytes]],
) -> None:
    ours, _ = pipe
    data = recorder.block(ours, 0x1000, 0x2000, 0x3000)

    status = os.fstat(ours.descriptor)
    assert struct.unpack_from("<iiIIQQQQQQ", data) == (
        *(ours.descriptor, os.getpid(), 0, 0, status.st_dev, status.st_ino),
        *(0x2000, 0x3000, 0x1000 + recorder._HEADER_AT, 16),
    )
    assert data[recorder._HEADER_AT :].startswith(record.MAGIC)
    assert data[128:] == b"/proc/self/maps\0"


class Context(NamedTuple):
    """A made-up siginfo and ucontext."""

    info: Any
    context: Any


def _context(rip: int, rsp: int) -> Context:
    info = ctypes.create_string_buffer(struct.pack("<iiixxxxQ", 11, 0, 1, 0x77), 128)
    words = [0] * 23
    words[15], words[16] = rsp, rip
    return Context(info, ctypes.create_string_buffer(bytes(40) + struct.pack("<23Q", *words), 512))


def test_the_block_written_by_python_is_read_like_the_machine_code_s(
    pipe: tuple[recorder.Pipe, Callable[[], bytes]],
) -> None:
    ours, read = pipe
    code = ctypes.create_string_buffer(bytes(range(1, 33)), 4096)
    here = ctypes.addressof(code)
    info, context = _context(here, here)

    handler = recorder.PythonHandler(recorder.Libc(), ours)
    handler.record(11, ctypes.addressof(info), ctypes.addressof(context))

    fault = record.parse(read()).fault
    assert fault is not None
    assert (fault.signal, fault.code, fault.target) == (11, 1, 0x77)
    assert (fault.address, fault.stack_pointer) == (here, here)
    assert fault.bytes == bytes(range(1, 17))
    assert fault.stack == code.raw[:2048]
    assert fault.where(here) is not None
    assert fault.frames[-1].function.startswith("test_the_block_written_by_python")


class Patient(recorder.Libc):
    """Does not end at its signals, but keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[tuple[int, bytes]] = []

    def end(self, signal: int, action: bytes = b"default") -> None:
        self.ends.append((signal, action))


def test_the_handler_in_python_ends_by_the_first_signal(
    pipe: tuple[recorder.Pipe, Callable[[], bytes]],
) -> None:
    ours, read = pipe
    libc = Patient()
    handler = recorder.PythonHandler(libc, ours)
    handler.previous[11] = b"faulthandler"
    info, context = _context(0, 0)
    fault = (ctypes.addressof(info), ctypes.addressof(context))

    handler(11, *fault)
    written = read()
    handler(8, *fault)  # a fault while it is told

    assert libc.ends == [(11, b"faulthandler"), (11, b"default"), (11, b"default")]
    parsed = record.parse(written).fault
    assert parsed is not None
    assert (parsed.signal, parsed.bytes, parsed.stack) == (11, b"", b"")


def test_the_handler_in_python_leaves_a_fork_child_to_its_signal(
    pipe: tuple[recorder.Pipe, Callable[[], bytes]],
) -> None:
    ours, read = pipe
    ours.pid = -1
    libc = Patient()
    recorder.PythonHandler(libc, ours)(11, 0, 0)
    ours.pid = os.getpid()
    ours.tell("done")
    assert libc.ends == [(11, b"default")]
    assert record.parse(read()) == record.Record(done=True)


def test_frames_that_cannot_be_told_are_no_error(
    pipe: tuple[recorder.Pipe, Callable[[], bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, read = pipe
    monkeypatch.setattr(ours, "send", None)
    recorder.Frames(ours)(11, 0, 0)
    monkeypatch.undo()
    ours.tell("done")
    assert record.parse(read()) == record.Record(done=True)


def test_only_what_can_be_read_is_read() -> None:
    libc = recorder.Libc()
    page = libc.allocate(4096)
    libc._protect(page, 4096, 1)
    assert libc.readable(0, 16) == b""
    assert libc.readable(page, 16) == bytes(16)
    assert libc.readable(page - 8, 16) == b""  # the guard below it
    second = libc.allocate(8192)
    libc._protect(second + 4096, 4096, 0)
    assert libc.readable(second + 4090, 16) == bytes(6)


REFUSALS: dict[str, Callable[[recorder.Libc], object]] = {
    "more memory than there is": lambda libc: libc.allocate(1 << 62),
    "memory of nobody": lambda libc: libc._protect(0, 4096, 1),
    "a signal that cannot be caught": lambda libc: libc.handle(9, 0),
}


@pytest.mark.parametrize("refused", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_of_the_system_is_an_error(
    refused: Callable[[recorder.Libc], object],
) -> None:
    with pytest.raises(OSError):
        refused(recorder.Libc())


def test_signal_stacks_are_used_again() -> None:
    libc = recorder.Libc()
    stacks = recorder.SignalStacks(libc)
    seen: list[int] = []

    def work() -> None:
        stack = stacks.enter()
        seen.append(stack)
        stacks.leave(stack)

    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(set(seen)) == 1
    assert seen[0] != 0


def test_a_thread_without_memory_for_a_signal_stack_runs_all_the_same() -> None:
    class Poor(recorder.Libc):
        def allocate(self, size: int) -> int:
            raise OSError

    stacks = recorder.SignalStacks(Poor())
    module = ModuleType("threads")
    module._start_new_thread = _thread.start_new_thread  # type: ignore[attr-defined]
    stacks.watch(module)
    stacks.watch(None)
    done = threading.Event()

    module._start_new_thread(lambda word: done.set(), ("x",))

    assert done.wait(5)
    assert module._start_new_thread.__name__ == "start_new_thread"


def test_a_started_function_looks_like_itself() -> None:
    assert repr(recorder._Started(len, recorder.SignalStacks(recorder.Libc()))) == repr(len)


def test_recording_imports_next_to_nothing(tmp_path: Path) -> None:
    """Imports are what it would cost."""
    ending = probe("import sys; print(*sorted(sys.modules))", tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(ending.out.split()) - set(done.stdout.split()) <= {
        *(
            "__future__",
            "_ctypes",
            "_json",
            "_struct",
            "atexit",
            "faulthandler",
            "gc",
            "ctypes",
            "ctypes._endian",
            "struct",
            "types",
        )
    }
