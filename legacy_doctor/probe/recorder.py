"""Runs inside the target interpreter and tells, through a descriptor, how the patient ended.

Stand-alone: run by path, standard library only, Python 3.8 or newer, imports nothing of ours.

    recorder.py FD probe STAGE:FILE [STAGE:FILE ...]
    recorder.py FD run SCRIPT [ARGUMENT ...]
    recorder.py FD run -m MODULE [ARGUMENT ...]
    recorder.py FD run -c CODE [ARGUMENT ...]

`probe` runs snippets one after another in one `__main__`, as a script would be run; `run` becomes
the user's program, as much like plain `python` as can be. What it writes is told in `record.py`:
lines of JSON for what Python can still say, and a binary block for a fault.

That block is written by machine code with nothing but system calls, so it is complete where
Python is not: the heap may be ruined, and another thread may hold the GIL for ever. Only then is
Python asked for the frames of the faulting thread, and that may block for ever, by design: what
matters is out, and the parent kills a process that does not die within two seconds of its block.
The process then ends by its true signal, after the report of faulthandler where that is enabled.
Where the system refuses executable memory a handler in Python writes the same block; where there
is no ctypes, or the machine is not x86-64 Linux, the exit status alone tells of a fault.
"""

# Runs on Python 3.8, and is itself a patient's guest: every import counts, and what CPython does
# without a public name is done by its private one.
# ruff: noqa: PTH109, PTH117, PTH120, SLF001, UP031, S102

from __future__ import annotations

import _thread
import atexit
import builtins
import faulthandler
import gc
import os
import struct
import sys

try:
    import ctypes
except ImportError:  # a Python built where libffi's headers were missing
    ctypes = None  # type: ignore[assignment]
try:  # json itself would import re, and cost as much as all the rest together
    from _json import encode_basestring_ascii as _quoted
except ImportError:
    from json import dumps as _quoted

TYPE_CHECKING = False  # typing itself costs as much as a start of Python
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType, ModuleType, TracebackType

