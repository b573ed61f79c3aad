"""The connectivity figure: how many systems that need a national database are really connected to one.

The whole rule is `compute`, a pure function over `Facts`; `gateway.monitoring.facts` gathers them. The same rule in
words is `describe`, and it is printed beside every figure.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal, get_args

from registry.entities import Environment, Mode
from registry.usage import Success

Language = Literal["vi", "en"]
Tier = Literal["registered", "granted", "tested", "connected", "fully_connected"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""How far a system in need has come, in order."""

Pair = tuple[str, str]
"""A system and a national database: a connection is a distinct one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What counts as connected. `direct` connections leave no evidence and never count, whatever `modes` says."""

    nation: str = "vn"
    window_days: int = 30
    min_successes: int = 1
    modes: tuple[str, ...] = (Mode.LGSP_NGSP, Mode.NGSP, Mode.LGSP)

    def counted_modes(self) -> tuple[str, ...]:
        """Return the modes in which a success proves a connection."""
        return tuple(mode for mode in self.modes if mode != Mode.DIRECT)


# --- what is known --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An organisation, as far as figures need it. `ends` is the first day on which it is no more."""

    id: str
    parent: str | None = None
    begins: date | None = None
    ends: date | None = None
    successor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system and whose it is; `retired` is the first day on which it was out of use."""

    id: str
    organisation: str
    retired: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A declared need, from the day `declared` on and up to the day before `withdrawn`."""

    system: str
    database: str
    mode: str
    declared: date | None = None
    withdrawn: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Something that changed the denominator: when, what, about which systems or organisations."""

    day: date
    action: str
    label: str
    author: str
    reason: str
    systems: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a figure is computed from; of `changes` the latest come first.

    `granted` holds pairs for which a grant is approved and valid.
    """

    bodies: Sequence[Body]
    systems: Sequence[System]
    needs: Sequence[Needed]
    successes: Sequence[Success]
    granted: Collection[Pair] = ()
    changes: Sequence[Changed] = ()


# --- the figure -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Connected systems of systems in need, in integers."""

    needed: int
    connected: int

    @property
    def percent(self) -> float | None:
        """Return the share in percent, rounded down to one decimal; None when no system is in need."""
        return self.connected * 1000 // self.needed / 10 if self.needed else None

    @property
    def over_half(self) -> bool | None:
        """Return whether more than half are connected (half is not); None when no system is in need."""
        return self.connected * 2 > self.needed if self.needed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ByMode:
    """One connection mode: what evidence shows, and what is only declared."""

    counted: bool
    systems: int
    connections: int
    declared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The figure of a unit on a day. `connected` includes the fully connected; `tiers` sum up to `needed`."""

    day: date
    first_day: date
    share: Share
    fully_connected: int
    connections: int
    tiers: Mapping[Tier, int]
    by_database: Mapping[str, Share]
    by_mode: Mapping[str, ByMode]
    changes: Sequence[Changed] = field(default_factory=tuple)


def compute(
    facts: Facts,
    rule: Rule,
    day: date,
    *,
    unit: str | None = None,
    database: str | None = None,
    mode: str | None = None,
) -> Figure:
    """Return the figure at the end of `day`, over the window of days that ends with it.

    `unit` is an organisation with its subtree on that day (None: everybody), `database` narrows needs and
    connections to one national database, `mode` the connections to one mode. Nothing else is looked at.
    """
    first = day - timedelta(days=rule.window_days - 1)
    members = _members(facts, day, unit)
    needs = [need for need in facts.needs if need.system in members and _holds(need, day)]
    needs = [need for need in needs if database in {None, need.database}]
    wanted = {(need.system, need.database) for need in needs}
    in_window = [each for each in facts.successes if first <= each.day <= day]
    modes = [m for m in rule.counted_modes() if mode in {None, m}]
    production = [each for each in in_window if each.environment == Environment.PRODUCTION]
    connected = _connections((each for each in production if each.mode in modes), wanted, rule)
    tested = _connections(
        (each for each in in_window if each.environment == Environment.SANDBOX), wanted, rule
    )
    systems = {system for system, _ in wanted}
    furthest = {system: _tier(system, wanted, facts.granted, tested, connected) for system in systems}
    return Figure(
        day=day,
        first_day=first,
        share=Share(needed=len(systems), connected=len({system for system, _ in connected})),
        fully_connected=sum(tier == "fully_connected" for tier in furthest.values()),
        connections=len(connected),
        tiers={tier: sum(reached == tier for reached in furthest.values()) for tier in TIERS},
        by_database=_by_database(wanted, connected),
        by_mode={each: _by_mode(each, modes, production, needs, wanted, rule) for each in Mode},
        changes=_changes(facts, members, first, day, unit),
    )


def subtree(bodies: Iterable[Body], day: date, unit: str | None) -> set[str]:
    """Return the organisations whose systems count for `unit` on a day: itself and those below it.

    An organisation that has ended counts for its successor from that day on; without a successor its systems
    stay with the one it was below, so that an end alone takes nobody out of the figure. One that has not
    begun counts for nobody.
    """
    known = {body.id: body for body in bodies}
    begun = [body for body in known.values() if body.begins is None or body.begins <= day]
    return {body.id for body in begun if unit is None or unit in _line(body, known, day)}


def _line(body: Body, known: Mapping[str, Body], day: date) -> set[str]:
    """Return the organisations that a body's systems count for: up from it, past those that have ended."""
    found: set[str] = set()
    seen: set[str] = set()
    at: Body | None = body
    while at is not None and at.id not in seen:
        seen.add(at.id)
        ended = at.ends is not None and at.ends <= day
        if not ended:
            found.add(at.id)
        above = (at.successor or at.parent) if ended else at.parent
        at = known.get(above) if above else None
    return found


