"""Apply and revert patches: bytes in, bytes out. Nothing here reads or writes a file.

A block is placed by a syntax tree or by one exact line, stands between two marker lines, and is
taken out again by them. Only a file that is proven to be as released is touched: by RECORD's
sha256, or by a hash that the patch knows.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import re
import sys
import textwrap
import tokenize
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from legacy_doctor.errors import DoctorError
from legacy_doctor.knowledge.patches import Edit, Landmark, Patch, Place, Provided, Side, admits


class PatchError(DoctorError):
    """A patch that is refused, and why. The file is as it was."""


class State(str, Enum):
    """How a file stands to a patch."""

    APPLICABLE = "applicable"
    APPLIED = "applied"
    APPLIED_BY_HAND = "applied-by-hand"
    """Somebody made the same change without us."""
    OBSOLETE = "obsolete"
    """Upstream has its own cure, or has dropped what the patch is about."""
    DRIFTED = "drifted"
    """Neither as released nor ours: never touched."""
    ABSENT = "absent"
    """There is nothing that it could act on."""


class Standing(NamedTuple):
    """A state, and one clause that says why."""

    state: State
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An installed file, and what is known about it."""

    content: bytes | None
    """None where there is no such file."""
    version: str
    """Of the distribution that it belongs to."""
    recorded: str | None = None
    """RECORD's sha256, spelt as there (urlsafe base64 without padding)."""
    python: tuple[int, int] = sys.version_info[:2]
    """The Python that will run it."""
    backup: bytes | None = None
    """The `.orig` beside it."""


class _Unfit(Exception):
    """Why the file cannot be patched, and what state that is."""

    def __init__(self, why: str, state: State = State.DRIFTED) -> None:
        super().__init__(why)
        self.state = state


def edit_for(patch: Patch, version: str) -> Edit | None:
    """Return the edit for this version, or None where the patch claims no such version."""
    if not patch.claims(version):
        return None
    return next((item for item in patch.edits if admits(item.versions, version)), None)


def standing(patch: Patch, source: Source) -> Standing:
    """Tell how the file stands to the patch. Never raises."""
    return _examine(patch, source).standing


def apply(patch: Patch, source: Source) -> bytes:
    """Return the patched file; unchanged where it is patched already.

    Raises `PatchError` in every other state but `applicable`.
    """
    found = _examine(patch, source)
    if found.patched is None:
        raise PatchError(f"patch {patch.id} not applied: {_told(found.standing)}")
    return found.patched


def revert(patch: Patch, source: Source) -> bytes:
    """Return the file without the patch, byte for byte as it was before; the inverse of `apply`.

    Unchanged where it is not applied. A change by hand is reverted where the result is proven
    to be as released. Raises `PatchError` where it is not, or where the file drifted.
    """
    found = _examine(patch, source, placed=False)
    if found.bare is None:
        raise PatchError(f"patch {patch.id} not reverted: {_told(found.standing)}")
    return found.bare


def _told(standing: Standing) -> str:
    return f"{standing.state.value}: {standing.why}"


class _Finding(NamedTuple):
    """A standing, and the file with and without the patch as far as it may be written."""

    standing: Standing
    patched: bytes | None = None
    bare: bytes | None = None


def _examine(patch: Patch, source: Source, *, placed: bool = True) -> _Finding:
    """Judge the file. `placed=False` spares the look whether our block is where it belongs."""
    edit = edit_for(patch, source.version)
    if edit is None:
        claim = (patch.versions or "every version") if patch.edits else "no file"
        why = f"{patch.distribution} {source.version}: the patch is for {claim}"
        return _Finding(Standing(State.ABSENT, why))
    if source.content is None:
        return _Finding(Standing(State.ABSENT, f"{edit.file} is not there"))
    try:
        text = _Text.of(source.content)
        blocks = text.blocks()
        proof = _proof(text.without(blocks), edit, source)
        if any(block.id == patch.id for block in blocks):
            return _ours(patch, edit, source, proven=bool(proof), placed=placed)
        return _not_ours(patch, edit, source, proof)
    except _Unfit as unfit:
        return _Finding(Standing(unfit.state, f"{edit.file}: {unfit}"))
    except RecursionError:  # a tree deeper than the stack can be parsed, but not compared
        return _Finding(Standing(State.DRIFTED, f"{edit.file}: nested too deeply to be read"))


