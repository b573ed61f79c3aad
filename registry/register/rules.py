"""What is asked of a document beyond its form, one document at a time. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from ipaddress import ip_network
from typing import Any

from registry.entities import (
    Client,
    CodeList,
    Delegation,
    Entity,
    Grant,
    Kind,
    Officer,
    Organisation,
    Role,
    Service,
    System,
)
from registry.errors import Flaw
from registry.labels import Label, new_form, old_form
from registry.register.contracts import version_flaws
from registry.register.scopes import releases_more, scope_flaws

RESERVED = frozenset(
    {
        ".well-known",
        "admin",
        "console",
        "health",
        "inbox",
        "messages",
        "metrics",
        "problems",
        "r1",
        "restapi",
        "soap",
        "token",
        "topics",
    }
)
"""First segments of addresses that are not services, beside everything that begins with `.` or `_`."""

_OLD_CODE = re.compile(r"\d{3}\.\d{2}\.\d{2}\.[A-Z]\d{2}")
_NEW_CODE = re.compile(r"[A-Z]\d{2}(\.\d{2,3}){0,6}")
_PRIVATE_JWK = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_PUBLIC_KEY_TYPES = frozenset({"EC", "RSA", "OKP"})
_MOST_KEYS = 20
_OFFICER_RULES = ("none", "asserted", "registered")

FIXED: Mapping[Kind, tuple[str, ...]] = {
    Kind.NEED: ("system", "national_database"),
    Kind.VERSION: ("service", "version"),
    Kind.GRANT: ("consumer", "service"),
    Kind.CLIENT: ("system", "environment"),
    Kind.DELEGATION: ("organisation",),
}
"""Fields that make an object what it is: they do not change."""


def is_reserved(name: str) -> bool:
    """Say whether a first segment of an address is not for services."""
    return name.lower() in RESERVED or name.startswith((".", "_"))


def flaws_of(kind: Kind, entity: Entity) -> list[Flaw]:
    """Return what is wrong with an entity in itself."""
    rule = _RULES.get(kind)
    return list(rule(entity)) if rule else []


def fixed_flaws(kind: Kind, before: Entity, after: Entity) -> list[Flaw]:
    """Return the fields that were changed and must not be."""
    return [
        Flaw(f"/{name}", "fixed", "This cannot be changed afterwards; make a new object.")
        for name in FIXED.get(kind, ())
        if getattr(before, name) != getattr(after, name)
    ]


def remarks_of(kind: Kind, entity: Entity, organisation: Organisation | None = None) -> list[Flaw]:
    """Return what is unusual but allowed: codes in traffic do not always follow the rules."""
    if isinstance(entity, Organisation) and not _is_usual_code(entity.code):
        return [Flaw("/code", "unusual-code", "The code has neither form of organisation code.")]
    if isinstance(entity, System) and organisation is not None:
        prefix = entity.code.partition(":")[0]
        if prefix not in _forms_of(organisation):
            return [Flaw("/code", "unusual-code", "The code does not begin with a code of its organisation.")]
    return []


def widens(before: Grant, after: Grant) -> bool:
    """Say whether a changed grant lets the consumer do anything that the old one did not."""
    return any(
        (
            not set(after.environments) <= set(before.environments),
            _opens(before.operations, after.operations),
            _opens(before.purposes, after.purposes),
            before.procedure_required and not after.procedure_required,
            _opens(before.procedures, after.procedures),
            _OFFICER_RULES.index(after.officer) < _OFFICER_RULES.index(before.officer),
            releases_more(before, after),
            after.default_purpose not in {None, before.default_purpose},
            after.quota.per_second > before.quota.per_second,
            _rises(before.quota.per_day, after.quota.per_day),
            _earlier(after.valid_from, before.valid_from),
            _rises(before.valid_until, after.valid_until),
        )
    )


def _opens(before: Sequence[str], after: Sequence[str]) -> bool:
    """An empty list means "all"."""
    return bool(before) and (not after or not set(after) <= set(before))


def _rises(before: Any, after: Any) -> bool:  # Any: two numbers or two moments; None means "no limit"
    return before is not None and (after is None or after > before)


def _earlier(after: datetime | None, before: datetime | None) -> bool:
    return before is not None and (after is None or after < before)


# --- by kind --------------------------------------------------------------------------------------------


def organisation_flaws(organisation: Organisation) -> Iterator[Flaw]:
    """An organisation's days are in order, and its codes differ where their days meet."""
    yield from _range_flaws(organisation.valid_from, organisation.valid_to)
    if organisation.successor is not None and organisation.valid_to is None:
        yield Flaw("/valid_to", "missing", "Say from which day on the successor takes over.")
    known = [Label(organisation.code, organisation.valid_from, organisation.valid_to)]
    for index, alias in enumerate(organisation.aliases):
        yield from _range_flaws(alias.valid_from, alias.valid_to, f"/aliases/{index}")
        label = Label(alias.code, alias.valid_from, alias.valid_to)
        if any(label.code == other.code and label.overlaps(other) for other in known):
            yield Flaw(
                f"/aliases/{index}/code", "duplicate", "The organisation has this code twice on some days."
            )
        known.append(label)


