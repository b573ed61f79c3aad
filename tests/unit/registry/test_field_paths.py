"""How fields of an answer are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.field_paths import FieldPath, read_path, write_path


@pytest.mark.parametrize(
    ("text", "names", "whole"),
    [
        ("NAME", ("NAME",), False),
        ("MainInformation.NAME", ("MainInformation", "NAME"), False),
        ("Members[].NAME", ("Members", "NAME"), False),
        ("Members[][].NAME[]", ("Members", "NAME"), False),
        ("Members.*", ("Members",), True),
        ("Members[].*", ("Members",), True),
        ("*", (), True),
        (r"a\.b.c\[\]", ("a.b", "c[]"), False),
        (r"\*", ("*",), False),
        ("Envelope.Body.m:Số.@id", ("Envelope", "Body", "m:Số", "@id"), False),
    ],
)
def test_a_path_is_read(text: str, names: tuple[str, ...], whole: bool) -> None:  # noqa: FBT001
    assert read_path(text) == FieldPath(names, whole)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "*.a",
        "a.*.b",
        "a*",
        "[]",
        "a[0]",
        "a[",
        "a]",
        "a[]b",
        r"a\b",
        "a\\",
        "*[]",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        read_path(text)


def test_a_path_has_an_end() -> None:
    with pytest.raises(ValueError, match="at most"):
        read_path(".".join("a" * 41))


@given(st.lists(st.text(min_size=1, max_size=5), max_size=5), st.booleans())
def test_a_written_path_is_read_as_the_same(names: list[str], whole: bool) -> None:  # noqa: FBT001
    path = FieldPath(tuple(names), whole or not names)
    assert read_path(write_path(path)) == path
