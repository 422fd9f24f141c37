"""What must not leave the machine does not, in any field; and the rest stays as it was."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_doctor.report.redaction import Secrets, private

PREFIX = "/srv/acme secret/project/.venv"
ANN = Secrets(
    places=((PREFIX, "[environment]"), ("acme/.venv/bin/python", "[environment]/bin/python")),
    homes=("/home/ann",),
    users=("ann", "root"),
    hosts=("annabelle.example.org",),
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{PREFIX}/lib/python3.11/x.py", "[environment]/lib/python3.11/x.py"),
        ("acme/.venv/bin/python -m pip install", "[environment]/bin/python -m pip install"),
        ("/other/acme/.venv/bin/python", "[path]/python"),
        ("/home/ann/notes", "~/notes"),
        ("cd /home/ann", "cd ~"),
        ("/home/bob/notes and /Users/Bob", "/home/[user]/notes and /home/[user]"),
        ("file:///home/ann/x", "file://~/x"),
        ("/home/ann2, /home/anna/x", "[path], [path]/x"),
        ("/data/team/weights.bin missing", "[path]/weights.bin missing"),
        ("(/data/team/ann.so)", "([path]/[user].so)"),
        ("'/data/a', \"/data/b\"", "'[path]/a', \"[path]/b\""),
        ("Ann's laptop annabelle said", "[user]'s laptop [host] said"),
        ("annabelle.example.org", "[host]"),
        ("ann@annabelle.example.org", "[mail]"),
        ("https://ann:s3cret@index.example/simple", "https://[credentials]@index.example/simple"),
        ("ann_project, ANN-2", "[user]_project, [user]-2"),
    ],
    ids=[
        "the target",
        "the target as it is typed",
        "another path that ends like it",
        "home",
        "home alone",
        "another's home",
        "an address of a file",
        "a folder whose name starts like home",
        "a folder nobody named",
        "a name in the last part",
        "paths in quotes",
        "names in a sentence",
        "the whole host name",
        "a mail address",
        "credentials of an index",
        "names with something at them",
    ],
)
def test_what_is_private_is_replaced(text: str, left: str) -> None:
    assert ANN.redact(text).value == left


@pytest.mark.parametrize(
    "text",
    [
        "numpy/_core/_multiarray_umath.so +0x2dbcc",
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/ld-linux-x86-64.so.2 and /proc/self/maps",
        "https://github.com/numpy/numpy/issues/27851",
        "numpy/numpy#27851",
        "an annotation, a planned channel",
        "pinsrq $0x1,0x9172b9(%rip),%xmm0",
        "root is what everybody is called",
        "qemu-x86_64 7.2.22 -cpu phenom",
        "and/or, 1/2",
        "</summary>",
    ],
)
def test_what_tells_nothing_of_anybody_stays(text: str) -> None:
    assert ANN.redact(text).value == text


def test_it_is_told_what_was_replaced_and_how_often() -> None:
    value = [f"{PREFIX}/x", {"/home/ann": "ann ann"}, 3, None, ("annabelle",), "/a/b", "x@y.org"]

    redacted = ANN.redact(value)

    assert redacted.value == [
        "[environment]/x", {"~": "[user] [user]"}, 3, None, ["[host]"], "[path]/b", "[mail]"
    ]  # fmt: skip
    assert redacted.counts == {
        "e-mail addresses": 1,
        "home folders": 1,
        "host names": 1,
        "other folders": 1,
        "the target": 1,
        "user names": 2,
    }


def test_a_home_at_the_root_is_no_part_of_another_name() -> None:
    secrets = Secrets(homes=("/root", "/"))

    assert secrets.redact("/root/x and /rootfs").value == "~/x and [path]"


def test_who_has_no_secrets_still_shares_no_foreign_folder() -> None:
    assert Secrets().redact("/data/x, plain").value == "[path]/x, plain"


@pytest.mark.parametrize(
    ("name", "told"),
    [("root", False), ("Ubuntu", False), ("al", False), ("", False), ("ann", True), ("vm7", True)],
)
def test_a_name_that_everybody_has_tells_nothing(name: str, told: bool) -> None:
    assert private(name) is told


_NAME = st.text(string.ascii_letters + string.digits, min_size=3, max_size=12).filter(private)
_PART = st.text(string.ascii_letters + string.digits + "-_. ", min_size=1, max_size=12).map(
    lambda text: f"x{text.strip(' .')}"
)


@st.composite
def _machines(draw: st.DrawFn) -> tuple[Secrets, str, str, str, str]:
    """Somebody's machine: secrets, user, host, home and prefix."""
    user, host = draw(_NAME), draw(_NAME)
    home = draw(st.sampled_from([f"/home/{user}", f"/Users/{user}", f"/srv/people/{user}"]))
    prefix = f"{draw(st.sampled_from([home, '/data', '/opt/x']))}/{'/'.join(draw(st.lists(_PART, min_size=1, max_size=3)))}"
    secrets = Secrets(
        places=((prefix, "[environment]"),), homes=(home,), users=(user,), hosts=(host,)
    )
    return secrets, user, host, home, prefix


@st.composite
def _said(draw: st.DrawFn) -> tuple[Secrets, tuple[str, ...], Any]:
    """A machine, and a tree of texts that speak of it wherever they can."""
    secrets, user, host, home, prefix = draw(_machines())
    glue = st.sampled_from(
        ["", " ", "/", "'", ":", "=", "\n", ", ", "@", "--", "(", '"', "x", ".", "://", "~"]
    )
    word = st.one_of(
        st.sampled_from([user, host, home, prefix, f"{home}2", f"{prefix}/lib", user.upper()]),
        st.text(max_size=8),
    )
    text = st.lists(st.tuples(glue, word), max_size=8).map(
        lambda parts: "".join(left + right for left, right in parts)
    )
    tree = draw(
        st.recursive(
            text,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        )
    )
    return secrets, (user, host, home, prefix), tree


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_said())
def test_no_name_no_home_and_no_target_is_left_in_any_field(
    case: tuple[Secrets, tuple[str, ...], Any],
) -> None:
    secrets, (user, host, home, prefix), tree = case

    for text in _texts(secrets.redact(tree).value):
        bare = re.sub(r"\[(?:environment|path|user|host|mail|credentials)\]", "", text)
        for name in (user, host):
            assert not re.search(rf"(?<![^\W_]){name}(?![^\W_])", bare, re.IGNORECASE), text
        assert home not in text
        assert prefix not in text


@settings(max_examples=30, deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False), st.lists)
)
def test_what_is_no_text_stays_as_it_is(value: Any) -> None:
    redacted = Secrets(users=("ann",)).redact(value)

    assert redacted.value == value
    assert redacted.counts == {}
