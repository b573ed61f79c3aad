import pytest

from gateway.transforms.plain import is_plain


@pytest.mark.parametrize(
    "mapping",
    [
        '{"a": a, "b": $date(c.d, "yyyy")}', 'list.{"a": a, "b": b[0]}', "a[b = 1].c", "$nameParts(x).Ten",
        'x in ["a", "b"] ? 1 : 2', "a ?? b", 'a & " " & b', 'items[].{"a": [x]}', '{"n": $name(t, "upper") & "x"}',
        "a[-1].b", "a.(b + c)", "$$.x", '{"x": {"y": z}}', "$number(a) * 2 / 3 % 4", "/* x */ a", "cha.'con'.x",
        "`tên có dấu`.ten", "(a + b) * 2",
    ],
)  # fmt: skip
def test_what_is_plain(mapping: str) -> None:
    assert is_plain(mapping)


@pytest.mark.parametrize(
    "mapping",
    [
        "($x := 1; $x)", 'a.{"x": b}.{"y": x}', "a{b: c}", "$map(a, $string)", "function($x) { 1 }", "a ~> $f()", "[1..3]",
        "**.a", "a.*", "a.%", "/x/", "$distinct(a)", "$string", 'a.{"x": b}[0].x', '[{"a": b}].a', "(a).b", "$string(?)",
        "$f(1)", "λ($x) { 1 }", "a^(b)", "a@$b", "a#$i", "$append(a, b).c", "$x", "| a | b |", "a.$string",
        '({"a": b}).{"c": a}', '"a"{b: c}', "a[0]{b: c}", '{"a": b}.a', "$count", "1 .. 3", 'in[{"a": b}].x', "[a].b",
        "$eval(a)", "$contains(a, /x/)", "a[/x/]", "1 + /x/", "$pad(a, 10)", '"unfinished',
    ],
)  # fmt: skip
def test_what_is_not(mapping: str) -> None:
    assert not is_plain(mapping)