# void handler(int signal, siginfo_t *info, ucontext_t *context)
# tests/probe/handler.s is the source, with its comments; a test holds the two together.
_HANDLER = bytes.fromhex(
    "55"  # push rbp
    "4889e5"  # mov rbp, rsp
    "4883e4f0"  # and rsp, -16 (QEMU 7.2 enters 8 bytes off)
    "53"  # push rbx
    "4154"  # push r12
    "4155"  # push r13
    "4156"  # push r14
    "4157"  # push r15
    "4157"  # push r15 (twice: keeps the alignment)
    "48bb8877665544332211"  # movabs rbx, DATA
    "4189fc"  # mov r12d, edi
    "4989f5"  # mov r13, rsi
    "4989d6"  # mov r14, rdx
    "b827000000"  # mov eax, 39 (getpid)
    "0f05"  # syscall
    "3b4304"  # cmp eax, [rbx+PID]
    "0f854a010000"  # jne die
    "b8ba000000"  # mov eax, 186 (gettid)
    "0f05"  # syscall
    "89c1"  # mov ecx, eax
    "31c0"  # xor eax, eax
    "f00fb14b08"  # lock cmpxchg [rbx+OWNER], ecx
    "7416"  # je first
    "39c8"  # cmp eax, ecx
    "7409"  # je again
    # sleep:
    "b822000000"  # mov eax, 34
    "0f05"  # syscall
    "ebf7"  # jmp sleep
    # again:
    "448b630c"  # mov r12d, [rbx+SIGNAL]
    "e922010000"  # jmp die
    # first:
    "4489630c"  # mov [rbx+SIGNAL], r12d
    "b805000000"  # mov eax, 5
    "8b3b"  # mov edi, [rbx+FD]
    "488db300010000"  # lea rsi, [rbx+BUFFER]
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "0f85f3000000"  # jne finish
    "488b8300010000"  # mov rax, [rbx+BUFFER]
    "483b4310"  # cmp rax, [rbx+DEVICE]
    "0f85e2000000"  # jne finish
    "488b8308010000"  # mov rax, [rbx+BUFFER+8]
    "483b4318"  # cmp rax, [rbx+INODE]
    "0f85d1000000"  # jne finish
    "bf494e464f"  # mov edi, 0x4f464e49 (INFO)
    "4d89e8"  # mov r8, r13
    "41b980000000"  # mov r9d, 128
    "e86d010000"  # call piece
    "bf52454753"  # mov edi, 0x53474552 (REGS)
    "4d8d4628"  # lea r8, [r14+40]
    "41b9b8000000"  # mov r9d, 184
    "e859010000"  # call piece
    "41bf434f4445"  # mov r15d, 0x45444f43 (CODE)
    "4d8b86a8000000"  # mov r8, [r14+168] (RIP)
    "41b910000000"  # mov r9d, 16
    "e8ee000000"  # call readable
    "41bf5354414b"  # mov r15d, 0x4b415453 (STAK)
    "4d8b86a0000000"  # mov r8, [r14+160] (RSP)
    "41b900080000"  # mov r9d, 2048
    "e8d6000000"  # call readable
    "b801010000"  # mov eax, 257 (openat)
    "bf9cffffff"  # mov edi, -100 (AT_FDCWD)
    "488db380000000"  # lea rsi, [rbx+MAPS]
    "ba00000800"  # mov edx, 0x80000 (O_RDONLY | O_CLOEXEC)
    "4531d2"  # xor r10d, r10d
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "7830"  # js end
    "4189c7"  # mov r15d, eax
    # map:
    "31c0"  # xor eax, eax (read)
    "4489ff"  # mov edi, r15d
    "488db300010000"  # lea rsi, [rbx+BUFFER]
    "baf00f0000"  # mov edx, BUFFER_SIZE
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "7e16"  # jle end
    "4189c1"  # mov r9d, eax
    "4c8d8300010000"  # lea r8, [rbx+BUFFER]
    "bf4d415053"  # mov edi, 0x5350414d (MAPS)
    "e8dc000000"  # call piece
    "ebd3"  # jmp map
    # end:
    "bf454e4453"  # mov edi, 0x53444e45 (ENDS)
    "4531c9"  # xor r9d, r9d
    "e8cd000000"  # call piece
    "488b4320"  # mov rax, [rbx+CALLBACK]
    "4885c0"  # test rax, rax
    "7415"  # je finish
    "4489e7"  # mov edi, r12d
    "4c89ee"  # mov rsi, r13
    "4c89f2"  # mov rdx, r14
    "4989e7"  # mov r15, rsp
    "488b6328"  # mov rsp, [rbx+STACK] (Python needs more than a signal stack may have)
    "ffd0"  # call rax
    "4c89fc"  # mov rsp, r15
    # finish:
    "4489e6"  # mov esi, r12d
    "c1e605"  # shl esi, 5
    "488db43300110000"  # lea rsi, [rbx+rsi+ACTIONS]
    "e816000000"  # call act
    # die:
    "488d7360"  # lea rsi, [rbx+DEFAULT]
    "e80d000000"  # call act
    "415f"  # pop r15 (not reached)
    "415f"  # pop r15
    "415e"  # pop r14
    "415d"  # pop r13
    "415c"  # pop r12
    "5b"  # pop rbx
    "c9"  # leave
    "c3"  # ret
    # act:
    "b80d000000"  # mov eax, 13 (rt_sigaction)
    "4489e7"  # mov edi, r12d
    "31d2"  # xor edx, edx
    "41ba08000000"  # mov r10d, 8
    "0f05"  # syscall
    "b827000000"  # mov eax, 39 (getpid)
    "0f05"  # syscall
    "4189c7"  # mov r15d, eax
    "b8ba000000"  # mov eax, 186 (gettid)
    "0f05"  # syscall
    "89c6"  # mov esi, eax
    "4489ff"  # mov edi, r15d
    "4489e2"  # mov edx, r12d
    "b8ea000000"  # mov eax, 234 (tgkill)
    "0f05"  # syscall
    "c3"  # ret
    # readable:
    "4c89c6"  # mov rsi, r8
    "4883e6f8"  # and rsi, -8
    "e82a000000"  # call peek
    "7423"  # je none
    "4b8d7408ff"  # lea rsi, [r8+r9-1]
    "4881e600f0ffff"  # and rsi, -4096 (the page of the last byte)
    "4c39c6"  # cmp rsi, r8
    "760d"  # jbe whole
    "e812000000"  # call peek
    "7506"  # jne whole
    "4c29c6"  # sub rsi, r8
    "4989f1"  # mov r9, rsi
    # whole:
    "4489ff"  # mov edi, r15d
    "eb22"  # jmp piece
    # none:
    "4531c9"  # xor r9d, r9d
    "ebf6"  # jmp whole
    # peek:
    "4885f6"  # test rsi, rsi
    "7417"  # je done
    "b80e000000"  # mov eax, 14 (rt_sigprocmask)
    "bfffffffff"  # mov edi, -1
    "31d2"  # xor edx, edx
    "41ba08000000"  # mov r10d, 8
    "0f05"  # syscall
    "83f8f2"  # cmp eax, -14 (EFAULT)
    # done:
    "c3"  # ret
    # piece:
    "897b58"  # mov [rbx+TAG], edi
    "44894b5c"  # mov [rbx+SIZE], r9d
    "4c894340"  # mov [rbx+PAYLOAD], r8
    "4c894b48"  # mov [rbx+LENGTH], r9
    # retry:
    "b814000000"  # mov eax, 20 (writev)
    "8b3b"  # mov edi, [rbx+FD]
    "488d7330"  # lea rsi, [rbx+VECTOR]
    "ba02000000"  # mov edx, 2
    "0f05"  # syscall
    "83f8fc"  # cmp eax, -4 (EINTR)
    "74e9"  # je retry
    "c3"  # ret
)
_DATA = 0x1122334455667788
"""Stands in the code for the address of the data block."""

