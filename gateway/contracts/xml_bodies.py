"""Checking XML by the XML Schema documents of a version: nothing else is ever read, and what is told holds no value."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lxml import etree

from gateway.contracts.violations import BadContract, NotChecked, Violation, distinct, pointer_within
from gateway.transforms.contract import Unfit
from gateway.transforms.safe_xml import parse_xml

_XSD: Final = "{http://www.w3.org/2001/XMLSchema}"
_LOADS: Final = ("import", "include", "redefine", "override")
_DECLARES: Final = (f"{_XSD}element", f"{_XSD}attribute")
_STEP: Final = re.compile(r"(?:[^/\[\]:]*:)?([^/\[\]:]+)(?:\[(\d+)\])?")
_REPEATED_GROUP: Final = re.compile(r"\)[*+{]")
_CHOICE: Final = re.compile(r"(?<!\\)[*+?]|\{\d+,\d*\}")


class XMLCheck:
    """One XML Schema, compiled. Only one thread at a time may use it.

    `is_bounded` says that its patterns cannot keep the library busy for long; those that could are left to guests.
    """

    def __init__(self, name: str, documents: Mapping[str, str]) -> None:
        roots = {known: _root(known, text) for known, text in documents.items()}
        if name not in roots:
            raise BadContract("", f"The version has no XML Schema document {name!r}.")
        for known in _reached(name, roots):
            _check_locations(known, roots[known], roots)
        self._schema = _compiled(name, documents)
        self._known = frozenset(_names(roots.values()))
        self.is_bounded = all(_is_simple(pattern) for pattern in _patterns(roots.values()))

    def violations(self, root: etree._Element) -> tuple[Violation, ...]:
        """Return what is wrong. Raises NotChecked where the library gives up."""
        try:
            if self._schema.validate(root):
                return ()
        except etree.XMLSchemaValidateError as error:
            raise NotChecked("a pattern takes too long") from error
        return distinct(
            Violation("body", self._pointer(root, entry.path), _rule(entry))
            for entry in _entries(self._schema)
        )

    def _pointer(self, root: etree._Element, path: str | None) -> str:
        return pointer_within(_local_names(root, path or ""), self._known)


def _root(name: str, text: str) -> etree._Element:
    try:
        root = parse_xml(text.encode())
    except (Unfit, UnicodeEncodeError) as error:
        raise BadContract(f"/xsd/{name}", "This is no XML that can be read safely.") from error
    if root.tag != f"{_XSD}schema":
        raise BadContract(f"/xsd/{name}", "This is no XML Schema document.")
    return root


def _reached(name: str, roots: Mapping[str, etree._Element]) -> Iterator[str]:
    seen, waiting = {name}, [name]
    while waiting:
        known = waiting.pop()
        yield known
        more = {found for found in map(_document, _locations(roots[known])) if found in roots} - seen
        seen |= more
        waiting += sorted(more)


def _check_locations(name: str, root: etree._Element, roots: Mapping[str, object]) -> None:
    for location in _locations(root):
        if _document(location) not in roots:
            raise BadContract(
                f"/xsd/{name}",
                "It takes in a document that is not one of the version's own; nothing is fetched.",
            )


def _locations(root: etree._Element) -> Iterator[str]:
    for word in _LOADS:
        for element in root.iter(_XSD + word):
            location = element.get("schemaLocation")
            if location is not None:
                yield str(location)


def _document(location: str) -> str:
    """Return the name by which a version keeps the document at a location beside it; no other place counts."""
    return location.strip().removeprefix("./")


class _Own(etree.Resolver):
    """Finds the version's own documents, and nothing else."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        self._documents = documents

    # The stubs describe an older form of both.
    def resolve(self, url: str, pubid: str | None, context: Any) -> Any:  # type: ignore[override]  # Any: lxml's own
        """Return the document. Raises LookupError, which fails the schema."""
        name = _document(url)
        if name not in self._documents:
            raise LookupError(name)
        return self.resolve_string(self._documents[name], context)  # type: ignore[call-arg]  # see above


def _compiled(name: str, documents: Mapping[str, str]) -> etree.XMLSchema:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    parser.resolvers.add(_Own(documents))
    try:
        return etree.XMLSchema(etree.fromstring(documents[name].encode(), parser))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError, LookupError) as error:
        said = str(error).partition("\n")[0][:200].rstrip(".")
        raise BadContract(f"/xsd/{name}", f"This is no XML Schema that can be checked by: {said}.") from error


def _names(roots: Any) -> Iterator[str]:  # Any: the elements, in any collection
    for root in roots:
        for element in root.iter(*_DECLARES):
            named = element.get("name") or element.get("ref", "").rpartition(":")[2]
            if named:
                yield str(named)


def _patterns(roots: Any) -> Iterator[str]:  # Any: as above
    for root in roots:
        for element in root.iter(f"{_XSD}pattern"):
            yield str(element.get("value", ""))


def _is_simple(pattern: str) -> bool:
    """Say whether a pattern leaves hardly a choice of how to match: no repeated group, one part at most of no fixed length."""
    return _REPEATED_GROUP.search(pattern) is None and len(_CHOICE.findall(pattern)) <= 1


def _entries(schema: etree.XMLSchema) -> Any:  # Any: the stubs know neither the log's entries nor their paths
    return schema.error_log


def _rule(entry: Any) -> str:  # Any: as above
    return str(entry.type_name).removeprefix("SCHEMAV_").lower().replace("_", "-")


def _local_names(root: etree._Element, path: str) -> Iterator[str]:
    """Yield the names of the elements on a path such as `/a/p:b[2]`, in which `*` stands for any name."""
    here: Any = root  # Any: None once the path leads out of the tree
    for number, step in enumerate(path.split("/")[1:]):
        found = _STEP.fullmatch(step)
        if found is None or here is None:
            return
        if number:
            here = _child(here, found[1], int(found[2] or 1))
        if here is not None:
            yield etree.QName(here).localname


def _child(element: Any, name: str, position: int) -> Any:  # Any: as above
    """Return the child of this name at this position, from 1 on."""
    for child in element.iterchildren(tag=etree.Element):
        if name in ("*", etree.QName(child).localname):
            position -= 1
            if not position:
                return child
    return None
