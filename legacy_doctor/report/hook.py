"""A start-up hook for a person: what it stops, what it watches for, whether it works."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from legacy_doctor.cpu import features
from legacy_doctor.model import HookReport, HookRule
from legacy_doctor.report.layout import Line, Page, field, line, paragraph
from legacy_doctor.report.text import STYLES, commands, counted, cpu_name

_WIDTH = 11


def status(value: HookReport, page: Page) -> list[Line]:
    """Return the screen of `hook status`."""
    told = list(_headline(value, page))
    if value.files:
        told += _made(value, page)
        told += rules(value, page)
        told += _field(page, "switch off", _switches(value.rules))
    for style, texts in (("error", value.problems), ("warning", value.stale)):
        for text in texts:
            told += paragraph(page, f"{page.mark(style)} ", text, style=STYLES[style], indent=4)
    if value.disabled:
        text = (
            f"LEGACY_DOCTOR_DISABLE={value.disabled} is set here: programs that inherit it run "
            "without what it names"
        )
        told += paragraph(page, f"{page.mark('warning')} ", text, style=STYLES["warning"], indent=4)
    return [*told, line(), *_next(value)]


def rules(value: HookReport, page: Page) -> Iterator[Line]:
    """Yield what acts here, each with its remedy, and the names of what waits."""
    guards = [item for item in value.rules if item.kind == "guard"]
    stopped = {(item.distribution, item.name): item for item in guards if item.acts}
    for (distribution, name), item in stopped.items():
        module = f" (import {name})" if name != distribution else ""
        lack = features.ordered(value.cpu.missing(item.needs))
        lacks = f", which needs {', '.join(lack)}" if lack else ""
        text = f"{distribution} {item.installed}{module}{lacks}"
        yield from _field(page, "stops", text, style="bold")
        yield from _field(page, "", f"remedy: {item.remedy}")
    if guards and not stopped:
        here = any(item.here for item in guards)
        why = "what is installed runs" if here else "this CPU has all that they need"
        yield from _field(page, "stops", f"nothing now: {why}")
    waiting = sorted({item.distribution for item in guards} - {name for name, _ in stopped})
    if waiting:
        text = f"{counted(len(waiting), 'more package')}, should one come to be deadly here: "
        yield from _field(page, "watches", text + ", ".join(waiting))
    for item in value.rules:
        if item.kind == "shim":
            acts = "" if item.acts else " (with nothing to do here)"
            files = f": {', '.join(item.listed)}" if item.listed else ""
            yield from _field(page, "shim", f"{item.name}{files}{acts}")


def installed(value: HookReport, page: Page, number: int, count: int) -> list[Line]:
    """Return what `hook install` says when it has put one in."""
    prefix = value.interpreter.prefix
    told = list(
        paragraph(
            page,
            f"{page.mark('ok')} ",
            f"{prefix}: the start-up hook is installed. It was tried: Python starts as before, "
            "and the hook is armed",
            style=STYLES["ok"],
            indent=4,
        )
    )
    told += rules(value, page)
    told += _field(page, "switch off", _switches(value.rules))
    told += paragraph(page, "", f"{counted(count, 'file')} changed, journaled as run {number}.")
    told.append(line())
    told += commands("Look:", [f"legacy-doctor hook status --live{_python(value)}"])
    told += commands("Undo:", [f"legacy-doctor undo {number}{_python(value)}"])
    return told


def _headline(value: HookReport, page: Page) -> Iterator[Line]:
    prefix = value.interpreter.prefix
    if not value.files:
        yield from paragraph(page, f"{page.mark('info')} ", f"{prefix}: no start-up hook is there")
        return
    if value.problems:
        mark, text = "error", "the start-up hook does not work"
    elif value.live:
        mark, text = "ok", "the start-up hook is live: Python was started, and had it armed"
    else:
        mark, text = "ok", "the start-up hook is installed (--live starts Python and asks)"
    yield from paragraph(page, f"{page.mark(mark)} ", f"{prefix}: {text}", style=STYLES[mark])


def _made(value: HookReport, page: Page) -> Iterator[Line]:
    if value.made_for:
        named = f" (named {value.target})" if value.target else ""
        yield from _field(page, "made for", f"{value.made_for}{named}")
    if value.pinsets:
        yield from _field(page, "by", ", ".join(value.pinsets))
    yield from _field(page, "judged by", cpu_name(value.cpu))
    rest = len(value.files) - 1
    more = f", and {counted(rest, 'file')} beside it" if rest else ""
    yield from _field(page, "files", f"{value.files[-1]}{more}")


def _switches(items: Iterable[HookRule]) -> str:
    first = next((item for item in items if item.acts), None)
    single = f"; single ones by name: {first.kind}:{first.name}" if first is not None else ""
    return f"LEGACY_DOCTOR_DISABLE=1{single}"


def _next(value: HookReport) -> Iterator[Line]:
    cpu = f" --cpu {shlex.quote(value.target)}" if value.target else ""
    if not value.files or value.problems or value.stale:
        lead = "Repair:" if value.problems else "Renew:" if value.stale else "Install:"
        yield from commands(f"{lead} ", [f"legacy-doctor hook install{_python(value)}{cpu}"])
    if value.files:
        yield from commands("Remove: ", [f"legacy-doctor hook remove{_python(value)}"])


def _python(value: HookReport) -> str:
    interpreter = value.interpreter
    if interpreter.chosen_by != "--python":
        return ""
    return f" --python {shlex.quote(str(interpreter.prefix))}"


def _field(page: Page, name: str, text: str, style: str = "") -> Iterator[Line]:
    return field(page, name, text, width=_WIDTH, style=style)
