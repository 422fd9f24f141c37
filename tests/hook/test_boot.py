"""The first file, in every Python of this machine: what it does when Python starts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from legacy_doctor.hook import check, generate
from legacy_doctor.hook.generate import Via
from legacy_doctor.hook.rules import Shim
from tests.hook.conftest import ABSENT, PRESENT, Room, armed, guard, printed

COUNT = "import sys, json; print(json.dumps([getattr(f, '__name__', '') for f in sys.meta_path].count('_legacy_doctor_boot')))"
IMPORTS = "import deadly"
TRIES = """
import json
try:
    import deadly
except ImportError as error:
    print(json.dumps([type(error).__name__, str(error), error.name, error.missing, error.version]))
"""


def test_it_is_armed_once_though_the_file_is_read_twice(room: Room) -> None:
    room.arm(armed(guard("deadly")))
    (room.packages / "zz_again.pth").write_text("import _legacy_doctor_boot\n")
    assert printed(room.run(COUNT)) == 1


def test_a_deadly_import_raises_import_error(room: Room) -> None:
    room.package("deadly", "1.5", "raise SystemExit('it ran')")
    room.arm(armed(guard("deadly")))
    kind, text, name, missing, version = printed(room.run(TRIES))  # type: ignore[misc]
    assert (kind, name, missing, version) == ("CpuFeatureError", "deadly", [ABSENT], "1.5")
    assert re.fullmatch(
        r"deadly 1\.5 would kill this process: this CPU \(.+\) lacks 3dnow \(it executes what it "
        r"must not\)\. Remedy: pip install 'deadly<1'\. To import it all the same: "
        r"LEGACY_DOCTOR_DISABLE=guard:deadly",
        text,
    )


def test_its_traceback_shows_the_program_and_nothing_of_ours(room: Room) -> None:
    room.put(deadly="", program="def main():\n    import deadly\n")
    room.arm(armed(guard("deadly")))
    said = room.run("import program; program.main()")
    assert said.code == 1
    assert re.findall(r'File "([^"]+)", line (\d+)', said.err) == [
        ("<string>", "1"),
        (str(room.packages / "program.py"), "2"),
    ]


@pytest.mark.parametrize(
    ("word", "runs"),
    [
        ("1", True),
        ("guard:deadly", True),
        ("deadly", True),
        ("shim:mel-on-gpu, guard:deadly", True),
        ("shim:deadly", False),
        ("guard:dead", False),
        ("0", False),
        ("", False),
    ],
)
def test_the_off_switch(own_room: Room, word: str, runs: bool) -> None:
    own_room.put(deadly="print('it ran')")
    own_room.arm(armed(guard("deadly")))
    said = own_room.run(IMPORTS, env={"LEGACY_DOCTOR_DISABLE": word})
    assert (said.code == 0 and said.out == "it ran\n") is runs


@pytest.mark.parametrize(
    "flags", [["-I"], ["-E"], ["-X", "dev"], ["-W", "error"], ["-O"], ["-s"]], ids=" ".join
)
def test_it_is_armed_and_switched_off_under(own_room: Room, flags: list[str]) -> None:
    own_room.put(deadly="")
    own_room.arm(armed(guard("deadly")))
    assert own_room.run(IMPORTS, *flags).code == 1
    assert own_room.run(IMPORTS, *flags, env={"LEGACY_DOCTOR_DISABLE": "1"}).code == 0


def test_it_tells_what_it_does_when_asked(room: Room) -> None:
    room.put(deadly="", healthy="")
    room.arm(armed(guard("deadly"), guard("healthy", PRESENT)))
    said = room.run(
        "import healthy\ntry:\n    import deadly\nexcept ImportError:\n    pass",
        env={"LEGACY_DOCTOR_DEBUG": "1"},
    )
    assert said.err.splitlines() == [
        "legacy-doctor: armed for deadly, healthy",
        "legacy-doctor: guard:healthy: let through, this CPU has what it needs, or cannot be read",
        "legacy-doctor: guard:deadly: raised CpuFeatureError: this CPU lacks 3dnow",
    ]


def test_without_site_there_is_no_hook(own_room: Room) -> None:
    own_room.arm(armed(guard("deadly")))
    assert printed(own_room.run(COUNT, "-S")) == 0


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut in half": lambda content: content[: len(content) // 2],
    "undecodable": lambda content: b"\xff\xfe\x00" + content,
    "of zeros": lambda content: b"\0" * len(content),
    "no Python": lambda _: b"def (:\n",
    "removed": lambda _: b"",
}


def test_a_damaged_file_stops_nothing(room: Room) -> None:
    room.package("torch", "2.4.0", "class _C: pass\n")
    room.package("pyarrow", "1.0", "x = 1")
    room.package("datasets", "1.0", "x = 1")
    shims = [Shim(id="torch-onednn-off"), Shim(id="datasets-stub", stand_in="x = 2")]
    room.arm(armed(guard("pyarrow"), shims=shims))
    for part in ("boot", "rt", "shims", "datasets"):
        path = room.packages / f"_legacy_doctor_{part}.py"
        content = path.read_bytes()
        for how, change in DAMAGED.items():
            path.write_bytes(change(content))
            if how == "removed":
                path.unlink()
            said = room.run("import torch, datasets, json; print('alive')")
            assert (said.code, said.out) == (0, "alive\n"), (part, how)
            # Python itself reads the first one, and tells what it finds.
            assert part == "boot" or said.err == "", (part, how)
        path.write_bytes(content)


@pytest.mark.parametrize("via", list(Via))
def test_cut_anywhere_while_it_is_written_or_removed_python_starts(room: Room, via: Via) -> None:
    made = generate.files(armed(guard("deadly")), room.version, via)
    names = list(made)
    room.put(deadly="print('alive')")
    for written in range(len(names)):
        for name in names[:written]:
            (room.packages / name).write_bytes(made[name])
        said = room.run(IMPORTS)
        assert (said.code, said.out, said.err) == (0, "alive\n", ""), names[:written]
    (room.packages / names[-1]).write_bytes(made[names[-1]])
    system_wide = (
        via is not Via.PTH and room.run("import sitecustomize as s; print(s.__file__)").out
    )
    if not system_wide or str(room.packages) in system_wide:
        assert room.run(IMPORTS).code == 1
    while names:
        (room.packages / names.pop()).unlink()
        said = room.run(IMPORTS)
        assert (said.code, said.out, said.err) == (0, "alive\n", ""), names


def test_the_probe_sees_which_hook_is_armed(room: Room) -> None:
    rules = armed(guard("deadly"))
    before = check.Outcome(*room.run(check.PROBE))
    room.arm(rules)
    made = generate.files(rules, room.version)
    identity = generate.identity_of(made["_legacy_doctor_boot.py"])
    assert identity is not None
    with_hook = check.Outcome(*room.run(check.PROBE))
    disabled = check.Outcome(*room.run(check.PROBE, env=check.DISABLED))
    assert check.judge(identity, before, with_hook, disabled) is None
    assert check.armed(with_hook) == identity


def test_the_error_class_can_be_named_and_sent_to_a_process_that_never_saw_one(room: Room) -> None:
    room.put(
        deadly="",
        work="def main(_):\n    import deadly\n",
        program="""
import multiprocessing, sys
from _legacy_doctor_boot import CpuFeatureError
import work
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        try:
            pool.map(work.main, [1])
        except CpuFeatureError as error:
            print(error.missing[0], error.name)
""",
    )
    room.arm(armed(guard("deadly")))
    said = room.run(
        "import runpy; runpy.run_module('program', run_name='__main__', alter_sys=True)"
    )
    assert (said.code, said.out, said.err) == (0, f"{ABSENT} deadly\n", "")
