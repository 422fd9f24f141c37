"""The report as one page: nothing to load, nothing to run, and nothing told by colour alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from legacy_doctor.cpu import features
from legacy_doctor.model import (
    Chart,
    Cpu,
    FaultKind,
    Finding,
    Grade,
    HiddenBy,
    Outcome,
    Override,
    ProbeResult,
    Report,
    Severity,
    Standing,
    Step,
)
from legacy_doctor.report import cards, matrix, wording
from legacy_doctor.report.cards import command, sentence
from legacy_doctor.report.markup import Markup, join, prose, tag
from legacy_doctor.report.sheet import fact, section, whole
from legacy_doctor.report.text import counted, cpu_name, proof, treatment_options

_NAMED: Final = 3
"""So many subjects are named in the headline; of more it is said how many they are."""
_GRADES: Final = {
    Grade.SILICON: "it was run on a real CPU of that kind",
    Grade.EMULATED: "the same wheel was run on an emulated CPU of that kind (qemu-user)",
    Grade.MAINTAINER: "those who make the package say so",
    Grade.REPORTED: "somebody reported it, and it was not repeated here",
    Grade.INFERRED: "it follows from what the files say",
}
_OUTCOMES: Final = {
    Outcome.OK: "✓ passed",
    Outcome.RAISED: "! raised an exception",
    Outcome.ILLEGAL_INSTRUCTION: "✗ died: illegal instruction",
    Outcome.FLOATING_POINT_EXCEPTION: "✗ died: floating-point exception",
    Outcome.SEGMENTATION_FAULT: "✗ died: segmentation fault",
    Outcome.ABORTED: "✗ aborted",
    Outcome.TIMEOUT: "! ran out of time",
    Outcome.VANISHED: "! ended without a word",
    Outcome.SKIPPED: "- skipped",
}
_PASSED: Final = frozenset({Outcome.OK, Outcome.SKIPPED})
_HIDING: Final = frozenset({HiddenBy.HYPERVISOR, HiddenBy.KERNEL})
_NOTHING: Final = Chart()


def page(report: Report, chart: Chart = _NOTHING) -> str:
    """Return the whole page; what `chart` does not hold is left out of it.

    The same values give the same bytes: no time and no place of its making is in it.
    """
    title = headline(report)
    body = tag(
        "body",
        _top(report, title),
        tag(
            "main",
            _plan(report, chart.steps),
            _findings(report),
            _matrix(report, chart),
            _cpu(report.cpu, chart),
            _overrides(chart.overrides, report.cpu),
            _probes(report),
        ),
        _foot(report, told=bool(chart.prognosis)),
    )
    return whole(title, report.version, body)


def _errors(report: Report) -> list[Finding]:
    return [item for item in report.findings if item.severity is Severity.ERROR]


def _where(report: Report) -> str:
    return report.target_name if report.what_if and report.target_name else "this CPU"


def headline(report: Report) -> str:
    """Return the status in one sentence."""
    errors = _errors(report)
    if not errors:
        warnings = report.count(Severity.WARNING)
        if report.empty:
            return "Nothing to examine"
        more = f", but {counted(warnings, 'warning')}" if warnings else ""
        return f"Nothing is known to fail on {_where(report)}{more}"
    names = _names(errors)
    if any(item.cause is None for item in errors):
        named = f": {listed(names, '')}" if len(names) <= _NAMED else ""
        return f"{counted(len(errors), 'problem')} on {_where(report)}{named}"
    verb = "fails" if len(names) == 1 else "fail"
    if all(item.standing is Standing.PREDICTED for item in errors):
        verb = f"{'is' if len(names) == 1 else 'are'} predicted to fail"
    return f"{listed(names, 'packages')} {verb} on {_where(report)}"


def _names(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return what the findings are about, each once."""
    named = ("hidden CPU features" if item.subject == "cpu" else item.subject for item in findings)
    return tuple(dict.fromkeys(named))


