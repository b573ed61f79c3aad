"""What the guard relies on inside uvicorn and llhttp. When this fails after an upgrade, read gateway/guard.py again."""

import asyncio
import inspect
from importlib.metadata import version

import httptools
import pytest
from uvicorn.config import Config
from uvicorn.protocols.http import flow_control
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\n"


async def nothing(scope: object, receive: object, send: object) -> None: ...


def test_the_version_is_the_one_that_was_read() -> None:
    assert version("uvicorn").startswith("0.54.")
    assert version("httptools").startswith("0.9.")


def test_a_cycle_is_made_of_what_the_guard_gives_it() -> None:
    assert list(inspect.signature(RequestResponseCycle).parameters) == [
        "scope",
        "transport",
        "flow",
        "logger",
        "access_logger",
        "access_log",
        "default_headers",
        "message_event",
        "expect_100_continue",
        "keep_alive",
        "on_response",
    ]


async def test_a_protocol_has_the_attributes_and_callbacks_the_guard_uses() -> None:
    protocol = HttpToolsProtocol(Config(nothing, log_config=None), ServerState(), {})

    assert {
        "app",
        "app_state",
        "asgi_version",
        "client",
        "cycle",
        "flow",
        "loop",
        "parser",
        "pipeline",
        "root_path",
        "scheme",
        "server",
        "server_state",
        "tasks",
        "transport",
    } <= vars(protocol).keys()
    for method in (
        "_start_asgi_task",
        "connection_lost",
        "connection_made",
        "data_received",
        "on_body",
        "on_header",
        "on_headers_complete",
        "on_message_begin",
        "on_message_complete",
        "on_response_complete",
        "on_url",
        "shutdown",
    ):
        assert callable(getattr(HttpToolsProtocol, method))


def test_a_cycle_has_the_attributes_the_guard_and_the_fast_lane_use() -> None:
    cycle = RequestResponseCycle(
        {"type": "http"},  # type: ignore[typeddict-item]  # never looked at
        None,  # type: ignore[arg-type]  # never written to
        None,  # type: ignore[arg-type]  # never paused
        None,  # type: ignore[arg-type]  # never logged to
        None,  # type: ignore[arg-type]  # never logged to
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=True,
        keep_alive=True,
        on_response=lambda: None,
    )

    assert (bytes(cycle.body), cycle.more_body, cycle.disconnected) == (b"", True, False)
    assert (cycle.response_started, cycle.response_complete) == (False, False)
    assert (cycle.keep_alive, cycle.waiting_for_100_continue) == (True, True)


def test_flow_control_pauses_and_resumes() -> None:
    flow = inspect.getmembers(flow_control.FlowControl, inspect.isfunction)

    assert {"pause_reading", "resume_reading", "drain"} <= {name for name, _ in flow}


class Parsed:
    """Takes the parser's callbacks."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.events.append((name, value))

    def on_headers_complete(self) -> None:
        self.events.append("head")

    def on_message_complete(self) -> None:
        self.events.append("end")


def parse(data: bytes) -> list[object]:
    parsed = Parsed()
    parser = httptools.HttpRequestParser(parsed)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    parser.feed_data(data)
    return parsed.events


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(HEAD + b"X: a\r\n b\r\n\r\n", id="obs-fold"),
        pytest.param(HEAD + b"X: a\0b\r\n\r\n", id="NUL"),
        pytest.param(HEAD + b"X: a\x7fb\r\n\r\n", id="a control"),
        pytest.param(HEAD + b"X Y: a\r\n\r\n", id="a space in a name"),
        pytest.param(HEAD + b"X : a\r\n\r\n", id="a space before the colon"),
        pytest.param(HEAD + b"X: a\nY: b\r\n\r\n", id="a bare LF"),
        pytest.param(HEAD + b"X: a\rY: b\r\n\r\n", id="a bare CR"),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;a\nx\r\n0\r\n\r\n", id="LF in an extension"
        ),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n", id="LF behind a chunk"),
        pytest.param("GET /ệ HTTP/1.1\r\nHost: x\r\n\r\n".encode(), id="raw UTF-8 in the target"),
    ],
)
def test_llhttp_refuses_what_the_guard_does_not_look_for(shape: bytes) -> None:
    with pytest.raises(httptools.HttpParserError):
        parse(shape)


def test_trailers_come_as_headers_behind_the_head() -> None:
    events = parse(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n")

    assert events.index("head") < events.index((b"X", b"y")) < events.index("end")


def test_an_upgrade_stops_the_parser_before_the_body() -> None:
    with pytest.raises(httptools.HttpParserUpgrade) as caught:
        parse(HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx")

    assert caught.value.args == (83,)


def test_what_a_callback_raises_is_the_context_of_the_parsers_error() -> None:
    class Raising:
        def on_header(self, name: bytes, value: bytes) -> None:
            raise LookupError

    parser = httptools.HttpRequestParser(Raising())

    with pytest.raises(httptools.HttpParserCallbackError) as caught:
        parser.feed_data(HEAD + b"\r\n")
    assert isinstance(caught.value.__context__, LookupError)
