"""A connector that keeps the contract, and what its author might have got wrong: for the kit to find (test_kit.py).

Its protocol: `KEY NUMBER TEXT` is answered by `NUMBER TEXT`, a wrong key by `SAI`; one connection is kept.
"""

import asyncio
import socket
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from connectors.contract import (
    Body,
    Call,
    Capabilities,
    CheckStep,
    ConnectorContext,
    ConnectorSettings,
    DescribedOperation,
    Done,
    Rejected,
    Result,
    Unknown,
    Unreachable,
)
from connectors.errors import EgressDenied, NotSent, SecretUnknown
from connectors.message import Message
from connectors.testing import Address, ConnectorContract

KEY = "chia-khoa-gia-lap-7"
Step = Literal["dns", "tcp", "tls", "credentials", "contract"]
STEPS: tuple[Step, ...] = ("dns", "tcp", "tls", "credentials", "contract")
LIMIT = 65536


class LinesSettings(ConnectorSettings):
    host: str = Field(description="Where.")
    port: int = Field(description="And at which port.")
    key: str = Field(description="Reference to our key.")


class Lines:
    """Keeps the contract: in order, four calls at most, one on the wire."""

    kind: ClassVar[str] = "lines"
    version: ClassVar[str] = "2"
    capabilities: ClassVar[Capabilities] = Capabilities(ordering=True, max_in_flight=4)
    Settings: ClassVar[type[ConnectorSettings]] = LinesSettings

    def __init__(self, settings: LinesSettings, context: ConnectorContext) -> None:
        self.settings = settings
        self.context = context
        self.turn = asyncio.Lock()
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.number = 0
        self.running = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.closed = False

    async def open(self) -> None:
        pass

    async def call(self, call: Call) -> Result:
        if self.closed:
            return Unreachable(reason="closed")
        self.running += 1
        self.idle.clear()
        try:
            text = self.text_in(await whole(call.message.body))
            return await self.ask(text, call)
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()

    def text_in(self, body: bytes) -> str:
        return body.decode()

    def left(self, call: Call) -> float:
        return call.deadline - self.context.clock.monotonic()

    async def ask(self, text: str, call: Call) -> Result:
        sent = answered = False
        try:
            async with asyncio.timeout(self.left(call)), self.turn:
                reader, writer = await self.connected()
                self.number += 1
                question = f"{self.number} {text}\n".encode()
                sent = True
                writer.write(self.key().encode() + b" " + question)
                answer = await reader.readline()
                answered = answer.endswith(b"\n")
                return self.result_of(question, answer)
        except (EgressDenied, SecretUnknown):
            raise
        except NotSent as error:
            return Unreachable(reason=str(error))
        except TimeoutError:
            return self.failed("timeout") if sent else Unreachable(reason="timeout")
        except (OSError, ValueError):
            return self.failed("cut")
        finally:
            if sent and not answered:
                self.drop()

    def failed(self, reason: str) -> Result:
        return Unknown(reason=reason)

    def result_of(self, question: bytes, answer: bytes) -> Result:
        if not answer.endswith(b"\n"):
            return self.failed("cut")
        if answer == b"SAI\n":
            return Rejected(reason="credentials")
        if answer != question:
            self.drop()
            return Unknown(reason="not-the-answer", rubbish=True)
        return Done(status=200, reply=Message(answer.rstrip(b"\n").partition(b" ")[2]))

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.streams is None:
            [address] = await self.context.network.resolve(self.settings.host, self.settings.port)
            try:
                self.streams = await asyncio.open_connection(address, self.settings.port, limit=LIMIT)
            except OSError as error:
                raise NotSent("refused") from error
        return self.streams

    def key(self) -> str:
        where = f"{self.settings.host}:{self.settings.port}"
        return self.context.secrets.get(self.settings.key, host=where)

    def drop(self) -> None:
        if self.streams is not None:
            self.streams[1].transport.abort()
            self.streams = None

    async def check(self) -> Sequence[CheckStep]:
        failed, detail = await self.first_flaw()
        at = STEPS.index(failed) if failed else len(STEPS)
        steps = [CheckStep(step=step, ok=None if step == "tls" else True) for step in STEPS[:at]]
        if failed:
            steps.append(CheckStep(step=failed, ok=False, detail=detail))
        return steps + [CheckStep(step=step, ok=None) for step in STEPS[at + 1 :]]

    async def first_flaw(self) -> tuple[Step | None, str]:
        now = self.context.clock.monotonic()
        call = Call(
            exchange="",
            operation="",
            method="",
            path="",
            query="",
            message=Message(b"LGSP"),
            deadline=now + 2,
        )
        try:
            result = await self.ask("LGSP", call)
        except SecretUnknown as error:
            return "credentials", str(error)
        match result:
            case Unreachable(reason=reason):
                return ("dns" if reason == "dns" else "tcp"), reason
            case Rejected(reason=reason):
                return "credentials", reason
            case Unknown(reason=reason):
                return "contract", reason
            case _:
                return None, ""

    async def describe(self) -> Sequence[DescribedOperation]:
        return ()

    async def drain(self) -> None:
        self.closed = True
        await self.idle.wait()

    async def close(self) -> None:
        self.closed = True
        self.drop()
        await asyncio.sleep(0)


async def whole(body: Body) -> bytes:
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        key, _, rest = line.partition(b" ")
        writer.write(rest if key == KEY.encode() else b"SAI\n")


class TestGood(ConnectorContract):
    connector = Lines
    secrets: ClassVar[Mapping[str, str]] = {"khoa": KEY}
    stored_settings = ({"host": "mau.invalid", "port": 1, "key": "secret:khoa"},)
    entry_point = False

    def settings(self, address: Address) -> Mapping[str, Any]:
        return {"host": address.host, "port": address.port, "key": "secret:khoa"}

    async def provider(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)


