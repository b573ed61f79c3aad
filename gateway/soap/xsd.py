"""Types as XML Schema. What replies hold may be missing and need not be one of its choices: grants and providers decide."""

from collections.abc import Iterable, Iterator
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from gateway.soap.nodes import Leaf, Listed, Member, Open, Structure

COMMON: Final = "urn:lgsp:soap"
"""The namespace of what all offers share: problems, the caller's header, dates that may be less than dates."""
_LOOSE: Final = {"date": "c:Date", "dateTime": "c:DateTime", "time": "c:Time"}
_MOST_NOTE: Final = 500

COMMON_SCHEMA: Final = f"""<xs:schema targetNamespace="{COMMON}" xmlns:c="{COMMON}" elementFormDefault="qualified">
<xs:simpleType name="Date"><xs:annotation><xs:documentation>A date; what a grant leaves of one (2026, 2026-01), or what the provider knows.</xs:documentation></xs:annotation><xs:union memberTypes="xs:date xs:string"/></xs:simpleType>
<xs:simpleType name="DateTime"><xs:union memberTypes="xs:dateTime xs:string"/></xs:simpleType>
<xs:simpleType name="Time"><xs:union memberTypes="xs:time xs:string"/></xs:simpleType>
<xs:element name="Caller"><xs:complexType><xs:annotation><xs:documentation>For software that cannot set HTTP headers: the same values as a header of the envelope.</xs:documentation></xs:annotation><xs:sequence>
<xs:element name="Token" type="xs:string" minOccurs="0"/><xs:element name="Purpose" type="xs:string" minOccurs="0"/><xs:element name="Procedure" type="xs:string" minOccurs="0"/><xs:element name="Officer" type="xs:string" minOccurs="0"/><xs:element name="System" type="xs:string" minOccurs="0"/><xs:element name="CorrelationId" type="xs:string" minOccurs="0"/><xs:element name="IdempotencyKey" type="xs:string" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element>
<xs:element name="Problem"><xs:complexType><xs:sequence>
<xs:element name="code" type="xs:string"/><xs:element name="status" type="xs:int"/><xs:element name="turn" type="xs:string"/><xs:element name="retryHelps" type="xs:boolean"/><xs:element name="retryAfterSeconds" type="xs:int" minOccurs="0"/><xs:element name="sent" type="xs:boolean"/><xs:element name="exchange" type="xs:string" minOccurs="0"/><xs:element name="titleVi" type="xs:string"/><xs:element name="detailVi" type="xs:string"/><xs:element name="titleEn" type="xs:string"/><xs:element name="detailEn" type="xs:string"/>
<xs:element name="parameter" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:simpleContent><xs:extension base="xs:string"><xs:attribute name="name" type="xs:string" use="required"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>
<xs:element name="providerAnswer" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element>
</xs:schema>"""


def schema(namespace: str, types: Iterable[Structure], messages: Iterable[tuple[str, Structure]]) -> str:
    """Return the schema of a version's messages: its named types, and its elements with theirs."""
    lines = [
        f'<xs:schema targetNamespace={quoteattr(namespace)} elementFormDefault="qualified">',
        f'<xs:import namespace="{COMMON}"/>',
    ]
    for structure in types:
        lines += _complex(structure, f' name="{structure.name}"')
    for element, structure in messages:
        lines += [f'<xs:element name="{element}">', *_complex(structure, ""), "</xs:element>"]
    return "\n".join([*lines, "</xs:schema>"])


def _complex(structure: Structure, name: str) -> Iterator[str]:
    yield f"<xs:complexType{name}><xs:sequence>"
    for member in structure.members:
        yield from _element(member, replied=structure.replied)
    yield "</xs:sequence></xs:complexType>"


def _element(member: Member, *, replied: bool) -> Iterator[str]:
    node = member.node
    head = f'<xs:element name="{member.tag}"'
    if member.repeated:
        head += ' minOccurs="0" maxOccurs="unbounded"'
    elif replied or not member.required:
        head += ' minOccurs="0"'
    if member.nillable or isinstance(node, Open):
        head += ' nillable="true"'
    if isinstance(node, Leaf) and (replied or not node.choices):
        head += f' type="{_LOOSE.get(node.kind, f"xs:{node.kind}") if replied else f"xs:{node.kind}"}"'
    elif isinstance(node, Structure) and node.name:
        head += f' type="t:{node.name}"'
    inside = [_note(member), *_inline(node, replied=replied)]
    if not any(inside):
        yield f"{head}/>"
    else:
        yield f"{head}>{''.join(inside)}</xs:element>"


def _inline(node: object, *, replied: bool) -> Iterator[str]:
    """Yield the type of an element that has none of its own name."""
    if isinstance(node, Leaf) and node.choices and not replied:
        yield '<xs:simpleType><xs:restriction base="xs:string">'
        yield from (f"<xs:enumeration value={quoteattr(choice)}/>" for choice in node.choices)
        yield "</xs:restriction></xs:simpleType>"
    elif isinstance(node, Structure) and not node.name:
        yield from _complex(node, "")
    elif isinstance(node, Listed):
        yield "<xs:complexType><xs:sequence>"
        yield from _element(node.item, replied=replied)
        yield "</xs:sequence></xs:complexType>"


def _note(member: Member) -> str:
    said = [member.note[:_MOST_NOTE]] if member.note else []
    if member.tag != member.key and member.key:
        said.append(f"In JSON: {member.key}")
    if isinstance(member.node, Leaf) and member.node.choices:
        said.append("Known values: " + ", ".join(member.node.choices)[:_MOST_NOTE])
    text = plain(" — ".join(said))
    return f"<xs:annotation><xs:documentation>{text}</xs:documentation></xs:annotation>" if said else ""


def plain(text: str) -> str:
    """Return a text as it stands in an element, without what XML cannot hold."""
    return escape("".join(char if char in "\t\n" or char.isprintable() else " " for char in text))
