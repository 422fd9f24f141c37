"""The command line: a table of commands, one error handler, the exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from legacy_doctor import __version__
from legacy_doctor.errors import DoctorError, suggestion

EXIT_CODES: Final = """\b
Exit codes, the same in every format:
  0    healthy
  1    findings at or above --fail-on
  2    usage, configuration, or nothing to examine
  101  a bug of legacy-doctor itself
  130  interrupted"""

_COMMANDS: Final = {
    "check": "Tell what will break in an environment on this CPU, or a named one.",
    "checkpoint": "Tell what a file of weights holds, without unpickling it.",
    "cpu": "Show what this CPU, or a named one, can do and what is hidden.",
    "explain": "Tell the whole story of one distribution.",
    "fix": "Make a plan that cures what check finds, and with --apply carry it out.",
    "history": "List what was done to an environment.",
    "hook": "Turn imports that would kill Python into clear errors, in every process.",
    "mel": "Compute mel spectrograms once, ahead of training.",
    "patch": "List, show, apply and revert the patches.",
    "pins": "Print what to keep out on a CPU, for pip, uv or conda.",
    "pinsets": "List, show and compare the pin-sets.",
    "probe": "Import and use packages in a sandbox, and tell how it ended.",
    "profile": "List, show and recognise the profiles of projects; look at a binary.",
    "report": "Write the diagnosis as one page to read.",
    "requirements": "Tell what requirement and lock files would let in, before it is installed.",
    "run": "Run any command, with a report when it dies of a signal.",
    "tune": "Set threads and variables for computing on the CPU, each with its reason.",
    "undo": "Put back what a fix or a patch changed, byte for byte.",
}
"""Commands and their help: a command's module is imported only when the command is run."""


class Commands(click.Group):
    """A group whose commands live in modules of their own, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, for help and completion."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"legacy_doctor.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was meant."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            hint = suggestion(args[0], _COMMANDS)
            raise click.UsageError(f"no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the table of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 90},
    epilog=EXIT_CODES,
    no_args_is_help=False,
    invoke_without_command=True,
)
@click.version_option(
    __version__, "-V", "--version", prog_name="legacy-doctor", message="%(prog)s %(version)s"
)
@click.pass_context
def group(context: click.Context) -> int | None:
    """Examine and treat a Python environment on an old x86 CPU: what breaks, why, and the cure.

    \b
    Examples:
      legacy-doctor check                     this environment, this CPU
      legacy-doctor check --cpu phenom-ii     ... on a CPU you do not have here
      legacy-doctor fix --cpu phenom-ii       what would cure it; --apply does it
      legacy-doctor explain numpy             the whole story of one package
      legacy-doctor cpu                       what this CPU can do
    """  # noqa: D301
    if context.invoked_subcommand is not None:
        return None
    click.echo(context.get_help(), err=True)
    return 2


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; raises nothing."""
    try:
        code = group.main(list(arguments), prog_name="legacy-doctor", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        _complain(error.format_message(), _hint(error))
        return 2
    except DoctorError as error:
        _complain(str(error))
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`): nothing is left to say, and nothing was wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:  # noqa: BLE001  the one place that may catch everything
        _confess()
        return 101
    return code if isinstance(code, int) else 0


def _complain(message: str, hint: str = "") -> None:
    one_line = " ".join(message.split())
    click.echo(f"error: {one_line}{hint}", err=True)


def _hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context else ""


def _confess() -> None:
    """Show our own bug, and how to report it."""
    import platform
    import traceback

    traceback.print_exc()
    click.echo(
        f"error: this is a bug in legacy-doctor {__version__}, not in your environment. Please "
        "report it with the lines above, the command you ran, and the output of "
        f"`legacy-doctor cpu --format json` (Python {platform.python_version()}).",
        err=True,
    )
