"""The patch engine: every state, exact inverses, and nothing ever corrupted."""

from __future__ import annotations

import ast
import base64
import csv
import hashlib
import textwrap
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from legacy_doctor.environment import distributions
from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge.patches import (
    Edit,
    EntryPoint,
    Hooked,
    Kind,
    Landmark,
    Patch,
    Place,
    Provided,
    Side,
)
from legacy_doctor.model import Evidence, Grade
from legacy_doctor.treatment import patching
from legacy_doctor.treatment.patching import PatchError, Source, State

MODULE = '''\
"""A module."""
import os


def start():
    """Start."""
    global x
    x = 1


class Engine:
    def start(self):
        return os.name


if ready():
    start()

end = True
'''
BLOCK = "import sys\nsys.flag = 1"


def spelt(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def source_of(name: str, text: str = MODULE) -> str:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            lines = text.splitlines(keepends=True)[node.lineno - 1 : node.end_lineno]
            plain = textwrap.dedent("".join(lines)).rstrip("\n")
            return hashlib.sha256(plain.encode()).hexdigest()
    raise AssertionError(name)


BEFORE = Place(side=Side.BEFORE, landmark=Landmark.STATEMENT, text="if ready():\n    start()")
AFTER = replace(BEFORE, side=Side.AFTER, text="end = True")
INTO = Place(side=Side.INTO, landmark=Landmark.FUNCTION, text="start", known=(source_of("start"),))
PLACES = {
    "before a statement": BEFORE,
    "after a statement": AFTER,
    "before a line": replace(BEFORE, landmark=Landmark.LINE, text="end = True"),
    "after an indented line": replace(AFTER, landmark=Landmark.LINE, text="    global x"),
    "into a function": INTO,
}


def patch(place: Place = BEFORE, name: str = "p", **changes: Any) -> Patch:
    edit = Edit(versions=">=2", file="a.py", place=place, block=changes.pop("block", BLOCK))
    fields: dict[str, Any] = {
        "id": name,
        "title": "t",
        "distribution": "torch",
        "versions": ">=2,<3",
        "kind": Kind.FILE,
        "recommended": True,
        "cost": "c",
        "evidence": (Evidence(grade=Grade.REPORTED, source="me"),),
        "edits": (replace(edit, **changes),),
    }
    return Patch(**fields)


def source(content: bytes | str | None, released: bytes | str | None = None, **more: Any) -> Source:
    """A file of torch 2.5 for which RECORD has the hash of `released` (or of the file itself)."""
    data = content.encode() if isinstance(content, str) else content
    known = data if released is None else released
    known = known.encode() if isinstance(known, str) else known
    more = {"recorded": None if known is None else spelt(known), **more}
    return Source(**{"content": data, "version": "2.5", **more})


# --- there and back


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(MODULE, id="as it is"),
        pytest.param(MODULE.rstrip("\n"), id="no last line end"),
        pytest.param(MODULE.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(MODULE.replace("\n", "\r\n").rstrip(), id="CRLF, no last line end"),
        pytest.param(MODULE.replace("\n", "\r"), id="CR"),
        pytest.param("\ufeff" + MODULE, id="a byte order mark"),
        pytest.param(
            MODULE.replace("A module", "A form feed \f, \x1c and \u2028"), id="odd breaks"
        ),
    ],
)
def test_revert_is_the_exact_inverse_of_apply(place: Place, text: str) -> None:
    it = patch(place)
    released = source(text)

    patched = patching.apply(it, released)

    after = source(patched, text)
    assert patched != released.content
    assert patching.standing(it, released).state is State.APPLICABLE
    assert patching.standing(it, after).state is State.APPLIED
    assert patching.apply(it, after) == patched
    assert patching.revert(it, after) == released.content
    assert patching.revert(it, released) == released.content
    # `check` reads the blocks without this room, and must read them alike.
    assert distributions._parted(patched) == ((it.id,), released.content)


def test_the_block_stands_between_markers_at_its_place() -> None:
    patched = patching.apply(patch(INTO), source(MODULE)).decode()

    assert (
        '    """Start."""\n'
        "    # >>> legacy-doctor: p\n"
        "    import sys\n"
        "    sys.flag = 1\n"
        "    # <<< legacy-doctor: p\n"
        "    global x\n"
    ) in patched


