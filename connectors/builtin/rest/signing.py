"""Signed requests: a signature is made over the request as it is about to be sent."""

import hashlib
import hmac
import json
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol
from urllib.parse import urlsplit

from connectors.builtin.rest.errors import Unfit
from connectors.builtin.rest.signature_settings import HMACSignature, VXPSignature
from connectors.contract import ConnectorContext, HTTPRequest
from connectors.credentials import CredentialsRefused, authority_of
from connectors.message import Headers

VXP_VERSION = b"3.0.201608"
_PREFIX = "XroadVnpt-"
_VIETNAM = timezone(timedelta(hours=7))
_GSON = re.compile(r"[<>&='\u2028\u2029]")


class Signer(Protocol):
    """Signs requests. `names` are the headers that it writes: a caller's are left out."""

    names: frozenset[bytes]

    def sign(self, request: HTTPRequest) -> None:
        """Add the signature to a request. Raises SecretUnknown, CredentialsRefused (our key is none), Unfit."""
        ...


def whole_body(request: HTTPRequest) -> bytes:
    """Return the body that is to be signed. Raises Unfit for one that is not in memory."""
    if not isinstance(request.body, bytes):
        raise Unfit("body: too large for its content to be signed")
    return request.body


class HMACSigner:
    """HMAC over declared parts."""

    def __init__(self, settings: HMACSignature, context: ConnectorContext) -> None:
        self._settings = settings
        self._context = context
        written = (settings.header, settings.timestamp_header, settings.nonce_header)
        self.names = frozenset(name.encode() for name in written if name is not None)

    def sign(self, request: HTTPRequest) -> None:
        """Add the signature, and the time and the nonce that are in it."""
        settings = self._settings
        key = self._key(authority_of(request.url))
        timestamp = written_time(self._context.clock.time(), settings.timestamp_format)
        nonce = secrets.token_hex(16)
        added: Headers = []
        if settings.timestamp_header is not None:
            added.append((settings.timestamp_header.encode(), timestamp.encode()))
        if settings.nonce_header is not None:
            added.append((settings.nonce_header.encode(), nonce.encode()))
        request.headers = request.headers + added
        given = {"timestamp": timestamp.encode(), "nonce": nonce.encode()}
        parts = [given.get(part) or self._part(part, request) for part in settings.parts]
        made = hmac.new(key, settings.separator.encode().join(parts), settings.digest).digest()
        value = settings.prefix.encode() + self._written(made)
        request.headers.append((settings.header.encode(), value))

    def _key(self, authority: str) -> bytes:
        text = self._context.secrets.get(self._settings.key, host=authority)
        try:
            match self._settings.key_encoding:
                case "hex":
                    return bytes.fromhex(text)
                case "base64":
                    return b64decode(text, validate=True)
                case "text":
                    return text.encode()
        except ValueError:
            raise CredentialsRefused("the signature's key is not as key_encoding says") from None

    def _part(self, part: str, request: HTTPRequest) -> bytes:
        kind, _, rest = part.partition(":")
        if kind == "text":
            return rest.encode()
        if kind == "header":
            return _header(request.headers, rest)
        if kind == "body":
            return whole_body(request)
        if kind == "body-digest":
            return hashlib.new(self._settings.digest, whole_body(request)).hexdigest().encode()
        return self._of_address(kind, request).encode()

    def _of_address(self, part: str, request: HTTPRequest) -> str:
        parts = urlsplit(request.url)
        path = parts.path or "/"
        texts = {
            "method": request.method,
            "authority": parts.netloc,
            "path": path,
            "query": parts.query,
            "target": f"{path}?{parts.query}" if parts.query else path,
            "url": request.url,
        }
        return texts[part]

    def _written(self, signature: bytes) -> bytes:
        match self._settings.encoding:
            case "hex":
                return signature.hex().encode()
            case "hex-upper":
                return signature.hex().upper().encode()
            case "base64":
                return b64encode(signature)


class VXPSigner:
    """The headers of VXP's SDK: each parameter by itself, all of them as one JSON text, and its HMAC."""

    def __init__(self, settings: VXPSignature, context: ConnectorContext) -> None:
        self._settings = settings
        self._context = context
        ours = {"systemid", "timestamp", "Content-Type", "hash-file", *settings.parameters}
        ours |= {"sign-header-key", "sign-header", "hash-header", "version"}
        self.names = frozenset((_PREFIX + name).lower().encode() for name in ours)
        self._taken = {
            name: (_PREFIX + name).lower().encode()
            for name, value in settings.parameters.items()
            if value is None
        }
        # What is taken from the caller's headers has to get here.
        self.names -= frozenset(self._taken.values())

    def sign(self, request: HTTPRequest) -> None:
        """Add the parameters and their signature; a file is signed too, and ends with the line end of the SDK."""
        key = self._context.secrets.get(self._settings.key, host=authority_of(request.url)).encode()
        parameters = self._parameters(request)
        fields = {_PREFIX + name: value for name, value in parameters.items()}
        signed = as_gson(fields).encode()
        mine = frozenset(self._taken.values())
        request.headers = [field for field in request.headers if field[0] not in mine]
        request.headers += [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        request.headers += [
            (b"xroadvnpt-sign-header-key", ";".join(parameters).encode()),
            (b"xroadvnpt-sign-header", signed),
            (b"xroadvnpt-hash-header", hmac.new(key, signed, hashlib.sha256).hexdigest().encode()),
            (b"xroadvnpt-version", VXP_VERSION),
        ]

    def _parameters(self, request: HTTPRequest) -> dict[str, str]:
        headers = request.headers
        media_type = _text(next((value for name, value in headers if name == b"content-type"), b""))
        parameters = {
            "systemid": self._settings.system_id,
            "timestamp": written_time(self._context.clock.time(), "vxp"),
            "Content-Type": media_type or "application/json",
        }
        for name, value in self._settings.parameters.items():
            taken = value if value is not None else self._from_caller(name, headers)
            if taken is not None:
                parameters[name] = taken
        if media_type.startswith("application/octet-stream"):
            file = whole_body(request)
            parameters["hash-file"] = unpadded_hex(hashlib.sha256(file).digest())
            request.body = file + b"\r\n"
            request.headers = [field for field in headers if field[0] != b"content-length"]
        return parameters

    def _from_caller(self, name: str, headers: Headers) -> str | None:
        wanted = self._taken[name]
        return next((_text(value) for header, value in headers if header == wanted), None)


def as_gson(fields: dict[str, str]) -> str:
    """Return compact JSON as gson spells it: what HTML might read otherwise is escaped, accents are not."""
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return _GSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def unpadded_hex(digest: bytes) -> str:
    """Return a digest in hex as VXP's SDK writes it: each byte without its leading zero."""
    return "".join(f"{byte:x}" for byte in digest)


def written_time(now: float, form: str) -> str:
    """Return a time as it is sent."""
    match form:
        case "milliseconds":
            return str(int(now * 1000))
        case "seconds":
            return str(int(now))
        case "iso":
            return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            here = datetime.fromtimestamp(now, _VIETNAM)
            return here.strftime("%d%m%YT%H%M%S") + f"+{here.microsecond // 1000:04}"


def _header(headers: Sequence[tuple[bytes, bytes]], name: str) -> bytes:
    wanted = name.encode()
    values = [value.strip() for header, value in headers if header == wanted]
    if not values:
        raise Unfit(f"header:{name}: the signature needs it")
    return b", ".join(values)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except ValueError:
        return value.decode("latin-1")
