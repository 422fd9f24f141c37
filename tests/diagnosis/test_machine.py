"""Rules about the machine: what it hides, what overrides it, what its Python needs."""

from __future__ import annotations

from typing import Any

import pytest

from legacy_doctor.cpu import features
from legacy_doctor.diagnosis import machine
from legacy_doctor.environment import overrides
from legacy_doctor.model import (
    Cpu,
    Evidence,
    Finding,
    Grade,
    Hidden,
    HiddenBy,
    Knowledge,
    Override,
    OverrideKind,
    Patient,
    Remedy,
    RemedyKind,
    Severity,
)
from tests.diagnosis.patients import NEW, cpu, dist, interpreter, knowing, patient, pin, words

NOTHING = Knowledge(pinsets=())


def hidden(names: str, reason: HiddenBy, detail: str) -> tuple[Hidden, ...]:
    return tuple(Hidden(feature=name, reason=reason, detail=detail) for name in names.split())


class TestHiddenFeatures:
    @pytest.mark.parametrize(
        "on",
        [
            pytest.param(cpu(), id="nothing hidden"),
            pytest.param(cpu(hidden=hidden("avx", HiddenBy.CPU, "old")), id="the silicon's fault"),
        ],
    )
    def test_says_nothing(self, on: Cpu) -> None:
        assert list(machine.hidden_features(patient(on=on), NOTHING)) == []

    def test_who_hides_it_decides_about_the_remedy(self) -> None:
        """Hypervisor first; one finding for each reason, its features in their order."""
        on = cpu(
            hypervisor="KVMKVMKVM",
            hidden=(
                *hidden("avx2 avx", HiddenBy.KERNEL, "clearcpuid=avx"),
                *hidden("sse4_2 ssse3", HiddenBy.HYPERVISOR, "CPU type kvm64"),
                *hidden("aes", HiddenBy.HYPERVISOR, "masked"),
                *hidden("rtm", HiddenBy.CPU, "withdrawn"),
            ),
        )
        found = list(machine.hidden_features(patient(on=on), NOTHING))
        assert found[0] == Finding(
            rule="hidden-features",
            severity=Severity.WARNING,
            subject="cpu",
            message="ssse3, sse4_2: CPU type kvm64",
            missing=words("ssse3 sse4_2"),
            remedy=Remedy(
                kind=RemedyKind.MACHINE,
                text="change the CPU type of the virtual machine to 'host' (Proxmox: qm set VMID "
                "--cpu host; libvirt: host-passthrough), then stop and start it: a reboot inside "
                "the guest is not enough",
            ),
        )
        assert [item.message for item in found[1:]] == [
            "aes: masked",
            "avx, avx2: clearcpuid=avx",
        ]
        assert found[2].remedy == Remedy(
            kind=RemedyKind.MACHINE,
            text="take the option off the kernel's boot line (clearcpuid=, noxsave, "
            "gather_data_sampling=force; a microcode update lifts the last), then reboot",
        )

    @pytest.mark.parametrize(
        ("reason", "on", "start"),
        [
            pytest.param(HiddenBy.HYPERVISOR, cpu(), "change the CPU type", id="a hypervisor"),
            pytest.param(HiddenBy.KERNEL, cpu(), "take the option off", id="the kernel"),
            pytest.param(HiddenBy.CPU, cpu(), "the silicon has not got it", id="the silicon"),
            pytest.param(
                HiddenBy.HYPERVISOR,
                cpu(brand="VirtualApple @ 2.50GHz"),
                "Rosetta 2 has no AVX: use a Python built for arm64",
                id="Rosetta",
            ),
            pytest.param(
                HiddenBy.HYPERVISOR,
                cpu(hypervisor="TCGTCGTCGTCG"),
                "nothing, where this is qemu-user",
                id="TCG",
            ),
            pytest.param(
                HiddenBy.KERNEL,
                cpu(hypervisor="TCGTCGTCGTCG"),
                "take the option off",
                id="the kernel under TCG",
            ),
        ],
    )
    def test_each_has_its_own_remedy(self, reason: HiddenBy, on: Cpu, start: str) -> None:
        assert machine.hidden_remedy(reason, on).startswith(start)

    @pytest.mark.parametrize(
        ("changes", "installed", "severity"),
        [
            pytest.param({}, "2.4", "error", id="an installed version breaks for want of it"),
            pytest.param({}, "2.3", "warning", id="no installed version does"),
            pytest.param(
                {"hypervisor": "TCGTCGTCGTCG"}, "2.4", "warning", id="played by an emulator"
            ),
        ],
    )
    def test_it_is_an_error_where_it_is_the_cause(
        self, changes: dict[str, Any], installed: str, severity: str
    ) -> None:
        by_kvm = hidden("sse4_1", HiddenBy.HYPERVISOR, "CPU type kvm64")
        who = patient(dist("numpy", installed), on=cpu(lacking="sse4_1", hidden=by_kvm, **changes))
        claim = pin("numpy", ">=2.4", "<2.4", needs="sse4_1 popcnt")
        (found,) = machine.hidden_features(who, knowing(claim))
        assert found.severity.value == severity


