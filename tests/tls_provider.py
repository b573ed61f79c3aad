"""A provider behind TLS that asks for client certificates, and says why it does not take one.

asyncio's servers end a failed handshake without a word, so this one has a thread and blocking sockets.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class TLSProvider:
    """Answers each request with the name in the client's certificate."""

    address: str
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)


@contextmanager
def tls_provider(context: ssl.SSLContext) -> Iterator[TLSProvider]:
    """Serve on loopback until left."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        provider = TLSProvider(f"https://127.0.0.1:{listening.getsockname()[1]}")
        stopping = threading.Event()
        thread = threading.Thread(target=_accept, args=(listening, context, provider, stopping))
        thread.start()
        try:
            yield provider
        finally:
            stopping.set()
            thread.join()


def _accept(
    listening: socket.socket, context: ssl.SSLContext, provider: TLSProvider, stopping: threading.Event
) -> None:
    listening.settimeout(0.02)
    talks: list[threading.Thread] = []
    while not stopping.is_set():
        with suppress(TimeoutError):
            raw, _ = listening.accept()
            talks.append(threading.Thread(target=_talk, args=(raw, context, provider, stopping)))
            talks[-1].start()
    for talk in talks:
        talk.join()


def _talk(
    raw: socket.socket, context: ssl.SSLContext, provider: TLSProvider, stopping: threading.Event
) -> None:
    with raw, suppress(OSError):
        raw.settimeout(2)
        with context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False) as talk:
            try:
                talk.do_handshake()
            except ssl.SSLError:
                time.sleep(0.1)  # closing at once could reset the connection before the alert was read
                raise
            provider.connections += 1
            talk.settimeout(0.05)
            _serve(talk, provider, stopping)


def _serve(talk: ssl.SSLSocket, provider: TLSProvider, stopping: threading.Event) -> None:
    shown: Any = talk.getpeercert()  # Any: nested tuples
    name = ",".join(value for part in shown["subject"] for _, value in part).encode()
    waiting = b""
    while not stopping.is_set():
        with suppress(TimeoutError):
            piece = talk.recv(65536)
            if not piece:
                return
            waiting += piece
        while b"\r\n\r\n" in waiting:
            head, _, waiting = waiting.partition(b"\r\n\r\n")
            provider.heads.append(head)
            talk.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))
