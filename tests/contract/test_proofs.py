"""Exports prove themselves without the database that they come from, and whatever is touched in them is found."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest

from registry.sql.database import Location
from registry.sql.proofs import Asked
from registry.verification import compare, verify
from tests.exports import REPLY, REQUEST, ProvenLedger, an_export, check, fill, proven_ledger, seen
from tests.records import CONSUMERS


@pytest.fixture
async def ledger(database_location: Location, tmp_path: Path) -> AsyncIterator[ProvenLedger]:
    async with proven_ledger(database_location, tmp_path) as opened:
        yield opened


async def test_an_export_of_all_proves_every_final_record(ledger: ProvenLedger) -> None:
    written = await fill(ledger)

    report = check(await ledger.export())

    assert [flaw.what for flaw in report.flaws] == []
    assert {held.record.exchange for held in report.records} == {record.exchange for record in written}
    assert all(held.holds for held in report.records)
    assert len(report.keys) == 2


async def test_an_export_of_a_consumer_holds_its_records_only(ledger: ProvenLedger) -> None:
    written = await fill(ledger)
    ours = [record for record in written if record.consumer == CONSUMERS[1]]

    report = check(await ledger.export(consumer=CONSUMERS[1], since=ours[0].at, until=ours[-1].at + 1))

    assert report.flaws == []
    assert {held.record.exchange for held in report.records} == {record.exchange for record in ours}


async def test_an_export_of_an_exchange_holds_all_its_records(ledger: ProvenLedger) -> None:
    written = await fill(ledger)

    report = check(await ledger.export(exchanges=(written[8].exchange,)))

    assert report.flaws == []
    assert [held.record.kind for held in report.records] == ["open", "final"]


async def test_with_its_salt_a_record_commits_to_its_bodies(ledger: ProvenLedger) -> None:
    await ledger.write(record := seen())

    (held,) = check(await ledger.export(exchanges=(record.exchange,), with_salts=True)).records
    (bare,) = check(await ledger.export(exchanges=(record.exchange,))).records

    assert held.commits_to(REQUEST, reply=False)
    assert held.commits_to(REPLY, reply=True)
    assert held.commits_to(b"another", reply=True) is False
    assert bare.commits_to(REQUEST, reply=False) is None


async def test_an_export_of_nothing_is_whole(ledger: ProvenLedger) -> None:
    await fill(ledger)

    report = check(await ledger.export(consumer="nobody"))

    assert (report.flaws, report.records) == ([], [])


async def test_one_fingerprint_is_all_that_a_verifier_needs(ledger: ProvenLedger) -> None:
    await fill(ledger)
    export = await ledger.export()
    first, second = [each.statement.id for each in await ledger.proofs.keys.introductions()]

    assert check(export, key=first).holds
    assert check(export, key=second).holds
    assert not check(export, key=bytes(32)).holds
    assert check(export).fingerprint == first.hex()


async def test_an_export_proves_itself_while_the_ledger_goes_on(ledger: ProvenLedger) -> None:
    await fill(ledger)
    lines = ledger.proofs.export(Asked(), with_salts=False)
    export = [await anext(lines)]

    await ledger.write(seen())
    export += [line async for line in lines]

    assert check(b"".join(export)).flaws == []


# --- two exports ----------------------------------------------------------------------------------------


async def test_a_later_export_agrees_with_an_earlier_one(ledger: ProvenLedger) -> None:
    await fill(ledger)
    earlier = check(await ledger.export())
    await ledger.write(seen())
    assert earlier.latest is not None

    later = check(await ledger.export(exchanges=(), since=2**60, follow=earlier.latest.number))

    compared = compare(earlier, later)
    assert (compared.contradictions, compared.is_linked) == ((), True)
    assert later.flaws == []


async def test_exports_that_have_nothing_in_common_say_so(ledger: ProvenLedger) -> None:
    await ledger.write(first := seen())
    earlier = check(await ledger.export(exchanges=(first.exchange,)))
    await ledger.write(second := seen())

    later = check(await ledger.export(exchanges=(second.exchange,)))

    compared = compare(earlier, later)
    assert (compared.contradictions, compared.is_linked) == ((), False)


# --- whatever is touched is named -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def export(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two parties' records: some batches whole, some in part, some without records."""
    return an_export(sqlite_template, tmp_path_factory.mktemp("export"), consumer=CONSUMERS[1])


