"""Settings for a person, for a `.env` and for a shell."""

from __future__ import annotations

from collections.abc import Iterator

from legacy_doctor.model import Advice, Choice, Remark, Severity, Topology, Tuning
from legacy_doctor.report import curve
from legacy_doctor.report.layout import Line, Page, field, line, paragraph
from legacy_doctor.report.text import cpu_name


def lines(value: Tuning, page: Page) -> list[Line]:
    """Return the whole report."""
    result: list[Line] = [line(value.title, "bold")]
    result += field(page, "cpu", cpu_name(value.cpu) + (" (named)" if value.what_if else ""))
    result += field(page, "cores", cores(value.topology))
    for name, text in limits(value.topology):
        result += field(page, name, text)
    result += _choices(value, page)
    if value.measurement is not None:
        result += [line(), *curve.plot(value.measurement, page)]
    result += _settings(value, page)
    result += _remarks(value, page)
    result += _starts(value, page)
    return result


def cores(topology: Topology) -> str:
    """Return the cores in a sentence: `12 physical (4P+8E) of 16 logical CPUs`."""
    logical = sum(len(core.cpus) for core in topology.cores)
    kinds = ""
    if topology.hybrid:
        fast, slow = (len(topology.of_kind(kind)) for kind in ("performance", "efficient"))
        kinds = f" ({fast}P+{slow}E, says {topology.kinds_from})"
    text = f"{len(topology.cores)} physical{kinds}, {logical} logical"
    if len(topology.online) > len(topology.allowed):
        text += f"; {len(topology.online)} are online, the affinity mask allows these"
    for number, what in ((len(topology.packages), "sockets"), (len(topology.nodes), "NUMA nodes")):
        text += f"; {number} {what}" if number > 1 else ""
    return text


def limits(topology: Topology) -> Iterator[tuple[str, str]]:
    """Yield what bounds the work, each with its name."""
    if topology.quota is not None:
        yield "quota", f"{topology.quota:g} CPUs ({topology.quota_from})"
    if topology.available is not None:
        text = f"{topology.available / 1e9:.1f} GB can be had"
        if topology.memory is not None:
            text += f" of {topology.memory / 1e9:.1f}"
        if topology.memory_limit is not None:
            limit = topology.memory_limit / 1e9
            text += f"; the limit is {limit:.1f} GB ({topology.memory_limit_from})"
        yield "memory", text


def _choices(value: Tuning, page: Page) -> Iterator[Line]:
    first, *others = value.choices
    yield from field(page, "threads", told(first), style="bold")
    for choice in others:
        yield from field(page, "or", told(choice))
    if others and value.measurement is None:
        yield from field(page, "", "which of them is right here, --measure finds out")


def told(choice: Choice) -> str:
    """Return a choice in a sentence."""
    cpus = f" (on CPUs {','.join(map(str, choice.cpus))})" if choice.cpus else ""
    return f"{choice.threads}, {choice.title}{cpus}: {choice.reason}"


def _settings(value: Tuning, page: Page) -> Iterator[Line]:
    for heading, engine in (("Variables", False), ("In programs and on command lines", True)):
        found = [item for item in value.settings if bool(item.engine) is engine]
        if found:
            yield line()
            yield line(heading, "bold")
        for item in found:
            yield from paragraph(page, "  ", shown(item), style="green")
            yield from paragraph(page, f"    {page.arrow} ", item.reason)


def shown(item: Advice) -> str:
    """Return a setting as it is written."""
    if item.engine:
        return f"{item.engine}: {item.name}"
    return f"{item.name} left unset" if item.value is None else f"{item.name}={item.value}"


def ranked(value: Tuning) -> list[Remark]:
    """Return the remarks, the worst first."""
    return sorted(value.remarks, key=lambda item: item.severity.rank)


def _remarks(value: Tuning, page: Page) -> Iterator[Line]:
    found = ranked(value)
    if found:
        yield line()
        yield line("To know", "bold")
    for item in found:
        style = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}.get(item.severity, "")
        mark = page.mark(item.severity.value)
        yield from paragraph(
            page, f"  {mark} ", f"{item.subject}: {item.text}", style=style, indent=6
        )


def _starts(value: Tuning, page: Page) -> Iterator[Line]:
    if value.starts:
        yield line()
        yield line("Start it with the variables set", "bold")
    for command in value.starts:
        yield from paragraph(page, "  ", command)
    if value.env_file is not None:
        yield from _file(value, page)


def _file(value: Tuning, page: Page) -> Iterator[Line]:
    file = value.env_file
    if file is None:
        return
    yield line()
    for name, old, new in file.changed:
        text = f"{name} was set to {old!r} and {'is' if file.written else 'would be'} {new!r}"
        yield from paragraph(
            page, f"  {page.mark('warning')} ", text, style="bold yellow", indent=6
        )
    if not file.diff:
        yield line(f"{file.path}: nothing to do, it is so already")
        return
    yield line(f"{file.path}: {'written' if file.written else 'not written (--diff)'}", "bold")
    for text in file.diff.splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(text[:1], "")
        yield line(text, style)


def env(value: Tuning) -> str:
    """Return the variables as a `.env`; what is left unset and why, as comments."""
    return "".join(_written(value, ""))


def shell(value: Tuning) -> str:
    """Return the variables as commands of a POSIX shell."""
    return "".join(_written(value, "export "))


def _written(value: Tuning, word: str) -> Iterator[str]:
    first = value.choices[0]
    yield f"# {value.title}: {first.threads} threads, {first.title}\n"
    for item in value.settings:
        if item.engine:
            continue
        yield f"# {' '.join(item.reason.split())}\n"
        yield (
            f"# {item.name} is left unset\n"
            if item.value is None
            else (f"{word}{item.name}={item.value}\n")
        )
