"""What is counted of messages that break contracts: places and rules by whose they were, never a value."""

from dataclasses import dataclass
from typing import NamedTuple


class ViolationKey(NamedTuple):
    """What is counted apart. Consumer, provider, service and version are ids; `place` is body, path, query or header."""

    environment: str
    consumer: str
    provider: str
    service: str
    version: str
    operation: str
    direction: str
    mode: str
    place: str
    pointer: str
    rule: str


@dataclass(slots=True)
class Count:
    """How often, and when first and last, in epoch seconds."""

    first: float
    last: float
    count: int = 0
