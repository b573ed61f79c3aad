import json

import pytest

from gateway.transforms.contract import Unfit
from gateway.transforms.json_text import MAX_DEPTH, parse_json, readable_json

PADDING = b" " * (64 * 1024)


def both(body: bytes) -> list[bytes]:
    """Return the document small and large: they are read by two different programs."""
    return [body, body + PADDING]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"a":1,"a":2}', "duplicate-key"),
        (b'{"a":1,"\\u0061":2}', "duplicate-key"),
        (b'{"x":[{"a":{"b":1,"c":[],"b":2}}]}', "duplicate-key"),
        (b'{"a":NaN}', "malformed"),
        (b'{"a":-Infinity}', "malformed"),
        (b'{"a":1e400}', "number-out-of-range"),
        (b'{"a":-1e400}', "number-out-of-range"),
        (b"\xef\xbb\xbf{}", "encoding"),
        (b'{"a":"\xff"}', "encoding"),
        (b"\xff\xfe{\x00}\x00", "encoding"),
        (b'{"a":01}', "malformed"),
        (b'{"a":"', "malformed"),
        (b"[" * 10_000 + b"]" * 10_000, "too-deep"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "too-deep"),
    ],
)
def test_what_strangers_send_is_refused_small_and_large(body: bytes, code: str) -> None:
    for document in both(body):
        with pytest.raises(Unfit) as refused:
            readable_json(document)
        assert refused.value.code == code


@pytest.mark.parametrize("body", [b'{"a":"\\ud800"}', b'{"\\udc00":1}', b'["\\ud800\\ud800"]'])
def test_half_a_surrogate_pair_is_refused(body: bytes) -> None:
    for document in both(body):
        with pytest.raises(Unfit):
            readable_json(document)
    assert json.loads(readable_json(b'["\\ud83d\\ude00", "\\\\ud800"]')) == ["😀", "\\ud800"]
    assert json.loads(readable_json(b'["\\ud83d\\ude00", "\\\\ud800"]' + PADDING)) == ["😀", "\\ud800"]


@pytest.mark.parametrize(
    ("digits", "exact"),
    [
        ("79201000001", 79201000001), ("123456789012", 123456789012), ("9007199254740992", 9007199254740992),
        ("9007199254740993", "9007199254740993"), ("-9007199254740993", "-9007199254740993"),
        ("12345678901234567890", "12345678901234567890"), ("150000.50", 150000.5), ("0.1", 0.1), ("1e3", 1000.0),
        ("1234567890123456.78", "1234567890123456.78"), ("0.00000000000000001", 1e-17), ("1e-400", "1e-400"),
        ("0", 0), ("-0", 0),
    ],
)  # fmt: skip
def test_numbers_that_a_double_would_change_become_text(digits: str, exact: object) -> None:
    for document in both(f'{{"a":{digits}}}'.encode()):
        assert json.loads(readable_json(document)) == {"a": exact}
        assert json.loads(readable_json(document, "text")) == {"a": digits}


def test_the_depth_that_is_allowed_is_allowed() -> None:
    allowed = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    for document in both(allowed):
        assert readable_json(document).strip() == allowed.decode()
    for document in both(b"[" + allowed + b"]"):
        with pytest.raises(Unfit, match="levels"):
            readable_json(document)


def test_a_place_is_told() -> None:
    with pytest.raises(Unfit) as refused:
        readable_json(b'{\n "a": 1,\n "b" 2}')
    assert (refused.value.place.line, refused.value.place.column) == (3, 6)  # type: ignore[union-attr]  # it has one


def test_values_are_read_by_the_same_rules() -> None:
    assert parse_json(b'{"a":[1,9007199254740993]}') == {"a": [1, "9007199254740993"]}
