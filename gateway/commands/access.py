"""How commands reach a node: over its admin API, or on its machine through the same API without a network."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import anyio
import httpx2
from cyclopts import Parameter

from gateway.commands.credentials import read_credentials
from gateway.commands.failures import Failed, Language
from gateway.commands.say import Json, Out, ProblemTold
from gateway.settings import ClientSettings, SettingsWrong, read_client_settings

R = TypeVar("R")
CALL_SECONDS = 60.0


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the node is, and who asks."""

    node: Annotated[str | None, Parameter(help="Base address of the node; else LGSP_NODE_URL.")] = None
    client_file: Annotated[
        Path | None,
        Parameter(help="File with a client's id and secret, as --save writes it; else LGSP_CLIENT_FILE."),
    ] = None
    client_id: Annotated[str | None, Parameter(help="Client to sign in as; else LGSP_CLIENT_ID.")] = None
    secret_file: Annotated[
        Path | None,
        Parameter(help="File with its secret; else LGSP_CLIENT_SECRET_FILE or LGSP_CLIENT_SECRET."),
    ] = None
    local: Annotated[
        bool, Parameter(help="Work on the node's machine, through its own database.", negative="")
    ] = False
    language: Annotated[Language | None, Parameter(help="Language of messages; else LGSP_LANGUAGE.")] = None

    def settings(self, *, public_url: str | None = None) -> ClientSettings:
        """Return what options and environment say. Raises Failed."""
        try:
            return read_client_settings(
                node_url=self.node,
                public_url=public_url,
                client_file=self.client_file,
                client_id=self.client_id,
                client_secret_file=self.secret_file,
                language=self.language,
            )
        except SettingsWrong as error:
            raise Failed(error.vi, str(error)) from error


AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON for programs.", negative="")]


class Node:
    """A node's admin API. Raises ProblemTold for what it refuses, Failed when it can't be reached."""

    def __init__(self, http: httpx2.AsyncClient, address: str, headers: Mapping[str, str]) -> None:
        self._http = http
        self._address = address
        self._headers = dict(headers)

    async def get(self, path: str, **query: Any) -> Json:  # Any: values of a query
        """Read."""
        return _object(await self.send("GET", path, params=_given(query)))

    async def post(
        self, path: str, document: Mapping[str, Any], *, version: int | None = None, **query: Any
    ) -> Json:
        """Post a document; with the version that the caller knows, where the node asks for it."""
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        return _object(
            await self.send("POST", path, params=_given(query), json=dict(document), headers=headers)
        )

    async def pages(self, path: str, **query: Any) -> AsyncIterator[Json]:
        """Yield every item of every page."""
        cursor = None
        while True:
            page = await self.get(path, limit=200, cursor=cursor, **query)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def send(self, method: str, path: str, **what: Any) -> httpx2.Response:  # Any: as httpx2 takes it
        """Send a request below `/admin/v1/` and return the answer, if it is a good one."""
        what["headers"] = self._headers | what.pop("headers", {})
        reply = await send(self._http, method, f"/admin/v1/{path}", self._address, **what)
        if reply.is_error:
            raise ProblemTold(reply.status_code, problem_in(reply))
        return reply

    async def stream(self, path: str, **query: Any) -> AsyncIterator[bytes]:  # Any: values of a query
        """Yield an answer piece by piece, however large it is."""
        with reached(self._address):
            async with self._http.stream(
                "GET", f"/admin/v1/{path}", params=_given(query), headers=self._headers
            ) as reply:
                if reply.is_error:
                    await reply.aread()
                    raise ProblemTold(reply.status_code, problem_in(reply))
                async for piece in reply.aiter_bytes():
                    yield piece


async def send(
    http: httpx2.AsyncClient, method: str, path: str, address: str, **what: Any
) -> httpx2.Response:  # Any: as httpx2 takes it
    """Send a request. Raises Failed, saying what to do, when the node can't be reached."""
    with reached(address):
        return await http.request(method, path, **what)


