"""Province codes of the General Statistics Office, which changed their meaning on 1 July 2025. Pure.

A merged province took the code of the one in which its capital lies, not of the one whose name it keeps: 24 was
Bắc Giang and is Bắc Ninh. A code says nothing without its day.
"""

import csv
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Final

from gateway.transforms.people import NoSuchCode, unaccented

MERGER: Final = date(2025, 7, 1)
"""From this day there are 34 provinces instead of 63, and no districts."""
HUE, HUE_BEFORE, HUE_FROM = "46", "Thừa Thiên Huế", date(2025, 1, 1)
"""The one province that changed its name between mergers (Resolution 175/2024/QH15): its code stayed."""


@dataclass(frozen=True, slots=True)
class Province:
    """A province as it was before the merger, or as it is since."""

    code: str
    name: str
    since_merger: bool
    successor: str
    predecessors: tuple[str, ...]


@lru_cache(maxsize=1)
def provinces() -> dict[tuple[bool, str], Province]:
    """Return all provinces by (since the merger, code)."""
    with files("gateway.transforms").joinpath("data/provinces.csv").open(encoding="utf-8") as lines:
        return {
            (bool(row["valid_from"]), row["code"]): Province(
                row["code"], row["name_vi"], bool(row["valid_from"]), row["successor"],
                tuple(row["predecessors"].split()),
            )
            for row in csv.DictReader(lines)
        }  # fmt: skip


def province(code: str, on: date) -> Province:
    """Return what a code meant on a day. Raises NoSuchCode."""
    found = provinces().get((on >= MERGER, code.zfill(2)))
    if found is None:
        raise NoSuchCode(f"No province had this code on {on.isoformat()}.")
    return found


def province_name(code: str, on: date) -> str:
    """Return the name that the province of a code had on a day. Raises NoSuchCode."""
    found = province(code, on)
    return HUE_BEFORE if found.code == HUE and on < HUE_FROM else found.name


def translate_province(code: str, on: date, to: date) -> str:
    """Turn a code of one day into the code of the same place on another one.

    Raises NoSuchCode, also when a merged province would have to be split again: which part is meant, it does not say.
    """
    found = province(code, on)
    if found.since_merger == (to >= MERGER):
        return found.code
    if not found.since_merger:
        return found.successor
    if len(found.predecessors) > 1:
        raise NoSuchCode(
            f"Before {MERGER.isoformat()} this province was {len(found.predecessors)} provinces."
        )
    return found.predecessors[0]


def province_code(name: str, on: date) -> str:
    """Return the code of the province with that name on a day, however its accents are placed. Raises NoSuchCode.

    Huế is found by either of its names, for papers go on to bear the old one.
    """
    wanted = _key(name)
    for (since, code), found in provinces().items():
        if since == (on >= MERGER) and _key(found.name) == wanted:
            return code
    raise NoSuchCode(f"No province had this name on {on.isoformat()}.")


def _key(name: str) -> str:
    key = " ".join(unaccented(name).casefold().replace("-", " ").replace(".", " ").split())
    for kind in ("tinh ", "thanh pho ", "tp "):
        key = key.removeprefix(kind)
    return {"tphcm": "ho chi minh", "hcm": "ho chi minh", "thua thien hue": "hue"}.get(key, key)


def district(code: str, on: date) -> str | None:
    """Return a district's code if there were districts on that day, None afterwards."""
    return code if on < MERGER else None
