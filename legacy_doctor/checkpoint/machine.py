"""What a pickle would build, drawn instead of built: calls are noted with their arguments.

A stack machine like `pickle.Unpickler` (its opcodes are described in `pickletools`), over values
that stand for objects. Nothing is imported or called, and what is kept is bounded. Beside that it
notes where torch's own unpickler of weights_only=True would refuse.
"""

from __future__ import annotations

import _compat_pickle
from collections.abc import Callable
from io import BufferedReader
from typing import Any, Final, NamedTuple

from legacy_doctor.checkpoint import globals as judge
from legacy_doctor.checkpoint.opcodes import Blob, BrokenError, Opcode, walk
from legacy_doctor.checkpoint.source import Watch, unwatched

MADE: Final = 1_000_000
"""Strings, containers, calls and notes of the memo that one pickle may make."""
NOTED: Final = 3
"""Calls of one function whose arguments are kept."""
_OFTEN: Final = (1 << 14) - 1
_FUNCTIONS: Final = 10_000
"""Different classes and functions in one pickle."""


class Global(NamedTuple):
    """A class or function, by the name that Python 3 knows it by."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """Its full name."""
        return f"{self.module}.{self.name}"


class Persistent(NamedTuple):
    """What the reader is to supply itself: torch's storages."""

    key: Any


class Call:
    """An object made by calling something; filled later by BUILD, SETITEMS or APPENDS."""

    __slots__ = ("arguments", "function", "pairs", "state")

    def __init__(self, function: Any, arguments: Any) -> None:
        self.function = function
        self.arguments = arguments
        self.state: Any = None
        self.pairs: list[tuple[Any, Any]] = []