_MAGIC = b"\0\xffFAULT\0"
_CALLBACK_AT = 32
_VECTOR_AT = 48
_HEADER_AT = 80
_ACTIONS_AT = 4352
_BLOCK_SIZE = 8192
_PAGE = 4096
_SIGNAL_STACK_SIZE = 64 * 1024
_CALLBACK_STACK_SIZE = 1024 * 1024
_BYTES_AT_RIP = 16
_BYTES_AT_RSP = 2048

# asm/signal.h, asm/unistd_64.h, sys/ucontext.h, linux/mman.h
_FAULTS = (4, 5, 6, 7, 8, 11, 31)  # SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGSEGV SIGSYS
_SA_SIGINFO, _SA_ONSTACK, _SA_NODEFER = 0x4, 0x08000000, 0x40000000
_SS_DISABLE = 2
_RT_SIGACTION, _RT_SIGPROCMASK, _TGKILL = 13, 14, 234
_ACTION_SIZE = 32
_REGISTERS_AT, _REGISTERS_SIZE, _RSP_AT, _RIP_AT = 40, 184, 160, 168
_SIGINFO_SIZE = 128
_READ, _WRITE, _EXECUTE = 1, 2, 4
_PRIVATE_ANONYMOUS = 0x22

_FRAMES_KEPT = 50
_MESSAGE_KEPT = 2000