def listed(names: Sequence[str], noun: str) -> str:
    """Return `a`, `a and b`, `a, b and c`, or how many of the noun there are."""
    if len(names) > _NAMED:
        return f"{len(names)} {noun}"
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _top(report: Report, said: str) -> Markup:
    worst = report.findings[0].severity if report.findings else Severity.INFO
    look = "ok" if worst is Severity.INFO else worst.value
    mark = "✓" if look == "ok" else cards.MARKS[worst]
    title = tag(
        "h1", tag("span", mark, class_=f"mark {look}", aria_hidden="true"), tag("span", said)
    )
    return tag(
        "header",
        tag("p", f"legacy-doctor {report.version}", class_="brand"),
        title,
        *(tag("p", text, class_="lead") for text in _lead(report)),
        tag("dl", *_given(report), class_="facts given"),
        class_=f"top {look}",
    )


def _lead(report: Report) -> Iterator[str]:
    """Yield what a frightened reader needs to know first."""
    errors = _errors(report)
    if not errors:
        yield _calm(report)
        return
    lacking = _names(item for item in errors if item.cause and _lacks(item))
    if lacking:
        who = listed(lacking, "packages")
        yield (
            f"{who} {'use' if len(lacking) > 1 else 'uses'} machine instructions that this CPU "
            "does not have, so the system stops Python on the spot: “Illegal instruction”. "
            "Nothing is broken in the computer or in Python itself."
        )
    hiding = next((item.reason for item in report.cpu.hidden if item.reason in _HIDING), None)
    if hiding is not None:
        yield f"The {hiding.value} hides features of this CPU: look there first."
    causes = _names(item for item in errors if item.cause)
    fallen = sorted({name for item in errors for name in item.affects if item.cause} - {*causes})
    if fallen:
        verb, them = "fall" if len(fallen) > 1 else "falls", "them" if len(causes) > 1 else "it"
        yield f"{listed(fallen, 'more packages')} {verb} with {them}."
    if report.prescription:
        yield "What to do is written below, ready to copy. Nothing has been changed so far."


def _calm(report: Report) -> str:
    """Say how far it goes that no error was found."""
    if not report.probing.ran:
        return (
            "That is what the pin-sets know; nothing was run to prove it. With --probe all, "
            "everything with machine code is imported and used in a sandbox."
        )
    failed = sum(item.outcome not in _PASSED for item in report.probing.results)
    if failed:
        return "What was run to prove it is told below."
    return "What looked risky was imported and used in a sandbox, and all of it passed."


def _lacks(finding: Finding) -> bool:
    fault = finding.fault
    unsupported = fault is not None and fault.kind is FaultKind.UNSUPPORTED
    return unsupported or (fault is None and bool(finding.missing))


def _given(report: Report) -> Iterator[Markup]:
    """Yield what was examined, and how."""
    cpu, interpreter = report.cpu, report.interpreter
    name = cpu_name(cpu)
    why = f"named {report.target_name}" if report.what_if else f"read by {cpu.source}"
    level = "" if cpu.level == name else f"{cpu.level}, "
    yield fact("CPU", f"{name} ({level}{why})")
    yield fact("Python", f"{interpreter.dotted} in {interpreter.prefix}")
    counts = [counted(report.count(item), cards.NAMES[item]) for item in Severity]
    ignored = f", {report.ignored} ignored" if report.ignored else ""
    yield fact(
        "Found", f"{', '.join(counts)}{ignored} in {counted(report.distributions, 'distribution')}"
    )
    project = wording.project(report)
    if project:
        yield fact("Project", sentence(project))
    yield fact("Proof", sentence(proof(report.probing, report.findings)))


def _plan(report: Report, steps: Sequence[Step]) -> Markup | None:
    """Return what to do: one command that does all, and the commands by hand."""
    if not report.prescription and not steps:
        return None
    options = treatment_options(report)
    whole = (
        tag("p", "This shows the whole plan first; with ", tag("code", "--apply"), " it is done."),
        command(f"legacy-doctor fix{options}"),
        command(f"legacy-doctor fix --apply{options}"),
        tag("p", tag("code", "legacy-doctor undo"), " takes all of it back.", class_="quiet"),
    )
    hand: tuple[Markup, ...] = ()
    if report.prescription:
        text = "Or by hand, in this order:" if steps else "Do this, in this order:"
        hand = (tag("p", text), *map(command, report.prescription))
    return section(
        "plan",
        "What to do",
        *(whole if steps else ()),
        _steps(steps),
        *hand,
    )


