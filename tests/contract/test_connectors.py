"""Every installed connector keeps the contract."""

import asyncio
import json
import logging
import unicodedata
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from connectors.catalogue import installed
from connectors.contract import Call, Connector, Done, Unreachable
from connectors.errors import ConnectorError, SettingsRefused
from connectors.message import Body
from connectors.reference import render_reference
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from gateway.transport import AiohttpTransport
from tests import hostile as h
from tests.connectors import KeptLog, a_call, a_context
from tests.databases import PASSWORD, READER
from tests.soap import an_answer, an_echo_wsdl, an_envelope

VALUE = PASSWORD
NAME = "Nguyễn Thị Ngọc Ánh, Sở Kế hoạch và Đầu tư"
PROCESS = psutil.Process()
MB = 1024 * 1024
REFERENCE = Path(__file__).parents[2] / "docs/reference/connectors"

CATALOGUE = installed()
DESCRIPTION = {
    "openapi": "3.1.0",
    "paths": {
        "/tra-cuu": {
            "post": {
                "operationId": "traCuu",
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {"type": "object", "properties": {"hoTen": {"type": "string"}}}
                            }
                        }
                    }
                },
            }
        }
    },
}
SAMPLES: Mapping[str, Any] = {  # Any: settings of each kind, made for a provider's address
    "rest": lambda address: {
        "url": address + "/api",
        "credentials": {"kind": "basic", "username": "lgsp", "password": "secret:mat-khau"},
        "headers": {"x-key": "secret:mat-khau"},
        "egress": ["127.0.0.1/32"],
    },
    "echo": lambda _: {"mirror": True},
    "soap": lambda address: {
        "url": address + "/dich-vu",
        "wsdl": an_echo_wsdl(),
        "credentials": {"kind": "basic", "username": "lgsp", "password": "secret:mat-khau"},
        "headers": {"x-key": "secret:mat-khau"},
        "soap_headers": [{"name": "Khoa", "values": {"MatKhau": "secret:mat-khau"}}],
        "egress": ["127.0.0.1/32"],
    },
    "population": lambda address: {
        "url": address + "/dan-cu",
        "user": "lgsp",
        "secret": "secret:mat-khau",
        "api_key": "secret:mat-khau",
        "unit": "H99.1",
        "name_form": "as-given",
        "operations": {"traCuu": "TraCuuThongTinCongDan"},
        "egress": ["127.0.0.1/32"],
    },
    "sql": lambda address: {
        "database_kind": "postgresql",
        "host": "127.0.0.1",
        "port": int(address.rpartition(":")[2]),
        "database": "ho_tich",
        "user": READER,
        "password": "secret:mat-khau",
        "tls": False,
        "statements": {
            "traCuu": {
                "text": "SELECT :ten AS ten",
                "parameters": {"ten": {"at": "pointer:/hoTen"}},
                "result": "one",
                "columns": {"hoTen": {"type": "string", "column": "ten"}},
            }
        },
    },
    "mock": lambda _: {"description": DESCRIPTION},
}
TYPED = {"soap", "population", "sql", "mock"}
"""Kinds whose messages have to fit a description: they are asked in JSON, with what matters in `hoTen`."""


OFFICER = {"x-officer": "CB-1", "x-procedure": "1.000001"}


def kit_call(kind: str, body: bytes, *, seconds: float = 2.0) -> Call:
    """Return a call that this kind of connector takes, with those bytes in its body."""
    person = {"hoTen": body.decode()}
    if kind == "population":
        person = {"SoDinhDanh": "999999999999", "HoVaTen": body.decode(), "NgayThangNamSinh": "1990"}
    sent = json.dumps(person).encode() if kind in TYPED else body
    return a_call(method="POST", body=sent, context=OFFICER, seconds=seconds)


def answered(kind: str, body: bytes) -> bytes:
    """Return the bytes that an answer brings back."""
    if kind == "population":
        return str(json.loads(body)["CongDan"][0]["HoVaTen"]).encode()
    return str(json.loads(body)["hoTen"]).encode() if kind in TYPED else body


