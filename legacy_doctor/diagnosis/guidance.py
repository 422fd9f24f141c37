"""What every rule is about, how it is known, and what to do: for reports that explain themselves.

The summaries stand with the rules; here is what a reader asks next.
"""

from __future__ import annotations

from typing import Final

from legacy_doctor.diagnosis import rules
from legacy_doctor.model import RuleText, Severity

_HELP: Final = {
    "interpreter-needs": (
        Severity.ERROR,
        (
            "The interpreter of the environment died when it was asked for its version, or "
            "its own build flags say that it was compiled for a newer CPU."
        ),
        (
            "No package can cure that: recreate the environment with a Python built for plain"
            " x86-64."
        ),
    ),
    "hidden-features": (
        Severity.WARNING,
        (
            "The CPU, the hypervisor and the kernel do not agree: programs may not use "
            "something that the silicon has."
        ),
        (
            "Change the CPU type of the virtual machine or the option on the kernel's boot "
            "line; no package has to change then."
        ),
    ),
    "dispatch-override": (
        Severity.ERROR,
        (
            "A variable such as OPENBLAS_CORETYPE tells a library which instructions to use, "
            "and this CPU lacks them; or it silences the check that would have ended the "
            "program cleanly."
        ),
        "Unset it.",
    ),
    "dead-override": (
        Severity.WARNING,
        (
            "A dispatch variable is set, and no library reads it any more: whoever set it "
            "believes that it protects."
        ),
        "Unset it, and use what the library reads now.",
    ),
    "disarmed-guard": (
        Severity.WARNING,
        "A variable switches off what `legacy-doctor fix` put into the environment.",
        "Unset it.",
    ),
    "overwriting-distributions": (
        Severity.WARNING,
        (
            "RECORD of two distributions claims the same code: what was installed last wins, "
            "and half of each is left."
        ),
        "Uninstall both, then reinstall the one that is wanted.",
    ),
    "admits-broken": (
        Severity.ERROR,
        (
            "A requirement, constraint or project file asks for a range of versions of which "
            "the newest known ones break on this CPU, while others are known to run. Nothing "
            "was installed: a pin-set says so, with its evidence."
        ),
        "Add the bound that the remedy names, or have `legacy-doctor requirements --fix` write it.",
    ),
    "broken-pin": (
        Severity.ERROR,
        (
            "A pin-set says that this version needs instructions that the CPU lacks, and "
            "which version does not. Its evidence is graded; a probe that dies confirms it, "
            "one that runs refutes it."
        ),
        "Install the version that the remedy names, and keep the pin.",
    ),
    "no-working-wheel": (
        Severity.ERROR,
        "No version of the distribution is known to run on this CPU.",
        (
            "Replace it as the remedy says, build it from source without the newer "
            "instructions, or do without it."
        ),
    ),
    "unwanted-distribution": (
        Severity.ERROR,
        "A pin-set wants the distribution gone, for the reason it gives.",
        "Uninstall it.",
    ),
    "incompatible-versions": (
        Severity.ERROR,
        (
            "Two installed versions fail together, which no metadata forbids and no installer"
            " notices."
        ),
        "Change one of them as the remedy says.",
    ),
    "contradicting-pins": (
        Severity.WARNING,
        (
            "A version that runs on this CPU is not one that another pin, or an installed "
            "dependant, accepts."
        ),
        "Find a version of the dependant that accepts it, or choose a pin-set.",
    ),
    "broken-metadata": (
        Severity.WARNING,
        "A dist-info folder cannot be read, so what it describes could not be judged.",
        "Reinstall the distribution, or delete the folder where nothing belongs to it.",
    ),
    "altered-files": (
        Severity.WARNING,
        (
            "An installed file is not what RECORD says: somebody patched it by hand, or it is"
            " damaged. A file that is as released but for a patch of legacy-doctor is a note."
        ),
        "Reinstall the distribution, unless the change is yours.",
    ),
    "disputed-evidence": (
        Severity.INFO,
        (
            "One source says that an installed version breaks, and a stronger one that it "
            "runs. The stronger one decided."
        ),
        "There is nothing to do.",
    ),
    "treated": (
        Severity.INFO,
        (
            "Something would fail on this CPU, and a patch that keeps it from failing is in "
            "force: its distribution is installed, its block stands in the file, or the "
            "import-time hook is armed with it. A probe tells whether it helps."
        ),
        "There is nothing to do.",
    ),
    "declared-isa": (
        Severity.INFO,
        (
            "A native file carries an ELF note that asks for a level which this CPU lacks: "
            "glibc 2.33 and newer refuse to load it with a clean error."
        ),
        "Install another build.",
    ),
    "wheel-tag-hint": (
        Severity.INFO,
        (
            "A wheel was built on a base whose compiler means x86-64-v2. The tag proves "
            "nothing: most such wheels run everywhere."
        ),
        "Let a probe decide: `legacy-doctor probe NAME`.",
    ),
    "probe-failure": (
        Severity.ERROR,
        (
            "A package was imported or used in a sandbox and did not survive it, and no "
            "pin-set had foreseen that."
        ),
        "Try another version, then `legacy-doctor probe NAME`; please report it.",
    ),
    "probe-raised": (
        Severity.WARNING,
        (
            "A package raised an exception in the sandbox that does not speak of the CPU, "
            "such as a missing dependency."
        ),
        "Install what it misses; it says nothing about the CPU.",
    ),
    "probes-not-run": (
        Severity.WARNING,
        "Probes were wanted and could not be run, so every finding is a prediction.",
        "Install qemu-user, or check on the CPU itself.",
    ),
    "profile-unfit": (
        Severity.ERROR,
        (
            "The profile of the project says, with the grade that it tells, that it does not run "
            "on such a CPU, whatever is pinned or patched."
        ),
        "Use what the remedy names in its place.",
    ),
    "profile-python": (
        Severity.ERROR,
        (
            "The releases of the project exclude this version of Python: an installer falls back "
            "to old ones, or finds none. It has nothing to do with the CPU."
        ),
        "Make an environment with a version that it takes.",
    ),
    "profile-missing": (
        Severity.WARNING,
        (
            "Something that the project imports is not installed, so that what is said of it is "
            "predicted and its probe does not run."
        ),
        "Install it within the pins: `legacy-doctor pins --profile NAME`.",
    ),
    "expired-ignore": (
        Severity.WARNING,
        (
            "The configuration ignores a finding until a day that is past. The entry covers "
            "nothing any more, and the finding counts again."
        ),
        "Cure the finding, set a later day, or delete the entry.",
    ),
    "unused-ignore": (
        Severity.INFO,
        (
            "The configuration ignores a finding that is not there: not on the CPU that it "
            "names, or, where this run was for another one, not on any x86-64 CPU. It would "
            "hide the finding should it come back."
        ),
        "Delete the entry, unless another environment or the requirement files need it.",
    ),
}
"""For each rule the usual severity, how a finding of it is known, and what to do."""


def every() -> tuple[RuleText, ...]:
    """Return the text of every rule, in the order of `rules.summaries`."""
    return tuple(_text(rule, summary) for rule, summary in rules.summaries())


def _text(rule: str, summary: str) -> RuleText:
    severity, *words = _HELP.get(rule, (Severity.WARNING, summary))
    return RuleText(rule, summary, "\n\n".join(words), severity)
