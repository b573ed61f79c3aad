"""WSDL 1.1 as operations of ours, whose messages look as the `soap` connector shows them: JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.builtin.soap.wsdl import SOAP_BINDINGS, WSDL, Description, Sources, WSDLRefused, load
from connectors.builtin.soap.wsdl import Operation as Declared
from connectors.builtin.soap.xml import local, namespace
from gateway.descriptions.facets import facets_of, note_wildcards
from gateway.descriptions.xml_types import TypeWriter
from registry.descriptions.described import Described
from registry.descriptions.names import operation_name, unique
from registry.descriptions.notes import Notes
from registry.descriptions.openapi import MOST_OPERATIONS, is_vietnamese
from registry.entities import BodyContract, Operation
from registry.errors import Flaw, Invalid

_LONGEST_TITLE: Final = 2000


@dataclass(frozen=True, slots=True)
class File:
    """One file of a description: the name by which others import it, and what stands in it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which port is meant; the first that speaks SOAP where nothing is said. `only` names operations; all when empty."""

    service: str | None = None
    port: str | None = None
    only: frozenset[str] = field(default_factory=frozenset)


def read_wsdl(files: Sequence[File], chosen: Chosen) -> Described:
    """Return what a description comes to: the first file, with the others for what it imports. Slow when it is large.

    Raises:
        Invalid: nothing of it can be used; the flaw says why. Nothing is fetched.
    """
    main, *others = files
    schemas = {one.name: one.text for one in others}
    if any(main.name in one.text for one in files):
        schemas[main.name] = main.text  # files may import each other in a circle
    try:
        sources = Sources(main.text, schemas)
        description = load(sources, chosen.service, chosen.port, None)
    except WSDLRefused as error:
        told = str(error)
        raise Invalid([Flaw("", "description", f"{told[:1].upper()}{told[1:]}.")]) from None
    notes = Notes()
    _note_ports(sources, chosen, description, notes)
    note_wildcards(sources, notes)
    writer = TypeWriter(notes, facets_of(sources))
    operations, names = _operations(sources, description, chosen, writer, notes)
    if not operations:
        told = "; ".join(f"{one.detail}" for one in notes.all() if one.code == "wsdl-operation")[:500]
        raise Invalid(
            [Flaw("", "description", f"No operation of this description can be called. {told}".strip())]
        )
    settings = {
        "url": description.address,
        "wsdl": main.text,
        "schemas": schemas,
        "service": chosen.service,
        "port": chosen.port,
        "operations": {ours: theirs for ours, theirs in names.items() if ours != theirs},
    }
    if not description.address.startswith(("http://", "https://")):
        notes.add("", "server", description.address)
        del settings["url"]
    return Described(
        kind="wsdl",
        title=_documentation(sources, "service", None) or sources.root.get("name", ""),
        operations=operations,
        schemas=writer.shared,
        connector="soap",
        settings={name: value for name, value in settings.items() if value},
        mock={name: value for name, value in settings.items() if value and name != "url"},
        not_taken=notes.all(),
    )


def _operations(
    sources: Sources, description: Description, chosen: Chosen, writer: TypeWriter, notes: Notes
) -> tuple[tuple[Operation, ...], Mapping[str, str]]:
    """Return the operations that can be called, and by our names how the description calls them."""
    names: dict[str, str] = {}
    found: list[Operation] = []
    headers = _headers(sources)
    for declared in description.operations.values():
        at = f"/operations/{declared.name}"
        if chosen.only and declared.name not in chosen.only:
            continue
        if declared.problem:
            notes.add(at, "wsdl-operation", f"{declared.name}: {declared.problem}")
        elif len(found) >= MOST_OPERATIONS:
            notes.add(at, "too-many-operations", declared.name)
        else:
            name = unique(operation_name(declared.name) or "operation", names)
            if name != declared.name:
                notes.add(at, "name", f"{declared.name}: {name}")
            names[name] = declared.name
            if headers.get(declared.name):
                notes.add(at, "wsdl-header", f"{declared.name}: {', '.join(headers[declared.name])}")
            found.append(
                _operation(name, declared, writer, _documentation(sources, "operation", declared.name))
            )
    return tuple(found), names


def _operation(name: str, declared: Declared, writer: TypeWriter, title: str) -> Operation:
    request = declared.request
    asked = (
        {"type": "object", "additionalProperties": False}
        if request is None
        else writer.asked(request.type, name)
    )
    answered = {"type": "object"} if declared.reply is None else writer.answered(declared.reply, name)
    in_vietnamese = is_vietnamese(title)
    return Operation(
        name=name,
        method="POST",
        path=f"/{name}",
        title_vi=title if in_vietnamese else "",
        title_en="" if in_vietnamese else title,
        request=BodyContract(schema=asked, required=request is not None),
        reply=BodyContract(schema=answered, required=True),
    )


def _documentation(sources: Sources, word: str, name: str | None) -> str:
    """Return what a description says of an operation or service in words."""
    for document in sources.all():
        for element in document.iter(f"{{{WSDL}}}{word}"):
            told = element.find(f"{{{WSDL}}}documentation")
            if told is not None and name in (None, element.get("name")):
                return " ".join("".join(map(str, told.itertext())).split())[:_LONGEST_TITLE]
    return ""


def _headers(sources: Sources) -> Mapping[str, Mapping[str, None]]:
    """Return by operation the parts of its messages that are SOAP headers, each once."""
    found: dict[str, dict[str, None]] = {}
    for document in sources.all():
        for operation in document.iterfind(f"{{{WSDL}}}binding/{{{WSDL}}}operation"):
            for one in operation.iter("*"):
                if local(one.tag) == "header" and namespace(one.tag) in SOAP_BINDINGS:
                    found.setdefault(operation.get("name", ""), {})[one.get("part", "")] = None
    return found


def _note_ports(sources: Sources, chosen: Chosen, description: Description, notes: Notes) -> None:
    """Name the ports that are not used: another one is, by what was chosen or because it comes first."""
    ports = list(_ports(sources))
    fitting = [
        one for one in ports if one[2] and chosen.service in (None, one[0]) and chosen.port in (None, one[1])
    ]
    used = {one[:2] for one in fitting[:1]}
    for one in ports:
        if one[:2] not in used:
            notes.add(f"/services/{one[0]}/ports/{one[1]}", "wsdl-port", f"{one[0]}.{one[1]}")


def _ports(sources: Sources) -> Iterator[tuple[str, str, bool]]:
    """Yield each port: its service, its name, whether it has an address for SOAP."""
    for document in sources.all():
        for service in document.iter(f"{{{WSDL}}}service"):
            for port in service.iterfind(f"{{{WSDL}}}port"):
                spoken = any(
                    local(one.tag) == "address" and str(one.tag)[1:].partition("}")[0] in SOAP_BINDINGS
                    for one in port.iterchildren("*")
                )
                yield service.get("name", ""), port.get("name", ""), spoken
