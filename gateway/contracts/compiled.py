"""What an operation promises and asks for, compiled: what is checked in each direction, and what follows from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gateway.contracts.bodies import BodyCheck, body_check
from gateway.contracts.parameters import Parameters
from gateway.contracts.violations import BadContract
from registry.entities import ContractChecks, Operation, Version

Mode = Literal["shadow", "enforce"]
Direction = Literal["request", "reply"]


@dataclass(frozen=True, slots=True)
class Check:
    """What is checked in one direction."""

    mode: Mode
    direction: Direction
    body: BodyCheck | None = None
    parameters: Parameters | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """The checks of an operation; None where nothing is checked."""

    request: Check | None
    reply: Check | None


def contract_of(version: Version, operation: Operation, at: str) -> Contract | None:
    """Compile the checks of the operation at a pointer; None where there are none. Raises BadContract."""
    request = _request(version.checks, version, operation, at)
    reply = _reply(version.checks, version, operation, at)
    return None if request is None and reply is None else Contract(request, reply)


def _request(checks: ContractChecks, version: Version, operation: Operation, at: str) -> Check | None:
    if checks.request == "off":
        return None
    body = body_check(operation.request, version, f"{at}/request")
    parameters = Parameters(operation, version.schemas, at) or None
    return Check(checks.request, "request", body, parameters) if body or parameters else None


def _reply(checks: ContractChecks, version: Version, operation: Operation, at: str) -> Check | None:
    if checks.reply == "off":
        return None
    body = body_check(operation.reply, version, f"{at}/reply")
    return None if body is None else Check(checks.reply, "reply", body)


def bad_contracts(version: Version) -> Iterator[BadContract]:
    """Yield what of a version cannot be checked by, once for each operation and direction."""
    for number, operation in enumerate(version.operations):
        for make in (_request, _reply):
            try:
                make(version.checks, version, operation, f"/operations/{number}")
            except BadContract as error:
                yield error
