"""Which witness is believed, in what order they are heard, and who is said to hide what."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from legacy_doctor.cpu import cpuid, detect, features, models, witnesses
from legacy_doctor.cpu.cpuid import Reading
from legacy_doctor.cpu.witnesses import Silent, Statement
from legacy_doctor.errors import UnsupportedCpuError
from legacy_doctor.model import Cpu, HiddenBy, Witness

YMM, ZMM = 0b111, 0xE7


def reading(
    name: str,
    *,
    lacks: str = "",
    brand: str | None = None,
    hypervisor: str | None = None,
    xcr0: int | None = YMM,
) -> Reading:
    """What CPUID of a named CPU says, less what somebody hides."""
    cpu = models.find(name).cpu
    return Reading(
        vendor=cpu.vendor,
        brand=cpu.brand if brand is None else brand,
        family=cpu.family,
        model=cpu.model,
        stepping=cpu.stepping,
        max_leaf=cpu.cpuid_level or 0,
        hypervisor=hypervisor,
        silicon=cpu.features - set(lacks.split()),
        xcr0=xcr0,
    )


def proc(name: str, *, lacks: str = "", brand: str | None = None) -> Statement:
    """What /proc/cpuinfo of a named CPU says."""
    cpu = models.find(name).cpu
    return Statement(
        cpu.features - set(lacks.split()),
        cpu.vendor,
        cpu.brand if brand is None else brand,
        cpu.family,
        cpu.model,
        cpu.stepping,
        cpu.cpuid_level,
    )


def hidden(cpu: Cpu) -> dict[str, str]:
    return {item.feature: item.reason.value for item in cpu.hidden}


def by(who: HiddenBy, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), who.value)


WIDE = "avx avx2 fma f16c"
V2 = "ssse3 sse4_1 sse4_2 popcnt"
V3 = "avx avx2 fma f16c bmi1 bmi2 abm movbe xsave"
HYPERVISOR, KERNEL = HiddenBy.HYPERVISOR, HiddenBy.KERNEL

HIDDEN: dict[str, tuple[Reading, Statement | None, str, dict[str, str]]] = {
    "silicon as it is hides nothing": (reading("haswell"), proc("haswell"), "x86-64-v3", {}),
    "silicon that lacks features hides nothing": (
        reading("phenom-ii", xcr0=None),
        proc("phenom-ii"),
        "x86-64-v1",
        {},
    ),
    "no kernel to compare with": (reading("haswell"), None, "x86-64-v3", {}),
    "a guest that gets all its model has": (
        reading("zen", hypervisor="KVMKVMKVM"),
        proc("zen"),
        "x86-64-v3",
        {},
    ),
    "an EPYC guest without AVX2": (
        reading("epyc", lacks="avx2 fma bmi2", hypervisor="KVMKVMKVM"),
        proc("epyc", lacks="avx2 fma bmi2"),
        "x86-64-v2",
        by(HYPERVISOR, "avx2 fma bmi2"),
    ),
    "the same without a hypervisor is what the silicon is": (
        reading("epyc", lacks="avx2 fma bmi2"),
        proc("epyc", lacks="avx2 fma bmi2"),
        "x86-64-v2",
        {},
    ),
    "a guest of a model that nobody has named": (
        reading("epyc", lacks="avx2", hypervisor="KVMKVMKVM")._replace(model=999),
        None,
        "x86-64-v2",
        {},
    ),
    "a guest that lacks what is not worth a word": (
        reading("epyc", lacks="sha_ni rdseed", hypervisor="KVMKVMKVM"),
        None,
        "x86-64-v3",
        {},
    ),
    "kvm64, the generic model of Proxmox's past": (
        reading("kvm64", hypervisor="KVMKVMKVM", xcr0=None),
        proc("kvm64"),
        "x86-64-v1",
        by(HYPERVISOR, f"{V2} lahf_lm {V3}"),
    ),
    "qemu64, the generic model of QEMU": (
        reading("qemu64", hypervisor="TCGTCGTCGTCG", xcr0=None),
        None,
        "x86-64-v1",
        by(HYPERVISOR, f"{V2} {V3}"),
    ),
    "Rosetta 2": (
        reading("nehalem", brand="VirtualApple @ 2.50GHz", xcr0=None),
        None,
        "x86-64-v2",
        by(HYPERVISOR, V3),
    ),
    "a generic model that has all of v3": (
        reading("haswell", brand="QEMU TCG CPU version 2.5+", hypervisor="TCGTCGTCGTCG"),
        None,
        "x86-64-v3",
        {},
    ),
    "a kernel with noxsave": (
        reading("haswell", xcr0=None),
        proc("haswell", lacks=f"{WIDE} xsave"),
        "x86-64-v2",
        by(KERNEL, f"{WIDE} xsave"),
    ),
    "a kernel that saves YMM but not ZMM": (
        reading("skylake-sp", xcr0=YMM),
        proc("skylake-sp", lacks="avx512f avx512bw avx512cd avx512dq avx512vl"),
        "x86-64-v3",
        by(KERNEL, "avx512f avx512bw avx512cd avx512dq avx512vl"),
    ),
    "a kernel that saves all": (
        reading("skylake-sp", xcr0=ZMM),
        proc("skylake-sp"),
        "x86-64-v4",
        {},
    ),
    "an emulator: /proc/cpuinfo is the host's": (
        reading("phenom", hypervisor="TCGTCGTCGTCG", xcr0=None),
        proc("haswell"),
        "x86-64-v1",
        by(HYPERVISOR, f"ssse3 sse4_1 sse4_2 {V3} aes pclmulqdq".replace(" abm", "")),
    ),
    "the host's file lacks what the emulated CPU has: not the kernel's doing": (
        reading("phenom", xcr0=None),
        proc("conroe"),
        "x86-64-v1",
        by(HYPERVISOR, "ssse3"),
    ),
    "clearcpuid: the file lacks what CPUID has": (
        reading("haswell"),
        proc("haswell", lacks="popcnt sse4_2"),
        "x86-64-v3",
        by(KERNEL, "popcnt sse4_2"),
    ),
    "clearcpuid of what is not worth a word": (
        reading("haswell"),
        proc("haswell", lacks="rdrand"),
        "x86-64-v3",
        {},
    ),
}


@pytest.mark.parametrize(("read", "kernel", "level", "wanted"), HIDDEN.values(), ids=HIDDEN)
def test_who_hides_what(
    read: Reading,
    kernel: Statement | None,
    level: str,
    wanted: dict[str, str],
    tmp_path: Path,
) -> None:
    cpu = detect.believe_cpuid(read, (), kernel, tmp_path)
    assert hidden(cpu) == wanted
    assert cpu.level == level


@pytest.mark.parametrize(("read", "kernel"), [case[:2] for case in HIDDEN.values()], ids=HIDDEN)
def test_what_is_hidden_is_told_in_the_order_of_the_levels(
    read: Reading, kernel: Statement | None, tmp_path: Path
) -> None:
    names = [item.feature for item in detect.believe_cpuid(read, (), kernel, tmp_path).hidden]
    assert names == list(features.ordered(names))


@pytest.mark.parametrize("start", detect.GENERIC_BRANDS)
def test_a_generic_brand_is_known_by_how_it_starts(start: str) -> None:
    shown = features.cumulative("x86-64-v2")
    told = {item.feature for item in detect.generic_model(f"{start} version 9", shown)}
    assert told == features.LEVELS["x86-64-v3"]


@pytest.mark.parametrize(
    "brand", ["", "AMD EPYC", "A Common KVM processor", "common kvm processor"]
)
def test_any_other_brand_is_no_generic_model(brand: str) -> None:
    assert not list(detect.generic_model(brand, frozenset()))


def test_what_the_system_does_not_save_is_not_among_the_features(tmp_path: Path) -> None:
    cpu = detect.believe_cpuid(reading("haswell", xcr0=None), (), None, tmp_path)
    assert not cpu.features & set(WIDE.split())
    assert cpu.features >= features.cumulative("x86-64-v2")


BOOT = {
    "nothing to read": ({}, ""),
    "a boot line without options of ours": ({"cmdline": "quiet root=/dev/sda1"}, ""),
    "clearcpuid": ({"cmdline": "quiet clearcpuid=avx ro"}, "; boot option clearcpuid=avx"),
    "noxsave": ({"cmdline": "noxsave"}, "; boot option noxsave"),
    "forced mitigation": (
        {"cmdline": "gather_data_sampling=force", "gds": "Mitigation: AVX disabled, no microcode"},
        "; boot option gather_data_sampling=force; gather_data_sampling disabled AVX",
    ),
    "a mitigation that leaves AVX on": ({"gds": "Mitigation: Microcode (locked)"}, ""),
    "AVX disabled without a word on the boot line": (
        {"gds": "Mitigation: AVX disabled, no microcode"},
        "; gather_data_sampling disabled AVX",
    ),
}


def machine_root(folder: Path, files: dict[str, str]) -> Path:
    """A root folder that holds what a kernel would show."""
    places = {
        "cmdline": "proc/cmdline",
        "gds": "sys/devices/system/cpu/vulnerabilities/gather_data_sampling",
    }
    for name, text in files.items():
        path = folder / places[name]
        path.parent.mkdir(parents=True)
        path.write_text(text + "\n")
    return folder


@pytest.mark.parametrize(("files", "wanted"), BOOT.values(), ids=BOOT)
def test_the_reason_why_avx_is_not_saved(
    files: dict[str, str], wanted: str, tmp_path: Path
) -> None:
    root = machine_root(tmp_path, files)
    cpu = detect.believe_cpuid(reading("sandybridge", xcr0=3), (), None, root)
    assert [item.detail for item in cpu.hidden] == [f"CPUID has it, XCR0 is 0x3{wanted}"]


def test_where_osxsave_is_off_there_is_no_xcr0_to_tell(tmp_path: Path) -> None:
    cpu = detect.believe_cpuid(reading("sandybridge", xcr0=None), (), None, tmp_path)
    assert "CPUID has it, OSXSAVE is off" in {item.detail for item in cpu.hidden}


DETAIL = {
    "an emulator": (
        reading("phenom"),
        proc("haswell"),
        "avx2",
        "that file describes another CPU (the host's, under an emulator)",
    ),
    "clearcpuid": (
        reading("haswell"),
        proc("haswell", lacks="popcnt"),
        "popcnt",
        "(clearcpuid=, or an old kernel's quirk): programs that read CPUID still use it",
    ),
    "a family's twin": (
        reading("epyc", lacks="avx2", hypervisor="KVMKVMKVM"),
        None,
        "avx2",
        "every CPU known of this family and model has it, this guest does not",
    ),
    "a generic model, by its name": (
        reading("kvm64"),
        None,
        "avx2",
        "the hypervisor shows the generic model 'Common KVM processor', which no silicon is",
    ),
}


@pytest.mark.parametrize(("read", "kernel", "name", "wanted"), DETAIL.values(), ids=DETAIL)
def test_each_hidden_feature_says_why(
    read: Reading, kernel: Statement | None, name: str, wanted: str, tmp_path: Path
) -> None:
    cpu = detect.believe_cpuid(read, (), kernel, tmp_path)
    assert wanted in next(item.detail for item in cpu.hidden if item.feature == name)


SAME = {
    "the same": ({}, True),
    "another vendor": ({"vendor": "GenuineIntel"}, False),
    "another family": ({"family": 15}, False),
    "another model": ({"model": 5}, False),
    "another stepping is the same silicon": ({"stepping": 9}, True),
    "a file that says nothing": ({"vendor": "", "family": None, "model": None}, False),
}


@pytest.mark.parametrize(("change", "wanted"), SAME.values(), ids=SAME)
def test_same_silicon(change: dict[str, Any], wanted: bool) -> None:
    said = proc("phenom-ii-x4")._replace(**change)
    assert detect.same_silicon(reading("phenom-ii-x4"), said) is wanted


def test_the_kernel_names_a_cpu_that_has_no_brand(tmp_path: Path) -> None:
    read = reading("haswell", brand="")
    assert detect.believe_cpuid(read, (), None, tmp_path).brand == ""
    named = detect.believe_cpuid(read, (), proc("haswell"), tmp_path)
    assert named.brand == models.find("haswell").cpu.brand


def test_cpuid_is_told_as_it_was_read(tmp_path: Path) -> None:
    read = reading("phenom-ii", hypervisor="KVMKVMKVM")
    cpu = detect.believe_cpuid(read, (), None, tmp_path)
    assert (cpu.source, cpu.cpuid_level, cpu.hypervisor) == ("cpuid", 6, "KVMKVMKVM")
    assert (cpu.vendor, cpu.family, cpu.model, cpu.stepping) == ("AuthenticAMD", 16, 10, 0)


def test_witnesses_are_compared_with_the_believed_one() -> None:
    believed = frozenset({"sse2", "popcnt", "sse4_1", "rdrand"})
    same, more, less, mute = detect.compared(
        (
            Witness(name="same", features=believed),
            Witness(name="more", features=believed | {"avx2", "sha_ni"}),
            Witness(name="less", features=frozenset({"sse2", "sse4_1"})),
            Witness(name="mute", features=None, note="why"),
        ),
        believed,
    )
    assert (same.extra, same.lacking) == (frozenset(), frozenset())
    assert (more.extra, more.lacking) == ({"avx2"}, frozenset())
    assert (less.extra, less.lacking) == (frozenset(), {"popcnt"})
    assert mute == Witness(name="mute", features=None, note="why")


# Who answers when others are silent. No machine refuses all of them, so silence is played here;
# that executable memory is really refused stands in tests/cpu/test_cpuid.py.
ORDER = ("cpuid", "glibc", "ld.so", "kernel", "py-cpuinfo")


def silent(*_: object) -> Any:
    raise Silent("sworn to silence")


def unavailable() -> Any:
    raise cpuid.Unavailable("sworn to silence")


@pytest.fixture
def hush(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Silence the named witnesses."""
    places = {"glibc": "glibc", "ld.so": "ld_so", "kernel": "kernel", "py-cpuinfo": "py_cpuinfo"}

    def quiet(*names: str) -> None:
        for name in names:
            if name == "cpuid":
                monkeypatch.setattr(cpuid, "read", unavailable)
            else:
                monkeypatch.setattr(witnesses, places[name], silent)

    return quiet


