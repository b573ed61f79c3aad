"""What SOAP connectors share on the way to a provider: posting with credentials, reading answers whole."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from connectors.contract import (
    Busy,
    CheckStep,
    ConnectorContext,
    HTTPClient,
    HTTPReply,
    HTTPRequest,
    OwnHTTPClient,
)
from connectors.credentials import Credentials, authority_of
from connectors.errors import BadAnswer, ConnectorError, NoAnswer, NotSent
from connectors.message import Body, Headers
from connectors.over_http import retry_after

CHECK_SECONDS = 10.0

_UNAUTHORISED = 401
_BUSY = frozenset({429, 503})
_TOO_MANY = 429
_REFUSED = frozenset({401, 403, 407})
Step = Literal["dns", "tcp", "tls", "credentials", "contract"]
_STEPS: tuple[Step, ...] = ("dns", "tcp", "tls", "credentials", "contract")


class TooLarge(ValueError):
    """A body is larger than the settings allow."""


class Answer:
    """An answer, read whole."""

    __slots__ = ("body", "headers", "media_type", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.media_type = next(
            (value.decode("latin-1") for name, value in headers if name == b"content-type"), ""
        )

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300  # noqa: PLR2004 (RFC 9110 status classes)

    def busy(self, now: float) -> Busy | None:
        """Return that the provider asks to come back later, if it does."""
        if self.status not in _BUSY:
            return None
        after = retry_after(self.headers, now)
        return Busy(after=after) if after is not None or self.status == _TOO_MANY else None


class Poster:
    """Posts to one address."""

    def __init__(
        self,
        url: str,
        context: ConnectorContext,
        *,
        egress: Sequence[str],
        connect_seconds: float,
        max_reply_bytes: int,
    ) -> None:
        self.url = url
        self.authority = authority_of(url)
        self._own: OwnHTTPClient | None = context.http.narrowed(egress) if egress else None
        self.http: HTTPClient = self._own or context.http
        self._clock = context.clock
        self._connect_seconds = connect_seconds
        self._max_reply_bytes = max_reply_bytes

    async def post(
        self, body: bytes, headers: Headers, deadline: float, credentials: Credentials | None = None
    ) -> Answer:
        """Post, with credentials a second time when the first ones are refused; read the answer whole.

        Raises:
            NotSent, NoAnswer, BadAnswer, SecretUnknown, CredentialsRefused.
        """
        again = credentials is not None
        while True:
            proof = await credentials.headers(self.authority, deadline) if credentials else []
            reply = await self.http.send(self._request("POST", headers + proof, body, deadline))
            if (
                not again
                or credentials is None
                or reply.status != _UNAUTHORISED
                or not credentials.discard(proof)
            ):
                return Answer(reply.status, reply.headers, await self._whole(reply))
            await reply.close()
            again = False

    def _request(self, method: str, headers: Headers, body: bytes, deadline: float) -> HTTPRequest:
        return HTTPRequest(
            method=method,
            url=self.url,
            headers=headers,
            body=body,
            deadline=deadline,
            connect_seconds=self._connect_seconds,
        )

    async def _whole(self, reply: HTTPReply) -> bytes:
        try:
            return await whole(reply.body, self._max_reply_bytes)
        except TooLarge:
            raise BadAnswer("too-large") from None
        finally:
            await reply.close()

    async def check(
        self, contract: str | None, prove: Callable[[], Awaitable[object]]
    ) -> Sequence[CheckStep]:
        """Test the way there. A SOAP address says little to a GET, so any answer will do for the contract.

        `contract` is what is wrong with our own side, None when nothing is; `prove` gets our credentials ready.
        """
        started = self._clock.monotonic()
        failed: Step | None = None
        try:
            request = self._request("GET", [], b"", started + CHECK_SECONDS)
            reply = await self.http.send(request)
            await reply.close()
            detail = f"HTTP {reply.status}"
            if reply.status in _REFUSED:
                detail += " to a question without credentials"
        except NotSent as error:
            failed, detail = (
                ("dns" if str(error) == "dns" else "tls" if str(error).startswith("tls") else "tcp"),
                str(error),
            )
        except (NoAnswer, BadAnswer) as error:
            failed, detail = "contract", str(error)
        if failed is None:
            failed, detail = await _own_flaw(contract, prove) or (failed, detail)
        milliseconds = round((self._clock.monotonic() - started) * 1000, 1)
        return [self._step(step, failed, detail, milliseconds) for step in _STEPS]

    def _step(self, step: Step, failed: Step | None, detail: str, milliseconds: float) -> CheckStep:
        at = _STEPS.index(failed) if failed else len(_STEPS)
        place = _STEPS.index(step)
        if place > at:
            return CheckStep(step=step, ok=None)
        if place == at:
            return CheckStep(step=step, ok=False, detail=f"{self.authority}: {detail}")
        if step == "credentials":
            return CheckStep(step=step, ok=None, detail=f"{self.authority}: only a call can tell")
        if (step == "tls" and self.url.startswith("http:")) or (step == "dns" and _is_literal(self.url)):
            return CheckStep(step=step, ok=None, detail=f"{self.authority}: not needed")
        last = step == _STEPS[-1]
        return CheckStep(
            step=step,
            ok=True,
            detail=f"{self.authority}: {detail}" if last else self.authority,
            milliseconds=milliseconds if last else None,
        )

    async def close(self) -> None:
        """Close what is our own. Idempotent."""
        if self._own is not None:
            await self._own.close()


async def _own_flaw(contract: str | None, prove: Callable[[], Awaitable[object]]) -> tuple[Step, str] | None:
    """Return what is wrong on our side: credentials that cannot be had, then the description."""
    try:
        await prove()
    except ConnectorError as error:
        return "credentials", str(error) or type(error).__name__
    return ("contract", contract) if contract is not None else None


async def whole(body: Body, limit: int) -> bytes:
    """Return a body as a whole. Raises TooLarge."""
    if isinstance(body, bytes):
        if len(body) > limit:
            raise TooLarge
        return body
    stream: AsyncIterator[bytes] = body
    pieces: list[bytes] = []
    size = 0
    async for piece in stream:
        size += len(piece)
        if size > limit:
            raise TooLarge
        pieces.append(piece)
    return b"".join(pieces)


def _is_literal(url: str) -> bool:
    try:
        ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return True
