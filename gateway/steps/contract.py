"""Steps 5 and 8: does a message keep the contract of its service; where one does not, it is counted, or refused.

What is checked on the event loop is small and takes a bounded number of steps; everything else goes to a guest
process. `shadow` never changes an answer. `enforce` refuses what breaks the contract, and what cannot be checked.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Final, Protocol

from anyio import CapacityLimiter, to_thread

from connectors.message import Headers
from gateway.contracts.bodies import BodyCheck, Checked, Later, wrong
from gateway.contracts.compiled import Check
from gateway.contracts.counts import ViolationCounts
from gateway.contracts.violations import NotChecked, Violation, distinct
from gateway.contracts.work import parse
from gateway.exchange import Exchange, Reason, Refusal, Reply
from gateway.steps.route import path_below_version
from gateway.steps.transform import read_reply, read_request
from gateway.transforms.contract import NOT_READ, Unfit
from gateway.transforms.guests import Guests
from registry.evidence import Outcome

AT_ONCE: Final = 2
"""So many checks run in guest processes at the same time."""
GUEST_SECONDS: Final = 5.0
NOT_CHECKED: Final = "not-checked"
NOTHING_TO_CHECK: Final = frozenset({204, 205})
"""Nothing stands in them. Parts (206) are never asked for where an answer is checked: one that comes all the same is checked."""

Watch = Callable[[Exchange], AbstractContextManager[None]]


class Messages(Protocol):
    """Where messages that break a contract are counted for the metrics."""

    def contract_violated(self, service: str, direction: str, mode: str) -> None: ...


class ContractStep:
    """Checks messages by their operations' contracts."""

    def __init__(self, counts: ViolationCounts, messages: Messages, guests: Guests) -> None:
        self._counts = counts
        self._messages = messages
        self._guests = guests
        self._at_once = CapacityLimiter(AT_ONCE)

    async def request(self, exchange: Exchange, check: Check) -> None:
        """Check a request. Raises Refusal; nothing has been sent by then."""
        request = exchange.request
        found: list[Violation] = []
        if check.parameters is not None:
            path = path_below_version(exchange)
            found.extend(check.parameters.violations(path, request.query, request.headers))
        if check.body is not None:
            if not isinstance(exchange.body, bytes) and check.mode == "enforce":
                exchange.body = await read_request(exchange)
            found.extend(
                (await self._body(check.body, check, exchange.body, request.headers, NOT_READ)).violations
            )
        if found:
            told = self._note(exchange, check, found)
            if check.mode == "enforce":
                raise _refusal(Reason.REQUEST_AGAINST_CONTRACT, told, sent=False)

    async def reply(
        self, exchange: Exchange, reply: Reply, check: Check, watch: Watch, document: object
    ) -> tuple[Reply, object]:
        """Check the answer that the consumer would get. Raises Refusal.

        Returns it, and its body as JSON if that was read without loss; `document` is that, where a step before has it.
        Answers that are no success are not checked.
        """
        body, is_success = reply.body, exchange.record.outcome == Outcome.SUCCESS
        has_body = 200 <= reply.status < 300 and reply.status not in NOTHING_TO_CHECK  # noqa: PLR2004  (2xx)
        if check.body is None or not is_success or not has_body or exchange.request.method == "HEAD":
            return reply, document
        if not isinstance(body, bytes) and check.mode == "enforce":
            with watch(exchange):
                body = await read_reply(exchange, body, Reason.REPLY_AGAINST_CONTRACT)
            headers = [field for field in reply.headers if field[0] != b"content-length"]
            reply = Reply(status=reply.status, headers=headers, body=body)
        checked = await self._body(check.body, check, body, reply.headers, document)
        if checked.violations:
            told = self._note(exchange, check, checked.violations)
            if check.mode == "enforce":
                raise _refusal(Reason.REPLY_AGAINST_CONTRACT, told, sent=True)
        return reply, checked.document

    async def _body(
        self, body_check: BodyCheck, check: Check, body: object, headers: Headers, document: object
    ) -> Checked:
        if not isinstance(body, bytes):
            return wrong(NOT_CHECKED)  # a stream, which a shadow does not hold up
        media_type = ""
        for name, value in headers:
            if name == b"content-type":
                media_type = value.decode("latin-1")
            elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
                return wrong("content-encoding")
        try:
            return body_check.at_once(body, media_type, document)
        except Later:
            return await self._later(body_check, check, body, media_type)
        except NotChecked:
            return wrong(NOT_CHECKED)

    async def _later(self, body_check: BodyCheck, check: Check, body: bytes, media_type: str) -> Checked:
        """Have a body checked in a guest process; a shadow does not wait for one."""
        if check.mode == "shadow" and self._at_once.available_tokens < 1:
            return wrong(NOT_CHECKED)
        run = partial(self._guests.run, body_check.work, body, GUEST_SECONDS, media_type=media_type)
        try:
            return Checked(parse(await to_thread.run_sync(run, limiter=self._at_once)))
        except Unfit:
            return wrong(NOT_CHECKED)

    def _note(self, exchange: Exchange, check: Check, found: Sequence[Violation]) -> tuple[Violation, ...]:
        told = distinct(found)
        name = exchange.service.name if exchange.service is not None else ""
        self._messages.contract_violated(name, check.direction, check.mode)
        self._counts.add(exchange.record, check, told)
        return told


def _refusal(reason: Reason, told: Sequence[Violation], *, sent: bool) -> Refusal:
    """Return why a message is not passed on: it is wrong, or nobody could tell."""
    if any(each.rule == NOT_CHECKED for each in told):
        return Refusal(Reason.CONTRACT_NOT_CHECKED, sent=sent)
    return Refusal(reason, sent=sent, violations=told, why="; ".join(map(str, told)))
