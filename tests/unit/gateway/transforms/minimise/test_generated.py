"""Over consumer × service × purpose × field: what is named is released, and nothing else ever is."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal
from xml.sax.saxutils import escape, quoteattr

import orjson
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import compile as compiled
from gateway.transforms.minimise.scopes import Scope, Scopes
from gateway.transforms.minimise.work import make_work
from registry.documents import content_hash, parse, render
from registry.entities import FieldRule, Kind
from registry.field_paths import FieldPath, read_path, write_path
from registry.register.rules import flaws_of
from registry.stores import Stored
from tests.factories import a_grant

Names = tuple[str, ...]
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\x7f-\x9f]")
"""What XML cannot hold, or spells otherwise."""

NAMES = st.sampled_from(["A", "B", "C", "hoTen", "a.b", "Số", "x[]", "*"])
"""Few, so that rules and documents meet often; some need escaping in paths."""
XML_NAMES = st.sampled_from(["A", "B", "C", "hoTen", "Số"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from(["", "001099000001", "01/02/1990", "19900201", "1990-02-01T00:00:00", '":', "a\\b"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


def rules_of(names: st.SearchStrategy[str]) -> st.SearchStrategy[list[FieldRule]]:
    paths = st.builds(
        lambda parts, whole: write_path(FieldPath(tuple(parts), whole)),
        st.lists(names, min_size=1, max_size=3),
        st.booleans(),
    )
    kept = st.builds(FieldRule, path=paths, keep_last=st.none(), to=st.none(), action=st.just("keep"))
    return st.lists(kept, max_size=6, unique_by=lambda rule: rule.path)


def scope(*rules: FieldRule | str, envelope: tuple[str, ...] = (), **namespaces: str) -> Scope:
    written = [FieldRule(path=rule) if isinstance(rule, str) else rule for rule in rules]
    return Scopes({"*": written}, namespaces).scope("bất kỳ", envelope)


def limited(of: Scope, document: object) -> Any:
    return orjson.loads(of.limit(orjson.dumps(document), "application/json")[0])


# --- JSON -----------------------------------------------------------------------------------------------


def leaves(value: Any, names: Names = ()) -> Iterator[tuple[Names, object]]:
    """Yield every single value with the names on the way to it."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*names, name))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, names)
    else:
        yield names, value