@contextmanager
def reached(address: str) -> Iterator[None]:
    """Turn what goes wrong on the way to a node into Failed, saying what to do."""
    try:
        yield
    except httpx2.TimeoutException as error:
        raise Failed(
            f"Nút {address} không trả lời kịp. Hãy thử lại, hoặc xem nhật ký của nút.",
            f"The node at {address} did not answer in time. Try again, or look at its log.",
        ) from error
    except (httpx2.TransportError, httpx2.InvalidURL, UnicodeError) as error:
        raise Failed(
            f"Không kết nối được tới nút {address} ({type(error).__name__}). Hãy kiểm tra nút đang chạy "
            "(lgsp serve) và địa chỉ trong --node hoặc LGSP_NODE_URL (--public-url, LGSP_PUBLIC_URL khi gọi dịch vụ); trên máy của nút có thể dùng --local.",
            f"The node at {address} cannot be reached ({type(error).__name__}). Check that it runs (lgsp serve) "
            "and that --node or LGSP_NODE_URL (to call services: --public-url or LGSP_PUBLIC_URL) is its address; on the node's own machine --local works without it.",
        ) from error


def problem_in(reply: httpx2.Response) -> Json:
    """Return the problem in an answer, or one that says what the answer was."""
    try:
        told = reply.json()
    except ValueError:
        told = None
    if isinstance(told, dict) and "code" in told:
        return told
    title = f"HTTP {reply.status_code}"
    return {"status": reply.status_code, "code": "http-error", "title": title, "detail": reply.text[:300]}


def segment(label: str) -> str:
    """Write a label as it stands in an address."""
    return quote(label, safe=":/")


def _object(reply: httpx2.Response) -> Json:
    answer: Json = reply.json()
    return answer


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


# --- opening --------------------------------------------------------------------------------------------


def run(access: Access, work: Callable[[Node, Out], Awaitable[R]], *, as_json: bool = False) -> R:
    """Open the node and do the work."""
    settings = access.settings()
    out = Out(settings.language, as_json=as_json)

    async def main() -> R:
        async with open_node(access, settings) as node:
            return await work(node, out)

    try:
        return anyio.run(main)
    except Failed as error:
        error.language = settings.language
        raise


@asynccontextmanager
async def open_node(access: Access, settings: ClientSettings) -> AsyncIterator[Node]:
    """Yield the node that the options name. Raises Failed."""
    if access.local:
        # Imported here: only a local command needs the node's own parts.
        from gateway.commands.local import open_local  # noqa: PLC0415

        async with open_local() as http:
            yield Node(http, "--local", {})
        return
    async with http_client(settings.node_url) as http:
        token = await fetch_token(http, settings)
        yield Node(http, settings.node_url, {"Authorization": f"Bearer {token}"})


def http_client(address: str) -> httpx2.AsyncClient:
    """Return an HTTP client for a node; no proxy between, and no redirects."""
    return httpx2.AsyncClient(base_url=address, timeout=CALL_SECONDS, trust_env=False)


async def fetch_token(http: httpx2.AsyncClient, settings: ClientSettings) -> str:
    """Return an access token. Raises Failed."""
    client, secret = _credentials(settings)
    reply = await send(
        http,
        "POST",
        "/token",
        settings.node_url,
        data={"grant_type": "client_credentials"},
        auth=(client, secret),
    )
    if reply.is_error:
        raise _no_token(reply)
    return str(_object(reply)["access_token"])


def _credentials(settings: ClientSettings) -> tuple[str, str]:
    if settings.client_id is None and settings.client_file is not None:
        return read_credentials(settings.client_file)
    secret = settings.client_secret.get_secret_value() if settings.client_secret else None
    if settings.client_secret_file is not None:
        try:
            secret = settings.client_secret_file.read_text("utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise Failed(
                f"Không đọc được tệp bí mật {settings.client_secret_file}: {error}",
                f"The secret file {settings.client_secret_file} cannot be read: {error}",
            ) from error
    if not settings.client_id or not secret:
        raise Failed(
            "Thiếu thông tin đăng nhập: hãy đặt LGSP_CLIENT_FILE (tệp do `lgsp client create --save` ghi), hoặc "
            "LGSP_CLIENT_ID và LGSP_CLIENT_SECRET; trên máy của nút có thể dùng --local.",
            "No credentials: set LGSP_CLIENT_FILE (a file that `lgsp client create --save` writes), or "
            "LGSP_CLIENT_ID and LGSP_CLIENT_SECRET; on the node's own machine --local works without them.",
        )
    return settings.client_id, secret


def _no_token(reply: httpx2.Response) -> Failed:
    told = problem_in(reply)
    try:
        answer = reply.json()
    except ValueError:
        answer = {}
    messages = answer.get("messages", {}) if isinstance(answer, dict) else {}
    detail = str(told.get("detail") or "")
    vi, en = messages.get("vi") or detail, messages.get("en") or detail
    return Failed(
        f"Nút không cấp token ({reply.status_code}): {vi}",
        f"The node gives no token ({reply.status_code}): {en}",
    )
