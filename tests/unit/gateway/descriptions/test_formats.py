"""Descriptions are read in a process of their own: its refusals come through, and it is ended when it takes too long."""

import json
import time

import pytest

from gateway.descriptions.formats import FORMATS, Selection, read
from registry.errors import Invalid

ONE = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://a.example.invalid"}],
    "paths": {"/a": {"get": {"operationId": "a", "responses": {}}}},
}
JSON, YAML = FORMATS["application/json"], FORMATS["application/yaml"]


async def test_what_is_read_and_what_is_refused_comes_through() -> None:
    with_mark = "\ufeff" + json.dumps(ONE)
    found = await read(JSON, with_mark.encode(), Selection())

    assert [one.name for one in found.operations] == ["a"]
    with pytest.raises(Invalid) as caught:
        await read(JSON, b"\xff", Selection())
    assert caught.value.flaws[0].message == "This is not UTF-8, at byte 0; save it as UTF-8."


async def test_reading_that_takes_too_long_is_ended() -> None:
    await read(JSON, json.dumps(ONE).encode(), Selection())  # a process is there
    long = "openapi: 3.1.0\npaths: {}\nx-a:\n" + "- {a: [1, 2, 3]}\n" * 300_000
    began = time.monotonic()

    with pytest.raises(Invalid, match=r"takes longer than 0\.3 seconds"):
        await read(YAML, long.encode(), Selection(), seconds=0.3)
    assert time.monotonic() - began < 5
    assert (await read(JSON, json.dumps(ONE).encode(), Selection())).operations
