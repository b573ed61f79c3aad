"""What counts as connected: the rule of the figure, against a second formula that is written differently."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.monitoring.rule import (
    TIERS,
    Body,
    Changed,
    Facts,
    Figure,
    Needed,
    Rule,
    Share,
    System,
    compute,
    describe,
    rule_document,
    subtree,
)
from registry.entities import Mode
from registry.usage import Success

DAY = date(2026, 9, 30)
RULE = Rule()


def days_ago(days: int) -> date:
    return DAY - timedelta(days=days)


def a_success(**given: Any) -> Success:
    values: dict[str, Any] = {
        "day": DAY,
        "environment": "production",
        "consumer": "s1",
        "provider": "p",
        "national_database": "d1",
        "mode": "lgsp",
        "count": 1,
    }
    return Success(**(values | given))


def a_need(system: str = "s1", database: str = "d1", mode: str = "lgsp", **given: Any) -> Needed:
    return Needed(system=system, database=database, mode=mode, **given)


def the_facts(**given: Any) -> Facts:
    values: dict[str, Any] = {
        "bodies": [Body(id="o")],
        "systems": [System(id="s1", organisation="o"), System(id="s2", organisation="o")],
        "needs": [a_need(), a_need("s2")],
        "successes": [],
    }
    return Facts(**(values | given))


def connected(*successes: Success, rule: Rule = RULE, **given: Any) -> int:
    return compute(the_facts(successes=successes), rule, DAY, **given).share.connected


# --- one success ----------------------------------------------------------------------------------------


def test_one_success_connects_one_system() -> None:
    figure = compute(the_facts(successes=[a_success()]), RULE, DAY)

    assert figure.share == Share(needed=2, connected=1)
    assert figure.share.percent == 50.0
    assert figure.share.over_half is False


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        pytest.param({}, 1, id="as it should be"),
        pytest.param({"environment": "sandbox"}, 0, id="only a sandbox"),
        pytest.param({"mode": "direct"}, 0, id="direct"),
        pytest.param({"mode": ""}, 0, id="no mode"),
        pytest.param({"national_database": "d2"}, 0, id="a database that it does not need"),
        pytest.param({"consumer": "s9"}, 0, id="somebody else"),
        pytest.param({"consumer": "s9", "provider": "s1"}, 1, id="in the other direction"),
        pytest.param({"consumer": "s1", "provider": "s1"}, 1, id="with itself counts once"),
        pytest.param({"day": days_ago(29)}, 1, id="on the window's first day"),
        pytest.param({"day": days_ago(30)}, 0, id="before the window"),
        pytest.param({"day": DAY + timedelta(days=1)}, 0, id="after the day"),
    ],
)
def test_a_success_counts_only_under_the_rule(given: dict[str, Any], counts: int) -> None:
    assert connected(a_success(**given)) == counts


def test_direct_never_counts_even_when_a_setting_names_it() -> None:
    assert connected(a_success(mode="direct"), rule=Rule(modes=tuple(Mode))) == 0
    assert "direct" not in rule_document(Rule(modes=tuple(Mode)))["modes"]


def test_successes_add_up_over_days_modes_and_directions() -> None:
    rule = Rule(min_successes=3)
    parts = [a_success(), a_success(day=days_ago(3), mode="ngsp"), a_success(consumer="x", provider="s1")]

    assert connected(*parts, rule=rule) == 1
    assert connected(*parts[:2], rule=rule) == 0


def test_a_mode_asks_what_is_connected_by_that_mode() -> None:
    assert connected(a_success(mode="ngsp"), mode="ngsp") == 1
    assert connected(a_success(mode="ngsp"), mode="lgsp") == 0


def test_a_database_narrows_both_sides_of_the_share() -> None:
    facts = the_facts(needs=[a_need(), a_need("s1", "d2"), a_need("s2", "d2")], successes=[a_success()])

    assert compute(facts, RULE, DAY, database="d1").share == Share(needed=1, connected=1)
    assert compute(facts, RULE, DAY, database="d2").share == Share(needed=2, connected=0)


# --- shares ---------------------------------------------------------------------------------------------


def test_no_system_in_need_gives_no_share() -> None:
    figure = compute(the_facts(needs=[]), RULE, DAY)

    assert (figure.share.percent, figure.share.over_half) == (None, None)


@given(st.integers(1, 10_000), st.data())
def test_a_share_is_rounded_down_and_half_is_not_over_half(needed: int, data: st.DataObject) -> None:
    share = Share(needed=needed, connected=data.draw(st.integers(0, needed)))

    exact = Fraction(share.connected * 100, needed)
    assert share.percent is not None
    printed = Fraction(str(share.percent))
    assert printed <= exact < printed + Fraction(1, 10)
    assert share.over_half == (exact > 50)


def test_a_share_that_is_nearly_one_is_not_printed_as_one() -> None:
    assert Share(needed=100_000, connected=99_999).percent == 99.9


# --- who is in the denominator --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("need", "needed"),
    [
        pytest.param(a_need(declared=DAY), 1, id="declared that day"),
        pytest.param(a_need(declared=DAY + timedelta(days=1)), 0, id="declared later"),
        pytest.param(a_need(withdrawn=DAY + timedelta(days=1)), 1, id="withdrawn later"),
        pytest.param(a_need(withdrawn=DAY), 0, id="withdrawn that day"),
        pytest.param(a_need(mode="direct"), 1, id="a direct connection is a need too"),
    ],
)
def test_a_need_stands_from_its_day_to_its_withdrawal(need: Needed, needed: int) -> None:
    assert compute(the_facts(needs=[need]), RULE, DAY).share.needed == needed


def test_a_retired_system_is_out_from_its_day_on() -> None:
    facts = the_facts(systems=[System(id="s1", organisation="o", retired=DAY)], needs=[a_need()])

    assert compute(facts, RULE, DAY).share.needed == 0
    assert compute(facts, RULE, days_ago(1)).share.needed == 1


TREE = [
    Body(id="province"),
    Body(id="health", parent="province"),
    Body(id="clinic", parent="health", ends=date(2026, 7, 1), successor="hospital"),
    Body(id="hospital", parent="health", begins=date(2026, 7, 1)),
    Body(id="closed", parent="health", ends=date(2026, 7, 1)),
    Body(id="other"),
    Body(id="moved", parent="other", ends=date(2026, 8, 1), successor="province"),
]


@pytest.mark.parametrize(
    ("unit", "day", "inside"),
    [
        ("province", date(2026, 6, 30), {"province", "health", "clinic", "closed"}),
        ("province", date(2026, 7, 1), {"province", "health", "clinic", "hospital", "closed"}),
        ("province", date(2026, 8, 1), {"province", "health", "clinic", "hospital", "closed", "moved"}),
        ("hospital", date(2026, 7, 1), {"hospital", "clinic"}),
        ("clinic", date(2026, 6, 30), {"clinic"}),
        ("clinic", date(2026, 7, 1), set()),
        ("other", date(2026, 7, 31), {"other", "moved"}),
        ("other", date(2026, 8, 1), {"other"}),
        ("nobody", date(2026, 8, 1), set()),
    ],
)
def test_a_unit_is_its_subtree_on_the_day(unit: str, day: date, inside: set[str]) -> None:
    assert subtree(TREE, day, unit) == inside


def test_organisations_in_a_circle_do_not_hang_the_figure() -> None:
    circle = [Body(id="a", parent="b"), Body(id="b", parent="a")]

    assert subtree(circle, DAY, "a") == {"a", "b"}


def test_the_systems_of_a_merged_organisation_count_for_its_successor() -> None:
    facts = the_facts(bodies=TREE, systems=[System(id="s1", organisation="clinic")], needs=[a_need()])

    assert compute(facts, RULE, date(2026, 6, 30), unit="clinic").share.needed == 1
    assert compute(facts, RULE, date(2026, 7, 1), unit="clinic").share.percent is None
    assert compute(facts, RULE, date(2026, 7, 1), unit="hospital").share.needed == 1


def test_what_changed_the_denominator_inside_the_window_is_listed() -> None:
    withdrawn = Changed(
        day=days_ago(3),
        action="need.withdraw",
        label="H99:mot-cua/CSDL",
        author="Cán bộ (ví dụ)",
        reason="hệ thống ngừng",
        systems=frozenset({"s1"}),
    )
    changes = [
        withdrawn,
        replace(withdrawn, day=days_ago(30)),
        replace(withdrawn, systems=frozenset({"s9"})),
        replace(withdrawn, day=days_ago(1), systems=frozenset(), organisations=frozenset({"o"})),
    ]
    facts = the_facts(changes=changes, needs=[a_need(withdrawn=days_ago(3)), a_need("s2")])

    figure = compute(facts, RULE, DAY, unit="o")

    assert figure.share.needed == 1
    assert figure.changes == (changes[3], changes[0])


# --- tiers and modes ------------------------------------------------------------------------------------


def test_each_system_stands_in_the_furthest_tier_it_has_reached() -> None:
    systems = ["registered", "granted", "tested", "connected", "fully"]
    both = ("connected", "fully")
    facts = the_facts(
        systems=[System(id=system, organisation="o") for system in systems],
        needs=[a_need(system) for system in systems] + [a_need(system, "d2") for system in both],
        granted={("granted", "d1"), ("tested", "d1"), ("fully", "d2")},
        successes=[
            a_success(consumer="tested", environment="sandbox"),
            a_success(consumer="connected"),
            a_success(consumer="fully"),
            a_success(consumer="fully", national_database="d2", mode="ngsp"),
        ],
    )

    figure = compute(facts, RULE, DAY)

    assert figure.tiers == dict.fromkeys(TIERS, 1)
    assert (figure.share.connected, figure.fully_connected, figure.connections) == (2, 1, 3)


def test_direct_connections_are_shown_as_declared_and_never_added() -> None:
    facts = the_facts(
        needs=[a_need(mode="direct"), a_need("s2", mode="ngsp")],
        successes=[a_success(mode="direct"), a_success(consumer="s2", mode="lgsp")],
    )

    figure = compute(facts, RULE, DAY)

    assert figure.share.connected == 1
    direct = figure.by_mode[Mode.DIRECT]
    assert (direct.counted, direct.systems, direct.connections, direct.declared) == (False, 0, 0, 1)
    assert (figure.by_mode[Mode.LGSP].connections, figure.by_mode[Mode.LGSP].declared) == (1, 0)
    assert (figure.by_mode[Mode.NGSP].connections, figure.by_mode[Mode.NGSP].declared) == (0, 1)


def test_a_mode_that_is_not_allowed_is_shown_and_not_counted() -> None:
    facts = the_facts(successes=[a_success(mode="ngsp")])

    figure = compute(facts, Rule(modes=("lgsp",)), DAY)

    assert figure.share.connected == 0
    assert (figure.by_mode[Mode.NGSP].counted, figure.by_mode[Mode.NGSP].connections) == (False, 1)


def test_the_rule_is_said_in_both_languages_with_its_numbers() -> None:
    rule = Rule(window_days=45, min_successes=7, modes=("ngsp",))

    for language in ("vi", "en"):
        text = describe(rule, language)
        assert "45" in text
        assert "7" in text
        assert "ngsp" in text


# --- against a second formula ---------------------------------------------------------------------------

SYSTEMS = ["s0", "s1", "s2", "s3"]
DATABASES = ["d0", "d1", "d2"]
BODIES = ["o0", "o1", "o2", "o3"]
some_days = st.integers(-40, 3).map(lambda n: DAY + timedelta(days=n))
maybe_day = st.none() | some_days

facts_of_all_kinds = st.builds(
    Facts,
    bodies=st.tuples(
        *(
            st.builds(
                Body,
                id=st.just(body),
                parent=st.none() | st.sampled_from(BODIES[:i]) if i else st.none(),
                begins=maybe_day,
                ends=maybe_day,
                successor=st.none() | st.sampled_from(BODIES),
            )
            for i, body in enumerate(BODIES)
        )
    ),
    systems=st.tuples(
        *(
            st.builds(System, id=st.just(system), organisation=st.sampled_from(BODIES), retired=maybe_day)
            for system in SYSTEMS
        )
    ),
    needs=st.lists(
        st.builds(
            Needed,
            system=st.sampled_from(SYSTEMS),
            database=st.sampled_from(DATABASES),
            mode=st.sampled_from(list(Mode)),
            declared=maybe_day,
            withdrawn=maybe_day,
        ),
        max_size=10,
    ),
    successes=st.lists(
        st.builds(
            Success,
            day=some_days,
            environment=st.sampled_from(["production", "production", "sandbox"]),
            consumer=st.sampled_from([*SYSTEMS, "x"]),
            provider=st.sampled_from([*SYSTEMS, "y"]),
            national_database=st.sampled_from(DATABASES),
            mode=st.sampled_from(list(Mode)),
            count=st.integers(1, 3),
        ),
        max_size=15,
    ),
    granted=st.sets(st.tuples(st.sampled_from(SYSTEMS), st.sampled_from(DATABASES)), max_size=4),
)
rules = st.builds(
    Rule,
    window_days=st.integers(1, 40),
    min_successes=st.integers(1, 4),
    modes=st.sets(st.sampled_from([m.value for m in Mode])).map(tuple),
)


def counts_for(facts: Facts, organisation: str, unit: str, day: date) -> bool:
    """Walk up from an organisation, by recursion over what is left to visit."""
    bodies = {body.id: body for body in facts.bodies}

    def up(id_: str | None, left: frozenset[str]) -> bool:
        if id_ is None or id_ not in left:
            return False
        body = bodies[id_]
        if body.ends is not None and body.ends <= day:
            return up(body.successor or body.parent, left - {id_})
        return id_ == unit or up(body.parent, left - {id_})

    return up(organisation, frozenset(bodies))


def naive(facts: Facts, rule: Rule, day: date, unit: str) -> tuple[int, int, int]:
    """Count systems in need, connected and fully connected, one system after the other."""
    needed = connected = fully = 0
    begins = {body.id: body.begins for body in facts.bodies}
    for system in facts.systems:
        begun = begins[system.organisation] or day
        if begun > day or (system.retired or day + timedelta(days=1)) <= day:
            continue
        if not counts_for(facts, system.organisation, unit, day):
            continue
        databases = {
            need.database
            for need in facts.needs
            if need.system == system.id
            and (need.declared or day) <= day < (need.withdrawn or day + timedelta(days=1))
        }
        reached = {
            database
            for database in databases
            if rule.min_successes
            <= sum(
                s.count
                for s in facts.successes
                if s.national_database == database
                and system.id in (s.consumer, s.provider)
                and s.environment == "production"
                and s.mode in rule.modes
                and s.mode != "direct"
                and 0 <= (day - s.day).days < rule.window_days
            )
        }
        needed += bool(databases)
        connected += bool(reached)
        fully += bool(databases) and reached == databases
    return needed, connected, fully


@settings(max_examples=400)
@given(facts_of_all_kinds, rules, st.sampled_from(BODIES))
def test_the_figure_is_what_a_naive_count_says(facts: Facts, rule: Rule, unit: str) -> None:
    figure = compute(facts, rule, DAY, unit=unit)

    assert (figure.share.needed, figure.share.connected, figure.fully_connected) == naive(
        facts, rule, DAY, unit
    )
    check_sums(figure)


def check_sums(figure: Figure) -> None:
    assert sum(figure.tiers.values()) == figure.share.needed
    assert figure.tiers["connected"] + figure.tiers["fully_connected"] == figure.share.connected
    assert sum(share.connected for share in figure.by_database.values()) == figure.connections
    assert all(mode.systems <= mode.connections for mode in figure.by_mode.values())
