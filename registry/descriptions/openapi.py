"""OpenAPI 3.0 and 3.1 (and Swagger 2.0, turned into 3.0) as operations of ours."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from registry.descriptions.described import Described
from registry.descriptions.excerpt import Taken, excerpt
from registry.descriptions.messages import MessageReader
from registry.descriptions.names import name_of_route, operation_name, unique
from registry.descriptions.notes import Notes
from registry.descriptions.own import ANY, as_said
from registry.descriptions.parameters import ParameterReader
from registry.descriptions.paths import template_of
from registry.descriptions.reading import read_text
from registry.descriptions.schemas import SchemaReader
from registry.descriptions.swagger import modernised
from registry.descriptions.tree import Place, Tree
from registry.entities import Operation
from registry.errors import Flaw, Invalid

METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options")
MOST_OPERATIONS: Final = 500
_OTHER_METHODS: Final = frozenset({"trace", "query", "connect"})
_READS: Final = frozenset({"get", "head", "options"})
_VIETNAMESE: Final = re.compile(
    "[ăâđêôơưĂÂĐÊÔƠƯáàảãạắằẳẵặấầẩẫậéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ]"
)
_LONGEST_TITLE: Final = 500
_LONGEST_URL: Final = 2000
_VARIABLE: Final = re.compile(r"\{([^{}]+)\}")


def read_openapi(text: str, *, only: frozenset[str] = frozenset(), mock: bool = False) -> Described:
    """Return what a description comes to. `only` names operations, tags or beginnings of paths to be taken; all when empty.

    `mock`: with the settings of a mock that answers by it.

    Raises:
        Invalid: nothing of it can be used; the flaws say why and what helps.
    """
    document, changed = read_text(text)
    notes = Notes()
    for what in sorted(changed):
        notes.add("", what)
    if "swagger" in document:
        document = modernised(document, notes)
    reader = _Reader(document, notes, only)
    operations = reader.operations()
    mocked = {"description": excerpt(reader.tree, reader.taken)} if mock else None
    info = Place(document, "").get("info")
    return Described(
        kind="openapi",
        title=_text(info.get("title").value, _LONGEST_TITLE),
        number=_text(info.get("version").value, 50),
        operations=operations,
        schemas=reader.schemas.shared,
        settings=reader.settings(),
        mock=mocked,
        not_taken=notes.all(),
    )


class _Reader:
    """Reads one description."""

    def __init__(self, document: Mapping[str, Any], notes: Notes, only: frozenset[str]) -> None:
        self.tree = self._tree = Tree(document, notes)
        self._notes = notes
        self._only = only
        self.schemas = SchemaReader(self._tree, is_old=self._is_old(document))
        self._messages = MessageReader(self._tree, self.schemas)
        self._parameters = ParameterReader(self._tree, self.schemas)
        self._names: set[str] = set()
        self._shapes: set[tuple[str, str]] = set()
        self.taken: list[Taken] = []

    def _is_old(self, document: Mapping[str, Any]) -> bool:
        """Say whether it is OpenAPI 3.0. Raises Invalid for what is no OpenAPI."""
        version = document.get("openapi")
        if not isinstance(version, str) or not re.fullmatch(r"3\.\d{1,3}(\.\S{1,20})?", version.strip()):
            told = "This is no OpenAPI 3.0 or 3.1 (and no Swagger 2.0): `openapi` does not say so."
            raise Invalid([Flaw("/openapi", "description", told)])
        if not version.strip().startswith(("3.0", "3.1")):
            self._notes.add("/openapi", "openapi-version", version)
        dialect = document.get("jsonSchemaDialect")
        if isinstance(dialect, str) and not dialect.startswith(
            ("https://json-schema.org/draft/2020-12/", "https://spec.openapis.org/oas/3.1/")
        ):
            self._notes.add("/jsonSchemaDialect", "dialect", dialect)
        return version.strip().startswith("3.0")

    # --- operations -------------------------------------------------------------------------------------

    def operations(self) -> tuple[Operation, ...]:
        """Return all that can be taken. Raises Invalid when there is nothing."""
        if self._tree.root.get("webhooks").mapping:
            self._notes.add("/webhooks", "webhooks")
        found = tuple(self._all())
        if not found:
            told = "No operation of this description can be taken."
            raise Invalid(
                [Flaw("/paths", "description", told)]
                + [
                    Flaw(one.pointer, "description", f"{one.words.why_en}: {one.detail}".rstrip(": ") + ".")
                    for one in self._notes.all()[:20]
                ]
            )
        return found

    def _all(self) -> Iterator[Operation]:
        count = 0
        for path, item, method, place in self._places():
            if not self._is_wanted(path, place):
                continue
            if count >= MOST_OPERATIONS:
                self._notes.add(place.pointer, "too-many-operations")
                continue
            operation = self._operation(path, item, method, place)
            if operation is not None:
                count += 1
                yield operation

    def _places(self) -> Iterator[tuple[str, Place, str, Place]]:
        for path, stated in self._tree.root.get("paths").each():
            if path.startswith("x-"):
                continue
            item = self._tree.follow(stated)
            if item is None or not isinstance(item.value, Mapping):
                self._notes.add(stated.pointer, "structure")
                continue
            if "$ref" in stated.mapping:
                for word in sorted(set(stated.mapping) - {"$ref", "summary", "description"}):
                    self._notes.add(f"{stated.pointer}/{word}", "beside-reference")
            for word, place in item.each():
                if word in METHODS and isinstance(place.value, Mapping):
                    yield path, item, word, place
                elif word in METHODS:
                    self._notes.add(place.pointer, "structure")
                elif word in _OTHER_METHODS:
                    self._notes.add(place.pointer, "method", word.upper())

    def _is_wanted(self, path: str, place: Place) -> bool:
        if not self._only:
            return True
        tags = {tag for tag in place.get("tags").items if isinstance(tag, str)}
        name = place.get("operationId").value
        return bool(self._only & (tags | {name if isinstance(name, str) else ""})) or any(
            one.startswith("/") and path.startswith(one) for one in self._only
        )

    def _operation(self, path: str, item: Place, method: str, place: Place) -> Operation | None:
        if place.mapping.get(ANY) in self._names:
            return None  # taken already, for any method
        template = template_of(path)
        if template is None:
            self._notes.add(place.pointer, "path", path)
            return None
        if (method, template.shape) in self._shapes:
            self._notes.add(place.pointer, "path-taken", path)
            return None
        self._shapes.add((method, template.shape))
        for name in template.joined:
            self._notes.add(place.pointer, "path-segment", name)
        for name in template.renamed:
            self._notes.add(place.pointer, "path-name", name)
        self._remark(item, place)
        title = _text(place.get("summary").value or place.get("description").value, 2000)
        name = self._name(method, path, place)
        self.taken.append(Taken(name, path, method, place))
        operation = Operation(
            name=name,
            method=method.upper(),  # type: ignore[arg-type]  # METHODS are those that operations have
            path=template.path,
            title_vi=title if is_vietnamese(title) else "",
            title_en="" if is_vietnamese(title) else title,
            effect="read" if method in _READS else "write",
        )
        return replace(
            as_said(operation, place),
            parameters=self._parameters.read(item, place, template),
            request=self._messages.request(place),
            reply=self._messages.reply(place),
        )

    def _name(self, method: str, path: str, place: Place) -> str:
        given = place.get(ANY) if ANY in place.mapping else place.get("operationId")
        wanted = operation_name(given.value) if isinstance(given.value, str) else ""
        name = unique(wanted or name_of_route(method, path), self._names)
        if given.is_there and name != given.value:
            self._notes.add(given.pointer, "name-taken" if wanted in self._names else "name", name)
        self._names.add(name)
        return name

    def _remark(self, item: Place, place: Place) -> None:
        if place.get("deprecated").value is True:
            self._notes.add(place.pointer, "deprecated")
        if place.get("callbacks").mapping:
            self._notes.add(place.get("callbacks").pointer, "callbacks")
        for where in (item, place):
            if where.get("servers").items:
                self._notes.add(where.get("servers").pointer, "server-elsewhere")

    # --- where and how it is called ---------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Return the settings of an endpoint, as far as the description says them."""
        for name, place in self._tree.root.get("components", "securitySchemes").each():
            self._notes.add(place.pointer, "security", _scheme(name, place))
        for server in self._tree.root.get("servers").items:
            url = _address(server)
            if url:
                return {"url": url}
        self._notes.add("/servers", "server")
        return {}


