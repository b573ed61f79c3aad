"""Checks in a guest process: of large bodies, and by schemas that could take for ever. The guest's half of it."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import orjson

from gateway.contracts.bodies import BodyCheck
from gateway.contracts.violations import NotChecked, Violation
from gateway.transforms.contract import OutOfTime
from registry.entities import BodyContract

Work = Callable[[Mapping[str, Any], bytes], bytes]  # Any: the header of a frame, JSON


def make_work(make: Mapping[str, Any]) -> Work:  # Any: as `BodyCheck.work` has it
    """Return what checks a body: it answers with the violations as a list of pointers and rules."""
    if "json" in make:
        declared = BodyContract(schema=make["json"])
    else:
        declared = BodyContract(media_type="application/xml", xsd=make["xml"])
    check = BodyCheck(declared, {}, make.get("xsd", {}), "")

    def work(header: Mapping[str, Any], body: bytes) -> bytes:  # Any: as above
        try:
            checked = check.read(body, header["media_type"], parts=inf)
        except NotChecked as error:
            raise OutOfTime(str(error)) from error
        return render(checked.violations)

    return work


def render(violations: tuple[Violation, ...]) -> bytes:
    """Write violations of a body."""
    return orjson.dumps([[each.pointer, each.rule] for each in violations])


def parse(told: bytes) -> tuple[Violation, ...]:
    """Read violations of a body."""
    return tuple(Violation("body", pointer, rule) for pointer, rule in orjson.loads(told))
