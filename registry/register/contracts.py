"""What makes a service version's contract sound. Pure."""

import re
from collections.abc import Iterator, Sequence

from registry.documents import pointer_of
from registry.entities import Condition, Operation, SuccessRule, Version
from registry.errors import Flaw
from registry.register.scopes import envelope_flaws

_LITERAL = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%\u0080-\U0010FFFF ]+")
_VARIABLE = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\*?\}")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")
_PLACE = re.compile(r"(header:(?P<header>.+)|query:.+|pointer:(?P<pointer>.*))", re.DOTALL)

_NOT_FOR_US = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that carry the message itself or somebody's credentials."""

_TAKEN_NAMESPACES = ("http://www.w3.org/", "http://schemas.xmlsoap.org/", "urn:lgsp:soap")


def version_flaws(version: Version) -> Iterator[Flaw]:
    """Find what is wrong in a version's contract; its endpoints' settings are the connector's matter."""
    yield from _operation_flaws(version.operations)
    yield from _rule_flaws(version.success_rule, "/success_rule")
    for name in ("officer_at", "procedure_at"):
        yield from _place_flaws(getattr(version, name), f"/{name}")
    yield from _subject_flaws(version, "")
    yield from envelope_flaws(version.envelope)
    yield from _soap_flaws(version)
    for environment, endpoint in version.endpoints.items():
        for what, header in endpoint.passes.items():
            if not _TOKEN.fullmatch(header) or header.lower() in _NOT_FOR_US:
                pointer = pointer_of(["endpoints", environment.value, "passes", what])
                yield Flaw(pointer, "header-name", f"{header!r} is not a header that we may set.")


def _operation_flaws(operations: Sequence[Operation]) -> Iterator[Flaw]:
    names: set[str] = set()
    shapes: set[tuple[str, str]] = set()
    for index, operation in enumerate(operations):
        at = f"/operations/{index}"
        if operation.name in names:
            yield Flaw(f"{at}/name", "duplicate", f"Another operation is called {operation.name!r}.")
        names.add(operation.name)
        problem = path_problem(operation.path)
        if problem:
            yield Flaw(f"{at}/path", "path-template", problem)
        shape = (operation.method, path_shape(operation.path))
        if shape in shapes:
            yield Flaw(
                f"{at}/path", "duplicate", "Another operation has this method and the same form of path."
            )
        shapes.add(shape)
        if operation.success_rule is not None:
            yield from _rule_flaws(operation.success_rule, f"{at}/success_rule")
        yield from _subject_flaws(operation, at)


def _soap_flaws(version: Version) -> Iterator[Flaw]:
    """What is offered as SOAP is an operation of the version, each one once."""
    if version.soap is None:
        return
    if (version.soap.namespace or "").startswith(_TAKEN_NAMESPACES):
        yield Flaw("/soap/namespace", "value", "This namespace belongs to somebody else.")
    offered = version.soap.operations
    known = {operation.name for operation in version.operations}
    for index, name in enumerate(offered):
        at = f"/soap/operations/{index}"
        if name not in known:
            yield Flaw(at, "choice", f"The version has no operation {name!r}.")
        elif name in offered[:index]:
            yield Flaw(at, "duplicate", "This stands in the list twice.")


def path_shape(path: str) -> str:
    """Return the path with nameless variables: two operations of one shape cannot be told apart."""
    return re.sub(r"\{[^{}/]*?(\*?)\}", r"{\1}", path)


def path_problem(path: str) -> str | None:
    """Say what is wrong with a path template, None when it is sound."""
    segments = path.split("/")[1:]
    if segments[-1] == "":
        segments.pop()
    names: list[str] = []
    for position, segment in enumerate(segments):
        if _VARIABLE.fullmatch(segment):
            names.append(segment.strip("{}*"))
            if segment.endswith("*}") and position != len(segments) - 1:
                return "The rest of a path, {name*}, must come last."
        elif segment in {"", ".", ".."} or not _LITERAL.fullmatch(segment):
            return f"{segment!r} is not a segment: use plain text, {{name}} for one segment, {{name*}} for the rest."
    if len(set(names)) != len(names):
        return "Two variables have the same name."
    return None


def is_pointer(text: str) -> bool:
    """Say whether a text is a JSON pointer (RFC 6901)."""
    return (text == "" or text.startswith("/")) and re.search(r"~(?![01])", text) is None


def _rule_flaws(rule: SuccessRule, at: str) -> Iterator[Flaw]:
    for name in ("success", "nothing_found", "business_failure"):
        conditions: Sequence[Condition] = getattr(rule, name)
        for index, condition in enumerate(conditions):
            yield from _condition_flaws(condition, f"{at}/{name}/{index}")


def _condition_flaws(condition: Condition, at: str) -> Iterator[Flaw]:
    kind, _, rest = condition.at.partition(":")
    if kind == "pointer" and not is_pointer(rest):
        yield Flaw(f"{at}/at", "json-pointer", "This is not a JSON pointer.")
    texts = bool(condition.equals or condition.starts_with) or condition.present is not None
    if kind == "body" and texts:
        yield Flaw(f"{at}/at", "condition", "Of the body one can only ask whether it is empty.")
    if not texts and condition.empty is None:
        yield Flaw(at, "condition", "The condition asks for nothing.")


def _subject_flaws(of: Version | Operation, at: str) -> Iterator[Flaw]:
    """A data subject needs both its place and its type; a variable can only be named where the path is."""
    if of.subject_at is None or of.subject_type is None:
        if of.subject_at is not None or of.subject_type is not None:
            missing = "subject_at" if of.subject_at is None else "subject_type"
            yield Flaw(f"{at}/{missing}", "missing", "`subject_at` and `subject_type` go together.")
        return
    kind, _, name = of.subject_at.partition(":")
    if kind == "path" and isinstance(of, Operation):
        if "{" + name + "}" not in of.path.split("/"):
            yield Flaw(f"{at}/subject_at", "place", "The path has no variable of this name for one segment.")
        return
    yield from _place_flaws(of.subject_at, f"{at}/subject_at")


def _place_flaws(place: str | None, at: str) -> Iterator[Flaw]:
    if place is None:
        return
    match = _PLACE.fullmatch(place)
    if match is None:
        yield Flaw(at, "place", "Say header:NAME, query:NAME or pointer:/JSON/pointer.")
    elif match["pointer"] is not None and (not match["pointer"] or not is_pointer(match["pointer"])):
        yield Flaw(at, "json-pointer", "This is not a JSON pointer to a field.")
    elif match["header"] is not None and not _TOKEN.fullmatch(match["header"]):
        yield Flaw(at, "header-name", "This is not a header's name.")
