"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

PROBE: Final = ("none", "risky", "all")
"""How much `check` and `fix` run, on the command line and in the configuration."""

Function = TypeVar("Function", bound=Callable[..., Any])


def _cpu_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a CPU name from the table of models."""
    del context, parameter
    from legacy_doctor.cpu import models

    start = incomplete.lower()
    names = (name for item in models.named() for name in (item.name, *item.aliases))
    return [CompletionItem(name) for name in names if name.lower().startswith(start)]


def _apply(options: Sequence[Callable[[Function], Function]]) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


cpu_option = click.option(
    "--cpu",
    "cpu_name",
    shell_complete=_cpu_names,
    metavar="NAME",
    help="Judge by a named CPU (phenom-ii, nehalem, kvm64, x86-64-v2 ...) instead of this one; "
    "see `legacy-doctor cpu --list`.",
)

CI_FORMATS: Final = ("sarif", "github", "markdown", "junit")
"""What `cli.formats` writes, of whatever was judged."""

_FORMATS: Final = {
    "text": "for a person",
    "json": "for programs",
    "sarif": "2.1.0, for code scanning",
    "github": "annotations of a workflow, and its job summary",
    "markdown": "for a comment",
    "junit": "XML, for test reports",
    "html": "one page, to read and to print",
}


def output_as(*forms: str) -> Callable[[Function], Function]:
    """Return the options that say how and where a report is written, with these formats."""
    told = "; ".join(f"{form}: {_FORMATS[form]}" for form in forms)
    return _apply(
        [
            click.option(
                "--format",
                "form",
                type=click.Choice(forms),
                default=forms[0],
                show_default=True,
                help=f"How to write the report. {told}.",
            ),
            click.option(
                "-o",
                "--output",
                "destination",
                type=click.Path(dir_okay=False, path_type=Path),
                metavar="FILE",
                help="Write the report to FILE instead of stdout.",
            ),
            click.option(
                "--color/--no-color",
                "color",
                default=None,
                help="Override NO_COLOR and FORCE_COLOR.",
            ),
        ]
    )


output_options = output_as("text", "json")

judgement_options = output_as("text", "json", *CI_FORMATS)
"""Those of the commands that judge: what they find may go to a CI system."""

report_options = output_as("text", "json", *CI_FORMATS, "html")
"""Those of `check`."""

installer_options = _apply(
    [
        click.option("--no-index", is_flag=True, help="Install from --find-links only."),
        click.option(
            "--find-links", multiple=True, metavar="PATH", help="Look for wheels here too."
        ),
        click.option(
            "--prefer-binary", is_flag=True, help="Build from source where there is no wheel."
        ),
        click.option(
            "--break-system-packages",
            is_flag=True,
            help="Treat an interpreter that its system manages.",
        ),
    ]
)

python_option = click.option(
    "--python",
    metavar="PATH",
    help="Interpreter or virtual environment to examine. "
    "[default: $VIRTUAL_ENV, then ./.venv, then the running interpreter]",
)

probe_options = _apply(
    [
        click.option(
            "--no-cache",
            "use_cache",
            flag_value=False,
            default=True,
            help="Run every probe again, whatever earlier runs found.",
        ),
        click.option(
            "--jobs",
            "slots",
            type=click.IntRange(min=1),
            metavar="N",
            help="Probes at a time.  [default: one a core]",
        ),
        click.option(
            "--seconds",
            type=click.FloatRange(min=0, min_open=True),
            metavar="S",
            help="Limit of one probe, in seconds on this CPU (an emulated one gets 12 times that).",
        ),
    ]
)

probing_options = _apply(
    [
        click.option(
            "--probe",
            "wanted",
            type=click.Choice(PROBE),
            help="What to run in a sandbox: nothing, what a rule flags or no pin-set covers, or "
            "all.  [default: risky]",
        ),
        probe_options,
    ]
)

arming_options = _apply(
    [
        click.option(
            "--shim",
            "shims",
            multiple=True,
            metavar="ID",
            help="Arm this import-time patch too (may be given several times; see `legacy-doctor "
            "patch list`).",
        ),
        click.option(
            "--load-file",
            "checkpoints",
            multiple=True,
            metavar="PATH",
            help="Let torch.load unpickle this checkpoint: CODE IN IT RUNS. A file counts with "
            "its present content, a folder with all that is in it; a sha256 will do too.",
        ),
    ]
)

pinset_options = _apply(
    [
        click.option(
            "--pinset",
            "pinsets",
            multiple=True,
            metavar="ID[@VERSION]",
            help="Judge by this pin-set only (may be given several times).",
        ),
        click.option(
            "--pinset-path",
            "pinset_paths",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Add a pin-set of your own (may be given several times).",
        ),
    ]
)

target_options = _apply([python_option, cpu_option, pinset_options])