def _not_ours(patch: Patch, edit: Edit, source: Source, proof: str) -> _Finding:
    content = source.content or b""
    tree = _Text.of(content).tree()
    if not proof and _by_hand(edit, tree) is not None:
        before = next(_before_by_hand(edit, source, tree), None)
        why = "no original has RECORD's hash: reinstall" if before is None else "it can be undone"
        return _Finding(Standing(State.APPLIED_BY_HAND, f"changed by hand; {why}"), bare=before)
    if not proof:
        raise _Unfit("not as released: neither RECORD nor a known hash proves it")
    if edit.obsolete_with and _statements(tree, edit.obsolete_with):
        standing = Standing(State.OBSOLETE, f"{edit.file}: upstream has its own cure")
        return _Finding(standing, bare=content)
    new = _inserted(patch.id, edit, source.python, content, tree)
    return _Finding(Standing(State.APPLICABLE, f"as released ({proof})"), new, content)


def _ours(patch: Patch, edit: Edit, source: Source, *, proven: bool, placed: bool) -> _Finding:
    """Judge a file that has our block: it must give the file as released when taken out."""
    content = source.content or b""
    text = _Text.of(content)
    bare = text.without([block for block in text.blocks() if block.id == patch.id])
    if proven and not placed:
        return _Finding(Standing(State.APPLIED, "between its markers"), content, bare)
    exact = _inserted(patch.id, edit, source.python, bare) == content
    if proven:
        why = "between its markers" if exact else "in another version's words, or edited since"
        return _Finding(Standing(State.APPLIED, why), content, bare)
    if exact and source.recorded is None:
        why = "between its markers; no RECORD proves the rest"
        return _Finding(Standing(State.APPLIED, why), content, bare)
    raise _Unfit("has the patch, and other changes that RECORD does not know")


def _proof(content: bytes, edit: Edit, source: Source) -> str:
    """Say what proves that the content is as released; '' where nothing does."""
    digest = hashlib.sha256(content)
    if source.recorded is not None:
        spelt = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode("ascii")
        if spelt == source.recorded:
            return "RECORD"
    return "known hash" if digest.hexdigest() in edit.pristine else ""


# --- the text


class _Block(NamedTuple):
    """What stands between two marker lines, with them: lines[start:stop]."""

    id: str
    start: int
    stop: int


_MARKER: Final = re.compile(r"[ \t]*# (>>>|<<<) legacy-doctor: (\S+)\r?\n?")