class Pipe:
    """The descriptor the record goes to, for as long as it is what we were given.

    The patient may close it, and open something else there; a child of fork has it too. Nothing
    is then written, and nothing is raised.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.pid = os.getpid()
        self.identity = self._identity()
        if self.identity is not None:
            os.set_inheritable(descriptor, False)  # noqa: FBT003

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.fstat(self.descriptor)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    @property
    def ours(self) -> bool:
        """True in the process it was given to, while it still is the same pipe."""
        return (
            self.identity is not None
            and self.pid == os.getpid()
            and self.identity == self._identity()
        )

    def send(self, data: bytes) -> None:
        """Write all of it, or what can be written."""
        try:
            while data and self.ours:
                data = data[os.write(self.descriptor, data) :]
        except OSError:  # the parent is gone
            return

    def tell(self, event: str, **values: object) -> None:
        """Write one line of JSON."""
        self.send(_json({"event": event, **values}).encode("ascii") + b"\n")


def _json(value: object) -> str:
    if isinstance(value, dict):
        return "{%s}" % ",".join(f"{_quoted(key)}:{_json(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return "[%s]" % ",".join(map(_json, value))
    return _quoted(value) if isinstance(value, str) else str(value)


_OWN_FILE = (lambda: None).__code__.co_filename
"""This file as its own frames name it."""


def frames_of(frame: FrameType | None) -> list[tuple[str, int, str]]:
    """Return file, line and function of a frame and its callers, outermost first, ours left out."""
    found = []
    while frame is not None:
        found.append((frame, frame.f_lineno))
        frame = frame.f_back
    return _places(reversed(found))


def frames_along(trace: TracebackType | None) -> list[tuple[str, int, str]]:
    """Return file, line and function of a traceback, outermost first, ours left out."""
    found = []
    while trace is not None:
        found.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return _places(found)


def _places(found: Iterable[tuple[FrameType, int]]) -> list[tuple[str, int, str]]:
    """Name the frames; of an endless recursion its beginning and its end."""
    places = [
        (frame.f_code.co_filename, line or 0, frame.f_code.co_name)
        for frame, line in found
        if frame.f_code.co_filename != _OWN_FILE
    ]
    if len(places) > 2 * _FRAMES_KEPT:
        places[_FRAMES_KEPT:-_FRAMES_KEPT] = []
    return places


class Libc:
    """The C functions that arm the recorder. Calls raise OSError where the system refuses."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        self._mmap, self._mprotect = library.mmap, library.mprotect
        self._mmap.restype = pointer
        self._mmap.argtypes = (pointer, size, number, number, number, ctypes.c_long)
        self._mprotect.argtypes = (pointer, size, number)
        self._sigaction, self._sigaltstack = library.sigaction, library.sigaltstack
        self._sigaction.argtypes = (number, pointer, pointer)
        self._sigaltstack.argtypes = (pointer, pointer)
        self._syscall = library.syscall
        self._syscall.restype = ctypes.c_long

    def allocate(self, size: int) -> int:
        """Return the address of fresh memory above a page that faults. It is never freed.

        No Python object owns it: it outlives the interpreter, as the handlers do.
        """
        address = self._mmap(None, size + _PAGE, _READ | _WRITE, _PRIVATE_ANONYMOUS, -1, 0)
        if address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap")
        self._protect(address, _PAGE, 0)
        return int(address) + _PAGE

    def load(self, code: bytes) -> int:
        """Return the address of the code: written first, executable afterwards, never both."""
        address = self.allocate(_PAGE)
        ctypes.memmove(address, code, len(code))
        self._protect(address, _PAGE, _READ | _EXECUTE)
        return address

    def _protect(self, address: int, size: int, access: int) -> None:
        if self._mprotect(address, size, access):
            raise OSError(ctypes.get_errno(), "mprotect")

    def handle(self, signal: int, entry: int) -> None:
        """Have `entry` called for a signal.

        The faults are not deferred: one within the handler must reach it. All others are.
        """
        mask = (1 << 64) - 1 - sum(1 << (fault - 1) for fault in _FAULTS)
        flags = _SA_SIGINFO | _SA_ONSTACK | _SA_NODEFER
        action = struct.pack("<QQ120xi4xQ", entry, mask, flags, 0)
        if self._sigaction(signal, action, None):
            raise OSError(ctypes.get_errno(), "sigaction")

    def use_signal_stack(self, address: int) -> None:
        """Have this thread's handlers run there; 0 for where they happen to be."""
        flags = 0 if address else _SS_DISABLE
        stack = struct.pack("<Qi4xQ", address, flags, _SIGNAL_STACK_SIZE)
        if self._sigaltstack(stack, None):
            raise OSError(ctypes.get_errno(), "sigaltstack")

    def readable(self, address: int, length: int) -> bytes:
        """Return what can be read there of so many bytes (at most a page), without a fault."""
        end = address + length
        if not self._can_read(address & -8):
            return b""
        last_page = (end - 1) & -_PAGE
        if last_page > address and not self._can_read(last_page):
            end = last_page
        return ctypes.string_at(address, end - address)

    def _can_read(self, address: int) -> bool:
        """Tell whether 8 bytes can be read: rt_sigprocmask copies them before it refuses.

        Of address 0 it would read nothing.
        """
        self._syscall(_RT_SIGPROCMASK, -1, ctypes.c_void_p(address), None, ctypes.c_size_t(8))
        return address != 0 and ctypes.get_errno() != 14  # EFAULT

    def action(self, signal: int) -> bytes:
        """Return what is done about a signal, as the kernel has it."""
        found = ctypes.create_string_buffer(_ACTION_SIZE)
        self._syscall(_RT_SIGACTION, signal, None, found, ctypes.c_size_t(8))
        return found.raw

    def end(self, signal: int, action: bytes = bytes(_ACTION_SIZE)) -> None:
        """Send this thread a signal, to be handled by the default action or the one given."""
        self._syscall(_RT_SIGACTION, signal, action, None, ctypes.c_size_t(8))
        self._syscall(_TGKILL, os.getpid(), _thread.get_native_id(), signal)


