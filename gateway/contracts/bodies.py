"""Checking a body by what an operation declares of it: that it is there, of the right kind, readable, and fits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gateway.contracts.violations import BadContract, Violation
from gateway.contracts.xml_bodies import XMLCheck
from gateway.transforms.contract import NOT_READ
from gateway.transforms.guests import Work
from gateway.transforms.minimise.documents import Unreadable, load_json, read_xml
from registry.entities import BodyContract, Version

if TYPE_CHECKING:
    from gateway.contracts.json_bodies import JSONCheck

LARGE_BYTES: Final = 64 * 1024
"""From here on bodies are checked in a guest process."""
MOST_PARTS: Final = 2000
"""So many members, items or elements may be told about on the event loop: for each a violation could be found."""
MOST_EFFORT: Final = 100_000
"""Members and items times bytes of schema: what each of them may have to be compared with, and told about."""
_JSON: Final = re.compile(r"\s*(application|text)/([a-z0-9.!#$&^_+-]+\+)?json\s*(;|\Z)", re.IGNORECASE)
_XML: Final = re.compile(r"\s*(application|text)/([a-z0-9.!#$&^_+-]+\+)?xml\s*(;|\Z)", re.IGNORECASE)
_CHARSET: Final = re.compile(r"""charset\s*=\s*"?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)


class Later(Exception):
    """This body is not checked on the event loop."""


@dataclass(slots=True)
class Checked:
    """What was found. `document` is the body as JSON where it was read without loss, to spare others the reading."""

    violations: tuple[Violation, ...] = ()
    document: Any = field(default=NOT_READ, repr=False)  # Any: foreign JSON


FITS: Final = Checked()


def wrong(rule: str) -> Checked:
    """Return that a whole body breaks a rule."""
    return Checked((Violation("body", "", rule),))


class BodyCheck:
    """What is checked of a body. `work` is the same, for guest processes."""

    def __init__(
        self, declared: BodyContract, schemas: Mapping[str, Any], xsd: Mapping[str, str], at: str
    ) -> None:
        self._required = declared.required
        self._media_type = declared.media_type.partition(";")[0].strip().lower()
        is_json, is_xml = _JSON.match(declared.media_type), _XML.match(declared.media_type)
        self._accepted = (
            _JSON
            if is_json
            else _XML
            if is_xml
            else re.compile(re.escape(self._media_type).replace(r"\*", "[^/;]*"), re.IGNORECASE)
        )
        self._json: JSONCheck | None = None
        self._xml: XMLCheck | None = None
        if is_json and declared.schema is not None:
            # Megabytes that a node without contracts does not pay for.
            from gateway.contracts.json_bodies import check_of  # noqa: PLC0415

            self._json = check_of(declared.schema, schemas, f"{at}/schema")
        elif is_xml and declared.xsd is not None:
            self._xml = _xml_check(declared.xsd, xsd, at)
        check = self._json or self._xml
        self._reads = check is not None
        self._at_once = check is None or check.is_bounded
        make = {"json": self._json.schema} if self._json else {"xml": declared.xsd, "xsd": dict(xsd)}
        self.work = Work("contract", make)

    def at_once(self, body: bytes, media_type: str, document: object = NOT_READ) -> Checked:
        """Check a body on the event loop; `document` is the JSON in it, where that is known. Raises Later, NotChecked."""
        if not body:
            return wrong("required") if self._required else FITS
        if media_type and self._accepted.match(media_type) is None:
            return wrong("media-type")
        if not self._reads:
            return FITS
        if len(body) >= LARGE_BYTES or not self._at_once:
            raise Later
        return self.read(body, media_type, document, parts=MOST_PARTS)

    def read(self, body: bytes, media_type: str, document: object = NOT_READ, *, parts: float) -> Checked:
        """Check what a body says. Raises NotChecked, and Later when so many parts would have to be told about."""
        try:
            if self._json is not None:
                return _of_json(self._json, body, document, parts)
            if self._xml is not None:
                return _of_xml(self._xml, body, media_type, parts)
        except Unreadable as error:
            return wrong(error.code)
        return FITS


def _of_json(check: "JSONCheck", body: bytes, document: object, parts: float) -> Checked:
    is_exact = document is not NOT_READ
    if not is_exact:
        document, is_exact = load_json(body)
    try:
        if check.passes(document):
            return Checked(document=document if is_exact else NOT_READ)
    except ValueError:  # text that cannot be UTF-8: half of a surrogate pair
        return wrong("encoding")
    told = body.count(b",") + body.count(b":") + 1
    if told > parts or (parts <= MOST_PARTS and told * check.size > MOST_EFFORT):
        raise Later
    return Checked(check.violations(document))


def _of_xml(check: XMLCheck, body: bytes, media_type: str, parts: float) -> Checked:
    if body.count(b"<") > 2 * parts:
        raise Later
    charset = _CHARSET.search(media_type)
    return Checked(check.violations(read_xml(body, charset[1] if charset else "")))


def _xml_check(name: str, xsd: Mapping[str, str], at: str) -> XMLCheck:
    try:
        return XMLCheck(name, xsd)
    except BadContract as error:
        raise BadContract(error.pointer or f"{at}/xsd", error.message) from error


def body_check(declared: BodyContract | None, version: Version, at: str) -> BodyCheck | None:
    """Compile what is declared of a body at a pointer. Raises BadContract."""
    return None if declared is None else BodyCheck(declared, version.schemas, version.xsd, at)
