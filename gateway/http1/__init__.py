"""The fast HTTP/1.1 client of the data plane: asyncio, httptools' parser, one pool per destination.

`framing` (requests out, sans I/O) and `answers` (answers in, sans I/O) know no sockets; `connection` stands
between them and a transport; `pool` keeps the connections of one destination; `client` is what connectors get.
"""

from gateway.http1.client import HTTP1Transport
from gateway.http1.limits import Certificate, Limits

__all__ = ["Certificate", "HTTP1Transport", "Limits"]
