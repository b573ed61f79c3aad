"""Operations by declared method, path and query: values are encoded once and stay in their segment."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.builtin.rest import RESTSettings
from connectors.builtin.rest.errors import Unfit
from connectors.builtin.rest.operation_settings import OperationSettings
from connectors.builtin.rest.operations import Operation
from connectors.builtin.rest.pages import next_link
from connectors.contract import Call, HTTPClient, Rejected, Result, Unknown
from gateway.aiohttp_transport import AiohttpTransport
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from gateway.http1 import HTTP1Transport
from tests import hostile as h
from tests.connectors import a_call
from tests.unit.connectors.rest_providers import Provider, a_connector, answer, done

PERSON = {"path": "/v2/x/{soDinhDanh}"}


@pytest.fixture
async def http() -> AsyncIterator[HTTPClient]:
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with HTTP1Transport(egress=egress, deadlines=Deadlines()) as client:
        yield client


def rewritten(settings: dict[str, Any], path: str, query: str = "", template: str = "") -> Call:
    call = a_call(path=path, query=query)
    call.template = template
    return Operation(OperationSettings.model_validate(settings)).rewritten(call)


def target(call: Call) -> str:
    return call.path + (f"?{call.query}" if call.query else "")


@pytest.mark.parametrize(
    ("settings", "path", "query", "template", "wanted"),
    [
        (PERSON, "/cong-dan/001", "", "/cong-dan/{soDinhDanh}", "/v2/x/001"),
        (PERSON, "/tra-cuu", "soDinhDanh=001&a=1", "/tra-cuu", "/v2/x/001?a=1"),
        (PERSON, "/tra-cuu", "soDinhDanh=12%2F3&b=%20", "/tra-cuu", "/v2/x/12%2F3?b=%20"),
        (PERSON, "/tra-cuu", "soDinhDanh=a%3Fb%23c%25d+e", "/tra-cuu", "/v2/x/a%3Fb%23c%25d%20e"),
        (PERSON, "/cong-dan/%252e%252e%252f", "", "/cong-dan/{soDinhDanh}", "/v2/x/%252e%252e%252f"),
        (PERSON, "/cong-dan/L%C3%AA", "", "/cong-dan/{soDinhDanh}", "/v2/x/L%C3%AA"),
        ({"path": "/t/{a*}"}, "/f/x/y%20z", "", "/f/{a*}", "/t/x/y%20z"),
        ({"path": "/t/{a}"}, "/f/x/y", "", "/f/{a*}", "/t/x%2Fy"),
        ({"path": "/t/{a}-{b}.json"}, "/f/1/2", "", "/f/{a}/{b}", "/t/1-2.json"),
        (
            {"query": {"id": "{so}", "q": "x y&z"}},
            "/f/1%26b%3D2",
            "k=v",
            "/f/{so}",
            "/f/1%26b%3D2?id=1%26b%3D2&q=x%20y%26z",
        ),
        ({"query": {"id": "{so}", "to": "{denNgay}"}}, "/f/1", "", "/f/{so}", "/f/1?id=1"),
        ({"query": {}}, "/f", "k=v", "/f", "/f"),
        ({"method": "POST"}, "/f", "k=v", "/f", "/f?k=v"),
    ],
)
def test_a_target_is_made_of_the_callers_variables(
    settings: dict[str, Any], path: str, query: str, template: str, wanted: str
) -> None:
    assert target(rewritten(settings, path, query, template)) == wanted


@pytest.mark.parametrize(
    ("query", "flaw"),
    [
        ("", "soDinhDanh: required"),
        ("soDinhDanh=", "soDinhDanh: required"),
        ("soDinhDanh=..", "soDinhDanh: dot segment"),
        ("soDinhDanh=.", "soDinhDanh: dot segment"),
        ("soDinhDanh=%2e%2e", "soDinhDanh: dot segment"),
        ("soDinhDanh=..%2Fadmin", "soDinhDanh: dot segment"),
        ("soDinhDanh=a%5C..%5Cb", "soDinhDanh: dot segment"),
        ("soDinhDanh=..;x", "soDinhDanh: dot segment"),
        ("soDinhDanh=a%0D%0Ab", "soDinhDanh: control character"),
        ("soDinhDanh=1&soDinhDanh=2", "query:soDinhDanh: given twice"),
        ("&".join("a" * 201), "query: too many parameters"),
    ],
)
def test_a_value_cannot_leave_its_segment(query: str, flaw: str) -> None:
    with pytest.raises(Unfit) as caught:
        rewritten(PERSON, "/tra-cuu", query)

    assert str(caught.value) == flaw


@given(st.binary(max_size=20))
def test_whatever_the_value_the_path_has_its_segments(value: bytes) -> None:
    query = "soDinhDanh=" + "".join(f"%{byte:02x}" for byte in value)
    try:
        made = rewritten(PERSON, "/tra-cuu", query).path
    except Unfit:
        return

    assert made.startswith("/v2/x/")
    assert unquote_to_bytes(made[6:]) == value
    assert not set(made[6:]) & set("/?#\\ ;")


async def test_method_path_and_query_are_the_providers(http: HTTPClient) -> None:
    provider = Provider()
    operations = {
        "traCuu": {"method": "GET", "path": "/v2/x/{soDinhDanh}", "query": {"full": "1"}},
        "khac": {"method": "POST"},
    }
    async with h.hostile(provider) as server:
        connector = a_connector(http, server.address + "/api", operations=operations)
        call = a_call(method="POST", body=b"{}", query="soDinhDanh=001", headers=[(b"content-type", b"a/b")])
        await connector.call(call)
        await connector.call(a_call(operation="khac", path="/k"))
        await connector.call(a_call(operation="chuaKhai", path="/k", query="a=1"))
        unfit = await connector.call(a_call())

    assert [provider.line(number) for number in range(3)] == [
        "GET /api/v2/x/001?full=1 HTTP/1.1",
        "POST /api/k HTTP/1.1",
        "GET /api/k?a=1 HTTP/1.1",
    ]
    assert (provider.bodies[0], "content-type" in provider.fields(0)) == (b"", False)
    assert unfit == Rejected(reason="unfit soDinhDanh: required")
    assert len(provider.heads) == 3


@pytest.mark.parametrize(
    "operation",
    [
        {"path": "v2"},
        {"path": "/a?b=1"},
        {"path": "/a/../b"},
        {"path": "/a/%2e%2e/b"},
        {"path": "/a%2Fb"},
        {"path": "/a/{"},
        {"path": "/a/{x y}"},
        {"path": "/á"},
        {"query": {"a": "{"}},
        {"query": {"a\n": "b"}},
        {"method": "TRACE"},
        {"pages": {"style": "cursor", "cursor": "x"}},
        {"pages": {"style": "page", "max_pages": 0}},
    ],
)
def test_templates_that_cannot_be_are_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RESTSettings.model_validate({"url": "http://a.example", "operations": {"x": operation}})


@pytest.mark.parametrize("client", [HTTP1Transport, AiohttpTransport])
async def test_what_writes_is_sent_once_whatever_its_method(client: Any) -> None:
    egress = parse_egress(networks=["127.0.0.0/8"])
    operations = {"traCuu": {"method": "GET", "path": "/huy-don"}}
    results = []
    async with client(egress=egress, deadlines=Deadlines()) as http:
        for writes in (False, True):
            async with h.hostile(h.closing_idle) as server:
                connector = a_connector(http, server.address, operations=operations)
                await connector.call(a_call(method="POST", writes=writes))
                results.append(await connector.call(a_call(method="POST", writes=writes)))

    assert done(results[0]).status == 200
    assert results[1] == Unknown(reason="cut")


def test_the_how_tos_settings_are_good() -> None:
    text = (Path(__file__).parents[3] / "docs/how-to/connect-a-rest-provider.md").read_text("utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    whole = next(block for block in blocks if "versions" in block)
    settings = whole["versions"][0]["endpoints"]["production"]["settings"]
    parts = next(block for block in blocks if "tls" in block)

    assert RESTSettings.model_validate(settings | parts).operations.keys() == {"thuaDat", "danhSach"}
    for row in re.findall(r"\| `(\{kind: [^`]*\})` \|", text):
        known = row.replace("token: {kind: oauth2, …}", "token: null").replace("…", "https://a.example")
        RESTSettings.model_validate({"url": "https://a.example", "credentials": yaml.safe_load(known)})


# --- keys in the query ----------------------------------------------------------------------------------


async def test_keys_go_in_the_query_and_nobody_else_sets_them(http: HTTPClient) -> None:
    provider = Provider(answer(302, b"", "Location: /x?apikey=m%2Ft%2Bkh4u%3D", "X-A: 1"))
    async with h.hostile(provider) as server:
        connector = a_connector(http, server.address, query={"apikey": "secret:mat-khau", "v": "2"})
        result = done(await connector.call(a_call(query="a=1&APIKEY=forged&b=2;%61pikey=x&c")))
        steps = await connector.check()

    assert provider.line(0) == "GET /tra-cuu?a=1&c&apikey=m%2Ft%2Bkh4u%3D&v=2 HTTP/1.1"
    assert [name for name, _ in result.reply.headers] == [b"x-a", b"content-length"]
    assert "apikey" in provider.line()
    assert "kh4u" not in repr(steps) + repr(result)


# --- pages ----------------------------------------------------------------------------------------------


class Paged:
    """Answers by target; remembers what was asked for."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    async def __call__(self, talk: h.Conversation) -> None:
        while head := (await talk.read_request())[0]:
            target = head.decode().split(" ")[1]
            self.asked.append(target)
            await talk.send(self.pages.get(target, answer(404)))


