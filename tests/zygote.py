"""Start the doctor by forking a process that has loaded it and has never run it.

`python -m legacy_doctor` spends most of a short run on its own start, and under coverage three
times as much. What is forked here is such a process after the start: with descriptors, variables,
working folder and exit of its own, single-threaded, and without a word of pytest in it. What the
interpreter reads when it starts cannot be changed afterwards: see `Zygote.fits`.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, NoReturn

_STARTING: Final = ("PYTHON", "LC_", "LANG", "LD_", "GLIBC_", "MALLOC_", "COVERAGE_")
"""What the loader and the interpreter read once."""
_MESSAGE: Final = 1 << 20


class Zygote:
    """The process to fork from; started at the first run."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._environ: dict[str, str] = {}
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fits(self, environ: Mapping[str, str]) -> bool:
        """Tell whether a fresh process in this environment would have started alike."""
        self._start(environ)
        return _starting(environ) == _starting(self._environ)

    def run(
        self, arguments: Sequence[str], environ: Mapping[str, str], cwd: Path, seconds: float
    ) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr of `legacy-doctor` with these arguments."""
        assert self._socket is not None
        self._socket.settimeout(seconds)
        asked = {"argv": list(arguments), "environ": dict(environ), "cwd": str(cwd)}
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            data = json.dumps(asked).encode()
            socket.send_fds(self._socket, [data], [out.fileno(), err.fileno()])
            status = int(self._answer())
            return os.waitstatus_to_exitcode(status), _read(out), _read(err)

    def _answer(self) -> bytes:
        """Wait for a status. One that comes too late must not be taken for the next run's."""
        assert self._socket is not None
        assert self._process is not None
        try:
            return self._socket.recv(64)
        except TimeoutError:
            self._process.kill()
            self._process = None
            raise

    def _start(self, environ: Mapping[str, str]) -> None:
        if self._process is not None:
            return
        self._environ = dict(environ)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.zygote", str(theirs.fileno())],
                env=self._environ,
                cwd=self._root,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # never read: only as much a terminal as those to come
            )

    def close(self) -> None:
        """End it, and let it write what it measured."""
        if self._process is not None and self._socket is not None:
            self._socket.close()
            self._process.communicate(timeout=60)


def _starting(environ: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in environ.items() if key.startswith(_STARTING)}


def _read(file: IO[bytes]) -> str:
    """Read it as `subprocess` does with `text=True`."""
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n").replace("\r", "\n")


def serve(channel: socket.socket) -> None:
    """Fork for every message until the other side is closed."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE, 2)
        if not data:
            return
        child = os.fork()
        if not child:
            _become(json.loads(data), descriptors, channel)
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(str(os.waitpid(child, 0)[1]).encode())


def _become(asked: dict[str, Any], descriptors: Sequence[int], channel: socket.socket) -> NoReturn:
    channel.close()
    for number, descriptor in enumerate(descriptors, 1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.chdir(asked["cwd"])
    sys.path[0] = asked["cwd"]
    sys.argv[1:] = asked["argv"]
    _exit(_code_of_main())


def _code_of_main() -> int:
    from legacy_doctor.__main__ import main

    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)  # the doctor ends with a number
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001  as the interpreter would
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _exit(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 120  # as the interpreter ends then
    atexit._run_exitfuncs()  # coverage writes what it measured
    os._exit(code)


def load() -> None:
    """Import every command, and what each of them imports at once."""
    import importlib
    import pkgutil

    from legacy_doctor import cli

    for module in pkgutil.iter_modules(cli.__path__, f"{cli.__name__}."):
        importlib.import_module(module.name)


if __name__ == "__main__":
    load()
    serve(socket.socket(fileno=int(sys.argv[1])))
