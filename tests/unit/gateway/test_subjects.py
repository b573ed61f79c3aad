"""Where a data subject stands in a message. All numbers are invented."""

import json
import time

import pytest

from gateway.exchange import Reason, Refusal, Request
from gateway.subjects import SubjectPlace
from registry.subjects import SubjectType

CITIZEN = SubjectType.CITIZEN_ID
NUMBER, OTHER = "001099000001", "001099000002"


def a_request(path: str = "/CongDan/1.0/tra-cuu", query: str = "", **headers: str) -> Request:
    async def read() -> bytes:
        return b""

    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(method="GET", path=path, query=query, headers=fields, read=read, gone=lambda: False)


def read(at: str, request: Request, body: object = b"", template: str = "/tra-cuu") -> str | None:
    return SubjectPlace(at, CITIZEN, template).read(request, body)


@pytest.mark.parametrize(
    ("at", "request_", "body"),
    [
        pytest.param("query:so", a_request(query=f"a=1&so={NUMBER}"), b"", id="query"),
        pytest.param("query:SoDinhDanh", a_request(query=f"sodinhdanh={NUMBER}"), b"", id="in another case"),
        pytest.param("query:so", a_request(query="so=001.099%20000001"), b"", id="with separators"),
        pytest.param("query:so", a_request(query=f"so={NUMBER}&SO={NUMBER}"), b"", id="twice the same"),
        pytest.param("query:so", a_request(query=f"%73o={NUMBER}"), b"", id="an escaped name"),
        pytest.param("header:X-So", a_request(x_so=NUMBER), b"", id="header"),
        pytest.param("pointer:/a/so", a_request(), b'{"a":{"so":"001099000001"}}', id="pointer"),
        pytest.param(
            "pointer:/a/1/so", a_request(), b'{"a":[{},{"so":1099000001}]}', id="a number in a list"
        ),
        pytest.param(
            "pointer:/so", a_request(), b'{"\\u0073o":"001099000001"}', id="an escaped name in JSON"
        ),
        pytest.param(
            "pointer:/S\u1ed1", a_request(), '{"S\u1ed1":"001099000001"}'.encode(), id="in Vietnamese"
        ),
        pytest.param(
            "pointer:/so", a_request(), b'{"so":null,"So":"001099000001"}', id="null and another case"
        ),
    ],
)
def test_it_is_found_where_it_stands(at: str, request_: Request, body: bytes) -> None:
    assert read(at, request_, body) == NUMBER


@pytest.mark.parametrize(
    ("path", "template"),
    [
        pytest.param(f"/CongDan/1.0/nguoi/{NUMBER}", "/nguoi/{so}", id="with a version"),
        pytest.param(f"/CongDan/nguoi/{NUMBER}/anh", "/nguoi/{so}/anh", id="without one"),
        pytest.param("/CongDan/nguoi/001.099%20000001/", "/nguoi/{so}/", id="encoded"),
    ],
)
def test_it_is_found_in_a_path(path: str, template: str) -> None:
    assert read("path:so", a_request(path), template=template) == NUMBER


@pytest.mark.parametrize(
    ("at", "request_", "body"),
    [
        pytest.param("query:so", a_request(query="ten=x"), b"", id="no parameter"),
        pytest.param("query:so", a_request(query="so="), b"", id="an empty one"),
        pytest.param("header:x-so", a_request(), b"", id="no header"),
        pytest.param("pointer:/so", a_request(), b"", id="no body"),
        pytest.param("pointer:/so", a_request(), b'{"a":1}', id="no member"),
        pytest.param("pointer:/so", a_request(), b'{"so":null}', id="null"),
        pytest.param("pointer:/so", a_request(), b'{"so":" "}', id="blank"),
        pytest.param("pointer:/so", a_request(), b"[]", id="a list"),
    ],
)
def test_a_message_may_name_nobody(at: str, request_: Request, body: bytes) -> None:
    assert read(at, request_, body) is None


@pytest.mark.parametrize(
    ("at", "request_", "body"),
    [
        pytest.param("query:so", a_request(query=f"so={NUMBER}&so={OTHER}"), b"", id="two values"),
        pytest.param("query:so", a_request(query=f"so={NUMBER}&So={OTHER}"), b"", id="two cases"),
        pytest.param("query:so", a_request(query="so=abc"), b"", id="no number"),
        pytest.param("query:so", a_request(query="so=%FF"), b"", id="no text"),
        pytest.param("pointer:/so", a_request(), b'{"so":"001099000001","so":"001099000002"}', id="doubled"),
        pytest.param("pointer:/a/so", a_request(), b'{"a":{"so":"001099000001"},"a":{"so":"1099000002"}}', id="doubled above"),
        pytest.param("pointer:/so", a_request(), b'{"so":"001099000001","\\u0073o":"001099000002"}', id="doubled and escaped"),
        pytest.param("pointer:/so", a_request(), b'{"so":["001099000001"]}', id="a list of them"),
        pytest.param("pointer:/so", a_request(), b'{"so":true}', id="a boolean"),
        pytest.param("pointer:/so", a_request(), b'{"so":1099000001.5}', id="a fraction"),
        pytest.param("pointer:/so", a_request(), b'{"so":' + b"9" * 5000 + b"}", id="an endless number"),
        pytest.param("pointer:/so", a_request(), b"so=001099000001", id="a form instead of JSON"),
        pytest.param("pointer:/so", a_request(), b'\\u{"so":' + b"[" * 100_000, id="too deep"),
        pytest.param("pointer:/so", a_request(), iter([b"{}"]), id="a stream"),
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_or_in_none_is_refused_silently(
    at: str, request_: Request, body: object
) -> None:
    with pytest.raises(Refusal) as caught:
        read(at, request_, body)

    assert caught.value.reason is Reason.SUBJECT_UNREADABLE
    assert caught.value.details == {"where": at}
    assert caught.value.__cause__ is None


def test_the_cost_is_a_few_microseconds() -> None:
    body = json.dumps({"a": "x" * 1000, "so": NUMBER}).encode()
    cases = [
        (SubjectPlace("query:so", CITIZEN, "/"), a_request(query=f"so={NUMBER}"), b""),
        (SubjectPlace("pointer:/so", CITIZEN, "/"), a_request(), body),
    ]
    for place, request, content in cases:
        best = min(_timed(place, request, content) for _ in range(5))

        assert best < 100e-6


def _timed(place: SubjectPlace, request: Request, body: bytes) -> float:
    started = time.perf_counter()
    for _ in range(200):
        place.read(request, body)
    return (time.perf_counter() - started) / 200