async def mirroring_people(talk: h.Conversation) -> None:
    """Answer a look-up with a person of the same name."""
    while True:
        head, body = await talk.read_request()
        if not head:
            return
        name = body.partition(b"<d:HoVaTen>")[2].partition(b"</d:HoVaTen>")[0].decode()
        person = f"<CongdanCollection><CongDan><HoVaTen>{name}</HoVaTen></CongDan></CongdanCollection>"
        await talk.send(an_answer(an_envelope(person)))


async def mirroring(talk: h.Conversation) -> None:
    """Answer a request with its own body, its path and what it says of itself."""
    while True:
        head, body = await talk.read_request()
        if not head:
            return
        media_type = h.fields_of(head).get("content-type", "text/plain")
        await talk.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
            % (media_type.encode(), len(body)),
            body,
        )


@dataclass
class Parts:
    """What a test holds: the kind, a provider, the host's side, and all connectors made."""

    kind: str
    provider: h.HostileServer
    http: AiohttpTransport
    address: str
    log: KeptLog = field(default_factory=KeptLog)

    @property
    def sample(self) -> Any:  # Any: settings
        return SAMPLES[self.kind](self.address)

    def make(self, **more: Any) -> Connector:  # Any: settings
        context = a_context(self.http, secrets={"mat-khau": VALUE}, log=self.log)
        return CATALOGUE.build(self.kind, self.sample | more, context)


@asynccontextmanager
async def parts_for(kind: str, script: h.Script) -> AsyncIterator[Parts]:
    egress = parse_egress(networks=["127.0.0.0/8"])
    async with (
        h.hostile(script) as provider,
        AiohttpTransport(egress=egress, deadlines=Deadlines()) as http,
    ):
        yield Parts(kind, provider, http, provider.address)


@pytest.fixture(params=sorted(connector.kind for connector in CATALOGUE))
async def parts(request: pytest.FixtureRequest) -> AsyncIterator[Parts]:
    script = mirroring_people if request.param == "population" else mirroring
    async with parts_for(request.param, script) as made:
        if request.param == "sql":
            made.address = f"postgresql://127.0.0.1:{request.getfixturevalue('postgresql_provider').port}"
        yield made


async def body_of(body: Body) -> bytes:
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])


async def whole(connector: Connector, call: Call) -> bytes:
    result = await connector.call(call)
    assert isinstance(result, Done)
    return await body_of(result.reply.body)


async def pieces(count: int, size: int = 65536) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"p" * size


def test_all_that_is_installed_can_be_loaded_and_has_a_sample_here() -> None:
    assert CATALOGUE.broken == ()
    assert {connector.kind for connector in CATALOGUE} == set(SAMPLES)


# --- life -----------------------------------------------------------------------------------------------


async def test_making_one_does_no_io(parts: Parts) -> None:
    connector = await asyncio.to_thread(parts.make)

    assert parts.provider.conversations == []
    assert connector.kind == parts.kind
    await connector.close()


async def test_closing_is_idempotent_and_needs_no_opening(parts: Parts) -> None:
    connector = parts.make()
    await connector.close()
    await connector.close()

    assert parts.provider.conversations == []


async def test_opening_and_closing_many_times_leaks_nothing(parts: Parts) -> None:
    async def once() -> None:
        connector = parts.make()
        await connector.open()
        result = await connector.call(kit_call(parts.kind, b"x"))
        assert isinstance(result, Done)
        await body_of(result.reply.body)
        await connector.drain()
        await connector.close()

    await once()
    await asyncio.sleep(0.05)
    before = PROCESS.num_fds(), len(asyncio.all_tasks())
    for _ in range(50):
        await once()
    await asyncio.sleep(0.1)

    assert PROCESS.num_fds() <= before[0] + 2
    assert len(asyncio.all_tasks()) <= before[1] + 1