# --- what may be wrong ----------------------------------------------------------------------------------


class Connecting(Lines):
    def __init__(self, settings: LinesSettings, context: ConnectorContext) -> None:
        super().__init__(settings, context)
        with suppress(OSError):
            socket.create_connection((settings.host, settings.port)).close()


class Leaking(Lines):
    async def open(self) -> None:
        self.task = asyncio.ensure_future(asyncio.sleep(60))


class Stumbling(Lines):
    async def open(self) -> None:
        await asyncio.open_connection(self.settings.host, self.settings.port)


class Forgetful(Lines):
    """Leaves a connection as it is when its call is cancelled; the next call reads the answer to that one."""

    async def ask(self, text: str, call: Call) -> Result:
        async with self.turn:
            reader, writer = await self.connected()
            writer.write(f"{self.key()} 1 {text}\n".encode())
            answer = await reader.readline()
            return Done(status=200, reply=Message(answer.rstrip(b"\n").partition(b" ")[2]))


class OwnClock(Lines):
    def left(self, call: Call) -> float:
        return call.deadline - asyncio.get_running_loop().time()


class Impatient(Lines):
    async def drain(self) -> None:
        self.closed = True


class Undead(Lines):
    async def close(self) -> None:
        self.drop()


class Folding(Lines):
    def text_in(self, body: bytes) -> str:
        return unicodedata.normalize("NFC", body.decode())


class Hopeful(Lines):
    """Says of what was sent that it was not."""

    def failed(self, reason: str) -> Result:
        return Unreachable(reason=reason)


class Believing(Lines):
    """Takes what was cut off for an answer."""

    def result_of(self, question: bytes, answer: bytes) -> Result:
        return Done(status=200, reply=Message(answer.rstrip(b"\n").partition(b" ")[2]))


class Shouting(Lines):
    """Names a field as it came, not in lower case: what filters fields would not know it."""

    def result_of(self, question: bytes, answer: bytes) -> Result:
        result = super().result_of(question, answer)
        if isinstance(result, Done):
            result.reply.headers = [(b"X-Ma", b"1")]
        return result


class Insisting(Lines):
    async def ask(self, text: str, call: Call) -> Result:
        result = await super().ask(text, call)
        return await super().ask(text, call) if isinstance(result, Unknown) else result


class Talkative(Lines):
    def __repr__(self) -> str:
        return f"Lines({self.key()})"


class Disorderly(Lines):
    async def ask(self, text: str, call: Call) -> Result:
        apart = Lines(self.settings, self.context)
        try:
            return await apart.ask(text, call)
        finally:
            await apart.close()


class Satisfied(Lines):
    async def first_flaw(self) -> tuple[Step | None, str]:
        return None, ""


class Deaf(Lines):
    async def call(self, call: Call) -> Result:
        try:
            return await super().call(call)
        except Exception:  # noqa: BLE001 (that is what is wrong with it)
            return Unknown(reason="failed")


class LaxSettings(LinesSettings):
    model_config = ConfigDict(frozen=False, extra="ignore")


class Lax(Lines):
    Settings: ClassVar[type[ConnectorSettings]] = LaxSettings


class NewSettings(LinesSettings):
    region: str = Field(description="New in version 2, and without a default.")


class Breaking(Lines):
    Settings: ClassVar[type[ConnectorSettings]] = NewSettings


WRONG: dict[type[Lines], tuple[str, ...]] = {
    Connecting: ("test_making_one_does_no_io",),
    Leaking: ("test_opening_and_closing_a_hundred_times_leaks_nothing",),
    Stumbling: ("test_closing_works_when_opening_failed",),
    Forgetful: (
        "test_a_cancelled_call_frees_its_connection",
        "test_a_duplicated_answer_is_never_another_calls",
    ),
    OwnClock: ("test_deadlines_are_kept_by_the_hosts_clock",),
    Impatient: ("test_draining_waits_for_calls_and_takes_no_new_ones",),
    Undead: ("test_after_closing_nothing_is_sent",),
    Folding: ("test_vietnamese_text_goes_through_unchanged[NFD]",),
    Hopeful: ("test_each_fault_has_its_outcome_and_passes[reset-before-the-answer]",),
    Believing: ("test_each_fault_has_its_outcome_and_passes[cut-before-the-last-byte]",),
    Shouting: ("test_many_calls_at_once_keep_their_answers_apart",),
    Insisting: ("test_what_writes_is_sent_once[reset]", "test_what_writes_is_sent_once[cut]"),
    Talkative: ("test_no_secret_shows_anywhere",),
    Disorderly: ("test_order_is_kept_if_it_is_declared",),
    Satisfied: ("test_a_closed_port_is_tcp", "test_a_wrong_secret_is_credentials"),
    Deaf: ("test_the_error_of_the_callers_stream_is_not_hidden",),
    Lax: ("test_unknown_settings_are_refused", "test_settings_are_frozen"),
    Breaking: ("test_settings_stored_earlier_are_readable",),
}
"""What is wrong, and which tests of the kit say so."""


def declared(wrong: type[Lines]) -> type[TestGood]:
    return type(f"Test{wrong.__name__}", (TestGood,), {"connector": wrong, "__module__": __name__})


globals().update({f"Test{wrong.__name__}": declared(wrong) for wrong in WRONG})


class TestBreaking(TestGood):
    connector = Breaking

    def settings(self, address: Address) -> Mapping[str, Any]:
        return {**super().settings(address), "region": "H99"}