class TestInterpreterNeeds:
    @pytest.mark.parametrize(
        ("march", "on"),
        [
            pytest.param(None, cpu(), id="it does not say"),
            pytest.param("x86-64", cpu(), id="plain x86-64"),
            pytest.param("x86-64-v2", cpu(), id="what this CPU has"),
            pytest.param("rocketlake-to-come", cpu(), id="a name that nobody knows"),
            pytest.param("haswell", NEW, id="a newer CPU"),
        ],
    )
    def test_says_nothing(self, march: str | None, on: Cpu) -> None:
        who = patient(on=on, interpreter=interpreter(march=march))
        assert list(machine.interpreter_needs(who, NOTHING)) == []

    @pytest.mark.parametrize("march", ["x86-64-v2", "x86_64_v2"])
    def test_compiled_for_a_newer_cpu(self, march: str) -> None:
        who = patient(interpreter=interpreter(march=march))
        how = f"compiled with -march={march}; needs ssse3, sse4_1, sse4_2"
        assert list(machine.interpreter_needs(who, NOTHING)) == [
            Finding(
                rule="interpreter-needs",
                severity=Severity.ERROR,
                subject="python",
                version="3.11.7",
                message=f"the interpreter itself: {how}",
                needs=features.LEVELS["x86-64-v2"],
                missing=words("ssse3 sse4_1 sse4_2"),
                evidence=(
                    Evidence(
                        grade=Grade.INFERRED, source="the interpreter's own build flags", detail=how
                    ),
                ),
                remedy=Remedy(
                    kind=RemedyKind.REINSTALL,
                    text="recreate the environment with a Python built for plain x86-64 "
                    "(Debian's, or uv's default; not one whose name ends in x86_64_v2, _v3 or "
                    "_v4)",
                ),
            )
        ]

    @pytest.mark.parametrize(
        ("version", "told"),
        [
            pytest.param((3, 11, -1), None, id="the folder told the version"),
            pytest.param((3, 11, 7), "3.11.7", id="it is known"),
        ],
    )
    def test_died_when_asked(self, version: tuple[int, int, int], told: str | None) -> None:
        who = patient(interpreter=interpreter(death="died of SIGILL", version=version))
        (found,) = machine.interpreter_needs(who, NOTHING)
        how = "/venv/bin/python died of SIGILL when asked for its version"
        assert (found.severity, found.version, found.message, found.missing) == (
            Severity.ERROR,
            told,
            f"the interpreter itself: {how}",
            frozenset(),
        )
        assert found.evidence == (Evidence(grade=Grade.SILICON, source="this run", detail=how),)


FORCE, CHECKED, CEILING, MASK, DEAD, DISARM = OverrideKind
READ, UNREAD, ANYBODY = ("numpy",), ("absent",), ()


def override(kind: OverrideKind, needs: str, readers: tuple[str, ...], **changes: Any) -> Override:
    facts: dict[str, Any] = {
        "variable": "VAR",
        "value": "v",
        "kind": kind,
        "needs": words(needs),
        "understood": True,
        "accepts": "a b c",
        "readers": readers,
        "effect": "it does so",
        "source": "the manual",
    }
    return Override(**{**facts, **changes})


WEIGHTS = {
    # what it asks for, who reads it -> how bad it is here, and on a CPU that was only named
    "force what is lacking": (override(FORCE, "avx2", READ), "error", "warning"),
    "force what is lacking, read by any program": (
        override(FORCE, "avx2", ANYBODY),
        "error",
        "warning",
    ),
    "force what is lacking, not read": (override(FORCE, "avx2", UNREAD), "info", "info"),
    "force what is there": (override(FORCE, "sse2", READ), None, None),
    "force nothing": (override(FORCE, "", READ), None, None),
    "checked, lacking": (override(CHECKED, "avx2", READ), "error", "warning"),
    "checked, not read": (override(CHECKED, "avx2", UNREAD), "info", "info"),
    "a ceiling above what is there": (override(CEILING, "avx2", READ), "info", "info"),
    "a ceiling within what is there": (override(CEILING, "sse2", READ), None, None),
    "a mask": (override(MASK, "", READ), "warning", "warning"),
    "a mask, not read": (override(MASK, "", UNREAD), "info", "info"),
    "not understood": (override(FORCE, "", READ, understood=False), "info", "info"),
    "a ceiling not understood": (override(CEILING, "", READ, understood=False), "info", "info"),
    "dead: another rule": (override(DEAD, "", READ), None, None),
    "disarms: another rule": (override(DISARM, "", READ), None, None),
}


