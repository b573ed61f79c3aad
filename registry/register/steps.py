"""The steps of an object's life: what each takes, when it may be taken, and what comes out. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field

from registry.entities import (
    Client,
    ClientSecret,
    Decision,
    Entity,
    Grant,
    Instant,
    Kind,
    Maintenance,
    Need,
    Note,
    Reference,
    Service,
    Text,
    Version,
    Withdrawal,
)
from registry.errors import Flaw, Invalid, WrongState
from registry.stores import Author

_MOST_WINDOWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Who takes a step, when, and on which node ("" while it is only planned)."""

    author: Author
    now: datetime
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters(Entity):
    """The root of what steps take. `references` names the fields that hold ids or codes, and of what kind."""

    references: ClassVar[Mapping[str, Kind]] = {}


# --- needs ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(Parameters):
    """Why a need no longer stands."""

    reason: Text


def withdraw(need: Need, given: Withdraw, at: Moment) -> Need:
    """Withdraw a need, once and for good."""
    if need.withdrawn is not None:
        raise WrongState("the need is withdrawn already")
    return replace(need, withdrawn=Withdrawal(reason=given.reason, author=at.author.id, at=at.now))


# --- services -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(Parameters):
    """Why a service is switched off for everybody."""

    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblock(Parameters):
    """Nothing: a service is switched on again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockConsumer(Parameters):
    """Which consumer a service is switched off for, and why."""

    references: ClassVar[Mapping[str, Kind]] = {"consumer": Kind.SYSTEM}
    consumer: Reference
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class UnblockConsumer(Parameters):
    """Which consumer a service is switched on again for."""

    references: ClassVar[Mapping[str, Kind]] = {"consumer": Kind.SYSTEM}
    consumer: Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMaintenance(Parameters):
    """When a service will not answer."""

    starts_at: Instant
    ends_at: Instant
    note_vi: Note = ""
    note_en: Note = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelMaintenance(Parameters):
    """The beginning of the maintenance that will not take place, or is over."""

    starts_at: Instant


def block(service: Service, given: Block, at: Moment) -> Service:
    """Switch a service off for everybody."""
    return replace(service, blocked=given.reason)


def unblock(service: Service, given: Unblock, at: Moment) -> Service:
    """Switch a service on again."""
    if service.blocked is None:
        raise WrongState("the service is not blocked")
    return replace(service, blocked=None)


def block_consumer(service: Service, given: BlockConsumer, at: Moment) -> Service:
    """Switch a service off for one consumer."""
    return replace(service, blocked_consumers=service.blocked_consumers | {given.consumer: given.reason})


def unblock_consumer(service: Service, given: UnblockConsumer, at: Moment) -> Service:
    """Switch a service on again for one consumer."""
    if given.consumer not in service.blocked_consumers:
        raise WrongState("the service is not blocked for this consumer")
    others = {name: reason for name, reason in service.blocked_consumers.items() if name != given.consumer}
    return replace(service, blocked_consumers=others)


def plan_maintenance(service: Service, given: PlanMaintenance, at: Moment) -> Service:
    """Add a maintenance window, and forget those that are over."""
    if given.ends_at <= max(given.starts_at, at.now):
        raise Invalid(
            [Flaw("/ends_at", "range-order", "The end must be after the beginning and in the future.")]
        )
    window = Maintenance(
        starts_at=given.starts_at, ends_at=given.ends_at, note_vi=given.note_vi, note_en=given.note_en
    )
    coming = [other for other in service.maintenance if other.ends_at > at.now]
    if any(other.starts_at == window.starts_at for other in coming):
        raise WrongState("a maintenance that begins then is planned already")
    if len(coming) >= _MOST_WINDOWS:
        raise WrongState(f"{_MOST_WINDOWS} maintenance windows are planned already")
    return replace(service, maintenance=tuple(sorted([*coming, window], key=lambda one: one.starts_at)))


def cancel_maintenance(service: Service, given: CancelMaintenance, at: Moment) -> Service:
    """Take a maintenance window back."""
    others = tuple(one for one in service.maintenance if one.starts_at != given.starts_at)
    if len(others) == len(service.maintenance):
        raise WrongState("no maintenance that begins then is planned")
    return replace(service, maintenance=others)


# --- versions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Parameters):
    """Nothing: a version becomes callable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecate(Parameters):
    """The moment after which the version may stop answering."""

    sunset_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire(Parameters):
    """Nothing: a version stops being callable, for good."""


def publish(version: Version, given: Publish, at: Moment) -> Version:
    """Make a draft callable, or take a deprecation back."""
    _from(version.status, "draft", "deprecated")
    if not version.endpoints:
        raise Invalid([Flaw("/endpoints", "missing", "A version without an endpoint cannot be published.")])
    return replace(
        version,
        status="published",
        published_at=version.published_at or at.now,
        deprecated_at=None,
        sunset_at=None,
    )


def deprecate(version: Version, given: Deprecate, at: Moment) -> Version:
    """Announce a version's end, or another day for it; it stays callable."""
    _from(version.status, "published", "deprecated")
    if given.sunset_at is not None and given.sunset_at <= at.now:
        raise Invalid([Flaw("/sunset_at", "range-order", "The sunset must be in the future.")])
    return replace(
        version,
        status="deprecated",
        deprecated_at=version.deprecated_at or at.now,
        sunset_at=given.sunset_at,
    )