def test_only_the_block_is_new_in_the_tree() -> None:
    old = ast.parse(MODULE)

    new = ast.parse(patching.apply(patch(BEFORE), source(MODULE)))

    added = [ast.dump(node) for node in ast.parse(BLOCK).body]
    dumped = [ast.dump(node) for node in new.body]
    where = dumped.index(added[0])
    assert dumped[where : where + 2] == added
    assert dumped[:where] + dumped[where + 2 :] == [ast.dump(node) for node in old.body]


def test_another_encoding_is_kept() -> None:
    content = ("# coding: latin-1\n" + MODULE.replace("A module", "Ein Gerät")).encode("latin-1")

    patched = patching.apply(patch(), source(content))

    assert "Gerät".encode("latin-1") in patched
    assert patching.revert(patch(), source(patched, content)) == content


def test_a_method_is_found_by_its_qualified_name() -> None:
    method = source_of("start", MODULE.replace("def start():", "def other():"))
    place = replace(INTO, text="Engine.start", known=(method,))

    patched = patching.apply(patch(place), source(MODULE)).decode()

    assert "    def start(self):\n        # >>> legacy-doctor: p\n        import sys\n" in patched


def test_two_patches_share_a_file_in_any_order() -> None:
    one, two = patch(AFTER, "one"), patch(AFTER, "two")
    for text in (MODULE, MODULE.rstrip("\n")):
        first = patching.apply(one, source(text))
        both = patching.apply(two, source(first, text))

        assert patching.standing(one, source(both, text)).state is State.APPLIED
        assert patching.revert(one, source(both, text)) == patching.apply(two, source(text))
        alone = patching.revert(two, source(both, text))
        assert alone == first
        assert patching.revert(one, source(alone, text)) == text.encode()


# --- states


def refused(it: Patch, found: Source) -> str:
    """What both apply and revert say."""
    with pytest.raises(PatchError) as applying:
        patching.apply(it, found)
    with pytest.raises(PatchError):
        patching.revert(it, found)
    assert isinstance(applying.value, DoctorError)
    assert "\n" not in str(applying.value)
    return str(applying.value)


ALTERED = MODULE.replace("end = True", "end = False")
REFUSED: dict[str, tuple[Patch, Source, State, str]] = {
    "a version that is not claimed": (
        patch(),
        source(MODULE, version="3.1"),
        State.ABSENT,
        "torch 3.1: the patch is for >=2,<3",
    ),
    "a version without an edit": (
        patch(versions=">=2.9"),
        source(MODULE),
        State.ABSENT,
        "torch 2.5: the patch is for >=2,<3",
    ),
    "no such file": (patch(), source(None), State.ABSENT, "a.py is not there"),
    "altered since the release": (
        patch(),
        source(ALTERED, MODULE),
        State.DRIFTED,
        "a.py: not as released: neither RECORD nor a known hash proves it",
    ),
    "nothing proves it": (
        patch(),
        source(MODULE, recorded=None),
        State.DRIFTED,
        "a.py: not as released: neither RECORD nor a known hash proves it",
    ),
    "no statement": (
        patch(replace(BEFORE, text="gone()")),
        source(MODULE),
        State.DRIFTED,
        "a.py: `gone()` stands there 0 times, not once",
    ),
    "the statement twice": (
        patch(AFTER),
        source(MODULE + "end = True\n"),
        State.DRIFTED,
        "a.py: `end = True` stands there 2 times, not once",
    ),
    "the line twice": (
        patch(replace(AFTER, landmark=Landmark.LINE)),
        source(MODULE + "end = True\n"),
        State.DRIFTED,
        "a.py: the line `end = True` stands there 2 times, not once",
    ),
    "before: not alone in its line": (
        patch(replace(AFTER, side=Side.BEFORE)),
        source(MODULE.replace("end", "x = 1; end")),
        State.DRIFTED,
        "a.py: line 19: something else begins the line",
    ),
    "after: not alone in its line": (
        patch(AFTER),
        source(MODULE.replace("end = True", "end = True; x = 1")),
        State.DRIFTED,
        "a.py: line 19: something else follows in the line",
    ),
    "upstream changed the function": (
        patch(INTO),
        source(MODULE.replace("x = 1", "x = 2")),
        State.DRIFTED,
        "a.py: start() is not one that the patch knows: upstream changed it",
    ),
    "the function twice": (
        patch(INTO),
        source(MODULE + "def start(): pass\n"),
        State.DRIFTED,
        "a.py: start() is defined 2 times",
    ),
    "a function in one line": (
        patch(replace(INTO, known=(source_of("f", "def f(): pass"),), text="f")),
        source("def f(): pass\n"),
        State.DRIFTED,
        "a.py: line 1: something else begins the line",
    ),
    "no Python": (patch(), source("def\n"), State.DRIFTED, "a.py: no Python 3."),
    "a null byte": (patch(), source(b"x = 1\0\n"), State.DRIFTED, "a.py: "),
    "bytes that are no text": (
        patch(),
        source(b"x = '\xff'\n"),
        State.DRIFTED,
        "a.py: cannot be read as Python source (",
    ),
    "a codec that does not lead back": (
        patch(),
        source(b"# coding: utf-7\nx = '+AGE-'\n"),
        State.DRIFTED,
        "a.py: cannot be written back as it is (utf-7)",
    ),
    "a codec that nobody has": (
        patch(),
        source(b"# coding: zlib\n"),
        State.DRIFTED,
        "a.py: cannot be read as Python source (",
    ),
    "a block without its end": (
        patch(),
        source(MODULE + "# >>> legacy-doctor: p\n"),
        State.DRIFTED,
        "a.py: markers of legacy-doctor are missing or doubled",
    ),
    "an end without its block": (
        patch(),
        source(MODULE + "# <<< legacy-doctor: p\n"),
        State.DRIFTED,
        "a.py: line 20: a marker of legacy-doctor has no partner",
    ),
    "markers of two patches": (
        patch(),
        source("# >>> legacy-doctor: p\n# <<< legacy-doctor: q\n"),
        State.DRIFTED,
        "a.py: line 2: the markers name two patches",
    ),
    "a block twice": (
        patch(),
        source("# >>> legacy-doctor: p\n# <<< legacy-doctor: p\n" * 2),
        State.DRIFTED,
        "a.py: markers of legacy-doctor are missing or doubled",
    ),
    "a result that does not compile": (
        patch(block="return"),
        source(MODULE),
        State.DRIFTED,
        "a.py: no Python 3.",
    ),
    "a tree deeper than the stack": (
        patch(AFTER),
        source("end = 1" + " + 1" * 3000 + "\n"),
        State.DRIFTED,
        "a.py: ",
    ),
    "a result that is no syntax": (
        patch(block="x ="),
        source(MODULE),
        State.DRIFTED,
        "a.py: no Python 3.",
    ),
}


