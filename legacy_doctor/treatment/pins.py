"""Pins that stay: what to keep out on a CPU, in the formats of the installers, and where to put it.

Pure: texts in, texts and `FileStep`s out. Which installer reads what (tried with pip 23.2 and
uv 0.13): pip reads the `pip.conf` of the virtual environment that it runs in. uv reads no pip.conf
and no file of the environment; it obeys `constraint-dependencies` in the `uv.toml` or
`pyproject.toml` at or above the working folder, and the variable `UV_CONSTRAINT`. conda reads
`conda-meta/pinned`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from legacy_doctor.errors import DoctorError, UnknownNameError, suggestion
from legacy_doctor.model import Cpu, Grade, Knowledge, Pin, Severity
from legacy_doctor.treatment import files
from legacy_doctor.treatment.steps import FileStep

Format = Literal["constraints", "requirements", "uv", "conda", "json"]
CONSTRAINTS: Final = "legacy-doctor-constraints.txt"
"""The file in the environment that its installer is told to obey."""

_NEVER: Final = "<0"
"""A specifier that no release meets."""


class Advice(NamedTuple):
    """What somebody who judged the pins says of one distribution."""

    name: str
    specifier: str | None
    """The versions that run; None where none is known to."""
    reason: str
    grade: Grade
    marker: str = ""
    """Where it holds, where that is not everywhere (`python_version < "3.12"`)."""


@dataclass(frozen=True, kw_only=True)
class PinLine:
    """One distribution and the versions of it that may be installed."""

    name: str
    specifier: str | None
    reason: str
    grade: Grade
    marker: str = ""

    @property
    def requirement(self) -> str | None:
        """`numpy<2.4`, as pip and uv read it; None where no version is known to run."""
        return None if self.specifier is None else self._with(self.specifier)

    @property
    def forbidding(self) -> str:
        """A requirement that no version meets."""
        return self._with(_NEVER)

    def _with(self, specifier: str) -> str:
        condition = f" ; {self.marker}" if self.marker else ""
        return f"{self.name}{specifier}{condition}"

    @property
    def comment(self) -> str:
        """The reason and how well it is known, in one line."""
        return f"{' '.join(self.reason.split())} ({self.grade.value})"


def lines(advice: Iterable[Advice]) -> tuple[PinLine, ...]:
    """Return one line a distribution and marker, in the order of their names.

    Where several speak of the same, all must be met; where one knows no good version, none is.
    The reason told is that of the strongest. Raises `DoctorError` where a specifier is none.
    """
    grouped: dict[tuple[str, str], list[Advice]] = {}
    for item in advice:
        grouped.setdefault((canonicalize_name(item.name), item.marker), []).append(item)
    return tuple(_line(*key, items) for key, items in sorted(grouped.items()))


def _line(name: str, marker: str, items: list[Advice]) -> PinLine:
    items = sorted(items, key=lambda item: -item.grade.strength)
    specifiers = [item.specifier for item in items if item.specifier is not None]
    together = _all_of(name, specifiers) if len(specifiers) == len(items) else None
    strongest = next((i for i in items if i.specifier is None), items[0])
    return PinLine(
        name=name,
        specifier=together,
        reason=strongest.reason,
        grade=strongest.grade,
        marker=marker,
    )


def _all_of(name: str, specifiers: Iterable[str]) -> str:
    """Return the specifier that asks for all: single versions last, and only where they matter."""
    stripped = (part.strip() for text in specifiers for part in text.split(","))
    parts = [part for part in dict.fromkeys(stripped) if part]
    try:
        excluded = {part: Version(part[2:]) for part in parts if _excludes_one(part)}
        bounds = [part for part in parts if part not in excluded]
        wanted = SpecifierSet(",".join(bounds))
    except ValueError as error:
        raise DoctorError(f"{name}: {','.join(parts)!r} is no version specifier") from error
    holes = [part for part in excluded if wanted.contains(excluded[part], prereleases=True)]
    return ",".join([*bounds, *sorted(holes, key=excluded.__getitem__)])


def _excludes_one(part: str) -> bool:
    return part.startswith("!=") and not part.endswith(".*")


def for_cpu(
    cpu: Cpu, knowledge: Knowledge, *, installed: Iterable[str] = ()
) -> tuple[PinLine, ...]:
    """Return what to keep out on this CPU, before anything is installed.

    Of every distribution the pins that concern the CPU and are as severe as the worst of them;
    mere warnings only where they are more than reported. Two pins about the same lack that
    contradict each other: the stronger counts. A version is excluded where some pin names a good
    one instead; where all that is known is that it fails, there is a line without a specifier.
    `installed` are names that may keep broken code from being loaded.
    """
    there = {canonicalize_name(name) for name in installed}
    pins = [
        pin
        for pinset in knowledge.pinsets
        if pinset.applies(cpu)
        for pin in pinset.pins
        if pin.broken is not None and pin.bites(cpu) and not there & {*pin.unless}
    ]
    by_name: dict[str, list[Pin]] = {}
    for pin in pins:
        if _weighs(pin) and not _overruled(pin, pins):
            by_name.setdefault(pin.distribution, []).append(pin)
    return lines(advice for found in by_name.values() for advice in _advice(found, cpu))


def _weighs(pin: Pin) -> bool:
    if pin.severity is Severity.WARNING:
        return pin.grade.strength > Grade.REPORTED.strength
    return pin.severity is Severity.ERROR


def _overruled(pin: Pin, pins: Iterable[Pin]) -> bool:
    return any(
        other.distribution == pin.distribution
        and (other.needs, other.when) == (pin.needs, pin.when)
        and other.good is not None
        and other.grade.strength > pin.grade.strength
        for other in pins
    )


def _advice(pins: list[Pin], cpu: Cpu) -> list[Advice]:
    """Advise by the worst; of those, by the ones that name good versions if any does."""
    worst = min(pin.severity.rank for pin in pins)
    pins = [pin for pin in pins if pin.severity.rank == worst]
    good = [pin for pin in pins if pin.good is not None]
    hopeless = [pin for pin in pins if pin.good is None]
    if _leave_nothing(hopeless, good):
        return [_hopeless(hopeless, cpu)]
    others = f"; no better is known of {_versions(hopeless)}" if hopeless else ""
    return [Advice(p.distribution, p.good, f"{_reason(p)}{others}", p.grade) for p in good]


def _hopeless(pins: list[Pin], cpu: Cpu) -> Advice:
    """Tell of all broken versions, and of how the newest of them fail."""
    newest = next((pin for pin in pins if _admits(pin, "99999")), pins[-1])
    fit = [item for item in newest.alternatives if not cpu.missing(item.needs)]
    better = " or ".join(item.requirement for item in fit)
    remedy = f"; instead: {better}" if better else f"; {newest.cure}" if newest.cure else ""
    reason = f"broken: {_versions(pins)}: {newest.symptom}{remedy}"
    return Advice(newest.distribution, None, reason, newest.grade)


def _versions(pins: Iterable[Pin]) -> str:
    return " and ".join(dict.fromkeys(pin.broken or "every version" for pin in pins))


def _admits(pin: Pin, version: str) -> bool:
    return SpecifierSet(pin.broken or "").contains(version, prereleases=True)


def _leave_nothing(hopeless: list[Pin], good: list[Pin]) -> bool:
    """Whether what some pins call good is broken by others that know nothing better.

    Judged by the last versions known to be good; where none is named, it is believed.
    """
    known = [pin.last_good for pin in good if pin.last_good]
    escape = [v for v in known if not any(_admits(pin, v) for pin in hopeless)]
    return not good or (bool(known) and not escape)


def _reason(pin: Pin) -> str:
    return f"{_versions([pin])}: {pin.symptom or 'does not run on this CPU'}"


_HEAD: Final = "Written by legacy-doctor: versions that run on this CPU."
_CONDA: Final = "Tried with wheels from PyPI; what conda builds may differ, and be named otherwise."


def render(pins: Sequence[PinLine], form: str, *, strict: bool = False) -> str:
    """Return the pins as a text for an installer; raises `UnknownNameError` for another format.

    A distribution of which no version runs is a comment; with `strict` a line that no version
    meets, so that an installer refuses it.
    """
    if form not in get_args(Format):
        raise UnknownNameError(
            f"no format {form!r}{suggestion(form, get_args(Format))}; there are "
            f"{', '.join(get_args(Format))}"
        )
    if form == "json":
        return _json(pins)
    if form == "uv":
        return _toml("[tool.uv]\n", pins, strict=strict)
    if form == "conda":
        return f"# {_HEAD}\n# {_CONDA}\n{_listed(pins, strict=strict, conda=True)}"
    return f"# {_HEAD}\n{_listed(pins, strict=strict)}"


def requirements(pins: Iterable[PinLine], *, strict: bool = False) -> tuple[str, ...]:
    """Return the requirements without their comments."""
    wanted = (
        pin.forbidding if strict and pin.specifier is None else pin.requirement for pin in pins
    )
    return tuple(text for text in wanted if text is not None)


def _listed(pins: Iterable[PinLine], *, strict: bool, conda: bool = False) -> str:
    result = []
    for pin in pins:
        requirement = pin.forbidding if strict and pin.specifier is None else pin.requirement
        if requirement is None:
            result.append(f"# {pin.name}: no version is known to run; {pin.comment}\n")
            continue
        if conda:
            requirement = f"{pin.name} {pin.specifier or _NEVER}"
        result.append(f"# {pin.comment}\n{requirement}\n")
    return "".join(result)


def _toml(head: str, pins: Iterable[PinLine], *, strict: bool) -> str:
    result = [f"# {_HEAD}\n{head}constraint-dependencies = [\n"]
    for pin in pins:
        requirement = pin.forbidding if strict and pin.specifier is None else pin.requirement
        comment = printable(pin.comment)
        if requirement is None:
            result.append(f"    # {pin.name}: no version is known to run; {comment}\n")
        else:
            result.append(f"    {quoted(requirement)}, # {comment}\n")
    return "".join([*result, "]\n"])


def quoted(text: str) -> str:
    """Return a text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)


