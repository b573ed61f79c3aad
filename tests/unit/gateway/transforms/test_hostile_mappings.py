"""Mappings and documents that ask for more than they may, or for what breaks a library: refused, in bounds, and nobody waits."""

import asyncio
import json
import resource
import time
from collections.abc import Iterator
from typing import Any

import pytest
from anyio import CapacityLimiter

from gateway.transforms.chain import chain_of
from gateway.transforms.code_tables import Tables
from gateway.transforms.contract import Document, Unfit
from gateway.transforms.golden import is_same
from gateway.transforms.guests import Guests
from gateway.transforms.jsonata import build
from gateway.transforms.plain import is_plain
from registry.entities import TransformSpec
from tests.stalls import watched_loop

PANICS = "$formatNumber(1, '#,0." + "0" * 70_000 + "')"


@pytest.fixture(scope="module")
def guests() -> Iterator[Guests]:
    guests = Guests()
    yield guests
    guests.close()


@pytest.mark.parametrize(
    "mapping",
    [
        '$join(a, ", ")', "$join(a)", "$join(a.b[0], '-')", '$replace(a, " ", "")', '$replace(a, b, "x")', '$formatNumber(a, "#,##0.00")',
        '{"x": $join(["a", $replace(b, "c", "d")], "/")}',
    ],
)  # fmt: skip
def test_what_makes_long_texts_of_short_ones_is_plain(mapping: str) -> None:
    assert is_plain(mapping)


@pytest.mark.parametrize(
    "mapping",
    [
        '$replace(a, "x", b)', "$replace(a, 'x', a & a)", '$replace(a, "x", "y", 2)', "$join(a, b)", '$join(a, "y" & b)',
        '$join(a, "' + "-" * 30 + '")', '$formatNumber(1, "#" & a)', "$formatNumber(1, a)", '{"x": $join(a, $replace(b, "c", d))}',
        '$join($replace(a, "x", b), ",")', PANICS,
    ],
)  # fmt: skip
def test_what_makes_products_of_long_texts_is_not(mapping: str) -> None:
    assert not is_plain(mapping)


HUGE = {"a": "x" * 30_000, "b": "y" * 30_000, "n": ["x"] * 9_000}


@pytest.mark.parametrize(
    "mapping",
    [
        '$replace(a, "x", b)', '$replace(a, "x", a)', "$join(n, b)", '$formatNumber(1, "#,0." & $replace(a, "x", "0000000000"))', PANICS,
        "$replace($replace(a, 'x', 'yyyyyyyyyyyyyyy'), 'y', 'zzzzzzzzzzzzzzz')",
    ],
)  # fmt: skip
async def test_products_of_a_message_hold_up_nobody(guests: Guests, mapping: str) -> None:
    chain = chain_of([TransformSpec(kind="jsonata", settings={"mapping": mapping})], Tables(), guests)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with watched_loop() as gaps:
        with pytest.raises(Unfit) as refused:
            await chain.apply(Document(json.dumps(HUGE).encode()), CapacityLimiter(2))

    assert refused.value.code in {"limit", "mapping-failed"}
    assert max(gaps) < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_an_engine_that_gives_up_is_told() -> None:
    with pytest.raises(Unfit) as refused:
        build({"mapping": PANICS}, Tables(), None)(Document(b"{}"))

    assert (refused.value.code, refused.value.subject) == ("limit", "mapping")


NESTED = "$reduce([1..28], function($a, $i) {[$a, $a]}, [1])"


@pytest.mark.parametrize("size", [10, 70_000])
def test_a_mapping_that_looks_at_no_clock_is_killed_in_its_time(guests: Guests, size: int) -> None:
    settings = {"mapping": f"({NESTED}) = ({NESTED})", "limits": {"seconds": 0.5}}
    chain = chain_of([TransformSpec(kind="jsonata", settings=settings)], Tables(), guests)
    body = json.dumps({"a": "x" * size}).encode()
    began = time.monotonic()
    with pytest.raises(Unfit):
        asyncio.run(chain.apply(Document(body), CapacityLimiter(2)))

    assert time.monotonic() - began < 6


def test_guests_that_died_while_they_rested_are_passed_over() -> None:
    guests = Guests()
    mapping = build({"mapping": "($f := $sum; $f(a))"}, Tables(), guests)
    try:
        processes = [guests._take() for _ in range(2)]
        for process in processes:
            guests._give_back(process, keep=True)
        for _ in range(2):
            assert mapping(Document(b'{"a": [1, 2]}')).body == b"3"
        for process in list(guests._idle):
            process.is_fresh = False
            process._process.kill()
            process._process.wait()
        assert mapping(Document(b'{"a": [3, 4]}')).body == b"7"
    finally:
        guests.close()


@pytest.mark.parametrize(
    ("mapping", "given", "expected"),
    [
        ('$base64encode("Đặng Thị Ánh")', {}, "xJDhurduZyBUaOG7iyDDgW5o"),
        ('$base64decode("xJDhurduZw==")', {}, "Đặng"),
        ("$base64decode($base64encode(ten))", {"ten": "Nguyễn 𠀀"}, "Nguyễn 𠀀"),
    ],
)
def test_base64_is_of_utf_8(mapping: str, given: Any, expected: str) -> None:
    made = build({"mapping": mapping}, Tables(), None)(Document(json.dumps(given).encode()))
    assert json.loads(made.body) == expected


@pytest.mark.parametrize("text", ["%%%", "/w==", "abc"])
def test_what_is_no_base64_of_utf_8_is_told(text: str) -> None:
    with pytest.raises(Unfit) as refused:
        build({"mapping": "$base64decode(a)"}, Tables(), None)(Document(json.dumps({"a": text}).encode()))
    assert refused.value.code == "value-unreadable"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a": 1, "b": [2]}', b'{"b":[2],"a":1}', True),
        (b"1.50", b"1.5", True),
        (b"1", b"true", False),
        (b"0", b"false", False),
        (b"123456789012345678901", b"123456789012345678902", False),
        (b'"1"', b"1", False),
        (b'{"a": 1, "a": 1}', b'{"a": 1}', False),
        (b"<a/>", b" <a/>\n", True),
        (b"<a/>", b"<b/>", False),
    ],
)
def test_documents_are_the_same_only_when_nothing_differs(one: bytes, other: bytes, *, same: bool) -> None:
    assert is_same(one, other) is same
