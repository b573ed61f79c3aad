"""The provider of the benchmark: answers a fixed 1 KB of JSON with as little work as possible.

`/large` answers 100 MB, `/sixteen` 16 KB, `/person` an invented person, `/soap` a SOAP message of 2 KB; `/large-json` and
`/large-xml` answer 10 MB. `python -m bench.upstream` prints its port and runs until its standard input closes.
"""

import asyncio
import json
import sys
from functools import cache
from typing import cast

import uvloop

from bench.messages import large_json, large_xml, person, soap_answer

LARGE = 100 * 1024 * 1024
PIECE = bytes(64 * 1024)


def _answer(size: int) -> bytes:
    """Return a whole answer with a body of JSON of that size."""
    body = (
        json.dumps({"Status": "1", "Message": "OK", "DataCount": 1, "Data": "x" * (size - 88)})
        .encode()
        .ljust(size)
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _whole(body: bytes, media_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


ANSWER = _answer(1024)
SMALL = {
    b"sixteen": _answer(16 * 1024),
    b"person": _whole(person()),
    b"soap": _whole(soap_answer(), "text/xml; charset=utf-8"),
}
LARGE_DOCUMENTS = {
    b"large-json": cache(lambda: _whole(large_json())),
    b"large-xml": cache(lambda: _whole(large_xml(), "application/xml")),
}
LARGE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n" % LARGE
)


class Upstream(asyncio.Protocol):
    """One connection: requests with or without a body of declared length, one after the other."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._head = b""
        self._missing = 0
        self._chunked = False
        self._answer = self._answer_small
        self._small = ANSWER
        self._to_send = 0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an instance of asyncio.Transport under uvloop, though it has its methods.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        while data:
            data = self._skip_body(data) if self._missing or self._chunked else self._read_head(data)

    def _read_head(self, data: bytes) -> bytes:
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return b""
        head, rest = self._head[:end].lower(), self._head[end + 4 :]
        self._head = b""
        target = head[: head.find(b"\r\n")]
        asked = target.partition(b" /")[2].partition(b" ")[0].partition(b"/")[0]
        self._answer = self._answer_large if asked == b"large" else self._answer_small
        document = LARGE_DOCUMENTS.get(asked)
        self._small = SMALL.get(asked, ANSWER) if document is None else document()
        at = head.find(b"\r\ncontent-length:")
        self._chunked = b"\r\ntransfer-encoding: chunked" in head
        self._missing = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if not self._missing and not self._chunked:
            self._answer()
        return rest

    def _skip_body(self, data: bytes) -> bytes:
        if self._chunked:
            # The benchmark sends nothing behind a chunked body, and zero bytes in it.
            if data.endswith(b"0\r\n\r\n"):
                self._chunked = False
                self._answer()
            return b""
        taken = min(self._missing, len(data))
        self._missing -= taken
        if not self._missing:
            self._answer()
        return data[taken:]

    def _answer_small(self) -> None:
        self._transport.write(self._small)

    def _answer_large(self) -> None:
        self._transport.write(LARGE_HEAD)
        self._to_send = LARGE
        self._send_pieces()

    def _send_pieces(self) -> None:
        while self._to_send and not self._paused:
            size = min(self._to_send, len(PIECE))
            self._to_send -= size
            self._transport.write(PIECE[:size])

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._send_pieces()


async def serve() -> None:
    """Serve on a free port until standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(serve())