def _steps(steps: Sequence[Step]) -> Markup | None:
    if not steps:
        return None
    items = (
        tag(
            "li",
            tag("strong", step.title),
            " ",
            tag("code", step.id, class_="rule"),
            *(_aside("why", text) for text in step.reasons),
            *(_aside("costs", text) for text in step.costs),
            *(_aside("note", text) for text in step.remarks),
        )
        for step in steps
    )
    summary = tag("summary", f"The plan: {counted(len(steps), 'step')}")
    return tag("details", summary, tag("ol", *items, class_="steps"))


def _aside(name: str, text: str) -> Markup:
    return tag("p", tag("b", f"{name}: "), prose(text), class_="quiet")


def _findings(report: Report) -> Markup | None:
    numbered = list(enumerate(report.findings, 1))
    told = [pair for pair in numbered if pair[1].severity is not Severity.INFO]
    notes = [pair for pair in numbered if pair[1].severity is Severity.INFO]
    if not numbered:
        return None
    more = None
    if notes:
        more = tag(
            "details",
            tag("summary", f"{counted(len(notes), 'note')}: nothing that has to be done"),
            *(cards.card(item, number, report) for number, item in notes),
        )
    found = (cards.card(item, number, report) for number, item in told)
    return section("findings", "What was found", *found, more)


def _matrix(report: Report, chart: Chart) -> Markup | None:
    rows = matrix.ordered(chart.prognosis)
    unknown = sorted(item.distribution for item in chart.prognosis if not item.known)
    if not chart.prognosis:
        return None
    here = _where(report)
    silent = None
    if unknown:
        them = f"{counted(len(unknown), 'distribution')} nothing is known: {', '.join(unknown)}."
        silent = tag("p", f"Of {them}", class_="quiet")
    if not rows:
        return section("matrix", "Where it runs", silent)
    box = tag(
        "div", matrix.picture(rows, here), class_="scroll", tabindex=0, role="region",
        aria_label="Picture: distributions and x86-64 levels",
    )  # fmt: skip
    table = tag(
        "div", matrix.table(rows, here), class_="scroll", tabindex=0, role="region",
        aria_label="Table: distributions and x86-64 levels",
    )  # fmt: skip
    said = (
        "What is installed and has machine code, on this CPU and on CPUs that have exactly the "
        "features of a level. What depends on the maker of a CPU as well shows for this CPU only."
    )
    return section(
        "matrix",
        "Where it runs",
        tag("p", said),
        matrix.legend(),
        box,
        tag("details", tag("summary", "The same as a table, with reasons"), table),
        silent,
    )


def _cpu(cpu: Cpu, chart: Chart) -> Markup:
    who = f"{cpu.vendor} family {cpu.family} model {cpu.model} stepping {cpu.stepping}"
    facts = [("Name", cpu_name(cpu)), ("Level", cpu.level)]
    facts += [("Identity", who)] if cpu.family else []
    facts += [("archspec", cpu.microarchitecture)] if cpu.microarchitecture else []
    facts += [("Hypervisor", cpu.hypervisor)] if cpu.hypervisor else []
    return section(
        "cpu",
        "What this CPU has, and what it lacks",
        tag("dl", *(fact(name, value) for name, value in facts), class_="facts"),
        tag("ol", *(_level(level, cpu) for level in features.LEVELS), class_="ruled"),
        *_hidden(cpu, chart.remedies),
    )