@pytest.mark.parametrize(("it", "found", "state", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_and_why(it: Patch, found: Source, state: State, why: str) -> None:
    standing = patching.standing(it, found)

    assert standing.state is state
    assert standing.why.startswith(why)
    assert refused(it, found) == f"patch p not applied: {state.value}: {standing.why}"


def test_a_patch_without_edits_has_no_file_to_act_on() -> None:
    it = replace(patch(), kind=Kind.HOOK, edits=(), hooked=Hooked(modules=("m",), scope="process"))

    assert patching.standing(it, source(MODULE)).why == "torch 2.5: the patch is for no file"


def test_a_function_that_is_gone_leaves_nothing_to_patch() -> None:
    gone = source(MODULE.replace("def start():", "def begin():"))

    standing = patching.standing(patch(INTO), gone)

    assert standing == (State.OBSOLETE, "a.py: start() is gone: nothing is left to patch")
    refused(patch(INTO), gone)


def test_what_upstream_has_cured_is_obsolete_and_stays_as_it_is() -> None:
    it = patch(obsolete_with="end = True")

    assert patching.standing(it, source(MODULE)).state is State.OBSOLETE
    assert patching.revert(it, source(MODULE)) == MODULE.encode()
    with pytest.raises(PatchError, match=r"obsolete: a\.py: upstream has its own cure"):
        patching.apply(it, source(MODULE))


def test_a_known_hash_proves_the_release_where_record_does_not() -> None:
    known = hashlib.sha256(MODULE.encode()).hexdigest()
    it = patch(pristine=(known,))

    for recorded in (None, "x"):
        found = source(MODULE, recorded=recorded)
        assert patching.standing(it, found) == (State.APPLICABLE, "as released (known hash)")
        patched = source(patching.apply(it, found), recorded=recorded)
        assert patching.revert(it, patched) == MODULE.encode()


@pytest.mark.parametrize(
    ("python", "block", "fits"),
    [
        pytest.param((3, 8), "match x:\n    case 1: pass", False, id="match, for 3.8"),
        pytest.param((3, 10), "match x:\n    case 1: pass", True, id="match, for 3.10"),
        pytest.param((3, 99), "x = 1", True, id="a Python newer than ours"),
    ],
)
def test_the_result_must_be_source_of_the_targets_python(
    python: tuple[int, int], block: str, fits: bool
) -> None:
    found = patching.standing(patch(block=block), source(MODULE, python=python))

    assert (found.state is State.APPLICABLE) is fits


def test_other_changes_beside_the_block_are_drift() -> None:
    patched = patching.apply(patch(), source(MODULE)).decode().replace("end = True", "end = 1")

    assert patching.standing(patch(), source(patched, MODULE)) == (
        State.DRIFTED,
        "a.py: has the patch, and other changes that RECORD does not know",
    )
    refused(patch(), source(patched, MODULE))


def test_without_any_proof_an_exact_block_is_ours() -> None:
    patched = patching.apply(patch(), source(MODULE))
    found = source(patched, recorded=None)

    assert patching.standing(patch(), found) == (
        State.APPLIED,
        "between its markers; no RECORD proves the rest",
    )
    assert patching.revert(patch(), found) == MODULE.encode()
    refused(patch(), source(patched.replace(b"flag", b"flog"), recorded=None))


def test_the_block_of_another_version_is_reverted_where_the_rest_is_proven() -> None:
    older = patching.apply(patch(block="import os"), source(MODULE))
    found = source(older, MODULE)

    assert patching.standing(patch(), found) == (
        State.APPLIED,
        "in another version's words, or edited since",
    )
    assert patching.apply(patch(), found) == older
    assert patching.revert(patch(), found) == MODULE.encode()


# --- changed by hand

STUB = patch(INTO, block="return")
BY_HAND = MODULE.replace("    global x\n", "    return  # by hand\n    global x\n")


@pytest.mark.parametrize(
    ("content", "backup"),
    [
        pytest.param(BY_HAND, None, id="one line more"),
        pytest.param(BY_HAND, MODULE, id="one line more, and a backup"),
        pytest.param(BY_HAND.replace("end = True", "end = 1"), MODULE, id="the backup alone"),
    ],
)
def test_a_change_by_hand_is_known_and_reverted_to_what_record_proves(
    content: str, backup: str | None
) -> None:
    found = source(content, MODULE, backup=backup.encode() if backup else None)

    assert patching.standing(STUB, found).state is State.APPLIED_BY_HAND
    assert patching.revert(STUB, found) == MODULE.encode()
    with pytest.raises(PatchError, match="not applied: applied-by-hand: changed by hand; it can"):
        patching.apply(STUB, found)


@pytest.mark.parametrize("backup", [None, ALTERED], ids=["no backup", "a backup of something else"])
def test_a_change_by_hand_without_a_proven_original_stays(backup: str | None) -> None:
    content = BY_HAND.replace("end = True", "end = 1")
    found = source(content, MODULE, backup=backup.encode() if backup else None)

    assert patching.standing(STUB, found).state is State.APPLIED_BY_HAND
    assert "no original has RECORD's hash: reinstall" in refused(STUB, found)


@pytest.mark.parametrize(
    "it",
    [
        pytest.param(patch(BEFORE, block="return"), id="a patch of the module"),
        pytest.param(patch(replace(INTO, text="gone"), block="return"), id="of another function"),
        pytest.param(patch(INTO, block="yield"), id="of another block"),
    ],
)
def test_another_change_by_hand_is_drift(it: Patch) -> None:
    assert patching.standing(it, source(BY_HAND, MODULE)).state is State.DRIFTED


# --- laws

_LINES = st.sampled_from(
    [
        "x = 1",
        "end = True",
        "if ready():",
        "    start()",
        "    pass",
        "def start():",
        "    global x",
        "    x = 1",
        '"""',
        "# a comment",
        "",
        "x = (",
        ")",
        "x = 1; \\",
        "\\",
        "\tz = 2",
        "\f",
        "# >>> legacy-doctor: p",
        "# <<< legacy-doctor: p",
        "# >>> legacy-doctor: q",
        "# <<< legacy-doctor: q",
        "é = '\u2028'",
    ]
)
_TEXTS = st.builds(
    lambda lines, end, last: end.join([*lines, ""] if last else lines),
    st.lists(_LINES, max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)


def check(it: Patch, released: Source) -> None:
    """Apply and revert are inverse, or refused; what is applied only adds the block."""
    try:
        patched = patching.apply(it, released)
    except PatchError:
        return
    content = released.content or b""
    after = replace(released, content=patched)
    if patching.standing(it, released).state is State.APPLIED:
        assert patched == content
        return
    assert patching.revert(it, after) == content
    assert patching.apply(it, after) == patched
    new = _WithoutBlock().visit(ast.parse(patched))
    assert ast.dump(new) == ast.dump(ast.parse(content))


class _WithoutBlock(ast.NodeTransformer):
    """Takes the statements of the block out of a tree."""

    ours = frozenset(ast.dump(node) for node in ast.parse(BLOCK).body)

    def visit(self, node: ast.AST) -> Any:
        return None if ast.dump(node) in self.ours else self.generic_visit(node)


@given(text=_TEXTS, place=st.sampled_from(list(PLACES.values())))
def test_whatever_the_file_apply_and_revert_are_inverse_or_refused(text: str, place: Place) -> None:
    check(patch(place), source(text))


@given(
    at=st.integers(0, len(MODULE)),
    cut=st.integers(0, 30),
    new=_TEXTS,
    place=st.sampled_from(list(PLACES.values())),
)
def test_whatever_is_edited_in_the_file_apply_and_revert_are_inverse_or_refused(
    at: int, cut: int, new: str, place: Place
) -> None:
    check(patch(place), source(MODULE[:at] + new + MODULE[at + cut :]))


@given(content=st.binary(max_size=60))
def test_any_bytes_are_judged_and_never_raise(content: bytes) -> None:
    for place in PLACES.values():
        check(patch(place), source(content))


@example(at=0, new="# >>> legacy-doctor: q\n# <<< legacy-doctor: q\n")
@given(at=st.integers(0, 400), new=_TEXTS)
def test_an_edit_after_the_patch_is_never_lost(at: int, new: str) -> None:
    """What may stand there is the block of another patch, which stays."""
    patched = patching.apply(patch(), source(MODULE))
    edited = patched[:at] + new.encode() + patched[at:]

    try:
        reverted = patching.revert(patch(), source(edited, MODULE))
    except PatchError:
        return
    assert MODULE.encode() in {reverted, reverted.replace(new.encode(), b"", 1)}


# --- a distribution of our own

GUARD = Provided(
    name="my-guard",
    version="1.0",
    summary="Guards",
    modules=(("my_guard.py", "x = 1\n"), ("more/__init__.py", "")),
    entry_points=(
        EntryPoint(group="a", name="one", object="my_guard:one"),
        EntryPoint(group="b", name="two", object="my_guard:two"),
        EntryPoint(group="a", name="three", object="my_guard:three"),
    ),
)


def test_the_files_of_a_distribution_are_all_in_a_true_record() -> None:
    files = patching.files_of(GUARD)

    rows = list(csv.reader(files["my_guard-1.0.dist-info/RECORD"].decode().splitlines()))
    assert {row[0] for row in rows} == set(files)
    assert rows[-1] == ["my_guard-1.0.dist-info/RECORD", "", ""]
    for path, digest, size in rows[:-1]:
        assert digest == f"sha256={spelt(files[path])}"
        assert int(size) == len(files[path])
    assert files["my_guard-1.0.dist-info/entry_points.txt"] == (
        b"[a]\none = my_guard:one\nthree = my_guard:three\n\n[b]\ntwo = my_guard:two\n"
    )
    assert b"Name: my-guard\nVersion: 1.0\n" in files["my_guard-1.0.dist-info/METADATA"]


def test_a_stand_in_answers_with_the_version_that_it_stands_in_for() -> None:
    files = patching.files_of(replace(GUARD, entry_points=()), version="4.4.1+cpu")

    assert "my_guard-4.4.1+legacy.doctor.dist-info/RECORD" in files
    assert (
        b"Version: 4.4.1+legacy.doctor\n"
        in files["my_guard-4.4.1+legacy.doctor.dist-info/METADATA"]
    )
    assert not any(path.endswith("entry_points.txt") for path in files)


@pytest.mark.parametrize(
    ("change", "state", "why"),
    [
        pytest.param(
            dict.fromkeys(patching.files_of(GUARD)), State.APPLICABLE, "nothing", id="nothing"
        ),
        pytest.param({}, State.APPLIED, "installed", id="all"),
        pytest.param({"my_guard.py": b"y"}, State.DRIFTED, "my_guard.py is not ours", id="edited"),
        pytest.param({"my_guard.py": None}, State.DRIFTED, "my_guard.py is missing", id="gone"),
    ],
)
def test_how_an_environment_stands_to_a_distribution(
    change: dict[str, bytes | None], state: State, why: str
) -> None:
    files = patching.files_of(GUARD)

    found = patching.distribution_standing(files, {**files, **change})

    assert found.state is state
    assert found.why.startswith(why)