def printable(text: str) -> str:
    """Return a text that may stand in a comment: TOML wants no control character there."""
    return "".join(char if char.isprintable() else " " for char in text)


def _json(pins: Iterable[PinLine]) -> str:
    items = [
        {
            "name": pin.name,
            "specifier": pin.specifier,
            "marker": pin.marker or None,
            "requirement": pin.requirement,
            "reason": pin.reason,
            "grade": pin.grade.value,
        }
        for pin in pins
    ]
    return json.dumps({"schema_version": 1, "pins": items}, indent=2, ensure_ascii=False) + "\n"


def constraints_step(prefix: Path, pins: Sequence[PinLine], *, strict: bool = False) -> FileStep:
    """Return the step that writes the constraints file of an environment."""
    path = prefix / CONSTRAINTS
    text = render(pins, "constraints", strict=strict)
    return write(path, text, "keep the pins for every later installation")


def pip_step(prefix: Path, inherited: Sequence[str] = ()) -> FileStep:
    """Return the step that makes the environment's own pip obey the constraints file.

    What stands in its pip.conf stays. pip takes the option from one place only: the nearest.
    `inherited` are the constraints in force so far (`Installer.configured`), which go on. The
    step changes nothing where pip obeys already. Raises `DoctorError` where the file is no text.
    """
    path = prefix / "pip.conf"
    return write(path, pip_conf(text_of(path), prefix, inherited), "make pip obey the pins")


