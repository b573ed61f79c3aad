"""The figure of a small invented province, from a real registry and real evidence, on both databases."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.monitoring.connectivity import Rule, figure, gauges, series
from registry.entities import Kind
from registry.errors import NotFound
from registry.evidence import Outcome
from registry.labels import today
from registry.register import Register
from registry.sql.database import Location, open_engine
from registry.sql.ledger import UsageReader, open_ledger
from registry.sql.registry import SQLRegistry
from registry.stores import Stored
from registry.usage import start_of
from registry.writer import LedgerWriter, now_us
from tests.factories import ADMIN, a_need, a_register, a_small_province, a_system, an_organisation
from tests.records import a_record

RULE = Rule(nation="demo")
TODAY = today()


@dataclass
class Province:
    """A registry with one need, its ledger, and its usage."""

    registry: SQLRegistry
    register: Register
    ledger: LedgerWriter
    usage: UsageReader
    made: dict[str, Stored]

    async def call(self, **given: Any) -> None:
        """Record one exchange of the province's one-stop shop with the national database."""
        values: dict[str, Any] = {
            "at": now_us(),
            "consumer": self.made["consumer"].id,
            "provider": self.made["provider"].id,
            "national_database": self.made["database"].id,
        }
        await self.ledger.append(a_record(**(values | given)))

    async def figure(self, **given: Any) -> dict[str, Any]:
        return await figure(self.registry, self.usage, RULE, **given)


@pytest.fixture
async def province(
    registry: SQLRegistry, database_location: Location, tmp_path: Path
) -> AsyncIterator[Province]:
    register = a_register(registry)
    made = await a_small_province(register)
    engine = open_engine(database_location.ledger)
    async with open_ledger(database_location.ledger, node="H99", data_dir=tmp_path) as ledger:
        yield Province(registry, register, ledger, UsageReader(engine), made)
    await engine.dispose()


async def test_before_the_first_call_nobody_is_connected(province: Province) -> None:
    found = await province.figure(unit="H99")

    assert (found["needed"], found["connected"], found["share_percent"], found["over_half"]) == (
        1,
        0,
        0.0,
        False,
    )
    assert found["tiers"]["granted"] == 1
    assert found["revision"] == await province.registry.revision()
    assert (found["nation"], found["unit"], found["window_days"]) == ("demo", "H99", 30)
    assert found["rule"]["vi"] != found["rule"]["en"]


async def test_one_success_connects(province: Province) -> None:
    await province.call()

    found = await province.figure(unit="H99")

    assert (found["connected"], found["share_percent"], found["over_half"]) == (1, 100.0, True)
    assert found["tiers"]["fully_connected"] == 1
    assert [(d["database"], d["connected"]) for d in found["by_database"]] == [("CSDLDN", 1)]
    assert {m["mode"]: m["connections"] for m in found["by_mode"]} == {
        "lgsp-ngsp": 0,
        "ngsp": 0,
        "lgsp": 1,
        "direct": 0,
    }


@pytest.mark.parametrize(
    "given",
    [
        {"outcome": Outcome.BUSINESS_FAILURE},
        {"counts": False},
        {"mode": "direct"},
        {"national_database": ""},
        {"at": int(start_of(TODAY - timedelta(days=29)).timestamp()) * 1_000_000 - 1},
    ],
    ids=lambda given: next(iter(given)),
)
async def test_other_exchanges_do_not_connect(province: Province, given: dict[str, Any]) -> None:
    await province.call(**given)

    assert (await province.figure())["connected"] == 0


async def test_a_success_in_the_sandbox_is_a_tier_before(province: Province) -> None:
    await province.call(environment="sandbox")

    found = await province.figure(unit=province.made["province"].id)

    assert (found["connected"], found["tiers"]["tested"]) == (0, 1)


async def test_the_unit_is_its_subtree_and_another_unit_has_no_share(province: Province) -> None:
    add = province.register.add
    await add(Kind.ORGANISATION, an_organisation("H99.12", parent="H99"), ADMIN)
    await add(Kind.SYSTEM, a_system("H99.12:so"), ADMIN)
    await add(Kind.NEED, a_need("H99.12:so"), ADMIN)
    await province.call()

    assert (await province.figure(unit="H99"))["share_percent"] == 50.0
    assert (await province.figure(unit="H99.12"))["connected"] == 0
    assert (await province.figure(unit="G99"))["share_percent"] is None
    with pytest.raises(NotFound):
        await province.figure(unit="H77")


async def test_a_need_that_is_withdrawn_is_listed_beside_the_figure(province: Province) -> None:
    await province.register.step(
        Kind.NEED,
        province.made["need"].id,
        "withdraw",
        {"reason": "Hệ thống ngừng (ví dụ)"},
        expected_version=1,
        author=ADMIN,
    )

    found = await province.figure(unit="H99")

    assert (found["needed"], found["share_percent"]) == (0, None)
    assert [(c["action"], c["reason"]) for c in found["changes"]] == [
        ("need.withdraw", "Hệ thống ngừng (ví dụ)"),
        ("need.add", ""),
    ]
    assert found["changes_total"] == 2


async def test_a_series_has_a_figure_for_each_day(province: Province) -> None:
    await province.call()

    days = await series(
        province.registry, province.usage, RULE, first=TODAY - timedelta(days=2), last=TODAY, unit="H99"
    )

    assert [date.fromisoformat(each["on"]) for each in days] == [
        TODAY - timedelta(days=2),
        TODAY - timedelta(days=1),
        TODAY,
    ]
    assert [each["connected"] for each in days] == [0, 0, 1]
    assert [each["share_percent"] for each in days] == [None, None, 100.0], "the need was declared today"


async def test_gauges_tell_databases_and_modes_apart(province: Province) -> None:
    await province.call()

    assert await gauges(province.registry, province.usage, RULE) == [
        ("CSDLDN", "lgsp-ngsp", 1, 0),
        ("CSDLDN", "ngsp", 1, 0),
        ("CSDLDN", "lgsp", 1, 1),
    ]


async def test_a_retired_system_is_out_of_the_figure_and_listed(province: Province) -> None:
    consumer = await province.registry.get(Kind.SYSTEM, "H99:mot-cua")
    await province.register.replace(
        Kind.SYSTEM,
        consumer.id,
        consumer.document | {"status": "retired"},
        expected_version=consumer.version,
        author=ADMIN,
    )

    found = await province.figure(unit="H99")

    assert found["needed"] == 0
    assert found["changes"][0]["action"].startswith("system.")


def test_today_is_a_day_of_vietnam() -> None:
    assert start_of(TODAY) <= datetime.now(start_of(TODAY).tzinfo) < start_of(TODAY + timedelta(days=1))