def page(text: str, *fields: str) -> bytes:
    return answer(200, text.encode(), "Content-Type: application/json", *fields)


async def collected(http: HTTPClient, provider: Paged, pages: dict[str, Any], query: str = "") -> Result:
    async with h.hostile(provider) as server:
        connector = a_connector(http, server.address + "/api", operations={"traCuu": {"pages": pages}})
        return await connector.call(a_call(query=query, headers=[(b"accept-encoding", b"gzip")]))


async def test_numbered_pages_are_put_together_number_by_number(http: HTTPClient) -> None:
    provider = Paged(
        {
            "/api/tra-cuu?q=1&page=1&size=2": page(
                '{"n": 1.10, "d": [ 12345678901234567890 , {"a": "]"} ], "t": 1}'
            ),
            "/api/tra-cuu?q=1&page=2&size=2": page('{"d":[1e2]}'),
        }
    )
    pages = {"style": "page", "items": "/d", "size_parameter": "size", "size": 2}
    result = await collected(http, provider, pages, query="q=1&page=7")

    assert done(result).reply.body == b'{"n": 1.10, "d": [12345678901234567890 , {"a": "]"},1e2], "t": 1}'


@pytest.mark.parametrize("total", ["3", '"3"', "null"])
async def test_offsets_count_what_came(http: HTTPClient, total: str) -> None:
    provider = Paged(
        {
            "/api/tra-cuu?offset=0": page(f'{{"t":{total},"d":[1,2]}}'),
            "/api/tra-cuu?offset=2": page(f'{{"t":{total},"d":[3]}}'),
            "/api/tra-cuu?offset=3": page('{"d":[]}'),
        }
    )
    result = await collected(http, provider, {"style": "offset", "items": "/d", "total_at": "/t"})

    assert done(result).reply.body == f'{{"t":{total},"d":[1,2,3]}}'.encode()
    assert len(provider.asked) == (3 if total == "null" else 2)