def conda_step(prefix: Path, pins: Sequence[PinLine], *, strict: bool = False) -> FileStep:
    """Return the step that pins in a conda environment; what the user pinned there stays."""
    path = prefix / "conda-meta/pinned"
    text = marked(text_of(path), render(pins, "conda", strict=strict))
    return write(path, text, "make conda obey the pins")


def write(path: Path, text: str, reason: str) -> FileStep:
    """Return the step that makes a file say this."""
    return FileStep(path, files.observe(path), text.encode("utf-8"), None, reason)


def text_of(path: Path) -> str:
    """Return what a file says, nothing where there is none; raises `DoctorError` for no text."""
    content = files.read(path)[1] or b""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DoctorError(
            f"{path}: not UTF-8 text (byte {error.start}); it is left alone: correct or remove it"
        ) from error


_BEGIN: Final = "# >>> legacy-doctor >>>\n"
_END: Final = "# <<< legacy-doctor <<<\n"


def marked(text: str, ours: str) -> str:
    """Return `text` with our part between its marks: put there, or in place of the older one."""
    block = f"{_BEGIN}{ours}{_END}"
    start, end = text.find(_BEGIN), text.find(_END)
    if 0 <= start < end:
        return text[:start] + block + text[end + len(_END) :]
    return f"{ended(text)}{block}"


