"""A PostgreSQL server, or what stands in its place, cannot hold up the event loop by lengths that are none."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.builtin.sql.driver import Target
from connectors.builtin.sql.failures import StatementFailed
from connectors.builtin.sql.framing import Frames, GuardedLoop
from connectors.builtin.sql.postgresql import PostgreSQL
from connectors.errors import NotSent


def a_message(content: bytes) -> bytes:
    return b"D" + (len(content) + 4).to_bytes(4) + content


@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 9))
def test_messages_pass_in_whatever_pieces_they_come(contents: list[bytes], size: int) -> None:
    stream, frames = b"".join(map(a_message, contents)), Frames()

    assert all(frames.take(stream[at : at + size]) for at in range(0, len(stream), size))


@given(st.integers(-(1 << 31), 3), st.integers(1, 9))
def test_a_length_that_is_none_is_seen(length: int, size: int) -> None:
    stream = a_message(b"x") + b"D" + length.to_bytes(4, signed=True) + b"abc"
    frames = Frames()

    assert not all(frames.take(stream[at : at + size]) for at in range(0, len(stream), size))


async def test_the_loop_is_found_by_its_guard() -> None:
    loop = GuardedLoop()

    assert asyncio.current_task(loop) is asyncio.current_task()  # type: ignore[arg-type]  # stands for a loop


@pytest.mark.parametrize(
    "said", [b"\x00\xff\xfe rubbish", b"R\xff\xff\xff\xf0abcdef", b"E\x00\x00\x00\x00", b"N" * 99]
)
async def test_rubbish_in_the_log_in_ends_in_time(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(said)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = Target(address="127.0.0.1", port=port, user="a", password="b", database="c", tls=None)
    try:
        with pytest.raises((NotSent, StatementFailed)):
            await asyncio.wait_for(PostgreSQL().connect(target), 5)
    finally:
        server.close()
        await asyncio.sleep(0.05)
