"""Who may do what on the admin API. Pure: one table from action to the roles that may, and for whose objects.

An action is `noun.verb`, the audit tag of the change. What the table does not name, nobody may do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from registry.entities import Kind, Role

DenialReason = Literal["action-unknown", "role", "organisation", "own-request", "no-delegation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks: the client's id and name, its role ("" for data-plane clients) and its organisation's id."""

    client: str
    name: str
    role: str
    organisation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is asked about, as far as the rules look at it. Organisations are ids.

    `organisation` owns the object (a system's, a client's, an officer's, a delegation's); `provider` and
    `consumer` are the sides of a service, grant or exchange. `delegation` is the id of a delegation of the
    provider that is valid now; `confers` the role that a client would have.
    """

    organisation: str | None = None
    provider: str | None = None
    consumer: str | None = None
    requested_by: str | None = None
    delegation: str | None = None
    confers: str | None = None


NOBODY = Subject()
"""For actions that concern no organisation."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The actor may. `delegation` is the one that was needed, to be recorded with the decision."""

    delegation: str | None = None

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Denied:
    """The actor may not, and why."""

    reason: DenialReason

    def __bool__(self) -> bool:
        return False


Decision = Allowed | Denied
Rule = Callable[[Actor, Subject], Decision]


NOUNS: Mapping[Kind, str] = {
    Kind.ORGANISATION: "organisation",
    Kind.NATIONAL_DATABASE: "national-database",
    Kind.SYSTEM: "system",
    Kind.NEED: "need",
    Kind.SERVICE: "service",
    Kind.VERSION: "version",
    Kind.GRANT: "grant",
    Kind.CLIENT: "client",
    Kind.OFFICER: "officer",
    Kind.DELEGATION: "delegation",
    Kind.CODE_LIST: "code-list",
}


def action_of(kind: Kind, verb: str) -> str:
    """Return the action for a verb on a kind of object: `add`, `replace`, `remove`, `read`, or a step."""
    return f"{NOUNS[kind]}.{verb}"


def may(actor: Actor, action: str, subject: Subject = NOBODY) -> Decision:
    """Decide whether `actor` may do `action` to `subject`."""
    rules = RULES.get(action)
    if rules is None:
        return Denied("action-unknown")
    rule = rules.get(actor.role)
    return Denied("role") if rule is None else rule(actor, subject)


# --- rules ----------------------------------------------------------------------------------------------


def anyones(actor: Actor, subject: Subject) -> Decision:
    """Whoever the object belongs to."""
    return Allowed()


def own(actor: Actor, subject: Subject) -> Decision:
    """Only objects of the actor's own organisation."""
    return _same(actor, subject.organisation)


def as_consumer(actor: Actor, subject: Subject) -> Decision:
    """Only where the actor's organisation is the consumer."""
    return _same(actor, subject.consumer)


def as_provider(actor: Actor, subject: Subject) -> Decision:
    """Only where the actor's organisation is the provider."""
    return _same(actor, subject.provider)


def as_party(actor: Actor, subject: Subject) -> Decision:
    """Only where the actor's organisation is one of the two sides."""
    return as_consumer(actor, subject) or as_provider(actor, subject)


def own_without_role(actor: Actor, subject: Subject) -> Decision:
    """Only clients of systems of the actor's own organisation: nobody makes an administrator but the node's."""
    return Denied("role") if subject.confers else own(actor, subject)


def decides_as_provider(actor: Actor, subject: Subject) -> Decision:
    """Decide on a grant for one's own organisation, but never on one's own request."""
    if actor.client == subject.requested_by:
        return Denied("own-request")
    return as_provider(actor, subject)


def decides_by_delegation(actor: Actor, subject: Subject) -> Decision:
    """Decide on a grant for a provider that has left it to the node, but never on one's own request."""
    if actor.client == subject.requested_by:
        return Denied("own-request")
    return Denied("no-delegation") if subject.delegation is None else Allowed(subject.delegation)


