"""Calls of functions that there are not are found before a mapping runs, and nothing else is taken for one."""

import pytest

from gateway.transforms.calls import foreign_calls
from gateway.transforms.code_tables import Tables
from gateway.transforms.contract import BadSettings, Document
from gateway.transforms.jsonata import build


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ("$nope(1)", [("nope", 0)]),
        ("a.$uppercase (b)", [("uppercase", 2)]),
        ("($f := function($n){ $n }; $f(1))", []),
        ("($g := $sum; $g([1]))", []),
        ("$map(a, function($v, $i){ $v($i) })", [("map", 0)]),
        ("a@$x.b[$x.i = i]", []),
        ("\"$nope(1)\" & '$khong(2)' & `$co(3)` /* $ca(4) */", []),
        (r"$match(a, /\$gia(1)/)", [("match", 0)]),
        ("$ten(a) & $ten(b)", [("ten", 0)]),
        ("$(1) + $$.a", []),
    ],
)
def test_what_is_called_and_not_bound(mapping: str, expected: list[tuple[str, int]]) -> None:
    assert list(foreign_calls(mapping)) == expected


@pytest.mark.parametrize(
    ("mapping", "told", "place"),
    [
        ('{"a": 1,\n "b": $nope(a)}', "no function $nope", (2, 7)),
        ("$now()", "$now is barred: a mapping may not depend on the time of day", (1, 1)),
        ('a & $eval("1")', "$eval is barred", (1, 5)),
        ("$Uppercase(a)", "no function $Uppercase", (1, 1)),
    ],
)
def test_they_are_refused_with_their_place(mapping: str, told: str, place: tuple[int, int]) -> None:
    with pytest.raises(BadSettings) as refused:
        build({"mapping": mapping}, Tables(), None)

    assert told in refused.value.message
    assert refused.value.pointer == "/mapping"
    assert refused.value.place is not None
    assert (refused.value.place.line, refused.value.place.column) == place


@pytest.mark.parametrize(
    "mapping", ["$assert(true)", '$name(a, "upper")', "$exists(a) ? 1 : 2", '($error := 1; "x")']
)
def test_what_there_is_can_be_called(mapping: str) -> None:
    build({"mapping": mapping}, Tables(), None)


def test_what_is_handed_on_by_name_is_met_when_it_runs() -> None:
    handed_on = build({"mapping": "($f := $now; $f())"}, Tables(), None)

    with pytest.raises(Exception, match="barred"):
        handed_on(Document(b"{}"))