def is_vietnamese(text: str) -> bool:
    """Say whether a text has letters that only Vietnamese has (or few others)."""
    return _VIETNAMESE.search(text) is not None


def _address(server: Any) -> str:  # Any: foreign JSON
    """Return the absolute address of a server with its variables filled in; empty when there is none."""
    place = Place(server, "")
    url = place.get("url").value
    if not isinstance(url, str):
        return ""
    variables = place.get("variables")
    url = _VARIABLE.sub(lambda found: _default(variables, found[1]), url)
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and "{" not in url
            and len(url) <= _LONGEST_URL
        )
    except ValueError:
        return ""
    return url.rstrip("/") if good and not parts.query and not parts.username else ""


def _default(variables: Place, name: str) -> str:
    value = variables.get(name, "default").value
    return value if isinstance(value, str) else "{" + name + "}"


def _scheme(name: str, place: Place) -> str:
    """Say in a few words how a provider wants to be asked."""
    told = [
        name,
        str(place.get("type").value),
        str(place.mapping.get("scheme") or place.mapping.get("in") or ""),
    ]
    for flow, inner in place.get("flows").each():
        told.append(f"{flow} {inner.mapping.get('tokenUrl', '')}")
    return " ".join(part for part in told if part).strip()


def _text(value: Any, longest: int) -> str:  # Any: foreign JSON
    return value.strip()[:longest] if isinstance(value, str) else ""
