"""What a probe proved, in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.model import Cpu, Fault, FaultKind, Frame, Outcome, ProbeResult

_IMPLIED: Final = {
    "avx": frozenset(["avx2", "fma", "f16c", "fma4", "xop", "vaes", "vpclmulqdq", "avx_vnni"]),
    "avx2": frozenset(["avx_ifma"]),
}
"""Not worth saying beside one of these, which rest on it."""

_TAG: Final = re.compile(r"\.(?:cpython|pypy|graalpy)[^/]*(?=\.so$)")
_STANDARD_LIBRARY: Final = re.compile(
    r"/lib(?:64)?/(?:python|pypy)\d[\d.]*t?/(?!(?:site|dist)-packages/)|^<frozen "
)
_PACKAGES: Final = re.compile(r".*/(?:site|dist)-packages/")
_LONGEST: Final = 160


def sentence(
    result: ProbeResult, version: str, *, cpu: Cpu | None = None, yours: bool = False
) -> str:
    """Return what happened, as a sentence without its full stop.

    With `cpu`, an instruction that this CPU should have is not blamed on it. `yours` says that the
    user's own program ran, and not a snippet of ours: nobody knows then whether it was an import.
    """
    who = f"{result.probe.distribution} {version}".strip()
    when = "in use" if result.stage == "use" else "on import"
    when = f" {when}" if result.stage or not yours else ""
    if result.outcome is Outcome.OK:
        return f"{who} runs here" if result.stage == "use" else f"{who} can be imported"
    if result.outcome is Outcome.SKIPPED:
        return f"{who} was not probed: {result.reason}"
    if result.outcome is Outcome.RAISED:
        return f"{who} raises {_raised(result)}{when}{_message(result)}{_forced(result)}"
    if result.outcome is Outcome.TIMEOUT:
        return f"{who} hangs{when}: {result.reason}{_forced(result)}"
    if result.outcome is Outcome.VANISHED or result.fault is None:
        return f"{who} vanishes{when}: {result.reason}{_forced(result)}"
    verb = "aborts" if result.outcome is Outcome.ABORTED else "dies"
    parts = [*_what(result.fault, result.stderr, cpu), *_where(result.fault, yours=yours)]
    return f"{who} {verb}{when}: {', '.join(parts)}{_forced(result)}"


def forced(result: ProbeResult) -> bool:
    """True where it died while dispatch variables told it what to execute.

    The variables then explain it as well as the package does: only a run without them tells.
    """
    return bool(result.overrides) and (result.outcome.died or result.outcome is Outcome.RAISED)


def needed(names: frozenset[str]) -> str:
    """Return features as people call them: `AVX2`, `AVX2 and BMI2`; what others imply left out."""
    implied = {name for name, others in _IMPLIED.items() if names & others}
    words = [features.display(name) for name in features.ordered(names - implied)]
    *first, last = words or [""]
    return f"{', '.join(first)} and {last}" if first else last


def file_name(path: str) -> str:
    """Return a native file's name without the tag that says for which Python it was built."""
    return _TAG.sub("…", path).replace("….so", "…so")


def _raised(result: ProbeResult) -> str:
    return result.raised.type if result.raised else "an exception"


def _message(result: ProbeResult) -> str:
    lines = result.raised.message.strip().splitlines() if result.raised else []
    return f": {_short(lines[0].strip())}" if lines else ""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…"


def _forced(result: ProbeResult) -> str:
    if not result.overrides:
        return ""
    return f", with {' '.join(f'{name}={value}' for name, value in result.overrides)} set"


def _what(fault: Fault, stderr: str, cpu: Cpu | None) -> Iterator[str]:
    yield fault.signal
    text = fault.instruction
    if fault.kind is FaultKind.UNSUPPORTED:
        yield _unsupported(fault, cpu)
    elif fault.kind is FaultKind.DELIBERATE:
        yield f"it stops itself with `{text}`" if text else "it stops itself"
    elif fault.kind is FaultKind.DIVIDE:
        yield f"divides by zero: {_quoted(text)}" if text else "divides by zero"
    elif fault.kind is FaultKind.SENT:
        lines = stderr.strip().splitlines()
        if lines:
            yield f'it said "{_short(lines[-1].strip())}"'
    elif text:
        yield f"at {_quoted(text)}"


def _unsupported(fault: Fault, cpu: Cpu | None) -> str:
    name = "an instruction that nobody could name"
    if fault.instruction:
        name = _mnemonic(fault.instruction)
    if not fault.needs:
        return f"{name} is not supported" if fault.instruction else name
    if cpu is not None and not cpu.missing(fault.needs):
        return f"{name} needs {needed(fault.needs)}, which this CPU has"
    return f"{name} needs {needed(fault.needs)}"


def _mnemonic(text: str) -> str:
    """Return the instruction's name in quotes; prefixes (`lock`, `rep`) are part of it."""
    if text.startswith(("a ", "an ")):
        return text
    match = re.match(r"(?:(?:lock|rep|repz|repnz|repe|repne|bnd|notrack) )*\S+", text)
    return f"`{match[0]}`" if match else f"`{text}`"


def _quoted(text: str) -> str:
    return text if text.startswith(("a ", "an ")) else f"`{text}`"


def _where(fault: Fault, *, yours: bool) -> Iterator[str]:
    if fault.library is not None:
        yield from _in_library(fault, fault.library)
    elif fault.place == "generated code":
        yield "in generated code" + (f" called by {file_name(fault.path)}" if fault.path else "")
    frame = (_own_code(fault) if yours else None) or _reached_from(fault)
    if frame is not None:
        yield f"reached from {_named(frame, yours=yours)}"


def _in_library(fault: Fault, library: str) -> Iterator[str]:
    offset = f" +{fault.offset:#x}" if fault.offset is not None else ""
    place = f" ({fault.place})" if fault.place else ""
    if fault.path is not None and library.endswith(f"/{fault.path}"):
        yield f"in {file_name(fault.path)}{offset}{place}"
        return
    yield f"in {file_name(library.rpartition('/')[2])}{offset}{place}"
    if fault.path is not None:
        yield f"called by {file_name(fault.path)}"


def _reached_from(fault: Fault) -> Frame | None:
    """Return the innermost Python frame outside the standard library and the faulting package."""
    for frame in reversed(fault.frames):
        if not _STANDARD_LIBRARY.search(frame.file) and not _is_owners(frame.file, fault):
            return frame
    return None


def _own_code(fault: Fault) -> Frame | None:
    """Return the innermost Python frame that no package and no standard library has."""
    for frame in reversed(fault.frames):
        if not _STANDARD_LIBRARY.search(frame.file) and not _PACKAGES.match(frame.file):
            return frame
    return None


def _is_owners(file: str, fault: Fault) -> bool:
    """True in the folder of the library (`numpy.libs` belongs to `numpy`), as far as paths tell."""
    packages = _PACKAGES.match(file)
    if packages is None or fault.path is None:
        return False
    top = fault.path.partition("/")[0].removesuffix(".libs")
    first = file[packages.end() :].partition("/")[0].removesuffix(".py")
    return first in {top, (fault.owner or "").replace("-", "_")}


def _named(frame: Frame, *, yours: bool) -> str:
    packages = _PACKAGES.match(frame.file)
    if packages:
        return f"{frame.file[packages.end() :]}:{frame.line}"
    if yours:
        return f"your code at {frame.file}:{frame.line}"
    return "the probe"
