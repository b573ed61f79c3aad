"""Faults on demand: what a national database does on a bad day.

`POST /_faults {"mode": "cut", "times": 1}` makes the next answer stop half-way in its body; `slow` holds it back for
`seconds`; `error` answers 500. `none` ends it. A database that is down needs no mode: its process is ended.
"""

import asyncio
import json
from typing import Any, Literal, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Mode = Literal["none", "cut", "slow", "error"]

PATH = "/_faults"
SPARED = (PATH, "/token")
MAX_SECONDS = 120.0
CUT = "sandbox-cut"
"""An answer with this header is cut half-way, and the header with it."""


class Faults:
    """An ASGI application around a database's, spoiling as many answers as it was told to."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._mode: Mode = "none"
        self._times = 0
        self._seconds = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            await (await self._set(Request(scope, receive)))(scope, receive, send)
            return
        mode = self._next_mode(scope)
        if mode == "slow":
            await asyncio.sleep(self._seconds)
        if mode == "error":
            await JSONResponse({"error": "giả lập lỗi máy chủ"}, 500)(scope, receive, send)
            return
        await self._app(scope, receive, _cut_half_way(send, always=mode == "cut"))

    def _next_mode(self, scope: Scope) -> Mode:
        if scope["type"] != "http" or scope["path"] in SPARED or self._times <= 0:
            return "none"
        self._times -= 1
        return self._mode

    async def _set(self, request: Request) -> JSONResponse:
        try:
            wanted: dict[str, Any] = json.loads(await request.body())  # Any: JSON, checked below
            mode, times = wanted["mode"], int(wanted.get("times", 1))
            seconds = float(wanted.get("seconds", 0.0))
        except (ValueError, TypeError, KeyError, AttributeError):
            return JSONResponse({"error": "mode, times, seconds"}, 400)
        if mode not in get_args(Mode) or not 0 <= seconds <= MAX_SECONDS:
            return JSONResponse({"error": f"mode is one of {', '.join(get_args(Mode))}"}, 400)
        self._mode, self._times, self._seconds = mode, times, seconds
        return JSONResponse({"mode": mode, "times": times, "seconds": seconds})


def _cut_half_way(send: Send, *, always: bool) -> Send:
    """Let the head and half of the body through; the server closes a connection whose answer never ends."""
    cuts, done = always, False

    async def send_half(message: Message) -> None:
        nonlocal cuts, done
        if done:
            return
        if message["type"] == "http.response.start":
            kept = [header for header in message["headers"] if header[0] != CUT.encode()]
            cuts = cuts or len(kept) < len(message["headers"])
            message = {**message, "headers": kept}
        elif cuts and message["type"] == "http.response.body":
            done = True
            body = message.get("body", b"")
            message = {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        await send(message)

    return send_half
