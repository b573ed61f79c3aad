"""Reads a token request as the field sends it: Basic, form or JSON, with or without a proper Content-Type. Pure."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote_plus

from auth.assertions import ASSERTION_TYPE
from connectors.message import Headers
from gateway.oauth.refusals import Flaw, TokenRefused

MAX_PARAMETERS = 32
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
UNSURE = frozenset({"", FORM, "text/plain", "application/octet-stream"})
"""Types under which JSON is sent too: Java's HttpURLConnection calls every body a form when not told otherwise."""
IN_QUERY = ("client_secret", "client_assertion")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """Who asks (as claimed), and with what: exactly one of a secret and an assertion."""

    place: Literal["basic", "body", "assertion"]
    client: str
    secret: str = ""
    assertion: str = ""


def parse(headers: Headers, query: str, body: bytes) -> TokenRequest:
    """Read a token request. Raises TokenRefused, naming the flaw."""
    if any(name in query for name in IN_QUERY):
        raise TokenRefused(Flaw.CREDENTIALS_IN_QUERY)
    parameters = _parameters(_media_type(headers), body)
    basic = _basic(headers)
    _check_grant_type(parameters, is_basic=basic is not None)
    places = (basic is not None) + ("client_secret" in parameters) + ("client_assertion" in parameters)
    if places > 1:
        raise TokenRefused(Flaw.CREDENTIALS_TWICE)
    client = parameters.get("client_id", "")
    if basic is not None:
        if client and client != basic.client:
            raise TokenRefused(Flaw.CREDENTIALS_TWICE)
        return basic
    if "client_assertion" in parameters:
        if parameters.get("client_assertion_type") != ASSERTION_TYPE:
            raise TokenRefused(Flaw.ASSERTION_TYPE)
        return TokenRequest(place="assertion", client=client, assertion=parameters["client_assertion"])
    if not client or "client_secret" not in parameters:
        raise TokenRefused(Flaw.CREDENTIALS_MISSING)
    return TokenRequest(place="body", client=client, secret=parameters["client_secret"])


def _check_grant_type(parameters: dict[str, str], *, is_basic: bool) -> None:
    # Some clients send Basic and an empty form, and there is only one grant_type that they can mean.
    if is_basic and not parameters:
        return
    grant_type = parameters.get("grant_type")
    if grant_type is None:
        raise TokenRefused(Flaw.GRANT_TYPE_MISSING)
    if grant_type != "client_credentials":
        raise TokenRefused(Flaw.GRANT_TYPE_UNSUPPORTED)


def _values(headers: Headers, wanted: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for name, value in headers if name == wanted and value.strip()]


def _media_type(headers: Headers) -> str:
    values = _values(headers, b"content-type")
    return values[0].partition(";")[0].strip().lower() if values else ""


def _parameters(media_type: str, body: bytes) -> dict[str, str]:
    looks_like_json = body.lstrip()[:1] == b"{"
    if media_type == JSON or (media_type in UNSURE and looks_like_json):
        pairs = _json_pairs(body) if body.strip() else []
    elif media_type in UNSURE:
        pairs = _form_pairs(body)
    else:
        raise TokenRefused(Flaw.BODY_TYPE)
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise TokenRefused(Flaw.PARAMETER_REPEATED)
    # RFC 6749, 3.2: parameters sent without a value are treated as if they were left out.
    return {name: value for name, value in parameters.items() if value}


def _form_pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode("utf-8").strip()
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise TokenRefused(Flaw.BODY_UNREADABLE) from error


def _json_pairs(body: bytes) -> list[tuple[str, str]]:
    if body.lstrip()[:1] != b"{":
        raise TokenRefused(Flaw.BODY_UNREADABLE)
    try:
        pairs: list[tuple[str, str]] = json.loads(body, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise TokenRefused(Flaw.BODY_UNREADABLE) from error
    if not all(isinstance(value, str) for _, value in pairs):
        raise TokenRefused(Flaw.BODY_UNREADABLE)
    return pairs


def _basic(headers: Headers) -> TokenRequest | None:
    values = _values(headers, b"authorization")
    if not values:
        return None
    scheme, _, encoded = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "basic":
        raise TokenRefused(Flaw.BASIC_UNREADABLE)
    try:
        client, colon, secret = (
            base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        )
    except (binascii.Error, ValueError) as error:
        raise TokenRefused(Flaw.BASIC_UNREADABLE) from error
    if not (colon and client and secret):
        raise TokenRefused(Flaw.BASIC_UNREADABLE)
    # RFC 6749, 2.3.1: both are form-encoded before base64. Ours hold no character that this would change.
    return TokenRequest(place="basic", client=unquote_plus(client), secret=unquote_plus(secret))