class Table:
    """A dictionary."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []


class Row:
    """A list, a set or a frozenset."""

    __slots__ = ("items", "kind")

    def __init__(self, kind: str, items: list[Any]) -> None:
        self.kind = kind
        self.items = items


class Drawing:
    """What one pickle holds. `broken` says why it could not be read to its end, or is empty."""

    def __init__(self) -> None:
        self.root: Any = None
        self.protocol = 0
        self.opcodes = 0
        self.broken = ""
        self.calls: dict[Global, list[Call]] = {}
        """Every class and function in the order of its appearance, with its first calls."""
        self.count: dict[Global, int] = {}
        self.storages: list[tuple[Any, ...]] = []
        """The persistent ids, in the order in which they are asked for."""
        self.refusals: dict[str, int] = {}
        """Why weights_only=True would refuse, with the byte where it first would."""


def draw(stream: BufferedReader, watch: Watch = unwatched) -> Drawing:
    """Return what a pickle would build; never raises for what the stream holds.

    The stream is left behind the pickle, unless `broken`. `watch` is told the bytes read.
    """
    machine = _Machine()
    drawing = machine.drawing
    told = 0
    try:
        for opcode in walk(stream):
            drawing.opcodes += 1
            machine.step(opcode)
            if not drawing.opcodes & _OFTEN:
                watch(opcode.position - told)
                told = opcode.position
    except BrokenError as error:
        drawing.broken = str(error)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        drawing.broken = f"the pickle takes what it never put there ({error})"
    return drawing


class _Machine:
    """The stack, the marks and the memo."""

    def __init__(self) -> None:
        self.drawing = Drawing()
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.room = MADE
        self.deeds = _deeds(self)

    def step(self, opcode: Opcode) -> None:
        """Do what one opcode does."""
        name = opcode.name
        if name not in judge.OPCODES:
            # Text of protocol 0 and frames of protocol 4 alike: the first one ends the reading.
            self.refuse(f"opcode {name}", opcode.position)
        if name in _LASTING:
            self.spend(1)
        self.deeds[name](opcode)

    def refuse(self, why: str, position: int) -> None:
        """Note why weights_only=True would stop here."""
        if len(self.drawing.refusals) < _FUNCTIONS:
            self.drawing.refusals.setdefault(why, position)

    def spend(self, number: int) -> None:
        """Account for values that take memory; none is given back, so that there is an end."""
        self.room -= number
        if self.room < 0:
            raise BrokenError(f"more than {MADE:,} values in one pickle")

    def stop(self, _: Opcode) -> None:
        """End: the last value is the object."""
        self.drawing.root = self.stack.pop()

    def proto(self, opcode: Opcode) -> None:
        """Note the protocol."""
        self.drawing.protocol = max(self.drawing.protocol, opcode.argument)

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    # Memo and marks

    def put(self, opcode: Opcode) -> None:
        """Remember the value on top under a number."""
        key = len(self.memo) if opcode.name == "MEMOIZE" else int(opcode.argument)
        self.memo[key] = self.stack[-1]

    def get(self, opcode: Opcode) -> None:
        """Take a remembered value."""
        self.push(self.memo[int(opcode.argument)])

    def mark(self, _: Opcode) -> None:
        """Begin a group."""
        self.marks.append(self.stack)
        self.stack = []

    def group(self) -> list[Any]:
        """End the group and return it."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def pop(self, _: Opcode) -> None:
        """Drop the value on top, or an empty group."""
        if self.stack:
            self.stack.pop()
        else:
            self.group()

    # Containers

    def fill(self, items: list[Any], opcode: Opcode) -> None:
        """Append to a list, a set or whatever has that method."""
        target = self.stack[-1]
        if isinstance(target, Row):
            target.items += items
        if not isinstance(target, Row) or target.kind != "list":
            self.refuse(f"{opcode.name} to what is no list", opcode.position)

    def set_items(self, items: list[Any], opcode: Opcode) -> None:
        """Set the items of a dictionary or whatever has that method."""
        target = self.stack[-1]
        if len(items) % 2:
            raise BrokenError(f"a key without a value at byte {opcode.position} of the pickle")
        if isinstance(target, (Table, Call)):
            self.spend(len(items) // 2)
            target.pairs += zip(items[::2], items[1::2], strict=True)
        made_by = target.function if isinstance(target, Call) else None
        mapping = isinstance(made_by, Global) and made_by in judge.MAPPINGS
        if not isinstance(target, Table) and not mapping:
            self.refuse(f"{opcode.name} to what is no dictionary", opcode.position)

    def dictionary(self, opcode: Opcode) -> None:
        """Make a dictionary of a group (DICT)."""
        items = self.group()
        self.push(Table())
        self.set_items(items, opcode)

    # Objects

    def refer(self, module: bytes | str, name: bytes | str) -> Global:
        """Note a class or function.

        Names of Python 2 are mapped whatever the protocol says: torch does so too.
        """
        where, what = (
            item.decode() if isinstance(item, bytes) else item for item in (module, name)
        )
        where, what = _compat_pickle.NAME_MAPPING.get((where, what), (where, what))
        where = _compat_pickle.IMPORT_MAPPING.get(where, where)
        found = Global(where, what)
        if found not in self.drawing.calls:
            if len(self.drawing.calls) >= _FUNCTIONS:
                raise BrokenError(f"more than {_FUNCTIONS:,} different classes and functions")
            self.drawing.calls[found] = []
            self.drawing.count[found] = 0
        return found

    def stack_global(self, _: Opcode) -> None:
        """Refer to what two strings of the stack name."""
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            module, name = judge.HIDDEN, "?"
        self.push(self.refer(module, name))

    def extension(self, opcode: Opcode) -> None:
        """Refer to what a number of the copyreg registry stands for, there and then."""
        self.push(self.refer(judge.HIDDEN, f"copyreg extension {opcode.argument}"))

    def call(self, function: Any, arguments: Any, opcode: Opcode) -> None:
        """Note a call, under the class or function that it leads back to."""
        made = Call(function, arguments)
        root, depth = function, 0
        while isinstance(root, Call) and depth < 10:
            root, depth = root.function, depth + 1
        if isinstance(root, Global):
            self.drawing.count[root] += 1
            # What the result of a call is called with tells more than another such result.
            if len(self.drawing.calls[root]) < (NOTED if root is function else 2 * NOTED):
                self.drawing.calls[root].append(made)
        if not isinstance(function, Global):
            self.refuse("a call of what is no class or function", opcode.position)
        self.push(made)

    def reduce(self, opcode: Opcode) -> None:
        """Call with a tuple of arguments (REDUCE, NEWOBJ)."""
        arguments, function = self.stack.pop(), self.stack.pop()
        self.call(function, arguments, opcode)

    def reduce_keywords(self, opcode: Opcode) -> None:
        """Call with keyword arguments too (NEWOBJ_EX)."""
        keywords, arguments, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.call(function, (arguments, keywords), opcode)

    def inst(self, opcode: Opcode) -> None:
        """Call what two lines name with a group (INST)."""
        arguments = tuple(self.group())
        self.call(self.refer(*opcode.argument), arguments, opcode)

    def obj(self, opcode: Opcode) -> None:
        """Call the first of a group with the rest (OBJ)."""
        function, *arguments = self.group()
        self.call(function, tuple(arguments), opcode)

    def build(self, opcode: Opcode) -> None:
        """Give an object its state: its __setstate__ is called with it."""
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Call):
            self.refuse("BUILD of what takes no state", opcode.position)
            return
        target.state = state

    def persistent(self, opcode: Opcode) -> None:
        """Take what the reader supplies: torch's storages, and nothing else under weights_only."""
        key = opcode.argument if opcode.name == "PERSID" else self.stack.pop()
        kind = key[0] if type(key) is tuple and key else key
        if not (isinstance(kind, str) and kind == "storage") and not isinstance(kind, int):
            self.refuse("a persistent id that is no storage", opcode.position)
        if type(key) is tuple:
            self.drawing.storages.append(key)
        self.push(Persistent(key))


