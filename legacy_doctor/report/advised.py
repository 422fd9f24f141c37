"""The settings of `tune` as one page: what to set and why, and the curve of what was measured."""

from __future__ import annotations

from collections.abc import Iterator

from legacy_doctor.model import Advice, Measurement, Severity, Timing, Tuning
from legacy_doctor.report import cards, curve, tuning
from legacy_doctor.report.cards import command, sentence
from legacy_doctor.report.markup import Markup, join, prose, tag
from legacy_doctor.report.sheet import fact, section, whole
from legacy_doctor.report.text import counted, cpu_name


def page(value: Tuning, version: str) -> str:
    """Return the whole page. The same values give the same bytes."""
    first = value.choices[0]
    title = f"{value.title}: {counted(first.threads, 'thread')}, {first.title}"
    body = tag(
        "body",
        _top(value, title, version),
        tag(
            "main",
            _measured(value.measurement),
            _settings(value),
            _remarks(value),
            _starts(value),
        ),
    )
    return whole(title, version, body)


def _top(value: Tuning, title: str, version: str) -> Markup:
    look = "error" if value.failed else "ok"
    mark = tag("span", "✗" if value.failed else "✓", class_=f"mark {look}", aria_hidden="true")
    facts = [("CPU", cpu_name(value.cpu)), ("Cores", tuning.cores(value.topology))]
    facts += [(name.capitalize(), text) for name, text in tuning.limits(value.topology)]
    facts += [("Or", tuning.told(item)) for item in value.choices[1:]]
    return tag(
        "header",
        tag("p", f"legacy-doctor {version}", class_="brand"),
        tag("h1", mark, tag("span", title)),
        tag("p", sentence(value.choices[0].reason), class_="lead"),
        tag(
            "dl",
            *(fact(name, text) for name, text in facts),
            class_="facts given",
        ),
        class_=f"top {look}",
    )


def _measured(value: Measurement | None) -> Markup | None:
    if value is None:
        return None
    said = (
        f"{value.library}, {value.rounds} rounds; speed beside {value.baseline} (1.00). The bars "
        "are what of it may be chance."
    )
    drawing = Markup(curve.svg(value))  # which escapes what it is given
    picture = tag(
        "div",
        drawing,
        class_="scroll drawing",
        tabindex=0,
        role="region",
        aria_label="Speed by threads",
    )
    head = tag("tr", *(tag("th", name, scope="col") for name in ("threads", "speed", "chance")))
    table = tag("table", tag("thead", head), tag("tbody", *map(_timing, value.timings)))
    more = tag("details", tag("summary", "The same as a table"), table)
    verdict = tag("p", tag("strong", sentence(curve.verdict(value))))
    return section("measured", "What was measured", verdict, tag("p", said), picture, more)


def _timing(item: Timing) -> Markup:
    cells = (f"{item.speed:.2f}", f"± {item.noise:.0%}")
    return tag(
        "tr",
        tag("th", item.contender.label, scope="row"),
        *(tag("td", text) for text in cells),
    )


def _settings(value: Tuning) -> Markup:
    variables = [item for item in value.settings if not item.engine]
    calls = [item for item in value.settings if item.engine]
    return join(
        section("variables", "Variables", _listed(variables)) if variables else None,
        section("calls", "In programs and on command lines", _listed(calls)) if calls else None,
    )


def _listed(items: list[Advice]) -> Markup:
    rows = (
        tag("li", tag("code", tuning.shown(item)), tag("p", prose(item.reason), class_="quiet"))
        for item in items
    )
    return tag("ul", *rows, class_="ruled")


def _remarks(value: Tuning) -> Markup | None:
    ranked = tuning.ranked(value)
    if not ranked:
        return None
    rows = (
        tag("li", _mark(item.severity), tag("strong", f" {item.subject}: "), prose(item.text))
        for item in ranked
    )
    return section("remarks", "To know", tag("ul", *rows, class_="ruled"))


def _mark(severity: Severity) -> Markup:
    """Return the sign of a severity, with its word for who does not see it."""
    return join(
        tag("span", cards.MARKS[severity], class_=f"mark {severity.value}", aria_hidden="true"),
        tag("span", f"{severity.value}: ", class_="unseen"),
    )


def _starts(value: Tuning) -> Markup | None:
    if not value.starts and value.env_file is None:
        return None
    return section("start", "Start it with the variables set", *_written(value))


def _written(value: Tuning) -> Iterator[Markup]:
    yield from map(command, value.starts)
    file = value.env_file
    if file is not None:
        state = "written" if file.written else "not written" if file.diff else "it is so already"
        yield tag("p", f"{file.path}: {state}")
        if file.diff:
            yield tag("pre", tag("code", file.diff))
