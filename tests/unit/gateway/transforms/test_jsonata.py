"""Our conformance suite for the mapping language: every operator and function that docs/reference/transforms.md names."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import pytest

from gateway.transforms.code_tables import CodeTable, Tables
from gateway.transforms.contract import BadSettings, Document, OutOfTime, Unfit
from gateway.transforms.functions import FUNCTIONS
from gateway.transforms.guests import Guests
from gateway.transforms.jsonata import build
from gateway.transforms.plain import is_plain
from gateway.transforms.reference import LANGUAGE, reference
from registry.entities import Code, CodeList

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "transforms.md"
ORDER: dict[str, Any] = {
    "so": "H26-1", "gia": 150000, "co": True, "trong": None, "ten": "Nguyễn Văn An",
    "muc": [{"ma": "a", "gia": 10, "sl": 2}, {"ma": "b", "gia": 5, "sl": 1}], "mot": [{"ma": "a"}], "so_le": [3, 1, 2],
    "cha": {"con": {"ten": "Lan"}},
}  # fmt: skip
GUESTS = Guests()
LISTS = {
    "quoc-gia": CodeTable(
        CodeList(code="quoc-gia", name_vi="Trạng thái", codes=(Code(code="10", name_vi="Đã trả kết quả"),))
    ),
    "tinh": CodeTable(
        CodeList(
            code="tinh",
            name_vi="Trạng thái",
            codes=(
                Code(
                    code="trả kết quả", name_vi="Trả", same_as={"quoc-gia": "10"}, valid_to=date(2030, 1, 1)
                ),
            ),
        )
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _guests() -> Iterator[None]:
    yield
    GUESTS.close()


def run(mapping: str, value: Any = None, **settings: Any) -> Any:
    """Return what a mapping makes of a value."""
    body = json.dumps(ORDER if value is None else value).encode()
    made = build({"mapping": mapping, **settings}, Tables(LISTS), GUESTS)(Document(body))
    return json.loads(made.body)


CONFORMANCE: list[tuple[str, object]] = [
    # reaching values
    ("cha.con.ten", "Lan"), ("muc.ma", ["a", "b"]), ("muc[0].ma", "a"), ("muc[-1].ma", "b"), ("muc[gia > 5].ma", "a"),
    ("mot.ma", "a"), ("mot[].ma", ["a"]), ("[mot.ma]", ["a"]), ("cha.*.ten", "Lan"), ("**.ten", ["Nguyễn Văn An", "Lan"]),
    ("$$.so", "H26-1"), ("cha.($.con.ten)", "Lan"), ("cha.con.(%.con.ten)", "Lan"), ("`so_le`[0]", 3), ('cha."con".ten', "Lan"),
    ("muc@$m.$m.ma", ["a", "b"]), ("muc#$i.{'ma': ma, 'i': $i}", [{"ma": "a", "i": 0}, {"ma": "b", "i": 1}]),
    # making values
    ('{"a": so, "b": khong_co, "c": trong}', {"a": "H26-1", "c": None}), ("[1, so]", [1, "H26-1"]), ("[1..3]", [1, 2, 3]),
    ("muc{ma: gia}", {"a": 10, "b": 5}), ('"a" & 1 & true', "a1true"), ("null", None), ("'chữ'", "chữ"), ('"\\u00e0"', "à"),
    # arithmetic, comparison, logic
    ("1 + 2 * 3 - 4 / 2", 5), ("7 % 3", 1), ("-gia", -150000), ("gia = 150000", True), ("gia != 1", True), ("1 < 2", True),
    ("2 <= 2", True), ("3 > 2", True), ("3 >= 4", False), ('"a" in muc.ma', True), ("co and false", False), ("co or false", True),
    ('co ? "có" : "không"', "có"), ("khong_co ?? 1", 1), ('"" ?: 2', 2),
    # binding, calling, changing
    ("($x := 2; $x * $x)", 4), ("($f := function($x) { $x * 2 }; $f(4))", 8), ("($f := λ($x) { $x + 1 }; $f(1))", 2),
    ('ten ~> $uppercase()', "NGUYỄN VĂN AN"), ("($add := function($a, $b) { $a + $b }; $inc := $add(1, ?); $inc(2))", 3),
    ("muc^(gia).ma", ["b", "a"]), ("muc^(>gia).ma", ["a", "b"]), ('cha ~> | con | {"ten": "Mai"} |', {"con": {"ten": "Mai"}}),
    ("/* chú thích */ 1", 1), ('"a1b" ~> /[0-9]/ ? 1 : 0', 1),
    # text
    ('$string(5)', "5"), ('$length("Đặng")', 4), ('$substring("Đặng Lan", 5)', "Lan"), ('$substringBefore("a-b", "-")', "a"),
    ('$substringAfter("a-b", "-")', "b"), ('$uppercase("đặng")', "ĐẶNG"), ('$lowercase("ĐẶNG")', "đặng"), ('$trim("  a  b ")', "a b"),
    ('$pad("7", -3, "0")', "007"), ('$contains("abc", "b")', True), ('$split("a,b", ",")', ["a", "b"]), ('$join(["a", "b"], "-")', "a-b"),
    ('$match("a1b2", /[0-9]/).match', ["1", "2"]), ('$replace("a-b-c", "-", "/")', "a/b/c"), ('$replace("01/02", /(\\d+)\\/(\\d+)/, "$2-$1")', "02-01"),
    ('$base64encode("a")', "YQ=="), ('$base64decode("YQ==")', "a"), ('$encodeUrlComponent("a b")', "a%20b"), ('$decodeUrlComponent("a%20b")', "a b"),
    ('$encodeUrl("a b")', "a%20b"), ('$decodeUrl("a%20b")', "a b"),
    # numbers
    ('$number("12")', 12), ("$abs(-1)", 1), ("$floor(1.5)", 1), ("$ceil(1.5)", 2), ("$round(2.567, 2)", 2.57), ("$power(2, 3)", 8),
    ("$sqrt(9)", 3), ('$formatNumber(1234.5, "#,##0.00")', "1,234.50"), ('$formatBase(10, 2)', "1010"), ('$formatInteger(7, "000")', "007"),
    ('$parseInteger("007", "000")', 7), ("$sum(muc.gia)", 15), ("$max(so_le)", 3), ("$min(so_le)", 1), ("$average(so_le)", 2),
    # logic
    ("$boolean([0])", False), ("$not(co)", False), ("$exists(khong_co)", False),
    # arrays
    ("$count(muc)", 2), ("$append([1], [2])", [1, 2]), ("$sort(so_le)", [1, 2, 3]), ("$reverse([1, 2])", [2, 1]), ("$distinct([1, 1, 2])", [1, 2]),
    ("$zip([1, 2], [3, 4])", [[1, 3], [2, 4]]),
    # objects
    ('$keys(cha)', "con"), ('$lookup(cha, "con").ten', "Lan"), ('$spread({"a": 1})', {"a": 1}), ('$merge([{"a": 1}, {"b": 2}])', {"a": 1, "b": 2}),
    ('$each({"a": 1}, function($v, $k) { $k & $v })', "a1"), ('$sift({"a": 1, "b": 2}, function($v) { $v > 1 })', {"b": 2}), ("$type(muc)", "array"),
    # functions on functions
    ("$map([1, 2], function($x) { $x })", [1, 2]), ("$filter([1, 2], function($x) { $x > 1 })", 2), ("$reduce([1, 2, 3], function($a, $b) { $a + $b })", 6),
    ("$single([1, 2], function($x) { $x = 2 })", 2),
    # moments that are given
    ('$toMillis("1970-01-01T00:00:01.000Z")', 1000), ('$fromMillis(1000)', "1970-01-01T00:00:01.000Z"),
    ('$fromMillis(0, "[D01]/[M01]/[Y0001]", "+0700")', "01/01/1970"),
]  # fmt: skip


@pytest.mark.parametrize(("mapping", "expected"), CONFORMANCE, ids=[case[0] for case in CONFORMANCE])
def test_the_language(mapping: str, expected: object) -> None:
    assert run(mapping) == expected


def test_everything_that_the_reference_names_is_shown() -> None:
    shown = " ".join(case[0] for case in CONFORMANCE)
    for names in LANGUAGE.values():
        assert not [name for name in names.split() if f"${name}(" not in shown]
    assert PAGE.read_text("utf-8") == reference()


@pytest.mark.parametrize("function", FUNCTIONS, ids=[function.name for function in FUNCTIONS])
def test_our_functions(function: Any) -> None:
    mapping, expected = function.example
    lists = ["quoc-gia", "tinh"] if "quoc-gia" in mapping else []
    assert run(mapping, code_lists=lists) == expected
    # What is absent, null or empty stays absent.
    for absent in ("khong_co", "null", '""', '"  "'):
        assert run(f'{{"x": ${function.name}({absent})}}', code_lists=lists) == {}


@pytest.mark.parametrize(
    "mapping",
    [
        "($f := $now; $f())", "($f := $eval; $f('1'))", '$date("hôm nay")', '$date("1980", "yyyyMMdd")',
        '$gender("0", "1-2-3", "1-0")', '$gender("1", "khác", "1-0")', '$name("a", "b")', '$province("24")', '$province("99", "2024-01-01")',
        '$orgCode("H26", "mới")', '$code("1", "tinh", "quoc-gia")', '$date("1980", "yyyy", "yyyy", "yyyy")', "$date([1])", "$date(true)",
        '$mask("abc", 1.5)', '$mask("abc", -1)', '$date("1980", 5)', '$date(function() { 1 })',
    ],
)  # fmt: skip
def test_a_function_that_cannot_answer_fails_with_its_place(mapping: str) -> None:
    with pytest.raises(Unfit) as failed:
        run(f'{{"a": 1,\n "b": {mapping}}}')
    assert (failed.value.code, failed.value.subject) == ("value-unreadable", "mapping")
    assert failed.value.place is not None
    assert failed.value.place.line == 2


@pytest.mark.parametrize("call", ["$now()", "$millis()", "$random()", "$shuffle([1, 2])", '$eval("1")'])
def test_what_is_barred_is_refused_before_it_runs(call: str) -> None:
    with pytest.raises(BadSettings, match="barred") as refused:
        run(f'{{"a": 1,\n "b": {call}}}')
    assert refused.value.place is not None
    assert (refused.value.place.line, refused.value.place.column) == (2, 7)


def test_undefined_null_and_nothing_are_kept_apart() -> None:
    assert run('{"a": trong, "b": khong_co}') == {"a": None}
    assert run("trong") is None
    with pytest.raises(Unfit) as nothing:
        run("khong_co")
    assert nothing.value.code == "nothing"


def test_long_numbers_and_money_keep_their_digits() -> None:
    body = b'{"so": 12345678901234567890, "cccd": "001099000001", "tien": 9007199254740993, "gia": 150000.50}'
    kept = build({"mapping": '{"a": so, "b": cccd, "c": tien, "d": gia}'}, Tables(), GUESTS)(Document(body))
    assert kept.body == b'{"a":"12345678901234567890","b":"001099000001","c":"9007199254740993","d":150000.5}'
    text = build({"mapping": "gia", "numbers": "text"}, Tables(), GUESTS)(Document(body))
    assert text.body == b'"150000.50"'


def test_what_is_read_is_told() -> None:
    made = build({"mapping": '{"x": $date(a.b, "yyyy"), "y": list.(k & $$.q)}'}, Tables(), GUESTS)
    assert made.reads() == ["a.b", "list.k", "q"]
    assert build({"mapping": "$"}, Tables(), GUESTS).reads() == ["*"]
    assert build({"mapping": "1"}, Tables(), GUESTS).reads() == []


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({}, "/mapping"),
        ({"mapping": ""}, "/mapping"),
        ({"mapping": "a", "colour": 1}, "/colour"),
        ({"mapping": "a.\nb."}, "/mapping"),
        ({"mapping": "(" * 20_000}, "/mapping"),
        ({"mapping": "a" * 100_001}, "/mapping"),
        ({"mapping": "a", "limits": {"seconds": 60}}, "/limits/seconds"),
        ({"mapping": '$code(a, "x", "y")', "code_lists": ["x"]}, "/code_lists"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BadSettings) as refused:
        build(settings, Tables(), GUESTS)
    assert refused.value.pointer == pointer


def test_the_place_of_a_mistake_is_told() -> None:
    with pytest.raises(BadSettings, match="line 2, column 3"):
        build({"mapping": "a.\nb."}, Tables(), GUESTS)


NESTED = "$reduce([1..28], function($a, $b) { {'a': $a, 'b': $a} }, 1)"
HOSTILE = {
    "recursion": "($f := function($x) { $f($x) + 1 }; $f(1))",
    "tail recursion": "($f := function($x) { $f($x) }; $f(1))",
    "mutual recursion": "($g := 0; $f := function($x) { $g($x) }; $g := function($x) { $f($x) }; $f(1))",
    "regex": '$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)',
    "pad": '$pad("x", 2000000000)',
    "text doubling": "$length($reduce([1..60], function($a, $b) { $a & $a }, 'xxxxxxxx'))",
    "list doubling": "$count($reduce([1..60], function($a, $b) { $append($a, $a) }, [1, 2]))",
    "range": "[1..100000000]",
    "product": "$count([1..5000].([1..5000]))",
    "sort": "$sort([1..400000], function($a, $b) { $string($a) < $string($b) })",
    "nested objects": "$reduce([1..400000], function($a, $b) { {'a': $a, 'b': $a} }, 1)",
    "nested lists": "$reduce([1..100000], function($a, $b) { [[$a]] }, 1)",
    "replacement": "$reduce([1..40], function($a, $b) { $replace($a, 'x', 'xxxx') }, 'xx')",
    "comparison of shared parts": f"({NESTED} = {NESTED})",
    "shared parts written out": f"$string({NESTED})",
    "shared parts handed to a function of ours": f"$name({NESTED})",
    "distinct": "$count($distinct([1..900000]))",
    "merge": "$count($keys($merge([1..900000].{$string($): 1})))",
    "join": "$join([1..400000].('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'), 'yyyyyyyyyy')",
    "group": "[1..900000]{$string($): $}",
    "wild cards": "$count(**.**.**.**.**.**[**.**.**])",
}
MOST_CPU = 25.0


@pytest.mark.parametrize("size", [0, 3_000_000], ids=["small document", "large document"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mapping_ends_soon(name: str, size: int) -> None:
    made = build({"mapping": HOSTILE[name], "limits": {"seconds": 0.5}}, Tables(), GUESTS)
    document = Document(b'{"a": [[[[{"b": [[[[1]]]]}]]]], "c": "' + b"x" * size + b'"}')
    started, used = perf_counter(), process_time()
    with suppress(Unfit):
        made(document)
    assert perf_counter() - started < MOST_CPU
    assert process_time() - used < 2
    assert run("{'still': so}") == {"still": "H26-1"}


@pytest.mark.parametrize("mapping", HOSTILE.values(), ids=HOSTILE)
def test_no_hostile_mapping_runs_in_the_node(mapping: str) -> None:
    assert not is_plain(mapping)


def test_in_a_hurry_a_mapping_gets_a_few_milliseconds() -> None:
    made = build({"mapping": "$count([1..5000].([1..5000]))"}, Tables(), GUESTS)
    started = perf_counter()
    with pytest.raises(OutOfTime):
        made(Document(b"{}"), hurry=True)
    assert perf_counter() - started < 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a":+1}', b"[1,]", b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b"[" * 10_000]
)
def test_a_document_that_is_no_json_is_refused_small_and_large(body: bytes) -> None:
    made = build({"mapping": "$"}, Tables(), GUESTS)
    for document in (body, body + b" " * 70_000):
        with pytest.raises(Unfit) as refused:
            made(Document(document))
        assert refused.value.subject == "document"