def ended(text: str) -> str:
    """Return a text whose last line is ended, so that another can follow."""
    return text if not text or text.endswith("\n") else f"{text}\n"


def reference(path: Path) -> str:
    """Return a path as pip.conf takes it: a URL where it has white space, for pip splits there."""
    text = str(path)
    return path.as_uri() if text.split() != [text] else text


_SECTION: Final = re.compile(r"\[(?P<name>[^]]+)\]")
_OPTION: Final = re.compile(r"constraint\s*[=:]\s*(?P<value>.*)", re.IGNORECASE)


def pip_conf(text: str, prefix: Path, inherited: Sequence[str] = ()) -> str:
    """Return a pip.conf that names our constraints file in `[install]`, the rest as it was.

    An existing value is extended, with the line's own style; comments and order stay.
    """
    ours = reference(prefix / CONSTRAINTS)
    rows = ended(text).splitlines(keepends=True)
    section, install, option = "", None, None
    for index, row in enumerate(rows):
        if match := _SECTION.match(row):
            section = match["name"]
            install = index if section == "install" and install is None else install
        elif section == "install" and option is None and _OPTION.match(row):
            option = index
    if option is None:
        wanted = [place for place in dict.fromkeys((*inherited, ours)) if place]
        new = f"constraint = {wanted[0]}\n" + "".join(f"    {place}\n" for place in wanted[1:])
        if install is None:
            gap = "\n" if rows else ""
            return "".join([*rows, f"{gap}[install]\n{new}"])
        return "".join([*rows[: install + 1], new, *rows[install + 1 :]])
    end, values = _values(rows, option)
    if ours in values:
        return "".join(rows)
    return "".join([*rows[:end], f"    {ours}\n", *rows[end:]])


def _values(rows: list[str], option: int) -> tuple[int, list[str]]:
    """Return where the values of an option end, and which they are (as configparser reads them)."""
    match = _OPTION.match(rows[option])
    values = (match["value"] if match else "").split()
    end = option + 1
    for index in range(option + 1, len(rows)):
        row = rows[index]
        if row.strip().startswith(("#", ";")):
            continue
        if not row.strip() or not row[0].isspace():
            break
        values += row.split()
        end = index + 1
    return end, values


def variables(environ: Mapping[str, str], prefix: Path) -> tuple[str, ...]:
    """Return what in the user's own variables keeps pip from obeying the environment's file."""
    value = environ.get("PIP_CONSTRAINT", "")
    ours = reference(prefix / CONSTRAINTS)
    if not value.strip() or ours in value.split():
        return ()
    problem = (
        f"PIP_CONSTRAINT is set ({value}): pip then ignores the constraint in {prefix}/pip.conf; "
        f"add {ours} to it, or unset it"
    )
    return (problem,)


def uv_words(prefix: Path) -> tuple[str, ...]:
    """Return how to make uv obey, which reads no file of the environment."""
    file = reference(prefix / CONSTRAINTS)
    lists = "`constraint-dependencies` of the project's uv.toml or pyproject.toml"
    return (
        f"uv reads no file of the environment: export UV_CONSTRAINT={file}",
        f"or put the pins into {lists} (legacy-doctor pins --format uv)",
    )
