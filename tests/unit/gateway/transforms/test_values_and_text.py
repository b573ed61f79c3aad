"""A small document is mapped as values, a large one as text: what comes out is the same."""

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.transforms.code_tables import Tables
from gateway.transforms.contract import NOT_READ, Document, Unfit
from gateway.transforms.engine import Mapping, Settings
from gateway.transforms.json_text import plain_json, readable_json

NAMES = st.sampled_from(["a", "b", "c", "ds"])
SINGLE = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
JSON = st.recursive(
    SINGLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)
MAPPINGS = [
    Mapping(Settings(mapping=source), Tables({}))
    for source in (
        "$",
        '{"x": a, "y": b.c, "z": ds[0], "n": $count(ds)}',
        "ds.{'a': a, 'b': b}",
        "a & b",
        "[a, b, ds]",
        "a + 1",
        "$string(a)",
        "ds[]",
        "$sum(ds.a)",
        "a = b",
        "khong-co",
    )
]


def outcome(run: Any, document: Document) -> Any:  # Any: whatever comes out
    try:
        made = run(document)
    except Unfit as unfit:
        return unfit.code
    assert made.value is NOT_READ or orjson.dumps(made.value) == made.body
    # Of one and the same number the engine writes 0.000001 where our writer writes 1e-6.
    return repr(orjson.loads(made.body))


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping._source)
@given(JSON)
@example(1e-06)
def test_values_and_text_give_the_same(mapping: Mapping, value: Any) -> None:
    try:
        document = Document(orjson.dumps(value))
    except TypeError:  # an integer that the writer does not take
        return

    assert outcome(mapping, document) == outcome(
        lambda given: mapping._of_text(given, mapping._small), document
    )


@given(JSON)
def test_what_is_plain_is_what_a_careful_reader_leaves_alone(value: Any) -> None:
    try:
        body = orjson.dumps(value)
    except TypeError:
        return
    if plain_json(body) is not NOT_READ:
        assert readable_json(body).encode() == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}', b'{"a": 1}', b"1.10", b"1e3", b"-0", b"12345678901234567890", b"9007199254740993",
        b"0.1234567890123456", b'"\\u00e9"', b"{", b"NaN", b"\xef\xbb\xbf1",
    ],
)  # fmt: skip
def test_whatever_needs_a_look_gets_one(body: bytes) -> None:
    assert plain_json(body) is NOT_READ
