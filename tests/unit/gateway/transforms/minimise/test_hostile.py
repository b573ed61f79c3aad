"""Answers that attack whoever reads them, or that two programs read in two ways."""

import time
import tracemalloc
from pathlib import Path

import orjson
import pytest

from gateway.transforms.minimise.documents import LARGE_BYTES, Unreadable
from gateway.transforms.minimise.json import limit_json
from gateway.transforms.minimise.scopes import Scope, Scopes
from gateway.transforms.minimise.trees import Node
from registry.entities import FieldRule

SECRET = "dieu-khong-duoc-lo"


def scope(*paths: str, **namespaces: str) -> Scope:
    return Scopes({"*": [FieldRule(path=path) for path in paths]}, namespaces).scope("")


def limited(body: bytes | str, *paths: str, media_type: str = "") -> str:
    raw = body if isinstance(body, bytes) else body.encode()
    return scope(*paths).limit(raw, media_type or "application/json")[0].decode()


def refused(body: bytes | str, media_type: str = "application/json", path: str = "A.*") -> str:
    with pytest.raises(Unreadable) as caught:
        limited(body, path, media_type=media_type)
    assert SECRET not in str(caught.value)
    return caught.value.code


BROKEN = [
    "", "{", "[", "}", "[1,]", "[,1]", "[1 2]", '{"a" 1}', '{"a":}', '{"a":1,}', '{,"a":1}', '{"a":1 "b":2}', "{1:2}",
    "01", "1.", "-", "+1", ".5", "nul", "truefalse", "'a'", '"a', '"\\x"', '"\t"', "[1] x", "NaN", "[-Infinity]", '"\\ud800"',
    '{"\\ud800":1}', "[1]]", "\x0b[1]", "[1\xa0]", "[" * 300 + "]" * 300, "[" * 3000, '{"a":' * 3000,
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_json_is_refused_also_where_all_is_released(text: str) -> None:
    with pytest.raises(Unreadable):
        limit_json(text.encode(), Node(whole=True, keeps=True))


JSON = [
    pytest.param('{"A": 1, "A": 2}', "duplicate-name", id="a name twice"),
    pytest.param('{"B": {"a": 1, "\\u0061": 2}}', "duplicate-name", id="a name twice, escaped, where nothing is named"),
    pytest.param('{"A" : "x:y", "A"\n:"z"}', "duplicate-name", id="a name twice, with blanks"),
    pytest.param('{"A": "\\":", "A": 1}', "duplicate-name", id="a name twice, marks in a text"),
    pytest.param('{"A": NaN}', "json", id="NaN"),
    pytest.param('{"A": -Infinity}', "json", id="infinity"),
    pytest.param('{"A": 1e400}', "json", id="a number without end"),
    pytest.param('{"A": "\\ud800"}', "json", id="half a surrogate pair"),
    pytest.param('{"A": "\udcff"}'.encode("utf-8", "surrogateescape"), "json", id="no UTF-8"),
    pytest.param('{"A": 1}x', "json", id="something behind"),
    pytest.param('{"A": 1', "json", id="cut"),
    pytest.param("[" * 500 + "]" * 500, "depth", id="500 levels"),
    pytest.param("[" * 10_000 + "]" * 10_000, "json", id="10,000 levels"),
    pytest.param('{"A":' * 150_000 + "1" + "}" * 150_000, "json", id="150,000 levels"),
    pytest.param("{'A': 1}", "json", id="not quite JSON"),
    pytest.param('{"A": 1}'.encode("utf-16"), "xml", id="UTF-16"),
    pytest.param(f"%PDF-1.7 {SECRET}", "json", id="a PDF that says it is JSON"),
    pytest.param('{"A":"' + "x" * LARGE_BYTES + '", "A": 1}', "duplicate-name", id="large: a name twice"),
    pytest.param('{"A":"' + "x" * LARGE_BYTES + '", "B": NaN}', "json", id="large: NaN"),
    pytest.param('{"A":"' + "x" * LARGE_BYTES + '", "B": 1e400}', "json", id="large: a number without end"),
    pytest.param('{"A":["' + "x" * LARGE_BYTES + '", "\\ud800"]}', "json", id="large: half a surrogate pair"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code"), JSON)
def test_json_that_cannot_be_read_safely_is_refused(body: bytes | str, code: str) -> None:
    started = time.perf_counter()
    assert refused(body) == code
    assert time.perf_counter() - started < 2


def test_a_body_that_is_no_document_is_told_apart() -> None:
    for body in (f"%PDF-1.7 {SECRET}", f"Họ tên: {SECRET}", b"\x00\x01", b"PK\x03\x04", f'"{SECRET}"', "12"):
        assert refused(body, "application/octet-stream") == "form"


BOMB = "".join(
    ["<!DOCTYPE A [<!ENTITY a0 'ha'>", *(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12))]
) + "]><A>&a11;</A>"  # fmt: skip
QUADRATIC = f"<!DOCTYPE A [<!ENTITY a '{'x' * 50_000}'>]><A>{'&a;' * 50_000}</A>"
XML = [
    pytest.param("<!DOCTYPE A><A/>", "doctype", id="DOCTYPE"),
    pytest.param("<?xml version='1.0'?>\n<!-- x --><?x y?> <!DOCTYPE A><A/>", "doctype", id="DOCTYPE further down"),
    pytest.param("<!DOCTYPE A><A/>".encode("utf-16"), "doctype", id="DOCTYPE in UTF-16"),
    pytest.param('<!DOCTYPE A SYSTEM "http://127.0.0.1:1/x.dtd"><A/>', "doctype", id="DTD from outside"),
    pytest.param(BOMB, "doctype", id="billion laughs"),
    pytest.param(QUADRATIC, "doctype", id="quadratic blow-up"),
    pytest.param("<A>&khong;</A>", "xml", id="an entity that nobody declared"),
    pytest.param("<A>" * 10_000 + "</A>" * 10_000, "xml", id="10,000 levels"),
    pytest.param(f"x<A>{SECRET}</A>", "json", id="junk before"),
    pytest.param("  <?xml version='1.0'?><A/>", "xml", id="blanks before the declaration"),
    pytest.param("<A/><A/>", "xml", id="two roots"),
    pytest.param("<A x='1' x='2'/>", "xml", id="an attribute twice"),
    pytest.param("<A>\x0b</A>", "xml", id="a character that XML has not"),
    pytest.param("<A>&#xD800;</A>", "xml", id="half a surrogate pair"),
    pytest.param("<A " + " ".join(f"xmlns:n{i}='u{i}'" for i in range(20_000)) + "/>", "xml", id="20,000 namespaces"),
    pytest.param("<A " + " ".join(f"n{i}='u{i}'" for i in range(20_000)) + "/>", "xml", id="20,000 attributes"),
    pytest.param("<?xml version='1.0' encoding='utf-16'?><A>ộ</A>", "encoding", id="UTF-8 that says UTF-16"),
    pytest.param("<?xml version='1.0' encoding='x-tcvn'?><A>a</A>", "encoding", id="an encoding nobody knows"),
    pytest.param("<?xml version='1.0' encoding='utf-7'?><A>+ADw-b/+AD4-</A>", "encoding", id="UTF-7"),
    pytest.param("<?xml version='1.0' encoding='zlib'?><A>a</A>", "encoding", id="a codec that is no encoding"),
    pytest.param("<A>Đà Nẵng</A>".encode("cp1258", "replace"), "encoding", id="no UTF-8"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code"), XML)
def test_xml_that_cannot_be_read_safely_is_refused(body: bytes | str, code: str) -> None:
    tracemalloc.start()
    started = time.perf_counter()
    try:
        assert refused(body, "application/json" if code == "json" else "text/xml") == code
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - started < 2


def test_a_file_of_the_node_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "bi-mat").write_text(SECRET)
    uri = (tmp_path / "bi-mat").as_uri()
    assert refused(f'<!DOCTYPE A [<!ENTITY x SYSTEM "{uri}">]><A>&x;</A>', "text/xml") == "doctype"
    include = f'<A xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="{uri}" parse="text"/></A>'
    assert SECRET not in limited(include, "A.*", media_type="text/xml")


def test_an_answer_that_is_not_there_stays_so() -> None:
    for body in (b"", b"  \r\n", b" " * 5000):
        assert scope("A").limit(body, "application/json") == (b"", "application/json")


def test_numbers_stay_as_they_were_written() -> None:
    numbers = '{"A":{"a":1.10,"b":123456789012345678901234567890,"c":1E5,"d":-0.0,"e":12,"f":0.1e-3}}'
    assert limited(numbers, "A.*") == numbers
    assert limited('{"A":1.10,"B":2.0}', "A") == '{"A":1.10}'
    assert limited('{"A":"' + "x" * LARGE_BYTES + '","B":1.10}', "B") == '{"B":1.10}'


def test_a_byte_order_mark_is_taken_off() -> None:
    assert limited(b'\xef\xbb\xbf{"A":1,"B":2}', "A") == '{"A":1}'
    assert limited(b"\xef\xbb\xbf<A>x</A>", "A", media_type="text/xml").endswith("<A>x</A>")


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        ("<A><B>Số 1</B><C>x</C></A>".encode(), "text/xml"),
        ("<A><B>Số 1</B><C>x</C></A>".encode("utf-16"), "text/xml; charset=utf-16"),
        ("<?xml version='1.0' encoding='UTF-16'?><A><B>Số 1</B></A>".encode("utf-16"), "text/xml"),
        ("<?xml version='1.0' encoding='utf-16'?><A><B>Số 1</B></A>".encode(), 'text/xml; charset="UTF-8"'),
    ],
)
def test_what_is_released_is_in_utf_8_and_says_so(body: bytes, media_type: str) -> None:
    released, said = scope("A.B").limit(body, media_type)

    assert released.decode() == '<?xml version="1.0" encoding="UTF-8"?>\n<A><B>Số 1</B></A>'
    assert "utf-16" not in said


def test_a_declared_prefix_means_its_namespace() -> None:
    body = b'<A xmlns:p="urn:mot" xmlns:q="urn:hai"><q:B>1</q:B><p:B p:t="x" q:t="y">2</p:B></A>'
    of = scope("A.m:B", "A.m:B.@m:t", m="urn:mot")

    released, _ = of.limit(body, "text/xml")

    assert released.endswith(b'<A xmlns:p="urn:mot"><p:B p:t="x">2</p:B></A>')


def test_comments_instructions_and_loose_texts_are_not_released() -> None:
    body = f"<?x {SECRET}?><A><!-- {SECRET} -->{SECRET}<B><?x {SECRET}?>b<!-- {SECRET} --></B>{SECRET}</A>"
    assert limited(body, "A.B", media_type="text/xml").endswith("<A><B>b</B></A>")
    assert limited(body.replace("<A>", f'<A xmlns:x="{SECRET}">'), "A.B", media_type="text/xml").endswith(
        "<A><B>b</B></A>"
    )


def test_of_a_root_that_is_not_named_its_name_is_left() -> None:
    assert limited(f"<Loi a='{SECRET}'>{SECRET}<B>{SECRET}</B></Loi>", "A.B", media_type="text/xml").endswith(
        "<Loi/>"
    )


def test_nil_says_only_that_nothing_is_there() -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    body = f"<A {xsi}><B xsi:nil='true' c='{SECRET}'/><B xsi:nil='{SECRET}'/></A>"
    assert limited(body, "A.B", media_type="text/xml").endswith(f'<A {xsi}><B xsi:nil="true"/><B/></A>')


def test_a_prefix_in_a_type_stays_declared() -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    body = f'<A {xsi} xmlns:t="urn:t" xmlns:u="urn:{SECRET}"><B xsi:type="t:X">1</B></A>'
    kept = f'<A {xsi} xmlns:t="urn:t"><B xsi:type="t:X">1</B></A>'
    assert limited(body, "A.B", "A.B.@xsi:type", media_type="text/xml").endswith(kept)
    assert limited(body, "A.*", media_type="text/xml").endswith(kept)


def test_many_attributes_and_namespaces_cost_what_they_weigh() -> None:
    many = " ".join(f'a{number}="{SECRET}"' for number in range(500))
    rows = "<B xmlns='urn:hai' b='1'>x</B>" * 50_000
    started = time.perf_counter()

    released = limited(f"<A xmlns='urn:mot' {many}>{rows}</A>", "A.B", media_type="text/xml")

    assert SECRET not in released
    assert released.count('<B xmlns="urn:hai">x</B>') == 50_000
    assert time.perf_counter() - started < 8


def test_ten_megabytes_take_seconds_not_minutes() -> None:
    one = {"NAME": "Công ty giả lập", "ID": "0100000001", "X": SECRET, "N": 1.5}
    body = orjson.dumps([one] * 130_000)
    started = time.perf_counter()

    released, _ = scope("NAME").limit(body, "application/json")

    assert SECRET.encode() not in released
    assert released.count(b"NAME") == 130_000
    assert time.perf_counter() - started < 10
