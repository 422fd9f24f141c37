"""`legacy-doctor cpu`: what a CPU can do, and who hides what."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from legacy_doctor import __version__
from legacy_doctor.cli import examination, options, output
from legacy_doctor.cpu import detect, features, microarchitecture, models
from legacy_doctor.diagnosis import machine
from legacy_doctor.model import Cpu
from legacy_doctor.report import chart, json, layout


@click.command("cpu")
@options.cpu_option
@click.option("--list", "listed", is_flag=True, help="List the CPUs that --cpu knows.")
@options.output_options
def command(
    cpu_name: str | None,
    form: str,
    destination: Path | None,
    *,
    listed: bool,
    color: bool | None,
) -> int:
    """Show what this CPU, or a named one, can do: level, features, and what is hidden."""
    if listed:
        _list(form, destination, color=color)
        return 0
    here = cpu_name is None or cpu_name.lower() in examination.HERE
    cpu = detect.detect(thorough=True) if here else examination.cpu_called(cpu_name)
    cpu = microarchitecture.named(cpu)
    named = None if here else models.find(str(cpu_name))
    if form == "json":
        body: dict[str, Any] = {"cpu": json.cpu(cpu)}
        if named is not None:
            body["named"] = _entry(named)
        output.write(json.dump("cpu", __version__, body), destination)
    else:
        output.show(lambda page: _lines(cpu, named, page), destination, color=color)
    return 0


def _lines(cpu: Cpu, named: models.NamedCpu | None, page: layout.Page) -> list[layout.Line]:
    reasons = dict.fromkeys(item.reason for item in cpu.hidden)
    remedies = [(item.value, machine.hidden_remedy(item, cpu)) for item in reasons]
    result = chart.lines(cpu, page, remedies)
    if named is not None:
        result += layout.field(page, "facts", named.facts)
        result += layout.field(page, "qemu-user", _played(named))
    return result


def _played(named: models.NamedCpu) -> str:
    if named.emulation is None:
        return "cannot be played by qemu-user"
    lacks = " ".join(features.ordered(named.emulation.lacks))
    note = f"; {named.emulation.note}" if named.emulation.note else ""
    return f"-cpu {named.emulation.cpu}" + (f" (without {lacks})" if lacks else "") + note


def _entry(named: models.NamedCpu) -> dict[str, Any]:
    emulation = named.emulation
    return {
        "name": named.name,
        "title": named.title,
        "aliases": list(named.aliases),
        "year": named.year,
        "level": named.cpu.level,
        "facts": named.facts,
        "emulation": None
        if emulation is None
        else {
            **dataclasses.asdict(emulation),
            "lacks": sorted(emulation.lacks),
            "adds": sorted(emulation.adds),
        },
    }


def _also_called(item: models.NamedCpu) -> str:
    return f"{item.title}; also {', '.join(item.aliases)}" if item.aliases else item.title


def _list(form: str, destination: Path | None, *, color: bool | None) -> None:
    if form == "json":
        entries = {"cpus": [_entry(item) for item in models.named()]}
        output.write(json.dump("cpu-list", __version__, entries), destination)
        return
    rows = [
        ("name", "level", "what it is"),
        *((item.name, item.cpu.level, _also_called(item)) for item in models.named()),
    ]
    output.show(lambda page: chart.table(rows, page), destination, color=color)
