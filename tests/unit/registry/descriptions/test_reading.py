"""Descriptions as text: what is no description is refused with its place, and nothing runs away."""

import time

import pytest

from registry.descriptions.reading import read_text
from registry.errors import Invalid


def test_yaml_is_read_by_the_rules_of_json() -> None:
    text = "no: on\nhai: 2\nba: 0x1F\nngay: 2026-01-31\nso: '012'\nrong:\nthuc: 1.5e3\nma: 012\n200: {a: ~}\n"

    found, _ = read_text(text)

    assert found == {
        "no": "on", "hai": 2, "ba": "0x1F", "ngay": "2026-01-31", "so": "012", "rong": None, "thuc": 1500.0,
        "ma": "012",
        "200": {"a": None},
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ['\ufeff{"a": 1}', '\r\n {"a":\r\n 1}', "\ufeffa: 1\r\n", "---\na: 1\n...\n", "{a: 1}"[:0] + "a: 1"],
)
def test_marks_and_line_ends_do_not_matter(text: str) -> None:
    assert read_text(text)[0] == {"a": 1}


def test_merged_keys_of_yaml_are_taken() -> None:
    found, _ = read_text("goc: &g {a: 1, b: 2}\nmoi: {<<: *g, b: 3}\nhai: {<<: [*g, {c: 4}]}\n")

    assert found["moi"] == {"a": 1, "b": 3}
    assert found["hai"] == {"a": 1, "b": 2, "c": 4}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ("a: 1\na: 2\n", "'a' stands twice in one object, at line 2"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 1e400}', "out of range"),
        ("a: 1e400", "out of range"),
        ('{"a": ' + "9" * 5000 + "}", "too many digits"),
        ('{"a": ', "line 1, column"),
        ("a: [1, 2", "line"),
        ("a: !!python/object:os.system x\nb: *c\n", "alias"),
        ("a: &x [*x]\n", "alias"),
        ("? [1]\n: 2\n", "no text"),
        ("a: 1\n---\nb: 2\n", "several"),
        ("- 1\n", "an object is expected"),
        ("", "an object is expected"),
        ('{"a":' * 100_000, "too deeply"),
        ("{a: " * 1000 + "1" + "}" * 1000, "JSON"),
        ("a: " + "[" * 1000, "nest"),
        ("a: " + "[" * 300, "too deeply"),
    ],
)
def test_what_is_no_description_is_refused(text: str, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_text(text)

    assert told in caught.value.flaws[0].message


def test_aliases_do_not_explode() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    start = time.perf_counter()

    with pytest.raises(Invalid, match="aliases counted"):
        read_text(bomb)
    assert time.perf_counter() - start < 2


def test_control_characters_are_replaced_and_told() -> None:
    found, were_replaced = read_text('{"a\\u0000b": "c\\ud800d", "e": "f\\ng"}')

    assert were_replaced == {"characters"}
    assert found == {"a\ufffdb": "c\ufffdd", "e": "f\ng"}


@pytest.mark.parametrize(
    "text", ['{"a": [123456789012345678901234567890, 7]}', "a: [123456789012345678901234567890, 7]"]
)
def test_integers_that_no_json_library_carries_are_rounded_and_told(text: str) -> None:
    found, changed = read_text(text)

    assert found == {"a": [1.2345678901234568e29, 7]}
    assert changed == {"numbers"}
    with pytest.raises(Invalid):
        read_text('{"a": 1' + "0" * 350 + "}")


def test_what_begins_with_a_zero_is_a_text_in_yaml() -> None:
    found, _ = read_text("a: [012345678901, 0987654321, 00, 0, -0.5, 007.5, 10e3, 0.0, +7]")

    assert found["a"] == ["012345678901", "0987654321", "00", 0, -0.5, "007.5", 10e3, 0.0, 7]


def test_more_values_than_anybody_describes_are_refused_before_they_are_made() -> None:
    began = time.monotonic()
    with pytest.raises(Invalid, match="more than 3000000 values"):
        read_text('{"a": [' + "[]," * 7_000_000 + "1]}")
    assert time.monotonic() - began < 2
