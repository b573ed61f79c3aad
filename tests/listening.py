"""Sockets on which servers of the tests listen."""

import socket


def listening() -> socket.socket:
    """Return a socket that listens on a free loopback port and sends small pieces at once.

    asyncio looks at a socket's protocol number before it switches Nagle's algorithm off, and `create_server` leaves it
    0: each answer in two pieces would wait 40 ms for the peer's delayed acknowledgement. What a listener is told,
    its connections inherit.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