async def test_after_closing_nothing_is_called(parts: Parts) -> None:
    connector = parts.make()
    await connector.open()
    await connector.close()
    result = await connector.call(a_call())

    assert isinstance(result, Unreachable)
    assert parts.provider.conversations == []


async def test_draining_waits_for_calls_under_way() -> None:
    ended: list[str] = []

    async def slow(talk: h.Conversation) -> None:
        await talk.read_request()
        await asyncio.sleep(0.2)
        await talk.send(h.OK)

    async with parts_for("rest", slow) as parts:
        connector = parts.make()
        await connector.open()

        async def call() -> None:
            await connector.call(a_call())
            ended.append("call")

        task = asyncio.ensure_future(call())
        await asyncio.sleep(0.05)
        await connector.drain()
        ended.append("drain")
        await task
        await connector.close()

    assert ended == ["call", "drain"]


@pytest.mark.parametrize("kind", sorted(SAMPLES))
async def test_closing_during_a_call_ends_it_or_lets_it_end(kind: str) -> None:
    async with parts_for(kind, h.answering_once(h.OK, pause=0.1)) as parts:
        connector = parts.make(**({"delay_seconds": 0.1} if kind == "echo" else {}))
        await connector.open()
        task = asyncio.ensure_future(connector.call(a_call(seconds=1.0)))
        await asyncio.sleep(0.02)
        await connector.close()
        async with asyncio.timeout(2):
            result = await task

    assert result is not None


async def test_a_cancelled_call_frees_its_connection() -> None:
    async with parts_for("rest", h.silent) as parts:
        connector = parts.make()
        await connector.open()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connector.call(a_call(seconds=30)), 0.1)
        await asyncio.sleep(0.05)
        freed = [talk.reader.at_eof() for talk in parts.provider.conversations]
        await asyncio.wait_for(connector.drain(), 1)
        await connector.close()

    assert freed == [True]


# --- calls ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_vietnamese_text_comes_back_byte_for_byte(parts: Parts, form: Any) -> None:  # Any: a literal
    if parts.kind == "population":
        pytest.skip("writes names as its database compares them")
    text = unicodedata.normalize(form, NAME)
    sent = json.dumps({"hoTen": text}, ensure_ascii=False, separators=(",", ":")).encode()
    connector = parts.make()
    await connector.open()
    call = a_call(
        method="POST",
        body=sent,
        media_type="application/json",
        headers=[(b"content-type", b"application/json")],
    )
    result = await connector.call(call)
    await connector.close()

    assert isinstance(result, Done)
    assert await body_of(result.reply.body) == sent
    assert result.reply.media_type == "application/json"


async def test_many_calls_at_once_keep_their_answers_apart(parts: Parts) -> None:
    connector = parts.make()
    await connector.open()
    results = await asyncio.gather(
        *(connector.call(kit_call(parts.kind, b"%d" % number)) for number in range(100))
    )
    await connector.close()

    bodies = [await body_of(it.reply.body) for it in results if isinstance(it, Done)]
    assert [answered(parts.kind, body) for body in bodies] == [b"%d" % number for number in range(100)]


async def test_a_stream_goes_through_with_flat_memory(parts: Parts) -> None:
    """100 MB up; the provider counts, or the mirror gives them back piece by piece."""
    if not CATALOGUE.get(parts.kind).capabilities.streaming:
        pytest.skip("holds messages whole, and says so")
    if parts.kind == "sql":
        pytest.skip("streams its answers only; its own tests show it")
    async with parts_for(parts.kind, h.swallowing) as large:
        connector = large.make()
        await connector.open()
        before = PROCESS.memory_info().rss
        peak, size = before, 0
        result = await connector.call(a_call(method="POST", body=pieces(1600), seconds=60))
        assert isinstance(result, Done)
        if isinstance(result.reply.body, bytes):
            size = int(result.reply.body)
        else:
            async for piece in result.reply.body:
                size += len(piece)
                peak = max(peak, PROCESS.memory_info().rss)
        peak = max(peak, PROCESS.memory_info().rss)
        await connector.close()

    assert size == 1600 * 65536
    assert peak - before < 20 * MB


