"""Decode machine code and demangle symbols, as a program of its own: it may die, its caller not.

Run by path with the doctor's own interpreter: `python -I decoder.py JSON`. JSON is a list of
`{"bytes": "660f3a22...", "address": 187340, "symbol": "_ZN..."}`; the answer on stdout is a list as
long, `{"instruction", "features", "length", "symbol"}` each (features by iced's names, instruction
in AT&T syntax as `objdump -d` prints it, null where the bytes are none). Where iced-x86 cannot be
imported the answer is `{"error": "..."}`. iced-x86 is compiled and libstdc++ is called with symbols
of damaged files: neither is let into the doctor's process.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from collections.abc import Callable
from typing import Any

Demangle = Callable[[str], str]

_HASH = re.compile(r"::h[0-9a-f]{16}$")
"""What Rust's legacy mangling puts at the end, to tell two builds of a crate apart."""

_RENAMED = re.compile(r"\.llvm\.\d+$")
"""What LLVM appends to local symbols that it makes global."""

_ESCAPES = {
    "$SP$": "@",
    "$BP$": "*",
    "$RF$": "&",
    "$LT$": "<",
    "$GT$": ">",
    "$LP$": "(",
    "$RP$": ")",
    "$C$": ",",
}


def main(text: str) -> str:
    """Return the answer for one command line."""
    try:
        import iced_x86
    except ImportError as error:
        return json.dumps({"error": f"iced-x86 cannot be imported: {error}"})
    formatter = _formatter(iced_x86)
    names = {value: name for name, value in vars(iced_x86.CpuidFeature).items() if name.isupper()}
    demangle = _demangler()
    items = json.loads(text)
    return json.dumps([_decoded(iced_x86, formatter, names, demangle, item) for item in items])


def _decoded(
    iced: Any, formatter: Any, names: dict[int, str], demangle: Demangle, item: dict[str, Any]
) -> dict[str, Any]:
    code = bytes.fromhex(item["bytes"])
    instruction = iced.Decoder(64, code, ip=item["address"]).decode()
    valid = not instruction.is_invalid
    return {
        "instruction": _as_objdump(formatter.format(instruction)) if valid else None,
        "features": [names[number] for number in instruction.cpuid_features()] if valid else [],
        "length": instruction.len if valid else 0,
        "symbol": item.get("symbol") and demangle(item["symbol"]),
    }


def _formatter(iced: Any) -> Any:
    """Return a formatter that writes what `objdump -d` writes."""
    formatter = iced.Formatter(iced.FormatterSyntax.GAS)
    formatter.hex_prefix = "0x"
    formatter.hex_suffix = ""
    formatter.uppercase_hex = False
    formatter.small_hex_numbers_in_decimal = False
    formatter.branch_leading_zeros = False
    formatter.rip_relative_addresses = True
    formatter.show_branch_size = False
    return formatter


def _as_objdump(text: str) -> str:
    """Mend what the formatter has no option for: `(%rax,%rcx,1)`, `0x0(%rbp)`, `push`."""
    text = re.sub(r"\((%\w+),(%\w+)\)", r"(\1,\2,1)", text)
    text = re.sub(r"(?<=[ ,:*])\((?=%rbp|%r13|%rip|,)", "0x0(", text)
    return re.sub(r"^(push|pop|call|jmp)q\b", r"\1", text)


def _demangler() -> Demangle:
    """Return a function that calls `__cxa_demangle`; one that changes nothing where there is none.

    Itanium C++ ABI, 3.4: char *__cxa_demangle(const char *, char *, size_t *, int *). The text is
    malloc'ed and never freed: this process ends soon.
    """
    try:
        call = ctypes.CDLL("libstdc++.so.6")["__cxa_demangle"]
    except (OSError, AttributeError):
        return lambda symbol: symbol
    call.restype = ctypes.c_char_p
    call.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]

    def demangle(symbol: str) -> str:
        if not symbol.startswith("_Z"):
            return symbol
        plain = _RENAMED.sub("", symbol)
        text = call(plain.encode("ascii", "replace"), None, None, None)
        return _without_rust(text.decode("utf-8", "replace")) if text else symbol

    return demangle


def _without_rust(text: str) -> str:
    """Undo what Rust's legacy mangling does to a path before it mangles it as C++ would."""
    plain = _HASH.sub("", text)
    if plain == text:
        return text
    for escape, character in _ESCAPES.items():
        plain = plain.replace(escape, character)
    plain = re.sub(r"\$u([0-9a-f]{2,6})\$", lambda match: chr(int(match[1], 16)), plain)
    return re.sub(r"(^|::)_(?=<)", r"\1", plain).replace("..", "::")


if __name__ == "__main__":
    print(main(sys.argv[1]))  # noqa: T201