@dataclass(frozen=True)
class _Text:
    """A source file as lines that keep their ends, in the encoding that Python would read."""

    lines: list[str]
    encoding: str

    @classmethod
    def of(cls, content: bytes) -> _Text:
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            text = content.decode(encoding)
            exact = text.encode(encoding) == content
        except (SyntaxError, ValueError, LookupError) as error:
            raise _Unfit(f"cannot be read as Python source ({error})") from error
        if not exact:
            raise _Unfit(f"cannot be written back as it is ({encoding})")
        # Not str.splitlines: it breaks at form feeds, where Python does not count a line.
        return cls(io.StringIO(text, newline="").readlines(), encoding)

    def content(self) -> bytes:
        return "".join(self.lines).encode(self.encoding)

    def tree(self, python: tuple[int, int] | None = None) -> ast.Module:
        """Parse, and compile for the target's Python where one is named.

        Raises `_Unfit` where that Python or ours cannot.
        """
        version = min(python or sys.version_info[:2], sys.version_info[:2])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes in somebody else's strings
                tree = ast.parse("".join(self.lines), feature_version=version)
                if python is not None:
                    compile(tree, "<patched>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            what = f"no Python {version[0]}.{version[1]} source"
            told = str(error).partition("\n")[0] or type(error).__name__
            raise _Unfit(f"{what} ({told})") from error
        return tree

    def blocks(self) -> list[_Block]:
        """Find the marked blocks; raises `_Unfit` where the markers do not pair up."""
        found: list[_Block] = []
        opened: tuple[str, int] | None = None
        for number, line in enumerate(self.lines):
            match = _MARKER.fullmatch(line)
            if match is None:
                continue
            if (match[1] == ">>>") is (opened is not None):
                raise _Unfit(f"line {number + 1}: a marker of legacy-doctor has no partner")
            if opened is None:
                opened = (match[2], number)
            elif opened[0] != match[2]:
                raise _Unfit(f"line {number + 1}: the markers name two patches")
            else:
                found.append(_Block(match[2], opened[1], number + 1))
                opened = None
        if opened is not None or len({block.id for block in found}) < len(found):
            raise _Unfit("markers of legacy-doctor are missing or doubled")
        return found

    def without(self, blocks: Sequence[_Block]) -> bytes:
        """Return the content without these blocks."""
        lines = list(self.lines)
        for block in reversed(blocks):
            # A last line without an end: it was so before us, and the end before the block
            # is one that we gave.
            bare_end = not lines[block.stop - 1].endswith(("\n", "\r"))
            del lines[block.start : block.stop]
            if bare_end and lines:
                lines[-1] = lines[-1].rstrip("\r\n")
        return _Text(lines, self.encoding).content()


# --- placing


def _inserted(
    name: str,
    edit: Edit,
    python: tuple[int, int],
    content: bytes,
    tree: ast.Module | None = None,
) -> bytes:
    """Return the content with the block; raises `_Unfit` where it has no place or breaks it."""
    text = _Text.of(content)
    place = _PLACERS[edit.place.landmark]
    number, indent = place(edit.place, text.lines, tree or text.tree())
    lines = list(text.lines)
    end = _line_end(lines, number)
    block = [f"# >>> legacy-doctor: {name}", *edit.block.splitlines()]
    block.append(f"# <<< legacy-doctor: {name}")
    new = [f"{indent}{line}".rstrip() + end for line in block]
    if number and not lines[number - 1].endswith(("\n", "\r")):
        lines[number - 1] += end
        new[-1] = new[-1].removesuffix(end)
    lines[number:number] = new
    result = _Text(lines, text.encoding)
    if hashlib.sha256(content).hexdigest() not in edit.pristine:  # those were tried
        result.tree(python)
    return result.content()


def _line_end(lines: Sequence[str], number: int) -> str:
    """Return the line end that is used around the place."""
    near = [*lines[number - 1 : number + 1], *lines[:1]] if number else lines[:1]
    for line in near:
        end = line[len(line.rstrip("\r\n")) :]
        if end:
            return end
    return "\n"


def _by_statement(place: Place, lines: Sequence[str], tree: ast.Module) -> tuple[int, str]:
    found = _statements(tree, place.text)
    if len(found) != 1:
        first = place.text.splitlines()[0]
        raise _Unfit(f"`{first}` stands there {len(found)} times, not once")
    return _beside(place, lines, found[0]), ""


def _statements(tree: ast.Module, text: str) -> list[ast.stmt]:
    wanted = ast.parse(text).body[0]
    shape = ast.dump(wanted)
    return [node for node in tree.body if type(node) is type(wanted) and ast.dump(node) == shape]


def _beside(place: Place, lines: Sequence[str], node: ast.stmt) -> int:
    if place.side is Side.BEFORE:
        if node.col_offset:
            raise _Unfit(f"line {node.lineno}: something else begins the line")
        return node.lineno - 1
    last = node.end_lineno or node.lineno
    rest = lines[last - 1].encode()[node.end_col_offset or 0 :].strip()
    if rest and not rest.startswith(b"#"):
        raise _Unfit(f"line {last}: something else follows in the line")
    return last


def _by_line(place: Place, lines: Sequence[str], _: ast.Module) -> tuple[int, str]:
    found = [number for number, line in enumerate(lines) if line.rstrip("\r\n") == place.text]
    if len(found) != 1:
        raise _Unfit(f"the line `{place.text}` stands there {len(found)} times, not once")
    indent = place.text[: len(place.text) - len(place.text.lstrip())]
    return found[0] + (place.side is Side.AFTER), indent


_Function = (ast.FunctionDef, ast.AsyncFunctionDef)


def _by_function(place: Place, lines: Sequence[str], tree: ast.Module) -> tuple[int, str]:
    function = _function(place, tree)
    source = "".join(lines[function.lineno - 1 : function.end_lineno])
    plain = textwrap.dedent(re.sub(r"\r\n?", "\n", source)).rstrip("\n")
    if hashlib.sha256(plain.encode()).hexdigest() not in place.known:
        raise _Unfit(f"{place.text}() is not one that the patch knows: upstream changed it")
    first = _first(function)
    line = lines[first.lineno - 1]
    indent = line[: len(line) - len(line.lstrip())]
    if len(indent.encode()) != first.col_offset:
        raise _Unfit(f"line {first.lineno}: something else begins the line")
    return first.lineno - 1, indent


def _function(place: Place, tree: ast.Module) -> ast.FunctionDef | ast.AsyncFunctionDef:
    body: Sequence[ast.stmt] = tree.body
    *classes, name = place.text.split(".")
    for outer in classes:
        inner = [node for node in body if isinstance(node, ast.ClassDef) and node.name == outer]
        body = inner[0].body if len(inner) == 1 else []
    found = [node for node in body if isinstance(node, _Function) and node.name == name]
    if not found:
        raise _Unfit(f"{place.text}() is gone: nothing is left to patch", State.OBSOLETE)
    if len(found) > 1:
        raise _Unfit(f"{place.text}() is defined {len(found)} times")
    return found[0]


def _first(function: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.stmt:
    """Return the first statement that is no docstring (or the docstring where it is alone)."""
    body = function.body
    return body[ast.get_docstring(function, clean=False) is not None and len(body) > 1]


_PLACERS: Final = {
    Landmark.STATEMENT: _by_statement,
    Landmark.LINE: _by_line,
    Landmark.FUNCTION: _by_function,
}


# --- changed by hand


def _by_hand(edit: Edit, tree: ast.Module) -> ast.stmt | None:
    """Return the statement that begins the function as our block would; None where none does."""
    if edit.place.side is not Side.INTO:
        return None
    try:
        first = _first(_function(edit.place, tree))
    except _Unfit:
        return None
    ours = ast.parse(f"def _():\n{textwrap.indent(edit.block, ' ')}").body[0]
    same = isinstance(ours, _Function) and ast.dump(ours.body[0]) == ast.dump(first)
    return first if same else None


def _before_by_hand(edit: Edit, source: Source, tree: ast.Module) -> Iterator[bytes]:
    """Yield what the file was before, as far as it is proven: the backup, or without the line."""
    if source.backup is not None and _proof(source.backup, edit, source):
        yield source.backup
    text = _Text.of(source.content or b"")
    node = _by_hand(edit, tree)
    if node is not None:
        lines = [*text.lines[: node.lineno - 1], *text.lines[node.end_lineno :]]
        content = _Text(lines, text.encoding).content()
        if _proof(content, edit, source):
            yield content


# --- a distribution of our own


def files_of(provided: Provided, version: str | None = None) -> dict[str, bytes]:
    """Return the files of the distribution by their paths in site-packages.

    RECORD is true, so that pip and uv can remove it. `version` takes the place of its own: a
    stand-in answers with the version that it stands in for, and a local label that says so.
    """
    label = provided.version if version is None else f"{version.partition('+')[0]}+legacy.doctor"
    info = f"{provided.name.replace('-', '_')}-{label}.dist-info"
    files = {path: text.encode() for path, text in provided.modules}
    files[f"{info}/METADATA"] = _metadata(provided, label).encode()
    files[f"{info}/WHEEL"] = _WHEEL
    files[f"{info}/INSTALLER"] = b"legacy-doctor\n"
    if provided.entry_points:
        files[f"{info}/entry_points.txt"] = _entry_points(provided).encode()
    rows = [f"{path},sha256={_spelt(files[path])},{len(files[path])}\n" for path in files]
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    return files


_WHEEL: Final = (
    b"Wheel-Version: 1.0\nGenerator: legacy-doctor\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
)


def _spelt(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _metadata(provided: Provided, version: str) -> str:
    return (
        f"Metadata-Version: 2.1\nName: {provided.name}\nVersion: {version}\n"
        f"Summary: {provided.summary}\nRequires-Python: >=3.8\n"
    )


def _entry_points(provided: Provided) -> str:
    groups: dict[str, list[str]] = {}
    for item in provided.entry_points:
        groups.setdefault(item.group, []).append(f"{item.name} = {item.object}\n")
    return "\n".join(f"[{group}]\n{''.join(lines)}" for group, lines in groups.items())


def distribution_standing(
    files: Mapping[str, bytes], present: Mapping[str, bytes | None]
) -> Standing:
    """Tell how an environment stands to the files of `files_of`; `present` is what it has."""
    there = {path: present.get(path) for path in files}
    if all(content is None for content in there.values()):
        return Standing(State.APPLICABLE, "nothing of it is installed")
    for path, content in there.items():
        if content != files[path]:
            what = "is missing" if content is None else "is not ours"
            return Standing(State.DRIFTED, f"{path} {what}")
    return Standing(State.APPLIED, "installed, every file as it should be")
