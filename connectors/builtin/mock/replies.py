"""What a mock sends: answers that say of themselves that they are invented."""

from collections.abc import Mapping
from typing import Any

import orjson

from connectors.builtin.mock.xml_text import render_xml
from connectors.contract import Done
from connectors.message import Message

INVENTED = (b"mock", b"invented")


def sent(status: int, body: bytes, media_type: str) -> Done:
    """Return an answer as it goes out."""
    named = [(b"content-type", media_type.encode())] if media_type else []
    return Done(status=status, reply=Message(body, media_type, [*named, INVENTED]))


def rendered(status: int, media_type: str, value: Any, schema: Mapping[str, Any]) -> Done:  # Any: JSON
    """Return a value as its media type wants it: XML by the schema's `xml` keywords, text as it is, JSON else."""
    plain = media_type.partition(";")[0]
    if isinstance(value, str) and not plain.endswith("json"):
        body = value.encode()
    elif plain.endswith("xml"):
        body = f'<?xml version="1.0" encoding="utf-8"?>{render_xml(value, schema, "answer")}'.encode()
    else:
        body = orjson.dumps(value)
    return sent(status, body, media_type)


def said(status: int, text: str) -> Done:
    """Return what the mock itself has to say."""
    return sent(status, orjson.dumps({"title": text, "status": status}), "application/problem+json")