@pytest.mark.parametrize("cursor", ["/next", "/d/-1/id"])
async def test_a_cursor_leads_on(http: HTTPClient, cursor: str) -> None:
    provider = Paged(
        {
            "/api/tra-cuu": page('{"next":"a/b","d":[{"id":"a/b"}]}'),
            "/api/tra-cuu?lastId=a%2Fb": page('{"next":7,"d":[{"id":7}]}'),
            "/api/tra-cuu?lastId=7": page('{"next":null,"d":[]}'),
        }
    )
    pages = {"style": "cursor", "items": "/d", "cursor": cursor, "parameter": "lastId"}
    result = await collected(http, provider, pages)

    assert done(result).reply.body == b'{"next":"a/b","d":[{"id":"a/b"},{"id":7}]}'


async def test_links_lead_on_below_the_base_address_with_our_key(http: HTTPClient) -> None:
    provider = Paged(
        {
            "/api/tra-cuu?key=bi%20mat%2F1": page(
                "[1]", 'Link: </api/2?key=x>; rel="next", <x>; rel=prev', "ETag: a"
            ),
            "/api/2?key=bi%20mat%2F1": page("[2]", "Link: <?p=3>; title=\"a, b; rel=x\"; rel='no'; REL=Next"),
            "/api/2?p=3&key=bi%20mat%2F1": page("[]"),
        }
    )

    async with h.hostile(provider) as server:
        operations = {"traCuu": {"pages": {"style": "link"}}}
        connector = a_connector(
            http, server.address + "/api", operations=operations, query={"key": "secret:bi-mat"}
        )
        result = done(await connector.call(a_call()))

    assert result.reply.body == b"[1,2]"
    assert [name for name, _ in result.reply.headers] == [b"content-type"]


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/latest",
        "//elsewhere.example/api/2",
        "/other",
        "/apix",
        "/api/../other",
        "/api/%2e%2e/other",
        "/api/..%2fother",
        "https://127.0.0.1/api/2",
        "http://[",
        "/api/tra-cuu",
    ],
)
async def test_a_link_that_leads_elsewhere_or_nowhere_is_not_followed(http: HTTPClient, link: str) -> None:
    provider = Paged({"/api/tra-cuu": page("[1]", f"Link: <{link}>; rel=next"), "/api/2": page("[]")})
    result = await collected(http, provider, {"style": "link"})

    assert isinstance(result, Unknown)
    assert (result.rubbish, result.reason) in {(True, "link-outside"), (True, "rubbish")}
    assert set(provider.asked) == {"/api/tra-cuu"}


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (answer(500, b"oops"), "Done 500"),
        (answer(404, b"gone"), "Done 404"),
        (answer(429, b"", "Retry-After: 7"), "Busy 7.0"),
        (page("{}"), "Unknown rubbish"),
        (page('{"d":1}'), "Unknown rubbish"),
        (page('{"d":[NaN]}'), "Unknown rubbish"),
        (page('{"d":' + "[" * 1500), "Unknown rubbish"),
        (page('{"d":["' + "x" * 3000 + '"]}'), "Unknown too-large"),
        (page('{"d":[1],"next":"b"}'), "Unknown too-large"),
        (page('{"d":[1],"next":"a"}'), "Unknown rubbish"),
        (b"rubbish\r\n\r\n", "Unknown rubbish"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "Unknown timeout"),
    ],
)
async def test_a_page_that_fails_is_the_outcome(http: HTTPClient, second: bytes, expected: str) -> None:
    pages = {"style": "cursor", "items": "/d", "cursor": "/next", "max_bytes": 2048, "max_pages": 3}
    provider = Paged(
        {
            "/tra-cuu": page('{"d":[0],"next":"a"}'),
            "/tra-cuu?cursor=a": second,
            "/tra-cuu?cursor=b": page('{"d":[0],"next":"c"}'),
        }
    )
    async with h.hostile(provider) as server:
        connector = a_connector(http, server.address, operations={"traCuu": {"pages": pages}})
        result = await connector.call(a_call(seconds=0.5))

    said = (
        getattr(result, "status", None) or getattr(result, "after", None) or getattr(result, "reason", None)
    )
    assert f"{type(result).__name__} {said}" == expected


@pytest.mark.parametrize(
    ("field", "link"),
    [
        ('<a>; rel="next"', "a"),
        ('<a>; rel="prev next"', "a"),
        ("<a>; rel=prev, <b,c;d>;rel=next", "b,c;d"),
        ('<a>; title="x>; rel=next"', None),
        ("<a", None),
        ("", None),
        ("<a>" + "; x" * 2000, None),
    ],
)
def test_the_next_link_is_found(field: str, link: str | None) -> None:
    assert next_link(field) == link
