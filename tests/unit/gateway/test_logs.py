import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from gateway.logs import EXCHANGE, bound, configure, get_logger

LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.access", "sqlalchemy", "lgsp", "lgsp.ledger")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kept = {name: (logging.getLogger(name), logging.getLogger(name).__dict__.copy()) for name in LIBRARIES}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    for logger, state in kept.values():
        logger.setLevel(state["level"])
        logger.propagate, logger.disabled = state["propagate"], state["disabled"]


def lines(stream: io.StringIO) -> list[dict[str, Any]]:  # Any: JSON
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> io.StringIO:
    written = io.StringIO()
    configure(level="info", form="json", stream=written)
    return written


def test_an_event_is_one_json_line(stream: io.StringIO) -> None:
    get_logger("registry").info("revision.loaded", revision=7, objects=10)

    [line] = lines(stream)
    assert line["event"] == "revision.loaded"
    assert line["level"] == "info"
    assert line["logger"] == "lgsp.registry"
    assert (line["revision"], line["objects"]) == (7, 10)
    assert line["at"].endswith("Z")


def test_the_exchange_is_on_every_line_inside(stream: io.StringIO) -> None:
    log = get_logger("call")

    with bound("0190-x"):
        log.warning("provider.slow", seconds=3)
        logging.getLogger("lgsp.ledger").warning("ledger.recovered", extra={"closed": 2})
    log.info("node.idle")

    first, second, third = lines(stream)
    assert first["exchange"] == second["exchange"] == "0190-x"
    assert second["event"] == "ledger.recovered"
    assert second["closed"] == 2
    assert "exchange" not in third
    assert EXCHANGE.get() == ""


def test_fields_named_like_secrets_are_dropped(stream: io.StringIO) -> None:
    get_logger("client").info(
        "client.rotated",
        client="c-1",
        client_secret="s3",
        Authorization="Bearer x",
        access_token="x",
        request_body=b"x",
        settings={"host": "db", "password": "x", "deeper": {"api_key": "x", "port": 1}},
    )

    [line] = lines(stream)
    assert set(line) == {"event", "client", "settings", "level", "logger", "at"}
    assert line["settings"] == {"host": "db", "deeper": {"port": 1}}


def test_what_a_library_says_goes_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error("Something %s", "broke")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("uvicorn.access").info("GET /private?cccd=1")

    [line] = lines(stream)
    assert line["event"] == "library.said"
    assert line["message"] == "Something broke"
    assert line["logger"] == "uvicorn.error"


def test_a_fault_comes_with_its_traceback(stream: io.StringIO) -> None:
    try:
        raise RuntimeError("why")
    except RuntimeError as error:
        get_logger("exchange").warning("exchange.fault", exc_info=error)

    [line] = lines(stream)
    assert "RuntimeError: why" in line["exception"]


def test_the_level_holds(stream: io.StringIO) -> None:
    configure(level="warning", form="json", stream=stream)

    get_logger("node").info("node.started")
    get_logger("node").warning("node.limping")

    assert [line["event"] for line in lines(stream)] == ["node.limping"]


def test_text_is_for_people() -> None:
    written = io.StringIO()
    configure(form="text", stream=written)

    get_logger("node").info("node.started", address="127.0.0.1:8080")

    assert "node.started" in written.getvalue()
    assert "127.0.0.1:8080" in written.getvalue()
    with pytest.raises(ValueError, match=r"Expecting|Extra"):
        json.loads(written.getvalue())