def _same(actor: Actor, organisation: str | None) -> Decision:
    if actor.organisation is not None and actor.organisation == organisation:
        return Allowed()
    return Denied("organisation")


# --- the table ------------------------------------------------------------------------------------------

NODE: str = Role.NODE_ADMIN.value
ORGANISATION: str = Role.ORGANISATION_ADMIN.value
OWNER: str = Role.SERVICE_OWNER.value
OBSERVER: str = Role.OBSERVER.value
AUDITOR: str = Role.AUDITOR.value
EVERYBODY: Mapping[str, Rule] = dict.fromkeys((NODE, ORGANISATION, OWNER, OBSERVER, AUDITOR), anyones)


def _each(noun: str, verbs: str, rules: Mapping[str, Rule]) -> dict[str, Mapping[str, Rule]]:
    return {f"{noun}.{verb}": rules for verb in verbs.split()}


RULES: Mapping[str, Mapping[str, Rule]] = {
    # the catalogue is open to whoever has a role; people and credentials are not
    **{f"{noun}.read": EVERYBODY for noun in NOUNS.values()},
    **_each("client", "read", {NODE: anyones, AUDITOR: anyones, ORGANISATION: own, OWNER: own}),
    **_each("officer", "read", {NODE: anyones, AUDITOR: anyones, ORGANISATION: own, OWNER: own}),
    # who
    **_each("organisation", "add replace remove", {NODE: anyones}),
    **_each("national-database", "add replace remove", {NODE: anyones}),
    **_each("code-list", "add replace remove", {NODE: anyones}),
    **_each("system", "add replace remove", {NODE: anyones, ORGANISATION: own}),
    **_each("need", "add replace remove withdraw", {NODE: anyones, ORGANISATION: own}),
    **_each("officer", "add replace remove", {NODE: anyones, ORGANISATION: own}),
    **_each(
        "client", "add replace remove disable enable rotate", {NODE: anyones, ORGANISATION: own_without_role}
    ),
    # what is offered
    **_each(
        "service",
        "add replace remove block unblock block-consumer unblock-consumer plan-maintenance cancel-maintenance",
        {NODE: anyones, OWNER: as_provider},
    ),
    **_each("version", "add replace remove publish deprecate retire", {NODE: anyones, OWNER: as_provider}),
    **_each("endpoint", "check", {NODE: anyones, OWNER: as_provider}),
    # who may use it: asking, deciding, stopping
    **_each("grant", "add replace remove", {NODE: anyones, ORGANISATION: as_consumer}),
    **_each("grant", "approve refuse resume", {NODE: decides_by_delegation, OWNER: decides_as_provider}),
    **_each("grant", "suspend revoke", {NODE: anyones, OWNER: as_provider}),
    **_each("delegation", "add replace remove", {NODE: anyones, OWNER: own}),
    # figures and evidence
    **_each("connectivity", "read", EVERYBODY),
    **_each("usage", "read", EVERYBODY),
    **_each("metrics", "read", EVERYBODY),
    **_each("evidence", "read", {NODE: anyones, AUDITOR: anyones, ORGANISATION: as_party, OWNER: as_party}),
    **_each("violation", "read", {NODE: anyones, AUDITOR: anyones, ORGANISATION: as_party, OWNER: as_party}),
    # whom it was about: for auditors, and for the parties of the exchanges
    **_each("subject", "read", {AUDITOR: anyones, ORGANISATION: as_party}),
    **_each("revision", "read", {NODE: anyones, AUDITOR: anyones}),
    # the node
    **_each("node", "read", {NODE: anyones, OBSERVER: anyones, AUDITOR: anyones}),
    **_each("registry", "apply export import", {NODE: anyones}),
    **_each("usage", "rebuild", {NODE: anyones}),
    **_each("key", "read", {NODE: anyones, AUDITOR: anyones}),
    **_each("key", "rotate destroy", {NODE: anyones}),
}
"""Action -> role -> rule. A role that is missing may not."""