class Frames:
    """Tells the Python frames of the faulting thread: the part of a record that may fail."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        # A prototype of its own: attributes of ctypes.pythonapi would be seen by the patient.
        self._forget_error = ctypes.PyDLL(None).PyErr_Clear
        self._forget_error.restype = None

    def __call__(self, signal: int, info: int, context: int) -> None:  # noqa: ARG002
        """Be the machine code's callback. Its own frame is left out like all of this file."""
        try:
            self._forget_error()  # the fault may have come between raising and returning
            self._pipe.tell("frames", frames=frames_of(sys._getframe()))
        except BaseException:  # noqa: BLE001, S110  nobody is left to be told
            pass


class PythonHandler:
    """The handler in Python, for systems that refuse executable memory.

    Writes the same block as the machine code, but needs the GIL and a sound heap to do it.
    """

    def __init__(self, libc: Libc, pipe: Pipe) -> None:
        self._libc = libc
        self._pipe = pipe
        self._first = _thread.allocate_lock()
        self._owner = self._signal = 0
        self._tell_frames = Frames(pipe)
        self.previous: dict[int, bytes] = {}

    def __call__(self, signal: int, info: int, context: int) -> None:
        """Be the signal handler."""
        me = _thread.get_ident()
        if os.getpid() != self._pipe.pid:
            self._libc.end(signal)
        elif self._owner == me:  # died while recording: end by the first signal
            self._libc.end(self._signal)
        else:
            self._first.acquire()  # a second thread waits here for the end
            self._owner, self._signal = me, signal
            self.record(signal, info, context)
            self._libc.end(signal, self.previous[signal])
            self._libc.end(signal)

    def record(self, signal: int, info: int, context: int) -> None:
        """Write the block and the frames."""
        for tag, payload in self._pieces(info, context):
            self._pipe.send(_MAGIC + tag + struct.pack("<I", len(payload)) + payload)
        self._tell_frames(signal, info, context)

    def _pieces(self, info: int, context: int) -> Iterator[tuple[bytes, bytes]]:
        registers = ctypes.string_at(context + _REGISTERS_AT, _REGISTERS_SIZE)
        (rip,) = struct.unpack_from("<Q", registers, _RIP_AT - _REGISTERS_AT)
        (rsp,) = struct.unpack_from("<Q", registers, _RSP_AT - _REGISTERS_AT)
        yield b"INFO", ctypes.string_at(info, _SIGINFO_SIZE)
        yield b"REGS", registers
        yield b"CODE", self._libc.readable(rip, _BYTES_AT_RIP)
        yield b"STAK", self._libc.readable(rsp, _BYTES_AT_RSP)
        for part in _maps():
            yield b"MAPS", part
        yield b"ENDS", b""