@pytest.mark.parametrize("place", range(len(ORDER)), ids=ORDER)
def test_the_first_that_is_heard_is_believed(place: int, hush: Callable[..., None]) -> None:
    real = detect.detect()
    hush(*ORDER[:place])
    cpu = detect.detect()
    assert cpu.source == ORDER[place]
    assert (cpu.level, cpu.vendor, cpu.brand) == (real.level, real.vendor, real.brand)
    assert (cpu.family, cpu.model, cpu.stepping) == (real.family, real.model, real.stepping)


@pytest.mark.parametrize("place", range(4), ids=ORDER[:4])
def test_the_silent_ones_say_why(place: int, hush: Callable[..., None]) -> None:
    hush(*ORDER[:place])
    heard = {witness.name: witness for witness in detect.detect().witnesses}
    for name in ORDER[:place]:
        assert heard[name].features is None
        assert heard[name].note == "sworn to silence"
    assert heard[ORDER[place]].features is not None


HEARD = {
    "in haste, ld.so is not asked": (False, (), ["cpuid", "glibc", "kernel"]),
    "thorough, it is": (True, (), ["cpuid", "glibc", "kernel", "ld.so"]),
    "without CPUID, glibc will do": (False, ("cpuid",), ["cpuid", "glibc", "kernel"]),
    "without both, ld.so is asked": (
        False,
        ("cpuid", "glibc"),
        ["cpuid", "glibc", "kernel", "ld.so"],
    ),
}


