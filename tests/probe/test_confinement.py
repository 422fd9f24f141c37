"""What holds, seen from inside a patient: with all that this kernel offers, and with less.

What the kernel offers, the test finds out by itself; what it refuses is refused for real, by a
seccomp filter around the doctor.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.probe import confinement
from legacy_doctor.probe.landlock import SHARED_MEMORY
from tests.conftest import ROOT, clean

# No word of ours in it: system calls by number, in a process of its own.
OFFERS = """
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
user = sys.argv[1:] == ["nobody"]
if user:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    libc.prctl(4, 1, 0, 0, 0)  # dumpable again
ids = os.geteuid(), os.getegid()
def tries(flags, mounts):
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    try:
        assert libc.unshare(flags) == 0
        if flags & 0x10000000:
            for name, text in zip(("setgroups", "uid_map", "gid_map"), ("deny", *(f"{i} {i} 1" for i in ids))):
                open(f"/proc/self/{name}", "w").write(text)
        if mounts:
            class Attr(ctypes.Structure):
                _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "fd")]
            attr = Attr(1, 0, 1 << 18, 0)
            assert libc.syscall(442, -100, b"/", 0x8000, ctypes.byref(attr), ctypes.c_size_t(32)) == 0
            assert libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", 6, b"mode=1777") == 0
        os._exit(0)
    finally:
        os._exit(1)
