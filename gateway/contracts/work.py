"""Checks in a guest process: of large bodies, and by schemas that could take for ever. The guest's half of it."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from gateway.contracts.bodies import BodyCheck
from gateway.contracts.violations import NotChecked, Violation
from gateway.transforms.contract import OutOfTime
from registry.entities import BodyContract

Done = tuple[dict[str, Any], bytes]  # Any: JSON
Work = Callable[[Mapping[str, Any], bytes], Done]  # Any: the header of a frame, JSON


def make_work(make: Mapping[str, Any]) -> Work:  # Any: as `BodyCheck.work` has it
    """Return what checks a body: it says `violations`, each as a pointer and a rule."""
    if "json" in make:
        declared = BodyContract(schema=make["json"])
    else:
        declared = BodyContract(media_type="application/xml", xsd=make["xml"])
    check = BodyCheck(declared, {}, make.get("xsd", {}), "")

    def work(header: Mapping[str, Any], body: bytes) -> Done:  # Any: as above
        try:
            checked = check.read(body, header["media_type"], parts=inf)
        except NotChecked as error:
            raise OutOfTime(str(error)) from error
        return {"violations": [[each.pointer, each.rule] for each in checked.violations]}, b""

    return work


def parse(done: Done) -> tuple[Violation, ...]:
    """Read what a guest has found."""
    return tuple(Violation("body", pointer, rule) for pointer, rule in done[0]["violations"])