@pytest.mark.parametrize(("thorough", "quiet", "wanted"), HEARD.values(), ids=HEARD)
def test_who_is_asked(
    thorough: bool, quiet: tuple[str, ...], wanted: list[str], hush: Callable[..., None]
) -> None:
    hush(*quiet)
    assert [item.name for item in detect.detect(thorough=thorough).witnesses] == wanted


def test_glibc_knows_no_brand_where_the_kernel_speaks_of_another_cpu(
    hush: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hush("cpuid")
    monkeypatch.setattr(witnesses, "kernel", lambda: proc("phenom-ii"))
    cpu = detect.detect()
    assert cpu.source == "glibc"
    assert (cpu.vendor, cpu.brand, cpu.cpuid_level) == ("", "", None)
    assert "sse4a" in cpu.witnesses[2].features  # type: ignore[operator]


def test_the_kernel_names_what_a_witness_leaves_open(
    hush: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hush("cpuid", "glibc")
    known = proc("phenom-ii")
    monkeypatch.setattr(witnesses, "kernel", lambda: known)
    monkeypatch.setattr(witnesses, "ld_so", lambda: Statement(known.features))
    cpu = detect.detect()
    assert (cpu.source, cpu.brand, cpu.family, cpu.model) == ("ld.so", known.brand, 16, 10)


def test_a_witness_that_names_nobody_leaves_zeros(
    hush: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hush("cpuid", "glibc", "kernel")
    monkeypatch.setattr(witnesses, "ld_so", lambda: Statement(frozenset({"sse2"})))
    cpu = detect.detect()
    assert (cpu.vendor, cpu.family, cpu.model, cpu.stepping) == ("", 0, 0, 0)
    assert cpu.level == "below x86-64-v1"


def test_where_all_are_silent_nothing_is_guessed(hush: Callable[..., None]) -> None:
    hush(*ORDER)
    with pytest.raises(UnsupportedCpuError) as caught:
        detect.detect()
    assert str(caught.value).startswith("no witness tells this CPU's features (CPUID, glibc,")
    assert "--cpu NAME" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("machine", "called"), {"aarch64": "aarch64", "ppc64le": "ppc64le", "": "unknown"}.items()
)
def test_another_architecture_is_refused(
    machine: str, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Played: the machine of the tests is an x86-64."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(UnsupportedCpuError) as caught:
        detect.detect()
    assert str(caught.value).startswith(f"this CPU is {called}, not x86-64")
    assert len(str(caught.value).splitlines()) == 1


def test_a_32_bit_python_is_told_by_another_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Played: a 32-bit Python on an x86 machine."""
    monkeypatch.setattr(platform, "machine", lambda: "i686")
    cpu = detect.detect()
    assert cpu.source != "cpuid"
    assert cpu.witnesses[0].note == "this is a i686 process, not x86-64"


def test_the_real_cpu_is_believed_by_cpuid() -> None:
    cpu, read = detect.detect(), cpuid.read()
    assert cpu.source == "cpuid"
    assert cpu.features == features.permitted(read.silicon, read.xcr0)
    assert cpu.level == features.level_of(cpu.features)