def _level(level: str, cpu: Cpu) -> Markup:
    """Return a level as the features it adds, each had or lacked."""
    needed = features.ordered(features.LEVELS[level])
    lacks = cpu.missing(features.LEVELS[level])
    had = "has all of it" if not lacks else f"lacks {len(lacks)} of {len(needed)}"
    hidden = {item.feature: item.reason for item in cpu.hidden}
    chips = (
        tag(
            "li",
            tag("span", "✗ " if name in lacks else "✓ ", aria_hidden="true"),
            tag("span", "lacks " if name in lacks else "has ", class_="unseen"),
            features.DISPLAY.get(name, name.upper()),
            f" (hidden by the {hidden[name].value})" if name in lacks and name in hidden else None,
            class_="lacks" if name in lacks else "has",
        )
        for name in needed
    )
    return tag(
        "li",
        tag("p", tag("strong", level), tag("span", f" {had}", class_="quiet")),
        tag("ul", *chips, class_="features"),
    )


def _hidden(cpu: Cpu, remedies: Iterable[tuple[HiddenBy, str]]) -> Iterator[Markup]:
    """Yield who keeps what from programs, and what to do about it."""
    advice = dict(remedies)
    for reason, detail in dict.fromkeys((item.reason, item.detail) for item in cpu.hidden):
        names = [
            item.feature for item in cpu.hidden if (item.reason, item.detail) == (reason, detail)
        ]
        shown = ", ".join(map(features.display, features.ordered(names)))
        yield tag("h3", f"Hidden by the {reason.value}")
        yield tag("p", prose(f"{shown}: {detail}."))
        if reason in advice:
            yield tag("p", tag("b", "What to do: "), prose(sentence(advice[reason])))


def _overrides(overrides: Sequence[Override], cpu: Cpu) -> Markup | None:
    """Return the variables that choose instructions over the CPU's head."""
    if not overrides:
        return None
    items = (
        tag(
            "li",
            tag("strong", tag("code", f"{item.variable}={item.value}")),
            " ",
            tag("span", item.kind.value, class_="chip"),
            tag("p", prose(sentence(item.effect))),
            tag("p", tag("b", "Asks for: "), _asks(item, cpu), class_="quiet"),
            tag(
                "p", tag("b", "Read by: "), ", ".join(item.readers) or "any program", class_="quiet"
            ),
        )
        for item in overrides
    )
    return section(
        "overrides", "Variables that choose instructions", tag("ul", *items, class_="ruled")
    )


def _asks(override: Override, cpu: Cpu) -> str:
    if not override.understood:
        return f"not understood; it accepts {override.accepts}"
    lacks = features.ordered(cpu.missing(override.needs))
    if lacks:
        return f"{', '.join(map(features.display, lacks))}, which this CPU lacks"
    return "nothing that this CPU lacks"


def _probes(report: Report) -> Markup | None:
    results = report.probing.results
    if not results:
        return None
    head = tag("tr", *(tag("th", name, scope="col") for name in ("probe", "outcome", "it said")))
    rows = (
        tag(
            "tr",
            tag("th", _label(item), scope="row"),
            tag("td", _OUTCOMES[item.outcome] + (f" ({item.stage})" if item.stage else "")),
            tag("td", _said(item)),
        )
        for item in results
    )
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    box = tag(
        "div", table, class_="scroll", tabindex=0, role="region", aria_label="Table: probes"
    )  # fmt: skip
    summary = tag("summary", f"{counted(len(results), 'probe')}, one line each")
    return section(
        "probes",
        "What was run",
        tag("details", summary, box),
    )


def _label(result: ProbeResult) -> str:
    variables = " ".join(f"{name}={value}" for name, value in result.overrides)
    return f"{result.probe.id} with {variables}" if variables else result.probe.id


def _said(result: ProbeResult) -> str:
    if result.raised is not None:
        return f"{result.raised.type}: {result.raised.message}".strip()
    return result.reason


def _foot(report: Report, *, told: bool) -> Markup:
    grades = (join(tag("dt", cards.grade(item.value)), tag("dd", _GRADES[item])) for item in Grade)
    sets = ", ".join(item.label for item in report.pinsets) or "none applies to this CPU"
    silent = None
    if report.unjudged and not told:
        them = ", ".join(report.unjudged)
        silent = tag("p", f"No pin-set says anything about {them}.", class_="quiet")
    return tag(
        "footer",
        tag("h2", "How well it is known", id="grades"),
        tag("dl", *grades, class_="facts"),
        tag("p", f"Pin-sets: {sets}.", class_="quiet"),
        silent,
    )