def _maps() -> Iterator[bytes]:
    try:
        descriptor = os.open("/proc/self/maps", os.O_RDONLY)
    except OSError:
        return
    part = os.read(descriptor, 4080)
    while part:
        yield part
        part = os.read(descriptor, 4080)
    os.close(descriptor)


def block(pipe: Pipe, address: int, callback: int, stack_top: int) -> bytes:
    """Return the data block of the machine code, as it is to stand at `address`."""
    device, inode = pipe.identity or (0, 0)
    data = struct.pack("<iiIIQQ", pipe.descriptor, pipe.pid, 0, 0, device, inode)
    data += struct.pack("<QQ", callback, stack_top)
    data += struct.pack("<QQQQ", address + _HEADER_AT, 16, 0, 0)
    data += _MAGIC + bytes(8)  # the header of a piece: tag and size are put in by the handler
    data += bytes(32)  # struct sigaction of the kernel: SIG_DFL
    return data + b"/proc/self/maps\0"


class Handlers:
    """Our handler in its places: machine code where the system lets it run.

    What stood there before is called after us: faulthandler's report is not lost.
    """

    def __init__(self, libc: Libc, pipe: Pipe) -> None:
        self._libc = libc
        self._table = 0
        self._spoken: PythonHandler | None = None
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        try:
            data = libc.allocate(_BLOCK_SIZE)
            code = _HANDLER.replace(struct.pack("<Q", _DATA), struct.pack("<Q", data))
            self._entry = libc.load(code)
        except OSError:
            self._spoken = PythonHandler(libc, pipe)
            self._entry = _kept(prototype(self._spoken))
            return
        stack = libc.allocate(_CALLBACK_STACK_SIZE) + _CALLBACK_STACK_SIZE
        content = block(pipe, data, _kept(prototype(Frames(pipe))), stack)
        ctypes.memmove(data, content, len(content))
        self._table = data + _ACTIONS_AT
        # First registered, last run: what faults after it can no longer be told by Python.
        atexit.register(ctypes.memset, data + _CALLBACK_AT, 0, 8)

    def take(self, signals: Iterable[int]) -> None:
        """Put our handler before whatever handles these signals."""
        for signal in signals:
            previous = self._libc.action(signal)
            if self._spoken is not None:
                self._spoken.previous[signal] = previous
            else:
                ctypes.memmove(self._table + signal * _ACTION_SIZE, previous, _ACTION_SIZE)
            self._libc.handle(signal, self._entry)

    def follow(self, module: ModuleType) -> None:
        """Stay before faulthandler, whose report would hide from us where the fault was."""
        enable = module.enable

        def enabling(*arguments: object, **named: object) -> None:
            before = {signal: self._libc.action(signal) for signal in _FAULTS}
            enable(*arguments, **named)
            self.take(fault for fault in _FAULTS if self._libc.action(fault) != before[fault])

        enabling.__name__ = enabling.__qualname__ = "enable"
        enabling.__doc__ = enable.__doc__
        module.enable = enabling  # type: ignore[attr-defined]


def _kept(callback: object) -> int:
    """Return the address of a C callback that is never freed: handlers outlive modules."""
    ctypes.PyDLL(None).Py_IncRef(ctypes.py_object(callback))
    return ctypes.cast(callback, ctypes.c_void_p).value or 0  # type: ignore[arg-type]


