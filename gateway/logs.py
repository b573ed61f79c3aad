"""Logs: events as JSON lines (or text for people) on standard error, with the exchange they belong to.

An event is `noun.verb` with fields; never a body, a token or a secret, and no line per request. What libraries log
goes the same way as the event `library.said`.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from connectors.contract import Logger

EXCHANGE: Final[ContextVar[str]] = ContextVar("lgsp_exchange", default="")
"""The exchange that this task works for; `bound` sets it."""

AUDIT: Final = "audit"
"""The part whose lines are written at every level: who looked at what, and who ended a key."""

_SECRET: Final = re.compile(
    r"secret|passw|token|authori[sz]ation|cookie|credential|assertion|private|api_?key|node_key|salt|body|payload",
    re.IGNORECASE,
)
# uvicorn's own words for each request are not wanted: evidence and metrics say more, and cost less.
_SILENT: Final = ("uvicorn.access",)
_QUIET: Final = ("aiosqlite", "alembic", "asyncio", "sqlalchemy", "uvicorn.error", "uvicorn.asgi")


@contextmanager
def bound(exchange: str) -> Iterator[None]:
    """Put the exchange's id on every line that is logged inside."""
    before = EXCHANGE.set(exchange)
    try:
        yield
    finally:
        EXCHANGE.reset(before)


def get_logger(name: str) -> Logger:
    """Return a logger of the part `name`; it obeys `configure` whenever that is called."""
    logger: Logger = structlog.stdlib.get_logger(f"lgsp.{name}")
    return logger


def configure(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["json", "text"] = "json",
    stream: TextIO | None = None,
) -> None:
    """Send all logs of this process, ours and the libraries', to standard error in one form."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        add_exchange,
        drop_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, name_foreign],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(form)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("lgsp").setLevel(level.upper())
    logging.getLogger(f"lgsp.{AUDIT}").setLevel(logging.INFO)
    _route_libraries(level)


def _route_libraries(level: str) -> None:
    """Take the libraries' own handlers away, so that each line is written once and in our form."""
    for name in ("uvicorn", *_QUIET):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel("INFO" if level == "debug" else "WARNING")
    for name in _SILENT:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = False
        logger.disabled = True


def _renderers(form: str) -> list[Processor]:
    if form == "text":
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), event_key="event")]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _json(event: Mapping[str, Any], **_: Any) -> str:  # Any: a log line's fields
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def add_exchange(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Add the exchange's id, unless the line names one itself."""
    exchange = EXCHANGE.get()
    if exchange and "exchange" not in event:
        event["exchange"] = exchange
    return event


def drop_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Drop the fields that are named like a secret or a body, at any depth."""
    _drop(event)
    return event


def _drop(fields: MutableMapping[str, Any]) -> None:  # Any: a log line's fields
    for name in [name for name in fields if _SECRET.search(str(name))]:
        del fields[name]
    for name, value in fields.items():
        if isinstance(value, Mapping):
            inner = dict(value)
            _drop(inner)
            fields[name] = inner


def name_foreign(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Give what a library says an event's name, and keep its sentence as `message`."""
    if str(event.get("logger", "")).startswith("lgsp"):
        return event
    event["message"] = event.get("event", "")
    event["event"] = "library.said"
    return event