async def test_the_error_of_the_callers_stream_is_not_hidden(parts: Parts) -> None:
    class CallerGone(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise CallerGone

    connector = parts.make()
    await connector.open()
    with pytest.raises(CallerGone):
        await whole(connector, a_call(method="POST", body=broken()))
    await connector.close()


@pytest.mark.parametrize("kind", ["rest", "soap", "population"])
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(h.answering_once(b""), id="closed"),
        pytest.param(h.resetting(), id="reset"),
        pytest.param(h.half_open, id="half open"),
        pytest.param(h.silent, id="silent"),
        pytest.param(h.answering_once(h.OK[:-1]), id="cut"),
        pytest.param(h.answering_once(h.OK + b"x"), id="too long"),
        pytest.param(h.answering_once(b"garbage\r\n\r\n"), id="garbage"),
        pytest.param(
            h.answering_once(b"HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), id="redirect"
        ),
        pytest.param(h.early_answer, id="early answer"),
        pytest.param(h.endless_chunks, id="endless"),
        pytest.param(h.answering_once(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000), id="huge head"),
    ],
)
async def test_whatever_a_provider_does_is_a_result(kind: str, script: h.Script) -> None:
    async with parts_for(kind, script) as parts:
        connector = parts.make()
        await connector.open()
        for _ in range(2):
            result = await connector.call(kit_call(kind, b"x", seconds=0.4))
            if isinstance(result, Done) and not isinstance(result.reply.body, bytes):
                with pytest.raises(ConnectorError):
                    await body_of(result.reply.body)
        await connector.close()

    assert all(count <= 1 for count in parts.provider.requests)


# --- secrets, settings, words ---------------------------------------------------------------------------


async def test_no_secret_shows_anywhere(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    connector = parts.make()
    await connector.open()
    call: Call = kit_call(parts.kind, b"x")
    result = await connector.call(call)
    dead = parts.make(**({"url": f"http://127.0.0.1:{h.free_port()}"} if parts.kind == "rest" else {}))
    failed = await dead.call(a_call())
    steps = [*await connector.check(), *await dead.check()]
    shown = repr([connector, vars(connector), result, failed, steps, call]) + str(connector)
    settings = CATALOGUE.check_settings(parts.kind, parts.sample)
    await connector.close()
    await dead.close()

    for text in (shown, repr(settings), settings.model_dump_json(), caplog.text, " ".join(parts.log.lines)):
        assert VALUE not in text


async def test_unknown_settings_are_refused(parts: Parts) -> None:
    sample = parts.sample

    with pytest.raises(SettingsRefused, match="/surprise"):
        CATALOGUE.check_settings(parts.kind, sample | {"surprise": 1})


async def test_settings_are_frozen_and_described(parts: Parts) -> None:
    settings = CATALOGUE.check_settings(parts.kind, parts.sample)
    described = next(it for it in CATALOGUE.describe() if it["kind"] == parts.kind)

    first = next(iter(type(settings).model_fields))
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings, first, "x")
    assert described["settings"]["additionalProperties"] is False
    assert all(field.get("description") for field in described["settings"]["properties"].values())
    json.dumps(described)


async def test_the_reference_page_is_up_to_date(parts: Parts) -> None:
    page = (REFERENCE / f"{parts.kind}.md").read_text("utf-8")

    assert render_reference(CATALOGUE.get(parts.kind)) in page


async def test_a_connection_test_names_every_step(parts: Parts) -> None:
    connector = parts.make()
    await connector.open()
    steps = await connector.check()
    described = [it.name for it in await connector.describe()]
    await connector.close()

    assert bool(described) == (parts.kind in TYPED - {"sql"})
    assert [step.step for step in steps] == ["dns", "tcp", "tls", "credentials", "contract"]
    assert all(step.ok is not False for step in steps)
