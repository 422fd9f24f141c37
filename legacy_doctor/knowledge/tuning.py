"""Read how a program is set up on a CPU. Format: `pinsets/tuning/schema.json`.

`general.toml` holds for every program; the others are of one program, and add to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from legacy_doctor.errors import UnknownNameError, suggestion
from legacy_doctor.knowledge import catalogue, document
from legacy_doctor.knowledge.document import Table
from legacy_doctor.model import Evidence, Severity, Work

FORMAT: Final = 1
"""The one `schema` number that this reader understands."""

GENERAL: Final = "general"

COMPUTED: Final = ("threads", "interop", "model", "dtype", "warmup")
"""What a variable's value may be taken from."""

PLAIN: Final = re.compile(r"[A-Za-z0-9_.,:/+@%=-]*")
"""Values that a shell, Docker, systemd and python-dotenv all read as what they say, unquoted."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BLANK: Final = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A value that is wrong, and what comes of it."""

    value: str
    """A shell pattern, letters of either case."""
    problem: str
    severity: Severity
    unless_any: frozenset[str] = frozenset()
    """Features of which one makes it right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of the program's environment."""

    name: str
    value: str | None
    """None: computed, or to be left unset."""
    computed: str | None
    """A word of `COMPUTED`."""
    reason: str
    values: tuple[str, ...] = ()
    """All that the program understands; empty where anything goes."""
    numeric: bool = False
    refused: tuple[Refused, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is written in a program, or on a command line, with `{threads}` and `{interop}`."""

    engine: str
    call: str
    reason: str
    work: Work | None
    """What this engine computes, whatever the program is; None: what the program does."""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Something that CPUs without certain features cannot use."""

    subject: str
    needs_any: frozenset[str]
    """Empty: no CPU can."""
    without: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model, by what it needs."""

    id: str
    speaks: str
    bytes: int
    """Of memory, in float32, with what the program itself takes."""
    advised: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A claim that is going round, and what is true."""

    id: str
    claim: str
    truth: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A distribution that is no gain and may be a danger where it is installed."""

    name: str
    imports: str
    needs: frozenset[str]
    same_minor_as: str | None
    """The distribution whose major and minor version it must have."""
    advice: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """All that is known of how to set up one program."""

    id: str
    version: str
    title: str
    work: Work
    variables: tuple[Variable, ...] = ()
    calls: tuple[Call, ...] = ()
    limits: tuple[Limit, ...] = ()
    models: tuple[Weights, ...] = ()
    corrections: tuple[Correction, ...] = ()
    watched: tuple[Watched, ...] = ()
    clashes: tuple[tuple[str, str, str], ...] = ()
    """Two variables that mean the same, and what comes of setting both."""
    starts: tuple[str, ...] = ()

    def variable(self, name: str) -> Variable | None:
        """Return the variable of that name."""
        return next((item for item in self.variables if item.name == name), None)


def find(name: str) -> Guide:
    """Return the shipped guide of that name; raises `UnknownNameError` where there is none."""
    folder = catalogue.folder() / "tuning"
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        hint = suggestion(name, known) or f"; one of {', '.join(known)}"
        raise UnknownNameError(f"no tuning profile {name!r}{hint}")
    return read(folder / f"{name}.toml")


def read(path: Path) -> Guide:
    """Return the guide in the file; raises `DataError` with file, path and suggestion."""
    table = document.load(path)
    if table.number("schema") != FORMAT:
        table.fail("schema", f"this legacy-doctor reads schema = {FORMAT}")
    guide = Guide(
        id=table.text("id"),
        version=table.day("version"),
        title=table.text("title"),
        work=_work(table),
        variables=tuple(map(_variable, table.tables("variables"))),
        calls=tuple(map(_call, table.tables("calls"))),
        limits=tuple(map(_limit, table.tables("limits"))),
        models=tuple(map(_weights, table.tables("models"))),
        corrections=tuple(map(_correction, table.tables("corrections"))),
        watched=tuple(map(_watched, table.tables("watched"))),
        clashes=tuple(map(_clash, table.tables("clashes"))),
        starts=table.texts("starts"),
    )
    if any(item.computed == "model" for item in guide.variables) != bool(guide.models):
        table.fail("models", 'models and a variable with `from = "model"` need each other')
    table.finish()
    return guide


def _work(table: Table) -> Work:
    return Work(table.choice("work", [item.value for item in Work]))


def _variable(table: Table) -> Variable:
    unset = table.flag("unset")
    variable = Variable(
        name=table.text("name"),
        value=table.optional("value"),
        computed=table.choice("from", COMPUTED) if "from" in table else None,
        reason=table.text("reason"),
        values=table.texts("values"),
        numeric=table.flag("numeric"),
        refused=tuple(map(_refused, table.tables("refused"))),
        evidence=document.evidence(table),
    )
    if not _NAME.fullmatch(variable.name):
        table.fail("name", f"not the name of a variable: {variable.name!r}")
    if sum([unset, variable.value is not None, variable.computed is not None]) != 1:
        table.fail("value", "expected one of `value`, `from` and `unset = true`")
    if variable.value is not None and not PLAIN.fullmatch(variable.value):
        table.fail("value", f"a value that would need quotes: {variable.value!r}")
    if variable.values and variable.value not in {None, *variable.values}:
        table.fail("value", f"{variable.value!r} is not among `values`")
    table.finish()
    return variable


def _refused(table: Table) -> Refused:
    refused = Refused(
        value=table.text("value"),
        problem=table.text("problem"),
        severity=Severity(table.choice("severity", [item.value for item in Severity], "error")),
        unless_any=table.features("unless-any"),
    )
    table.finish()
    return refused


def _call(table: Table) -> Call:
    call = Call(
        engine=table.text("engine"),
        call=table.text("call"),
        reason=table.text("reason"),
        work=_work(table) if "work" in table else None,
        evidence=document.evidence(table),
    )
    for name in _BLANK.findall(call.call):
        if name not in {"threads", "interop"}:
            table.fail("call", f"unknown blank {{{name}}}; one of {{threads}}, {{interop}}")
    table.finish()
    return call


def _limit(table: Table) -> Limit:
    limit = Limit(
        subject=table.text("subject"),
        needs_any=table.features("needs-any"),
        without=table.text("without"),
        evidence=document.evidence(table),
    )
    table.finish()
    return limit


def _weights(table: Table) -> Weights:
    megabytes = table.number("megabytes")
    if megabytes is None or megabytes < 1:
        table.fail("megabytes", f"expected how much memory it needs, got {megabytes}")
    weights = Weights(
        id=table.text("id"),
        speaks=table.text("speaks"),
        bytes=megabytes * 1_000_000,
        advised=table.flag("advised"),
    )
    if not PLAIN.fullmatch(weights.id):
        table.fail("id", f"a value that would need quotes: {weights.id!r}")
    table.finish()
    return weights


def _correction(table: Table) -> Correction:
    correction = Correction(
        id=table.text("id"),
        claim=table.text("claim"),
        truth=table.text("truth"),
        evidence=document.evidence(table),
    )
    table.finish()
    return correction


def _watched(table: Table) -> Watched:
    watched = Watched(
        name=table.distribution("name"),
        imports=table.text("imports"),
        needs=table.features("needs"),
        same_minor_as=table.distribution("same-minor-as") if "same-minor-as" in table else None,
        advice=table.text("advice"),
        evidence=document.evidence(table),
    )
    table.finish()
    return watched


def _clash(table: Table) -> tuple[str, str, str]:
    names = table.texts("names")
    if len(names) != 2:
        table.fail("names", "a clash is between two variables")
    problem = table.text("problem")
    table.finish()
    return names[0], names[1], problem
