"""What came of a call, as an envelope: the operation's response, or a fault."""

from dataclasses import dataclass
from typing import Any, Final

from connectors.builtin.soap.envelope import Version
from connectors.message import Headers
from gateway.exchange import Reason, Refusal, Reply, Request
from gateway.facades.soap.envelopes import EnvelopeRefused
from gateway.facades.soap.faults import MEDIA_TYPES, fault
from gateway.pipeline import tell
from gateway.problems import Problem
from gateway.soap.nodes import PREFIX, Open
from gateway.soap.offer import Offer, OfferedOperation
from gateway.transforms.contract import Unfit
from gateway.transforms.json_text import parse_json
from registry.evidence import Outcome

_FAILED: Final = 400
_EXCHANGE: Final = b"lgsp-exchange-id"
_KEPT: Final = frozenset({_EXCHANGE, b"deprecation", b"sunset"})


@dataclass(slots=True)
class Answer:
    """Writes the envelope of one call."""

    version: Version
    offer: Offer | None
    operation: OfferedOperation | None
    request: Request

    def around(self, reply: Reply, body: bytes, refused: EnvelopeRefused | None) -> Reply:
        """Return the HTTP answer: a response, or the fault that a problem or the provider's refusal is."""
        if reply.problem is not None:
            return self._fault(reply, reply.problem, refused)
        if self.offer is None or self.operation is None:
            raise RuntimeError("an answer that is no problem belongs to an operation")
        found = reply.status < _FAILED or reply.outcome == Outcome.SUCCESS
        try:
            value = self._value(body, self.operation) if body else None
        except Unfit as unfit:
            if found:
                why = Refusal(Reason.PROVIDER_RUBBISH, sent=True, why=unfit.code)
                return self.around(told(why, self.request, reply), b"", None)
            value = None
        if not found:
            return self._refused(reply, value)
        # Nothing was found, where a provider says so by a status of its own: what it wrote is no result.
        is_result = value is not None and reply.status < _FAILED
        return self._response(reply, value, is_result=is_result)

    def _value(self, body: bytes, operation: OfferedOperation) -> Any:  # Any: foreign JSON
        """Return what the provider answered, numbers as text. Raises Unfit."""
        if operation.answers_text and not isinstance(operation.result.node, Open):
            return _text(body)
        try:
            return parse_json(body, "text")
        except Unfit:
            if not operation.answers_text:
                raise
            return _text(body)

    def _response(self, reply: Reply, value: Any, *, is_result: bool) -> Reply:  # Any: foreign JSON
        operation, offer = self.operation, self.offer
        assert operation is not None and offer is not None  # noqa: S101, PT018  (around has looked)
        out = [f"<{PREFIX}:{operation.response_name}>"]
        if is_result:
            operation.result.write(value, out)
        out.append(f"</{PREFIX}:{operation.response_name}>")
        headers: Headers = [(b"content-type", MEDIA_TYPES[self.version]), (b"cache-control", b"no-store")]
        return Reply(status=200, headers=headers + _kept(reply), body=offer.around(self.version, out))

    def _refused(self, reply: Reply, value: Any) -> Reply:  # Any: foreign JSON
        """Return the fault that says, in the provider's words, that it said no."""
        no = Refusal(Reason.PROVIDER_SAID_NO, sent=True, provider_status=reply.status)
        problem = told(no, self.request, reply).problem
        if problem is None:
            raise RuntimeError("a refusal is told as a problem")
        return self._fault(reply, problem, None, value)

    def _fault(
        self, reply: Reply, problem: Problem, refused: EnvelopeRefused | None, value: Any = None
    ) -> Reply:
        status, headers, body = fault(problem, self.version, refused=refused, answer=value)
        return Reply(status=status, headers=headers + _kept(reply), body=body)


def told(refusal: Refusal, request: Request, reply: Reply) -> Reply:
    """Return what is told of a refusal that came to light only when the exchange was over."""
    exchange = next((value.decode() for name, value in reply.headers if name == _EXCHANGE), "")
    made = tell(refusal, request, style="problem", exchange=exchange, sent=refusal.sent)
    made.headers += [field for field in reply.headers if field[0] == _EXCHANGE]
    return made


def _kept(reply: Reply) -> Headers:
    return [field for field in reply.headers if field[0] in _KEPT]


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Unfit("encoding", "The answer is no text in UTF-8.") from error