@pytest.fixture
def lines(export: bytes) -> list[bytes]:
    return export.splitlines(keepends=True)


Edit = Callable[[list[bytes]], list[bytes]]


def of(lines: list[bytes], kind: str) -> list[int]:
    """Return where the lines of a kind are."""
    return [i for i, line in enumerate(lines) if orjson.loads(line)["kind"] == kind]


def dropped(kind: str, which: int = 0) -> Edit:
    return lambda lines: [line for i, line in enumerate(lines) if i != of(lines, kind)[which]]


def doubled(kind: str) -> Edit:
    return lambda lines: [
        *lines[: of(lines, kind)[0]],
        lines[of(lines, kind)[0]],
        *lines[of(lines, kind)[0] :],
    ]


def swapped(kind: str) -> Edit:
    def edit(lines: list[bytes]) -> list[bytes]:
        one, other = of(lines, kind)[:2]
        lines[one], lines[other] = lines[other], lines[one]
        return lines

    return edit


def changed(kind: str, old: bytes, new: bytes, which: int = 0) -> Edit:
    def edit(lines: list[bytes]) -> list[bytes]:
        at = of(lines, kind)[which]
        assert old in lines[at]
        lines[at] = lines[at].replace(old, new, 1)
        return lines

    return edit


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        pytest.param(changed("record", b'status\\":200', b'status\\":201'), "record 0 of batch .*changed", id="record"),
        pytest.param(changed("record", b'H26', b'H27'), "another node", id="a record of another node"),
        pytest.param(changed("record", b'"position":', b'"position":1'), "does not stand here", id="position"),
        pytest.param(dropped("record"), "record .* is missing", id="record dropped"),
        pytest.param(doubled("record"), "does not stand here", id="record inserted"),
        pytest.param(swapped("record"), "does not stand here", id="records swapped"),
        pytest.param(changed("batch", b'epoch\\":1', b'epoch\\":2'), "signature is wrong", id="header"),
        pytest.param(changed("batch", b'"records":[', b'"records":[0,', 1), "record|position", id="positions"),
        pytest.param(dropped("batch", 2), "record|checkpoint", id="batch dropped"),
        pytest.param(doubled("batch"), "another order", id="batch inserted"),
        pytest.param(swapped("batch"), "another order|record", id="batches swapped"),
        pytest.param(dropped("checkpoint"), "no checkpoint covers", id="checkpoint dropped"),
        pytest.param(dropped("checkpoint", -1), "no checkpoint covers", id="last checkpoint dropped"),
        pytest.param(swapped("checkpoint"), "does not follow", id="checkpoints swapped"),
        pytest.param(changed("checkpoint", b'slot\\":0', b'slot\\":5'), "signature is wrong", id="checkpoint"),
        pytest.param(dropped("key"), "number does not follow", id="key dropped"),
        pytest.param(dropped("key", 1), "not in the list", id="last key dropped"),
        pytest.param(swapped("key"), "number does not follow", id="keys swapped"),
        pytest.param(changed("key", b'from\\":1', b'from\\":2'), "has not signed its own", id="key"),
        pytest.param(dropped("export"), "first line", id="beginning dropped"),
        pytest.param(changed("export", b'consumer-1', b'consumer-2'), "was not asked for", id="question"),
        pytest.param(dropped("end"), "end is missing", id="end dropped"),
        pytest.param(doubled("end"), "behind the end", id="end doubled"),
        pytest.param(lambda lines: [*lines[:-1], lines[-1][:-1]], "cut off within", id="cut off in the end"),
        pytest.param(lambda lines: lines[: len(lines) // 2], "end is missing", id="cut in half"),
        pytest.param(lambda lines: [lines[-1], *lines[:-1]], "first line|order", id="rotated"),
        pytest.param(lambda lines: [*lines, b"\n"], "behind the end", id="a line too many"),
    ],
)  # fmt: skip
def test_what_was_touched_is_named(lines: list[bytes], edit: Edit, named: str) -> None:
    assert check(b"".join(lines)).holds

    report = check(b"".join(edit(lines)))

    told = [flaw.what for flaw in report.flaws]
    assert any(re.search(named, what) for what in told), told


def test_a_record_dated_in_the_future_is_refused(lines: list[bytes]) -> None:
    report = verify(lines, now=0)

    assert any("dated in the future" in flaw.what for flaw in report.flaws)


def test_nothing_is_no_export() -> None:
    assert not check(b"").holds
