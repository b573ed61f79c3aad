"""One request to the admin API: who asks, what for, and what it brings, each read once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from auth.decide import NOBODY, Actor, Allowed
from gateway.api.bodies import JSON, SMALL, is_storable, parse_object, read_body
from gateway.api.errors import PreconditionBroken, PreconditionMissing, QueryWrong
from gateway.api.parts import AdminParts
from registry.entities import Kind
from registry.errors import Flaw, NotFound
from registry.stores import Author, Stored

ETAG = re.compile('"([0-9]{1,12})"')
"""A strong ETag as this API writes it."""

Q = TypeVar("Q", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the actor that decisions look at, and the author that revisions name."""

    actor: Actor
    author: Author


class Query(BaseModel):
    """The root of all queries; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def is_list(model: type[BaseModel], name: str) -> bool:
    """Whether a query's parameter may be given several times (or as a list with commas)."""
    field = model.model_fields.get(name)
    return field is not None and get_origin(field.annotation) is tuple


CODES: Mapping[str, str] = {
    "extra_forbidden": "unknown-field",
    "missing": "missing",
    "greater_than_equal": "range",
    "less_than_equal": "range",
    "string_too_short": "length",
    "string_too_long": "length",
    "too_long": "length",
    "literal_error": "choice",
    "enum": "choice",
}
"""pydantic's words for what is wrong with a parameter -> ours; what is not here is a wrong value."""


def _query_flaw(item: Mapping[str, Any]) -> Flaw:  # Any: an error as pydantic details it
    name = str(item["loc"][0]) if item["loc"] else ""
    message = str(item["msg"]).removeprefix("Value error, ").rstrip(".")
    if item["type"] == "extra_forbidden":
        message = "There is no such parameter"
    return Flaw(f"/{name}", CODES.get(item["type"], "value"), f"{message}.")


class Visit:
    """One request to the admin API. What it brings is read when first asked for, and kept."""

    def __init__(
        self, parts: AdminParts, request: Request, action: str, caller: Caller, *, limit: int = SMALL
    ) -> None:
        self.parts = parts
        self.request = request
        self.action = action
        self.caller = caller
        self.allowed = Allowed()
        self.subject = NOBODY
        self.limit = limit
        self._stored: Stored | None = None
        self._document: dict[str, Any] | None = None

    def now(self) -> datetime:
        """Return the time."""
        return datetime.fromtimestamp(self.parts.now(), UTC)

    @property
    def label(self) -> str:
        """The id or code in the address."""
        return str(self.request.path_params["label"])

    @property
    def known(self) -> Stored | None:
        """The object that the address names, when it was read already."""
        return self._stored

    async def stored(self, kind: Kind) -> Stored:
        """Return the object that the address names. Raises NotFound."""
        if self._stored is None:
            if not is_storable(self.label):
                raise NotFound(kind.value, self.label)
            self._stored = await self.parts.registry.get(kind, self.label)
        return self._stored

    async def document(self) -> dict[str, Any]:
        """Return the JSON object in the body. Raises MediaTypeWrong, BodyTooLarge, Invalid."""
        if self._document is None:
            body, _ = await read_body(self.request, limit=self.limit, accepted=(JSON,))
            self._document = parse_object(body)
        return self._document

    def query(self, model: type[Q]) -> Q:
        """Return the query, checked against `model`; unknown names are refused. Raises QueryWrong."""
        try:
            return model.model_validate(self._raw_query(model))
        except ValidationError as error:
            raise QueryWrong([_query_flaw(item) for item in error.errors(include_url=False)]) from None

    def _raw_query(self, model: type[BaseModel]) -> dict[str, str | list[str]]:
        given: dict[str, str | list[str]] = {}
        for name in dict.fromkeys(self.request.query_params):
            values = self.request.query_params.getlist(name)
            if not all(map(is_storable, (name, *values))):
                raise QueryWrong([Flaw("", "control-character", "The query holds control characters.")])
            if is_list(model, name):
                given[name] = [part for value in values for part in value.split(",")]
            elif len(values) == 1:
                given[name] = values[0]
            else:
                raise QueryWrong([Flaw(f"/{name}", "duplicate", "This parameter stands here twice.")])
        return given

    def expected_version(self) -> int:
        """Return the version in If-Match. Raises PreconditionMissing, PreconditionBroken."""
        given = self.request.headers.get("if-match", "").strip()
        if not given:
            raise PreconditionMissing
        known = ETAG.fullmatch(given)
        if known is None:
            raise PreconditionBroken
        return int(known[1])