class TestOverrides:
    @pytest.mark.parametrize(("found", "here", "named"), WEIGHTS.values(), ids=WEIGHTS)
    def test_how_bad_it_is(self, found: Override, here: str | None, named: str | None) -> None:
        for what_if, wanted in ((False, here), (True, named)):
            who = patient(dist("numpy"), overrides=(found,), what_if=what_if)
            severities = [item.severity.value for item in machine.dispatch_override(who, knowing())]
            assert severities == ([] if wanted is None else [wanted])

    def test_all_that_is_said_of_one(self) -> None:
        who = patient(dist("numpy"), overrides=(override(FORCE, "avx2 sse2", READ),))
        assert list(machine.dispatch_override(who, NOTHING)) == [
            Finding(
                rule="dispatch-override",
                severity=Severity.ERROR,
                subject="VAR",
                message="VAR=v: asks for avx2, which this CPU lacks; it does so",
                needs=words("avx2 sse2"),
                missing=words("avx2"),
                evidence=(Evidence(grade=Grade.MAINTAINER, source="the manual"),),
                affects=("numpy",),
                remedy=Remedy(
                    kind=RemedyKind.UNSET,
                    text="unset VAR (look in ~/.profile, /etc/environment, the container image "
                    "and the service file)",
                    commands=("unset VAR",),
                ),
            )
        ]

    @pytest.mark.parametrize(
        ("found", "message"),
        [
            pytest.param(
                override(FORCE, "", READ, understood=False),
                "VAR=v: not a value it knows; it accepts a b c",
                id="not understood",
            ),
            pytest.param(override(MASK, "", READ), "VAR=v: it does so", id="a mask"),
        ],
    )
    def test_what_is_said(self, found: Override, message: str) -> None:
        (said,) = machine.dispatch_override(patient(overrides=(found,)), NOTHING)
        assert said.message == message

    def test_a_variable_that_nothing_reads_any_more(self) -> None:
        who = patient(overrides=(override(DEAD, "", READ), override(FORCE, "avx2", READ)))
        (found,) = machine.dead_override(who, NOTHING)
        assert (found.rule, found.severity, found.message) == (
            "dead-override",
            Severity.WARNING,
            "VAR=v: it does so",
        )

    @pytest.mark.parametrize(
        "environ",
        [
            pytest.param({"TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}, id="torch loads no backends"),
            pytest.param({"LEGACY_DOCTOR_DISABLE": "1"}, id="the doctor is switched off"),
            pytest.param({"LEGACY_DOCTOR_DISABLE": "torch"}, id="for torch"),
        ],
    )
    def test_a_guard_that_is_disarmed(self, environ: dict[str, str]) -> None:
        found = overrides.found(environ)
        guarded = patient(dist("torch"), dist("legacy-doctor-torch-guard"), overrides=found)
        (said,) = machine.disarmed_guard(guarded, NOTHING)
        ((name, value),) = environ.items()
        assert (said.rule, said.severity, said.subject) == (
            "disarmed-guard",
            Severity.WARNING,
            name,
        )
        assert said.message.startswith(f"{name}={value}: ")
        assert said.affects == ("legacy-doctor-torch-guard",)
        assert said.remedy is not None
        assert said.remedy.commands == (f"unset {name}",)

    @pytest.mark.parametrize(
        ("installed", "environ"),
        [
            pytest.param(["torch"], {"LEGACY_DOCTOR_DISABLE": "1"}, id="no guard"),
            pytest.param(["legacy-doctor-torch-guard"], {}, id="nothing set"),
            pytest.param(
                ["legacy-doctor-torch-guard"],
                {"TORCH_DEVICE_BACKEND_AUTOLOAD": "1", "OPENBLAS_CORETYPE": "Haswell"},
                id="other things set",
            ),
        ],
    )
    def test_a_guard_that_is_not(self, installed: list[str], environ: dict[str, str]) -> None:
        who = patient(*map(dist, installed), overrides=overrides.found(environ))
        assert list(machine.disarmed_guard(who, NOTHING)) == []

    @pytest.mark.parametrize(
        ("environ", "who", "said"),
        [
            pytest.param(
                {"OPENBLAS_CORETYPE": "Haswell"},
                patient(dist("numpy")),
                "error OPENBLAS_CORETYPE=Haswell: asks for avx, avx2, fma, which this CPU lacks; "
                "OpenBLAS takes the kernels of that core without asking the CPU",
                id="OpenBLAS told to be a Haswell",
            ),
            pytest.param(
                {"POLARS_SKIP_CPU_CHECK": "1"},
                patient(dist("polars")),
                "warning POLARS_SKIP_CPU_CHECK=1: silences polars' own CPU warning; the SIGILL "
                "behind it stays",
                id="polars told not to look",
            ),
        ],
    )
    def test_real_variables(self, environ: dict[str, str], who: Patient, said: str) -> None:
        who = patient(*who.distributions, overrides=overrides.found(environ))
        (found,) = machine.dispatch_override(who, NOTHING)
        assert f"{found.severity.value} {found.message}" == said