def retire(version: Version, given: Retire, at: Moment) -> Version:
    """End a version."""
    _from(version.status, "draft", "published", "deprecated")
    return replace(version, status="retired", retired_at=at.now)


# --- grants ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve(Parameters):
    """A word on the decision; the delegation when the node decides for the provider."""

    references: ClassVar[Mapping[str, Kind]] = {"delegation": Kind.DELEGATION}
    note: Note = ""
    delegation: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(Parameters):
    """Why a request is refused; the delegation when the node decides for the provider."""

    references: ClassVar[Mapping[str, Kind]] = {"delegation": Kind.DELEGATION}
    note: Text
    delegation: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspend(Refuse):
    """Why a grant does not hold for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(Approve):
    """A word on why a grant holds again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke(Refuse):
    """Why a grant ends."""


def approve(grant: Grant, given: Approve, at: Moment) -> Grant:
    """Let the consumer call."""
    if at.author.via == "api" and at.author.id == grant.requested_by:
        raise WrongState("nobody approves a grant that they requested themselves")
    return _decided(grant, ("requested",), "approved", given, at)


def refuse(grant: Grant, given: Refuse, at: Moment) -> Grant:
    """Turn a request down."""
    return _decided(grant, ("requested",), "refused", given, at)


def suspend(grant: Grant, given: Suspend, at: Moment) -> Grant:
    """Stop a grant for a while."""
    return _decided(grant, ("approved",), "suspended", given, at)


def resume(grant: Grant, given: Resume, at: Moment) -> Grant:
    """Let a suspended grant hold again."""
    return _decided(grant, ("suspended",), "approved", given, at)


def revoke(grant: Grant, given: Revoke, at: Moment) -> Grant:
    """End a grant for good."""
    return _decided(grant, ("approved", "suspended"), "revoked", given, at)


def _decided(
    grant: Grant, allowed: tuple[str, ...], status: Any, given: Approve | Refuse, at: Moment
) -> Grant:  # Any: a Literal of Grant
    _from(grant.status, *allowed)
    if grant.authority and at.node not in {"", grant.authority}:
        raise WrongState(f"the node {grant.authority} decides on this grant")
    decision = Decision(by=at.author.id, at=at.now, note=given.note, delegation=given.delegation)
    return replace(grant, status=status, decision=decision)


# --- clients --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Disable(Parameters):
    """Nothing: a client gets no tokens, and those it has stop working."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enable(Parameters):
    """Nothing: a client gets tokens again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSecrets(Parameters):
    """The client's secrets from now on, and from when its tokens are good. For programs, not for people."""

    secrets: Annotated[tuple[ClientSecret, ...], Field(max_length=10)] = field(default=())
    not_before: Instant | None = None


def disable(client: Client, given: Disable, at: Moment) -> Client:
    """Stop a client; tokens made before now never work again."""
    _from(client.status, "active")
    return replace(client, status="disabled", not_before=at.now)


def enable(client: Client, given: Enable, at: Moment) -> Client:
    """Let a client work again, with new tokens."""
    _from(client.status, "disabled")
    return replace(client, status="active")


def set_secrets(client: Client, given: SetSecrets, at: Moment) -> Client:
    """Put other secrets in place; without `not_before` tokens made so far stay good."""
    return replace(client, secrets=given.secrets, not_before=given.not_before or client.not_before)


# --- the table ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it takes, and the rule."""

    parameters: type[Parameters]
    take: Callable[[Any, Any, Moment], Entity]  # Any: each rule has its own entity and parameters


TABLE: dict[Kind, dict[str, Step]] = {
    Kind.NEED: {"withdraw": Step(Withdraw, withdraw)},
    Kind.SERVICE: {
        "block": Step(Block, block),
        "unblock": Step(Unblock, unblock),
        "block-consumer": Step(BlockConsumer, block_consumer),
        "unblock-consumer": Step(UnblockConsumer, unblock_consumer),
        "plan-maintenance": Step(PlanMaintenance, plan_maintenance),
        "cancel-maintenance": Step(CancelMaintenance, cancel_maintenance),
    },
    Kind.VERSION: {
        "publish": Step(Publish, publish),
        "deprecate": Step(Deprecate, deprecate),
        "retire": Step(Retire, retire),
    },
    Kind.GRANT: {
        "approve": Step(Approve, approve),
        "refuse": Step(Refuse, refuse),
        "suspend": Step(Suspend, suspend),
        "resume": Step(Resume, resume),
        "revoke": Step(Revoke, revoke),
    },
    Kind.CLIENT: {
        "disable": Step(Disable, disable),
        "enable": Step(Enable, enable),
        "set-secrets": Step(SetSecrets, set_secrets),
    },
}

STEPS: dict[Kind, dict[str, type[Parameters]]] = {
    kind: {name: step.parameters for name, step in steps.items()} for kind, steps in TABLE.items()
}
"""What each step of each kind takes."""

INTERNAL_STEPS = frozenset({"set-secrets"})
"""Steps that only programs take, never a caller of the admin API by name."""


def _from(status: str, *allowed: str) -> None:
    if status not in allowed:
        raise WrongState(f"this is not possible while the status is {status!r}")
