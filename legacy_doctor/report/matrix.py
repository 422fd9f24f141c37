"""Distributions and x86-64 levels as a picture, and the same as a table.

A verdict is told by its shape and its sign, and how well it is known by whether the shape is
filled: colour only repeats it. The picture is for the eye; readers of the page who do not see it
have the table, and both are made from the same prognosis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from legacy_doctor.model import Expectation, Fate, Prognosis
from legacy_doctor.report.markup import Markup, join, prose, tag

FATES: Final = {
    Fate.WORKS: "works",
    Fate.DIES: "dies",
    Fate.REFUSES: "clean error",
    Fate.UNKNOWN: "unknown",
}
"""What the page calls each fate."""
_BROUGHT: Final = {
    "x86-64-v1": "SSE2",
    "x86-64-v2": "SSE4.2",
    "x86-64-v3": "AVX2",
    "x86-64-v4": "AVX-512",
}
"""What people know each level by."""
_ROW: Final = 34
_HEAD: Final = 50
_COLUMN: Final = 66
_HERE: Final = 86
"""The column of this CPU is wider: the name may be long."""
_LETTER: Final = 8
"""Pixels that a letter of a name takes at most, on the average, in any usual sans-serif."""
_LONGEST: Final = 26
_LONGEST_VERSION: Final = 11


def ordered(prognosis: Iterable[Prognosis]) -> list[Prognosis]:
    """Return what is known of anything, the worst here first, then by the levels, then by name."""
    rank = list(Fate).index
    return sorted(
        (item for item in prognosis if item.known),
        key=lambda item: (
            rank(item.here.fate),
            [rank(cell.fate) for _, cell in item.levels],
            item.distribution,
        ),
    )


def words(cell: Expectation) -> str:
    """Return a cell in words: `dies on import, proven`."""
    if cell.fate is Fate.UNKNOWN:
        return FATES[cell.fate]
    known = "proven" if cell.proven else "inferred"
    if cell.fate is Fate.WORKS:
        stage = " (import only)" if cell.proven and cell.stage == "import" else ""
    else:
        stage = {"import": " on import", "use": " in use"}.get(cell.stage, "")
    return f"{FATES[cell.fate]}{stage}, {known}"


def picture(rows: Sequence[Prognosis], here: str) -> Markup:
    """Return the rows as inline SVG; `here` is what the column of this CPU is called."""
    left = _left(rows)
    levels = [level for level, _ in rows[0].levels]
    width = left + _HERE + _COLUMN * len(levels) + 4
    height = _HEAD + _ROW * len(rows) + 4
    return tag(
        "svg",
        tag(
            "title", f"{len(rows)} distributions on this CPU and on x86-64-v1 to v4", id="mx-title"
        ),
        tag("desc", "The same is told in words by the table below it.", id="mx-desc"),
        *_heads(left, here, levels),
        *(_row(row, index, left, width) for index, row in enumerate(rows)),
        role="img",
        aria_labelledby="mx-title mx-desc",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        class_="matrix",
    )


def _left(rows: Iterable[Prognosis]) -> int:
    """Return how much room the names need."""
    longest = max(len(_cut(row.distribution)) + 0.85 * len(_version(row)) for row in rows)
    return int(longest * _LETTER) + 30


def _cut(name: str, longest: int = _LONGEST) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _version(row: Prognosis) -> str:
    return _cut(row.version, _LONGEST_VERSION)


def _heads(left: int, here: str, levels: Sequence[str]) -> Iterator[Markup]:
    heads = [(_cut(here, 10), ""), *((level[-2:], _BROUGHT.get(level, "")) for level in levels)]
    yield tag("rect", x=left, y=0, width=_HERE, height="100%", class_="mx-here")
    for index, (name, brought) in enumerate(heads):
        x = _middle(left, index)
        yield tag("text", name, x=x, y=22, class_="mx-head")
        yield tag("text", brought, x=x, y=39, class_="mx-sub")


def _middle(left: int, column: int) -> int:
    """Return where the middle of a column is; the first is that of this CPU."""
    return left + (_HERE // 2 if not column else _HERE + _COLUMN * column - _COLUMN // 2)


def _row(row: Prognosis, index: int, left: int, width: int) -> Markup:
    top = _HEAD + _ROW * index
    middle = top + _ROW // 2
    cells = [row.here, *(cell for _, cell in row.levels)]
    name = tag(
        "text",
        tag("title", f"{row.distribution} {row.version}"),
        tag("tspan", _cut(row.distribution), class_="mx-name"),
        tag("tspan", _version(row), dx=6, class_="mx-version"),
        x=6,
        y=middle + 5,
    )
    return tag(
        "g",
        tag("line", x1=0, y1=top, x2=width, y2=top, class_="mx-rule"),
        name,
        *(
            tag(
                "g",
                tag("title", f"{words(cell)}: {cell.reason}" if cell.reason else words(cell)),
                *_shape(cell),
                transform=f"translate({_middle(left, place)} {middle})",
            )
            for place, cell in enumerate(cells)
        ),
    )


def icon(fate: Fate, *, proven: bool) -> Markup:
    """Return the sign of a verdict, for the legend; the words stand beside it."""
    cell = Expectation(fate=fate, proven=proven)
    return tag(
        "svg", *_shape(cell), viewBox="-14 -14 28 28", width=22, height=22, aria_hidden="true"
    )


def _shape(cell: Expectation) -> Iterator[Markup]:
    """Yield the shape around a sign and the sign: filled where it is proven."""
    kind = f"{cell.fate.value} {'proven' if cell.proven else 'inferred'}"
    if cell.fate is Fate.UNKNOWN:
        yield tag("text", "?", y=5, class_="mx-unknown")
        return
    if cell.fate is Fate.WORKS:
        yield tag("circle", r=11, class_=f"mx {kind}")
        yield tag("path", d="M-5 0.5 L-1.5 4 L5 -4", class_=f"mx-sign {kind}")
    elif cell.fate is Fate.DIES:
        yield tag("rect", x=-11, y=-11, width=22, height=22, rx=3, class_=f"mx {kind}")
        yield tag("path", d="M-4.5 -4.5 L4.5 4.5 M4.5 -4.5 L-4.5 4.5", class_=f"mx-sign {kind}")
    else:
        yield tag("path", d="M0 -12 L13 10.5 L-13 10.5 Z", class_=f"mx {kind}")
        yield tag("path", d="M0 -4 L0 3 M0 6.6 L0 6.7", class_=f"mx-sign {kind}")


def legend() -> Markup:
    """Return what the signs mean."""
    items = [
        *((FATES[fate], icon(fate, proven=True)) for fate in (Fate.WORKS, Fate.DIES)),
        (FATES[Fate.REFUSES], icon(Fate.REFUSES, proven=True)),
        (FATES[Fate.UNKNOWN], icon(Fate.UNKNOWN, proven=True)),
        ("filled: seen in a run, here or elsewhere", icon(Fate.WORKS, proven=True)),
        ("dashed: inferred or reported", icon(Fate.WORKS, proven=False)),
    ]
    return tag("ul", *(tag("li", sign, tag("span", name)) for name, sign in items), class_="legend")


def table(rows: Sequence[Prognosis], here: str) -> Markup:
    """Return the same as a table, with the reason for this CPU."""
    levels = [level for level, _ in rows[0].levels]
    head = tag(
        "tr",
        *(tag("th", name, scope="col") for name in ("distribution", here, *levels)),
        tag("th", f"why ({here})", scope="col"),
    )
    body = (
        tag(
            "tr",
            tag("th", f"{row.distribution} {row.version}", scope="row"),
            *(tag("td", words(cell)) for cell in (row.here, *(cell for _, cell in row.levels))),
            tag("td", prose(row.here.reason)),
        )
        for row in rows
    )
    caption = tag("caption", "What is to be expected of every distribution with machine code")
    return tag("table", caption, tag("thead", head), tag("tbody", join(*body)))