def service_flaws(service: Service) -> Iterator[Flaw]:
    """A service's name is not one of the node's own addresses."""
    if is_reserved(service.name):
        yield Flaw("/name", "reserved", f"{service.name!r} is an address of the node itself.")


def system_flaws(system: System) -> Iterator[Flaw]:
    """A system acts for each other one at most once."""
    yield from _duplicate_flaws(system.acts_for, "/acts_for")


def grant_flaws(grant: Grant) -> Iterator[Flaw]:
    """A grant's validity is in order and its purposes fit together."""
    yield from _range_flaws(grant.valid_from, grant.valid_until, end="valid_until")
    for name in ("environments", "operations", "purposes", "procedures"):
        yield from _duplicate_flaws(getattr(grant, name), f"/{name}")
    if grant.default_purpose is not None and grant.purposes and grant.default_purpose not in grant.purposes:
        yield Flaw("/default_purpose", "choice", "The default purpose is not among the purposes.")
    yield from scope_flaws(grant)


def client_flaws(client: Client) -> Iterator[Flaw]:
    """A client is for a system or has a role, and its networks and keys can be read."""
    if (client.system is None) == (client.role is None):
        yield Flaw("/system", "one-of", "Name either the system or the role.")
    if client.system is not None and client.organisation is not None:
        yield Flaw("/organisation", "one-of", "A system's client is for the system's organisation.")
    bound = client.role in {Role.ORGANISATION_ADMIN, Role.SERVICE_OWNER}
    if bound and client.organisation is None:
        yield Flaw("/organisation", "missing", "This role is for one organisation: name it.")
    for index, network in enumerate(client.allowed_networks):
        if not _is_network(network):
            yield Flaw(f"/allowed_networks/{index}", "network", "This is not a network, such as 10.1.0.0/16.")
    if client.jwks is not None:
        yield from _jwks_flaws(client.jwks)


def officer_flaws(officer: Officer) -> Iterator[Flaw]:
    """An officer's days are in order."""
    yield from _range_flaws(officer.valid_from, officer.valid_to)


def delegation_flaws(delegation: Delegation) -> Iterator[Flaw]:
    """A delegation's validity is in order."""
    yield from _range_flaws(delegation.valid_from, delegation.valid_until, end="valid_until")


def code_list_flaws(code_list: CodeList) -> Iterator[Flaw]:
    """A code means one thing on a day."""
    known: dict[str, list[Label]] = {}
    for index, code in enumerate(code_list.codes):
        at = f"/codes/{index}"
        yield from _range_flaws(code.valid_from, code.valid_to, at)
        label = Label(code.code, code.valid_from, code.valid_to)
        if any(label.overlaps(other) for other in known.get(code.code, ())):
            yield Flaw(f"{at}/code", "duplicate", "The code is in the list twice on some days.")
        known.setdefault(code.code, []).append(label)


_RULES: Mapping[Kind, Callable[[Any], Iterator[Flaw]]] = {
    Kind.ORGANISATION: organisation_flaws,
    Kind.SYSTEM: system_flaws,
    Kind.SERVICE: service_flaws,
    Kind.VERSION: version_flaws,
    Kind.GRANT: grant_flaws,
    Kind.CLIENT: client_flaws,
    Kind.OFFICER: officer_flaws,
    Kind.DELEGATION: delegation_flaws,
    Kind.CODE_LIST: code_list_flaws,
}


def _range_flaws(
    since: date | None, until: date | None, at: str = "", *, end: str = "valid_to"
) -> Iterator[Flaw]:
    if since is not None and until is not None and until <= since:
        yield Flaw(f"{at}/{end}", "range-order", "The end must be after the beginning.")


def _duplicate_flaws(values: Sequence[str], at: str) -> Iterator[Flaw]:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield Flaw(f"{at}/{index}", "duplicate", "This stands in the list twice.")


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _jwks_flaws(jwks: Mapping[str, Any]) -> Iterator[Flaw]:
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= _MOST_KEYS:
        yield Flaw("/jwks/keys", "jwks", f"A key set has 1 to {_MOST_KEYS} keys.")
        return
    for index, key in enumerate(keys):
        at = f"/jwks/keys/{index}"
        if not isinstance(key, Mapping) or key.get("kty") not in _PUBLIC_KEY_TYPES:
            yield Flaw(at, "jwks", "This is not a public key (kty EC, RSA or OKP).")
        elif _PRIVATE_JWK & key.keys():
            yield Flaw(
                at, "private-key", "This holds a private key: send the public part only, and replace the key."
            )


def _is_usual_code(code: str) -> bool:
    return bool(_OLD_CODE.fullmatch(code) or _NEW_CODE.fullmatch(code))


def _forms_of(organisation: Organisation) -> set[str | None]:
    codes = [organisation.code, organisation.old_code, *(alias.code for alias in organisation.aliases)]
    given = [code for code in codes if code]
    return {*given, *map(new_form, given), *map(old_form, given)}