root = [] if ids[0] else [0]
print(json.dumps({
    "landlock": max(libc.syscall(444, None, ctypes.c_size_t(0), 1), 0),
    "mounts": any(tries(0x48020000 | user, True) for user in [*root, 0x10000000]),
    "network": any(tries(0x40000000 | user, False) for user in [*root, 0x10000000]),
    "filters": libc.prctl(22, 2, None, 0, 0) == -1 and ctypes.get_errno() == 14,  # EFAULT
}))
"""

# The doctor: loses what it is told to lose, then has one patient look around.
DOCTOR = """
import errno, json, os, sys
from pathlib import Path
from legacy_doctor.probe import kernel, sandbox, seccomp
refused, words = json.loads(sys.argv[1])
if "root" in refused and os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    kernel.call("prctl", 4, 1, 0, 0, 0)  # dumpable again, as any user's process is
table = {
    "namespaces": seccomp.Rule(272),
    "ids": seccomp.Rule(272, 0, (0x40000000, 0x48020000)),
    "mounts": seccomp.Rule(165),
    "attributes": seccomp.Rule(442, hit=0x50000 | errno.ENOSYS),
    "landlock": seccomp.Rule(444, hit=0x50000 | errno.ENOSYS),
    "filters": seccomp.Rule(157, 0, (22,), hit=0x50000 | errno.EINVAL),
    "capabilities": seccomp.Rule(126),
    "announcements": seccomp.Rule(434, hit=0x50000 | errno.ENOSYS),
}
rules = [table[name] for name in refused if name in table]
if rules:
    code = seccomp.program(rules)
    import struct
    fprog = struct.pack("@HP", len(code) // 8, kernel.pointed(code))
    assert kernel.call("prctl", 38, 1, 0, 0, 0) == 0
    assert kernel.call("prctl", 22, 2, fprog, 0, 0) == 0
run, = sandbox.run([sandbox.Job(command=lambda record, _: [*words, str(record)])], 1)
print(json.dumps({"held": run.held, "status": run.status, "stderr": run.stderr,
    "record": run.record.decode().partition(chr(10))[2], "leftovers": run.leftovers}))
"""

# The patient, in a language that every user can run.
LOOK = """
exec 2>/dev/null
(echo x > "$1/outside") && wrote=yes
(echo x > "$HOME/inside") && inside=yes
(echo x > /dev/sh"m"/"$3") && memory=yes
(kill -9 "$4") && killed=yes
echo "wrote=$wrote inside=$inside memory=$memory killed=$killed"
grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'
grep -E '^Max (core|processes)' /proc/self/limits | sed -E 's/^Max ([a-z]+)[^0-9u]*([^ ]+).*/\\1=\\2/'
grep -c : /proc/self/net/dev
"""
SHELL = ["/bin/sh", "-c", f'eval "exec 9>&$5"; {{ {LOOK} }} >&9']

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be the other user")


@cache
def offers(user: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", OFFERS, *([user] if user else [])],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that everybody may write to."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o777)
        Path(name, "temporary").mkdir()
        Path(name, "temporary").chmod(0o777)
        yield Path(name)


def doctor(refused: list[str], words: list[str], outside: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", DOCTOR, json.dumps([refused, words])],
        env={**clean(os.environ), "PYTHONPATH": str(ROOT), "TMPDIR": str(outside / "temporary")},
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        start_new_session=True,
        timeout=120,
    )
    assert list((outside / "temporary").iterdir()) == []
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def expected(refused: list[str]) -> set[str]:
    """What must hold, by what this kernel offers and what of it is refused."""
    here = offers("nobody" if "root" in refused and os.geteuid() == 0 else "")
    missing = set(refused)
    as_root = os.geteuid() == 0 and "root" not in missing
    network = here["network"] and "namespaces" not in missing
    if as_root and "capabilities" in missing and "ids" not in missing:
        network = False  # root could go back
    mounts = here["mounts"] and network and not missing & {"mounts", "attributes"}
    abi = 0 if "landlock" in missing else here["landlock"]
    filters = here["filters"] and "filters" not in missing
    held = {"own-session", "no-core-dump", "dies-with-doctor"}
    held |= {"no-network"} if network else {"no-network: seccomp"} if filters else set()
    held |= {"own-shared-memory"} if mounts else set()
    held |= {"read-only"} if abi else {"read-only: mounts"} if mounts else set()
    held |= {"no-signals"} if abi >= 6 else {"no-signals: seccomp"} if filters else set()
    user_namespace = network and (not as_root or "ids" in missing)
    if user_namespace and not as_root and confinement.counts_by_namespace(platform.release()):
        held.add("few-processes")
    return held


CASES = {
    "nothing": [],
    "the namespaces": ["namespaces"],
    "namespaces without a user's": ["ids"],
    "mounts": ["mounts"],
    "attributes of mounts": ["attributes"],
    "Landlock": ["landlock"],
    "Landlock and mounts": ["landlock", "mounts"],
    "filters": ["filters"],
    "giving up capabilities": ["capabilities"],
    "announcing the end": ["announcements"],
    "everything": ["namespaces", "landlock", "filters", "capabilities"],
}
AS_NOBODY = {f"{what}, to a common user": [*case, "root"] for what, case in CASES.items()}


@pytest.mark.parametrize(
    "refused", [*CASES.values(), *AS_NOBODY.values()], ids=[*CASES, *AS_NOBODY]
)
def test_what_holds_where_the_kernel_refuses(refused: list[str], outside: Path) -> None:
    memory = Path(SHARED_MEMORY, outside.name)
    with subprocess.Popen(["/bin/sleep", "60"], user=_user(refused)) as bystander:
        # by its name alone: a job whose command lies in shared memory would not get its own
        arguments = ["sh", str(outside), "-", memory.name, str(bystander.pid)]
        try:
            told = doctor(refused, [*SHELL, *arguments], outside)
        finally:
            bystander.kill()
    seen = dict(word.split("=") for word in told["record"].split() if "=" in word)
    left = memory.exists()
    memory.unlink(missing_ok=True)

    held = {word.partition(":")[0] for word in told["held"]}
    assert set(told["held"]) == expected(refused)
    assert seen["inside"] == "yes"
    assert (seen["wrote"] == "yes") == (outside / "outside").exists()
    assert (outside / "outside").exists() == ("read-only" not in held)
    assert seen["memory"] == "yes"
    assert not (left and "own-shared-memory" in held)
    assert (seen["killed"] == "yes") == ("no-signals" not in told["held"])
    assert seen["core"] in {"0", "1"}
    if "few-processes" in held:
        assert int(seen["processes"]) <= confinement.MOST_PROCESSES
    assert "NoNewPrivs:1" in told["record"]


def _user(refused: list[str]) -> int | None:
    return 65534 if "root" in refused and os.geteuid() == 0 else None


@pytest.mark.parametrize("refused", CASES.values(), ids=CASES)
def test_a_server_on_this_machine_hears_nothing_where_the_kernel_refuses(
    refused: list[str], outside: Path
) -> None:
    code = """
import os, socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
    answer = b"connected"
except OSError:
    answer = b"refused"
os.write(int(sys.argv[2]), answer)
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told = doctor(refused, [sys.executable, "-I", "-S", "-c", code, str(port)], outside)

    abi = 0 if "landlock" in refused else offers("")["landlock"]
    named = any(word.startswith("no-network") for word in told["held"])
    assert (told["record"] == "refused") == (named or abi >= 4)


@ROOT_ONLY
def test_root_may_read_what_it_could_and_has_no_other_power(outside: Path) -> None:
    secret = outside / "secret"
    secret.write_text("open to its owner")
    secret.chmod(0o600)
    os.chown(secret, 65534, 65534)
    code = 'cat "$0" >&"$1"; grep CapEff /proc/self/status >&"$1"'

    told = doctor([], ["/bin/sh", "-c", code, str(secret)], outside)

    text, _, capabilities = told["record"].partition("CapEff:")
    assert text == "open to its owner"
    assert int(capabilities, 16) in {1 << 2, 1 << 1}


def test_a_core_file_is_not_written_even_where_the_user_wants_them(outside: Path) -> None:
    told = doctor([], ["/bin/sh", "-c", 'kill -SEGV $$; echo "$0"'], outside)

    assert told["status"] == -11


def test_a_patient_cannot_take_its_limits_back(outside: Path) -> None:
    code = """
import json, os, resource, sys
limits = [resource.getrlimit(which) for which in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)]
try:
    open("large", "wb").truncate((256 << 20) + 1)
    large = True
except OSError:
    large = False
os.write(int(sys.argv[1]), json.dumps([limits, large]).encode())
"""
    told = doctor([], [sys.executable, "-I", "-S", "-c", code], outside)

    (core, file), large = json.loads(told["record"])
    assert core in ([1, 1], [0, 0])
    assert file[1] <= confinement.LARGEST_FILE
    assert not large


def test_a_fork_bomb_of_a_common_user_is_bounded(outside: Path) -> None:
    """By the namespace where there is one, else by the end of the job."""
    bomb = "n=0; while [ $n -lt 1500 ]; do sleep 60 & n=$((n+1)); done 2>/dev/null"
    told = doctor(["root"], ["/bin/sh", "-c", bomb], outside)

    assert told["leftovers"] <= (1024 if "few-processes" in told["held"] else 1500)
    assert told["leftovers"] > 0


@pytest.mark.qemu
def test_what_holds_natively_holds_for_an_emulated_patient(qemu: Path, outside: Path) -> None:
    code = """
import json, os, socket, sys
def works(action):
    try:
        action()
    except OSError:
        return False
    return True
outside, record = sys.argv[1:]
os.write(int(record), json.dumps({
    "outside": works(lambda: open(outside + "/outside", "w")),
    "inside": works(lambda: open("inside", "w")),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "kill": works(lambda: os.kill(os.getppid(), 0)),
}).encode())
"""
    words = [str(qemu), "-cpu", "phenom", sys.executable, "-I", "-S", "-c", code, str(outside)]

    told = doctor([], words, outside)
    seen = json.loads(told["record"])

    held = {word.partition(":")[0] for word in told["held"]}
    assert set(told["held"]) == expected([])
    assert seen["inside"]
    assert seen["outside"] == ("read-only" not in held)
    assert seen["kill"] == ("no-signals" not in held)
    if "no-network" in told["held"]:
        assert seen["interfaces"] in (["lo"], [])


def test_the_shell_of_these_tests_is_there() -> None:
    assert shutil.which("sh", path="/bin")


@pytest.mark.parametrize(
    ("permitted", "kept"),
    [
        ((1 << 41) - 1, 1 << 2),
        (0b1010, 1 << 1),
        (0b1000, 0),
        (0, 0),
    ],
    ids=["root", "root of a container", "one that is no use", "a common user"],
)
def test_of_all_capabilities_only_that_of_reading_is_kept(permitted: int, kept: int) -> None:
    assert confinement.kept(permitted) == kept


@pytest.mark.parametrize(
    ("release", "counts"),
    [
        ("5.14.0-427.el9.x86_64", True),
        ("6.18.44-fc", True),
        ("5.10.0-28-amd64", False),
        ("4.18.0", False),
        ("unheard of", False),
    ],
)
def test_processes_are_counted_by_namespace_since_5_14(release: str, counts: bool) -> None:
    assert confinement.counts_by_namespace(release) is counts


def test_the_line_is_one_line_of_json() -> None:
    data = confinement.line(["no-network", "read-only"])

    assert data == b'{"event": "held", "held": ["no-network", "read-only"]}\n'