def _members(facts: Facts, day: date, unit: str | None) -> set[str]:
    inside = subtree(facts.bodies, day, unit)
    return {
        system.id
        for system in facts.systems
        if system.organisation in inside and (system.retired is None or system.retired > day)
    }


def _holds(need: Needed, day: date) -> bool:
    return (need.declared is None or need.declared <= day) and (
        need.withdrawn is None or need.withdrawn > day
    )


def _connections(successes: Iterable[Success], wanted: Collection[Pair], rule: Rule) -> set[Pair]:
    """Return the wanted pairs with enough successes, in either direction."""
    counts: dict[Pair, int] = {}
    for each in successes:
        for system in {each.consumer, each.provider}:
            pair = (system, each.national_database)
            if pair in wanted:
                counts[pair] = counts.get(pair, 0) + each.count
    return {pair for pair, count in counts.items() if count >= rule.min_successes}


def _tier(
    system: str,
    wanted: Collection[Pair],
    granted: Collection[Pair],
    tested: Collection[Pair],
    connected: Collection[Pair],
) -> Tier:
    pairs = [pair for pair in wanted if pair[0] == system]
    if all(pair in connected for pair in pairs):
        return "fully_connected"
    if any(pair in connected for pair in pairs):
        return "connected"
    if any(pair in tested for pair in pairs):
        return "tested"
    return "granted" if any(pair in granted for pair in pairs) else "registered"


def _by_database(wanted: Collection[Pair], connected: Collection[Pair]) -> dict[str, Share]:
    return {
        database: Share(
            needed=sum(pair[1] == database for pair in wanted),
            connected=sum(pair[1] == database for pair in connected),
        )
        for database in sorted({database for _, database in wanted})
    }


def _by_mode(
    mode: str,
    counted: Collection[str],
    production: Iterable[Success],
    needs: Iterable[Needed],
    wanted: Collection[Pair],
    rule: Rule,
) -> ByMode:
    # What comes in as direct would be evidence of something else: it is not shown as connections.
    seen = [each for each in production if each.mode == mode and mode != Mode.DIRECT]
    pairs = _connections(seen, wanted, rule)
    return ByMode(
        counted=mode in counted,
        systems=len({system for system, _ in pairs}),
        connections=len(pairs),
        declared=len({(need.system, need.database) for need in needs if need.mode == mode}),
    )


def _changes(
    facts: Facts, members: Collection[str], first: date, day: date, unit: str | None
) -> tuple[Changed, ...]:
    """Return what changed the denominator inside the window, the latest first.

    Looked at with the unit's organisations of both ends of the window, so that who has left is listed too.
    """
    bodies = subtree(facts.bodies, first, unit) | subtree(facts.bodies, day, unit)
    systems = {system.id for system in facts.systems if system.organisation in bodies} | set(members)
    found = [
        change
        for change in facts.changes
        if first <= change.day <= day
        and (unit is None or change.systems & systems or change.organisations & bodies)
    ]
    return tuple(sorted(found, key=lambda change: change.day, reverse=True))


# --- the rule in words ----------------------------------------------------------------------------------


def describe(rule: Rule, language: Language) -> str:
    """Return the rule in a language, as it is printed beside every figure."""
    return _WORDS[language].format(
        days=rule.window_days, least=rule.min_successes, modes=", ".join(rule.counted_modes())
    )


_WORDS: Mapping[Language, str] = {
    "vi": (
        "Mẫu số: số hệ thống thông tin của đơn vị (gồm các cơ quan trực thuộc trong ngày tính) có ít nhất một nhu "
        "cầu kết nối cơ sở dữ liệu quốc gia đã khai báo và chưa rút. Tử số: số hệ thống trong đó có ít nhất "
        "{least} giao dịch thành công trong môi trường thật (production), theo chiều gọi hoặc chiều được gọi, với "
        "một cơ sở dữ liệu quốc gia mà hệ thống có nhu cầu, trong {days} ngày (giờ Việt Nam, gồm cả ngày tính), qua "
        "hình thức kết nối {modes}, bằng thao tác được đánh dấu là tính vào chỉ số. Kết nối trực tiếp (direct) chỉ "
        "được nêu theo khai báo và không cộng vào. Tỷ lệ được làm tròn xuống một chữ số thập phân; chỉ khi hai lần "
        "tử số lớn hơn mẫu số mới là trên 50 %; không có hệ thống nào có nhu cầu thì không có tỷ lệ."
    ),
    "en": (
        "Denominator: information systems of the unit (with the organisations below it on the day) that have at least "
        "one declared need of a national database, not withdrawn. Numerator: those of them with at least {least} "
        "successful exchange(s) in production, calling or called, with a national database that they need, within "
        "{days} days (Vietnamese time, the day itself included), by mode {modes}, through operations marked as "
        "counting. Direct connections are shown as declared and never added. The share is rounded down to one decimal; it is "
        "over 50 % only if twice the numerator exceeds the denominator; without a system in need there is no share."
    ),
}


def rule_document(rule: Rule) -> dict[str, Any]:  # Any: JSON
    """Return the rule as it stands in a figure's JSON: in words, and in numbers to compute it again."""
    return {
        "vi": describe(rule, "vi"),
        "en": describe(rule, "en"),
        "environment": Environment.PRODUCTION.value,
        "window_days": rule.window_days,
        "min_successes": rule.min_successes,
        "modes": [str(mode) for mode in rule.counted_modes()],
    }