class SignalStacks:
    """A stack for the handler in every Python thread, so that an overflow can be told.

    Stacks of ended threads are used again. Where there is no memory, the thread has none.
    """

    def __init__(self, libc: Libc) -> None:
        self._libc = libc
        self._spare: list[int] = []

    def enter(self) -> int:
        """Give this thread a signal stack; return it, or 0."""
        try:
            stack = self._spare.pop() if self._spare else self._libc.allocate(_SIGNAL_STACK_SIZE)
            self._libc.use_signal_stack(stack)
        except (OSError, IndexError, MemoryError):
            return 0
        return stack

    def leave(self, stack: int) -> None:
        """Take the signal stack back from this thread."""
        if stack:
            self._libc.use_signal_stack(0)
            self._spare.append(stack)

    def watch(self, module: ModuleType | None) -> None:
        """Have threads that this module starts from now on get a stack first.

        The functions that start threads are wrapped, and not `sys.setprofile` or a method of
        `Thread`: those a patient looks at.
        """
        for name in ("start_new_thread", "start_new", "start_joinable_thread"):
            for known in (name, f"_{name}"):
                start = getattr(module, known, None)
                if start is not None:
                    setattr(module, known, self._starting(start))

    def _starting(self, start: Callable[..., object]) -> Callable[..., object]:
        def starter(function: object, *arguments: object, **named: object) -> object:
            if callable(function):
                function = _Started(function, self)
            return start(function, *arguments, **named)

        starter.__name__ = starter.__qualname__ = getattr(start, "__name__", "start_new_thread")
        starter.__doc__ = start.__doc__
        return starter


class _Started:
    """A thread's function that first takes a signal stack; looks like the function itself."""

    def __init__(self, function: Callable[..., object], stacks: SignalStacks) -> None:
        self._function = function
        self._stacks = stacks

    def __repr__(self) -> str:
        return repr(self._function)

    def __call__(self, *arguments: object, **named: object) -> object:
        stack = self._stacks.enter()
        try:
            return self._function(*arguments, **named)
        finally:
            self._stacks.leave(stack)


def arm(pipe: Pipe) -> bool:
    """Have faults recorded from now on; False where this Python or machine cannot."""
    is_x86_64_linux = sys.platform == "linux" and os.uname().machine == "x86_64"
    if ctypes is None or not is_x86_64_linux or sys.maxsize < 2**32:
        return False
    try:
        libc = Libc()
        handlers = Handlers(libc, pipe)
        handlers.take(_FAULTS)
    except (OSError, AttributeError, MemoryError):
        return False
    handlers.follow(faulthandler)
    stacks = SignalStacks(libc)
    stacks.enter()
    stacks.watch(_thread)
    stacks.watch(sys.modules.get("threading"))
    return True


def main() -> None:
    """Do what the command line asks for. Exceptions of the patient leave as they came."""
    _, descriptor, what, *arguments = sys.argv
    in_front = bool(sys.path) and sys.path[0] == os.path.dirname(os.path.realpath(_OWN_FILE))
    if in_front:
        del sys.path[0]
    pipe = Pipe(int(descriptor))
    arm(pipe)
    pipe.tell("ready", python=sys.version_info[:3])
    try:
        if what == "probe":
            _probe(pipe, arguments, in_front=in_front)
        else:
            _become(arguments, in_front=in_front)
    except SystemExit as leaving:
        pipe.tell("exit", status=_status(leaving.code))
        raise
    except BaseException as error:
        kind = type(error)
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        frames = frames_along(error.__traceback__)
        pipe.tell("raised", type=module + kind.__qualname__, message=_message(error), frames=frames)
        _leave_traceback()
        raise
    pipe.tell("done")


def _status(code: object) -> int:
    """Return what the system shows for `sys.exit(code)`."""
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_MESSAGE_KEPT]
    except Exception:  # noqa: BLE001  a patient's own __str__
        return ""


def _leave_traceback() -> None:
    """Take our frames out of the traceback that Python is about to print."""
    shown = sys.excepthook

    def excepthook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        while trace is not None and trace.tb_frame.f_code.co_filename == _OWN_FILE:
            trace = trace.tb_next
        error.__traceback__ = sys.last_traceback = trace
        sys.excepthook = shown
        shown(kind, error, trace)

    sys.excepthook = excepthook