_LASTING: Final = frozenset(
    "BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES "
    "BINBYTES8 BYTEARRAY8 LONG1 LONG4 INT LONG STRING UNICODE EMPTY_LIST EMPTY_SET EMPTY_DICT MARK "
    "TUPLE TUPLE1 TUPLE2 TUPLE3 LIST FROZENSET DICT PUT BINPUT LONG_BINPUT MEMOIZE PERSID "
    "BINPERSID REDUCE NEWOBJ NEWOBJ_EX INST OBJ".split()
)
"""What makes a value of more than a few bytes."""


def _text(data: Any) -> Any:
    return data if isinstance(data, Blob) else data.decode("utf-8", "surrogatepass")


def _bytes(data: Any) -> Any:
    """Return a string of Python 2 as text: module names and keys, by STACK_GLOBAL too."""
    return data if isinstance(data, Blob) else data.decode("latin-1")


def _number(data: bytes) -> Any:
    """Read a number that is written as a line; only small ones matter here."""
    if data in {b"00", b"01"}:
        return data == b"01"
    return int(data.rstrip(b"L")) if len(data) < 40 else Blob(len(data))


def _long(data: Any) -> Any:
    if isinstance(data, Blob):
        return data
    return int.from_bytes(data, "little", signed=True) if len(data) < 40 else Blob(len(data))


def _quoted(data: bytes) -> str:
    return data[1:-1].decode("latin-1")


_PUSHED: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(["BININT", "BININT1", "BININT2", "BINFLOAT"], lambda value: value),
    **dict.fromkeys(["BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"], _text),
    **dict.fromkeys(["BINSTRING", "SHORT_BINSTRING"], _bytes),
    **dict.fromkeys(["BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"], lambda value: value),
    **dict.fromkeys(["INT", "LONG"], _number),
    **dict.fromkeys(["LONG1", "LONG4"], _long),
    "FLOAT": float,
    "STRING": _quoted,
    "UNICODE": lambda data: data.decode("raw-unicode-escape"),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_LIST": lambda _: Row("list", []),
    "EMPTY_SET": lambda _: Row("set", []),
    "EMPTY_DICT": lambda _: Table(),
    "NEXT_BUFFER": lambda _: Blob(0),
}


def _deeds(machine: _Machine) -> dict[str, Callable[[Opcode], object]]:
    """Return what each opcode does."""
    pushing = {
        name: (lambda opcode, make=make: machine.push(make(opcode.argument)))
        for name, make in _PUSHED.items()
    }
    return {
        **pushing,
        **_joining(machine),
        **dict.fromkeys(["PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"], machine.put),
        **dict.fromkeys(["GET", "BINGET", "LONG_BINGET"], machine.get),
        **dict.fromkeys(["EXT1", "EXT2", "EXT4"], machine.extension),
        **dict.fromkeys(["PERSID", "BINPERSID"], machine.persistent),
        **dict.fromkeys(["REDUCE", "NEWOBJ"], machine.reduce),
        **dict.fromkeys(["FRAME", "READONLY_BUFFER"], lambda _: None),
        "GLOBAL": lambda opcode: machine.push(machine.refer(*opcode.argument)),
        "STACK_GLOBAL": machine.stack_global,
        "NEWOBJ_EX": machine.reduce_keywords,
        "INST": machine.inst,
        "OBJ": machine.obj,
        "BUILD": machine.build,
        "MARK": machine.mark,
        "POP": machine.pop,
        "POP_MARK": lambda _: machine.group(),
        "DUP": lambda _: machine.push(machine.stack[-1]),
        "PROTO": machine.proto,
        "STOP": machine.stop,
    }


def _joining(machine: _Machine) -> dict[str, Callable[[Opcode], object]]:
    """Return what the opcodes do that make one value of several."""

    def last(number: int) -> list[Any]:
        return [machine.stack.pop() for _ in range(number)][::-1]

    return {
        "TUPLE": lambda _: machine.push(tuple(machine.group())),
        "TUPLE1": lambda _: machine.push(tuple(last(1))),
        "TUPLE2": lambda _: machine.push(tuple(last(2))),
        "TUPLE3": lambda _: machine.push(tuple(last(3))),
        "LIST": lambda _: machine.push(Row("list", machine.group())),
        "FROZENSET": lambda _: machine.push(Row("frozenset", machine.group())),
        "DICT": machine.dictionary,
        "APPEND": lambda opcode: machine.fill(last(1), opcode),
        "APPENDS": lambda opcode: machine.fill(machine.group(), opcode),
        "ADDITEMS": lambda opcode: machine.fill(machine.group(), opcode),
        "SETITEM": lambda opcode: machine.set_items(last(2), opcode),
        "SETITEMS": lambda opcode: machine.set_items(machine.group(), opcode),
    }