def ways(value: Any, names: Names = ()) -> Iterator[Names]:
    """Yield the way to every name in a document."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*names, name)
            yield from ways(item, (*names, name))
    elif isinstance(value, list):
        for item in value:
            yield from ways(item, names)


def is_named(names: Names, paths: list[FieldPath]) -> bool:
    return any(
        names[: len(path.names)] == path.names if path.whole else names == path.names for path in paths
    )


def leads_to(names: Names, paths: list[FieldPath]) -> bool:
    return not names or any(path.names[: len(names)] == names for path in paths)


def expected(document: Any, paths: list[FieldPath]) -> list[tuple[Names, object]]:
    """Return the values that a scope of these paths releases, in order; null also where a path leads through."""
    return [
        (names, value)
        for names, value in leaves(document)
        if is_named(names, paths) or (value is None and leads_to(names, paths))
    ]


@given(DOCUMENTS, rules_of(NAMES))
@example({"A": {"B": 1}, "B": [{"A": "x"}]}, [FieldRule(path="A")])
def test_json_releases_what_is_named_and_nothing_else(document: Any, rules: list[FieldRule]) -> None:
    paths = [read_path(rule.path) for rule in rules]
    of = scope(*rules)
    released = limited(of, document)
    if released is not None:  # null alone is an answer of which nothing is released
        assert list(leaves(released)) == expected(document, paths)
    for names in ways(released):
        assert leads_to(names, paths) or is_named(names, paths)
    assert limited(of, released) == released


@given(DOCUMENTS, rules_of(NAMES), st.sampled_from(["keep", "mask"]))
def test_a_guest_limits_as_the_node_does(
    document: Any, rules: list[FieldRule], action: Literal["keep", "mask"]
) -> None:
    named = [(read_path(rule.path), rule) for rule in rules]
    of = Scope(
        "*", [(path, rule if path.whole else replace(rule, action=action)) for path, rule in named], (), {}
    )
    work = make_work(orjson.loads(orjson.dumps(of.said)))
    body = orjson.dumps(document)
    said, released = work({"media_type": "application/json"}, body)

    assert (released, said["media_type"]) == of.limit(body, "application/json")


def grown(document: Any, news: Any, draw: st.DataObject) -> Any:
    """Return a document in which a provider has added a field to some of its objects, at any depth."""
    if isinstance(document, dict):
        items = [(name, grown(item, news, draw)) for name, item in document.items()]
        if draw.draw(st.booleans()):
            items.insert(draw.draw(st.integers(0, len(items))), ("truongMoi", news))
        return dict(items)
    if isinstance(document, list):
        return [grown(item, news, draw) for item in document]
    return document


@given(st.data(), DOCUMENTS, DOCUMENTS, rules_of(NAMES))
def test_a_providers_new_field_changes_nothing(
    draw: st.DataObject, document: Any, news: Any, rules: list[FieldRule]
) -> None:
    of = scope(*[rule for rule in rules if not rule.path.endswith(".*")])
    assert limited(of, grown(document, news, draw)) == limited(of, document)


@given(DOCUMENTS, rules_of(NAMES), st.sampled_from(["mask", "generalise"]), st.integers(0, 6))
def test_a_changed_value_shows_at_most_half_or_a_year(
    document: Any, rules: list[FieldRule], action: str, last: int
) -> None:
    changed = [
        FieldRule(path=rule.path, action="mask", keep_last=last)
        if action == "mask"
        else FieldRule(path=rule.path, action="generalise", to="year")
        for rule in rules
        if not rule.path.endswith(".*")
    ]
    of = scope(*changed)
    released = limited(of, document)
    for _, value in leaves(released):
        if value is None:
            continue
        if action == "mask":
            assert isinstance(value, str)
            assert set(value[: len(value) - last]) <= {"*"}
            assert set(value[: (len(value) + 1) // 2]) <= {"*"}
        else:
            assert len(str(value)) == 4
            assert str(value).isdecimal()
    assert limited(of, released) == released


# --- XML ------------------------------------------------------------------------------------------------

Element = tuple[str, dict[str, str], Any]
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="￾￿"), max_size=6)
ELEMENTS: st.SearchStrategy[Element] = st.recursive(
    st.tuples(XML_NAMES, st.dictionaries(XML_NAMES, TEXTS, max_size=2), TEXTS),
    lambda inner: st.tuples(
        XML_NAMES, st.dictionaries(XML_NAMES, TEXTS, max_size=2), st.lists(inner, max_size=4)
    ),
    max_leaves=15,
)
SPELLINGS = st.sampled_from(["", ' xmlns="urn:gia-lap"', ' xmlns="urn:gia-lap" xmlns:khac="urn:khac"'])


def spelled(element: Element, namespaces: str = "") -> str:
    name, attributes, content = element
    given_ = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    inner = escape(content) if isinstance(content, str) else " ".join(map(spelled, content))
    return f"<{name}{namespaces}{given_}>{inner}</{name}>"


def xml_leaves(element: etree._Element, names: Names = ()) -> Iterator[tuple[Names, str]]:
    """Yield every attribute and text that says something."""
    names = (*names, etree.QName(element).localname)
    for key, value in element.attrib.items():
        yield (*names, f"@{key!s}"), str(value)
    if element.text and element.text.strip():
        yield names, element.text
    for child in element:
        yield from xml_leaves(child, names)
        assert not (child.tail or "").strip()


def xml_rules() -> st.SearchStrategy[list[FieldRule]]:
    return st.builds(
        lambda rules, attributes: [
            *rules,
            *(FieldRule(path=path) for path in {".".join([*way, "@" + name]) for way, name in attributes}),
        ],
        rules_of(XML_NAMES),
        st.lists(st.tuples(st.lists(XML_NAMES, min_size=1, max_size=2), XML_NAMES), max_size=3),
    )


@given(ELEMENTS, xml_rules(), SPELLINGS)
def test_xml_releases_what_is_named_and_nothing_else(
    element: Element, rules: list[FieldRule], namespaces: str
) -> None:
    paths = [read_path(rule.path) for rule in rules]
    of = scope(*rules)
    body = spelled(element, namespaces).encode()
    released, _ = of.limit(body, "text/xml")
    root = etree.fromstring(released)
    before = [leaf for leaf in xml_leaves(etree.fromstring(body)) if is_named(leaf[0], paths)]
    assert list(xml_leaves(root)) == before
    for child in root.iter():
        way = tuple(etree.QName(each).localname for each in (*reversed(list(child.iterancestors())), child))
        assert child is root or leads_to(way, paths) or is_named(way, paths)
    assert of.limit(released, "text/xml")[0] == released


PREFIXES = st.sampled_from(["", "p", "q"])
URIS = st.sampled_from(["urn:1", "urn:2", "urn:3"])
QUALIFIED = st.recursive(
    st.tuples(
        PREFIXES,
        st.dictionaries(PREFIXES, URIS | st.just(""), max_size=3),
        st.lists(PREFIXES, max_size=2, unique=True),
        TEXTS,
    ),
    lambda inner: st.tuples(
        PREFIXES,
        st.dictionaries(PREFIXES, URIS, max_size=2),
        st.lists(PREFIXES, max_size=2, unique=True),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)


def qualified(element: Any, top: bool = True) -> str:  # noqa: FBT001, FBT002
    prefix, declared, attributes, content = element
    known = ({"p": "urn:1", "q": "urn:2"} if top else {}) | {p: u for p, u in declared.items() if u or not p}
    said = "".join(f" xmlns{':' + p if p else ''}={quoteattr(u)}" for p, u in known.items())
    said += "".join(f' {p + ":" if p else ""}x="a&#10;b"' for p in attributes)
    inner = escape(content) if isinstance(content, str) else " b ".join(qualified(e, False) for e in content)  # noqa: FBT003
    name = f"{prefix}:A" if prefix else "A"
    return f"<{name}{said}>{inner}</{name}>"


@given(QUALIFIED)
def test_a_whole_xml_document_stays_what_it_is(element: Any) -> None:
    body = qualified(element)
    try:
        etree.fromstring(body)
    except etree.XMLSyntaxError:  # one attribute twice, under two prefixes of a namespace
        assume(False)  # noqa: FBT003
    released, _ = scope("A.*", "*").limit(body.encode(), "text/xml")
    _, _, written = released.decode().partition("\n")
    assert etree.canonicalize(written, rewrite_prefixes=True) == etree.canonicalize(
        body, rewrite_prefixes=True
    )


@given(ELEMENTS, rules_of(XML_NAMES))
def test_a_new_xml_field_changes_nothing(element: Element, rules: list[FieldRule]) -> None:
    of = scope(*[rule for rule in rules if not rule.path.endswith(".*")])
    plain, _ = of.limit(spelled(element).encode(), "text/xml")
    root = etree.fromstring(spelled(element))
    for child in [each for each in root.iter() if len(each)]:
        child.set("truongMoi", "lo")
        child.insert(0, etree.fromstring("<truongMoi a='lo'><A>lo</A>lo</truongMoi>"))
    assert of.limit(etree.tostring(root, encoding="UTF-8"), "text/xml")[0] == plain


# --- documents inside a text ----------------------------------------------------------------------------

BEFORE = st.sampled_from(["", " ", "\n\t", "\ufeff", "\ufeff\r\n"])
NAMED = st.dictionaries(NAMES, SCALARS, min_size=1, max_size=3)
WITH_NAMES = NAMED | st.lists(SCALARS.filter(lambda it: not isinstance(it, str)) | NAMED, max_size=3).map(
    lambda items: [*items, {"A": 1}]
)


def packed_json(value: Any, before: str, indent: bool, twice: bool) -> str:  # noqa: FBT001
    text = before + orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else 0).decode()
    return orjson.dumps(text).decode() if twice else text


def packed_xml(element: Element, namespaces: str, before: str, declared: bool) -> str:  # noqa: FBT001
    declaration = '<?xml version="1.0" encoding="utf-8"?>' if declared else ""
    return before + declaration + spelled(element, namespaces)


PACKED = st.builds(packed_json, WITH_NAMES, BEFORE, st.booleans(), st.booleans()) | st.builds(
    packed_xml, ELEMENTS, SPELLINGS, BEFORE, st.booleans()
)


@given(PACKED, st.integers(0, 200), DOCUMENTS)
@example('[1, {}, {"A": 2}]', 200, None)
@example('{\n  "A": null\n}', 0, None)
def test_a_document_inside_a_text_is_released_by_a_star_alone(packed: str, cut: int, other: Any) -> None:
    text = packed[: max(cut, 5)] if cut < len(packed) and packed[:1] in "<{" else packed
    document = {"A": text, "B": [text, "x"], "C": {"A": text}, "hoTen": other}
    kept = scope("A", "B", "C.A")

    assert limited(kept, document) == {"B": ["x"], "C": {}}
    assert limited(scope("A.*", "C.A.*"), document) == {"A": text, "C": {"A": text}}


@given(PACKED)
def test_a_document_inside_an_xml_text_is_released_by_a_star_alone(packed: str) -> None:
    assume(not _CONTROLS.search(packed))
    body = f"<A x={quoteattr(packed)}><B>{escape(packed)}</B><C>x</C></A>".encode()

    assert scope("A.B", "A.C", "A.@x").limit(body, "text/xml")[0].endswith(b"<A><C>x</C></A>")
    star = etree.fromstring(scope("A.B.*").limit(body, "text/xml")[0])
    assert star.findtext("B") == etree.fromstring(body).findtext("B")


@pytest.mark.parametrize(
    "text",
    ["", "<", "< 5", "<5 tuổi", "[nháp] Giấy khai sinh", "[1] Theo luật", "[1, 2]", "{x", "{ }x{", '"Ánh Sao"', "a<b>", "-", "x: {}"],
)  # fmt: skip
def test_a_text_that_only_looks_odd_is_a_single_value(text: str) -> None:
    assert limited(scope("A"), {"A": text}) == {"A": text}


# --- consumer × service × purpose × field ----------------------------------------------------------------

FIELDS = [f"truong{number}" for number in range(6)]
CONSUMERS, SERVICES, PURPOSES = (
    ["H99:mot-cua", "H99:ho-tich"],
    ["DoanhNghiep", "DanCu"],
    ["CAP-PHEP", "XAC-MINH"],
)


def stored(document: dict[str, Any]) -> Stored:
    entity = parse(Kind.GRANT, document)
    assert flaws_of(Kind.GRANT, entity) == []
    kept = render(entity)
    return Stored(
        kind=Kind.GRANT, id=f"{document['consumer']}/{document['service']}", label="g", version=1, revision=1,
        home_node="H99", document=kept, content_hash=content_hash(kept), changed_at=datetime.now(UTC),
        changed_by="kiểm thử",
    )  # fmt: skip


@settings(max_examples=50)
@given(
    st.fixed_dictionaries({
        (consumer, service, purpose): st.sets(st.sampled_from(FIELDS))
        for consumer in CONSUMERS for service in SERVICES for purpose in PURPOSES
    }),
    st.sets(st.sampled_from(FIELDS), max_size=2),
)  # fmt: skip
def test_each_grant_and_purpose_has_its_own_fields(
    named: dict[tuple[str, str, str], set[str]], envelope: set[str]
) -> None:
    document = {field: field for field in FIELDS}
    names_of = {}
    for consumer in CONSUMERS:
        for service in SERVICES:
            fields = {purpose: sorted(named[consumer, service, purpose]) for purpose in PURPOSES}
            view = compiled.grant(stored(a_grant(consumer, service, fields=fields, purposes=PURPOSES)))
            assert view.scopes is not None
            for purpose in PURPOSES:
                of = view.scopes.scope(purpose, tuple(sorted(envelope)))
                names_of[of.name] = (purpose, named[consumer, service, purpose])
                assert limited(of, document).keys() == named[consumer, service, purpose] | envelope
            assert limited(view.scopes.scope("khac"), document) == {}
    for (_, _, purpose), fields_of in named.items():
        assert (purpose, fields_of) in names_of.values()
    assert len(names_of) == len(
        {(purpose, tuple(sorted(fields))) for (_, _, purpose), fields in named.items()}
    )