def _probe(pipe: Pipe, steps: list[str], *, in_front: bool) -> None:
    # An import makes what lives on: to look for garbage after every few hundred objects takes up to
    # a fifth of it. At the end Python still looks once, so a fault in that is seen all the same.
    gc.disable()
    module = None
    for step in steps:
        stage, _, path = step.partition(":")
        path = os.path.abspath(path)
        _pose_as([path], os.path.dirname(path) if in_front and module is None else None)
        module = module or _fresh_main()
        pipe.tell("step", stage=stage)
        _execute(module, path)


def _become(arguments: list[str], *, in_front: bool) -> None:
    """Be the program that `python ARGUMENTS` would be."""
    first, *rest = arguments
    if first == "-c":
        code, *rest = rest
        _pose_as(["-c", *rest], "" if in_front else None, ["-c", code, *rest])
        _execute_string(code)
    elif first == "-m":
        name, *rest = rest
        _pose_as(["-m", *rest], os.getcwd() if in_front else None, ["-m", name, *rest])
        _fresh_main()
        _run_module(name, alter_argv=True)
    else:
        _become_script(arguments, in_front=in_front)


def _become_script(arguments: list[str], *, in_front: bool) -> None:
    path = arguments[0]
    if sys.version_info >= (3, 9) and not os.path.isabs(path):
        here = path == "." and sys.version_info >= (3, 11)
        path = os.getcwd() if here else os.getcwd() + "/" + path
    if _is_importable(path):  # a folder or an archive with a `__main__`
        _pose_as(arguments, path)
        _fresh_main()
        _run_module("__main__", alter_argv=False)
    else:
        _pose_as(arguments, os.path.dirname(os.path.realpath(path)) if in_front else None)
        _execute(_fresh_main(), path)


def _pose_as(argv: list[str], folder: str | None, original: list[str] | None = None) -> None:
    if hasattr(sys, "orig_argv"):
        options = sys.orig_argv[: -len(sys.argv)]
        sys.orig_argv = options + (original or argv)
    sys.argv = list(argv)
    if folder is not None:
        sys.path.insert(0, folder)


def _is_importable(path: str) -> bool:
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def _fresh_main() -> ModuleType:
    """Put a new `__main__` in place of ours, as it is before a program starts."""
    module = type(sys)("__main__")
    module.__dict__.update(
        __loader__=sys.modules["_frozen_importlib"].BuiltinImporter,
        __builtins__=builtins,
        __annotations__={},
    )
    sys.modules["__main__"] = module
    return module


def _execute(module: ModuleType, path: str) -> None:
    """Run a file in the module, by the name under which a spawned child can find it again."""
    external = sys.modules["_frozen_importlib_external"]
    compiled = path.endswith(".pyc")
    loader = external.SourcelessFileLoader if compiled else external.SourceFileLoader
    module.__dict__.update(__file__=path, __cached__=None, __loader__=loader("__main__", path))
    if compiled:
        code = module.__loader__.get_code("__main__")  # type: ignore[union-attr]
    else:
        code = compile(_read(path), path, "exec", dont_inherit=True)
    exec(code, module.__dict__)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        program = getattr(sys, "orig_argv", [sys.executable])[0]
        reason = f"[Errno {error.errno}] {error.strerror}"
        sys.stderr.write(f"{program}: can't open file {path!r}: {reason}\n")
        sys.exit(2)


def _execute_string(code: str) -> None:
    if sys.version_info[:2] == (3, 13):  # shows lines of -c in tracebacks, and does it like this
        import linecache

        linecache._register_code("<string>", code, "<string>")  # type: ignore[attr-defined]
    exec(compile(code + "\n", "<string>", "exec", dont_inherit=True), _fresh_main().__dict__)


def _run_module(name: str, *, alter_argv: bool) -> None:
    import runpy

    runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
