"""The page on the format is enough to write a verifier, and both verifiers refuse every single change."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.canonical import render
from registry.ledger import encode
from registry.months import bounds, month_of
from registry.signing import KeyList, SealingKey
from registry.sql.database import location
from registry.sql.ledger_keys import now_us
from registry.sql.proofs import Proofs
from registry.verification import Report, compare, verify
from tests.contract.independent_verifier import RECORD, Bad, Verifier, contradictions
from tests.exports import (
    NODE,
    NODE_KEY,
    an_export_and_key,
    check,
    fill,
    proven_ledger,
    record_at,
    resealed,
    seen,
    signed_anew,
)
from tests.records import CONSUMERS, a_record

FILE = Path(__file__).with_name("independent_verifier.py")
NOW = now_us()
AFTER = bounds(month_of(NOW))[1]


@pytest.fixture(scope="module")
def made(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, SealingKey]:
    folder = tmp_path_factory.mktemp("export")
    return an_export_and_key(sqlite_template, folder, consumer=CONSUMERS[1], with_salts=True)


@pytest.fixture(scope="module")
def export(made: tuple[bytes, SealingKey]) -> bytes:
    return made[0]


def is_good(data: bytes, now: int | None = None) -> bool:
    """Ask both verifiers, who have to agree."""
    now = now_us() if now is None else now
    try:
        Verifier(now).run(data)
    except Bad:
        independent = False
    else:
        independent = True
    assert verify(data.splitlines(keepends=True), now=now).holds == independent
    return independent


def test_the_independent_verifier_imports_nothing_of_the_project() -> None:
    tree = ast.parse(FILE.read_text("utf-8"))
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {str(node.module).partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imported.isdisjoint({"registry", "gateway", "auth", "connectors", "tests", "orjson"})


async def test_it_finds_every_kind_of_export_good(sqlite_template: Path, tmp_path: Path) -> None:
    for file in sqlite_template.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    async with proven_ledger(location(None, tmp_path), tmp_path) as ledger:
        written = await fill(ledger)
        await ledger.write(seen(correlation='"\\\x1f\n\té\u2028\x7f', officer="Nguyễn Văn Ví Dụ"))

        exports = [
            await ledger.export(),
            await ledger.export(with_salts=True, provider=written[0].provider),
            await ledger.export(exchanges=(written[8].exchange, written[2].exchange)),
            await ledger.export(since=written[3].at, until=written[9].at, follow=1),
            await ledger.export(consumer="nobody"),
        ]
        await ledger.write(record_at(seen(), AFTER + 1))
        ledger.proofs = Proofs(ledger.engine, NODE_KEY, node=NODE, now=lambda: AFTER + 2)
        month = await ledger.export(month=month_of(NOW), with_salts=True)

    assert all(is_good(export) for export in exports)
    assert is_good(month, AFTER + 3)
    assert not is_good(exports[0], 0)
    lines = month.splitlines(keepends=True)
    for at in range(len(lines)):
        assert not is_good(b"".join(lines[:at] + lines[at + 1 :]), AFTER + 3)


def test_it_finds_records_and_commitments(export: bytes) -> None:
    records = Verifier(now_us()).run(export, check(export).fingerprint)

    assert {record["consumer"] for record in records} == {CONSUMERS[1]}
    assert all(record["salt"] for record in records)


def test_a_record_has_exactly_the_members_that_the_page_lists() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/evidence-format.md").read_text("utf-8")
    members = orjson.loads(encode(a_record())).keys()
    assert members == RECORD.keys() | {"v", "scope"}
    assert all(f"`{name}`" in page for name in members)


# --- any single change is refused ------------------------------------------------------------------------

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(data=st.data())
def test_no_byte_can_be_changed(export: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(export) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != export[at]))

    assert not is_good(export[:at] + bytes([byte]) + export[at + 1 :])


@many
@given(data=st.data())
def test_nothing_can_be_cut_out_or_put_in(export: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(export)))
    end = data.draw(st.integers(start, min(len(export), start + 2000)))
    inserted = data.draw(st.binary(max_size=5))
    if export[start:end] == inserted:
        return

    assert not is_good(export[:start] + inserted + export[end:])


@many
@given(data=st.data())
def test_no_two_lines_can_be_swapped_and_none_doubled(export: bytes, data: st.DataObject) -> None:
    lines = export.splitlines(keepends=True)
    one = data.draw(st.integers(0, len(lines) - 1))
    other = data.draw(st.integers(0, len(lines) - 1))
    moved = list(lines)
    moved.insert(other, moved.pop(one) if data.draw(st.booleans()) else lines[one])
    if moved == lines:
        return

    assert not is_good(b"".join(moved))


@many
@given(data=st.data())
def test_no_member_of_any_line_or_document_can_be_changed(export: bytes, data: st.DataObject) -> None:
    lines = [orjson.loads(line) for line in export.splitlines()]
    line = data.draw(st.sampled_from(lines))
    target, inner = line, None
    if "body" in line and data.draw(st.booleans()):
        target = inner = orjson.loads(line["body"])
    name = data.draw(st.sampled_from(sorted(target)))
    target[name] = data.draw(other_than(target[name]))
    if inner is not None:
        line["body"] = orjson.dumps(inner, option=orjson.OPT_SORT_KEYS).decode()

    assert not is_good(b"".join(orjson.dumps(each, option=orjson.OPT_SORT_KEYS) + b"\n" for each in lines))


@many
@given(data=st.data())
def test_a_node_that_signs_anything_cannot_change_what_is_chained(
    made: tuple[bytes, SealingKey], data: st.DataObject
) -> None:
    """The end signed anew, as a node could: the rules themselves have to find it, and both verifiers alike."""
    lines = [orjson.loads(line) for line in made[0].splitlines()[:-1]]
    line = data.draw(st.sampled_from([each for each in lines if "body" in each]))
    document = orjson.loads(line["body"])
    name = data.draw(st.sampled_from(sorted(document)))
    document[name] = data.draw(other_than(document[name]))
    line["body"] = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()

    assert not is_good(signed_anew([render(each) + b"\n" for each in lines], made[1]))


@many
@given(data=st.data())
def test_the_verifiers_agree_on_whatever_a_node_could_sign(
    made: tuple[bytes, SealingKey], data: st.DataObject
) -> None:
    lines = [orjson.loads(line) for line in made[0].splitlines()[:-1]]
    assert is_good(signed_anew([render(each) + b"\n" for each in lines], made[1]))
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "move", "change"])):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, dict(lines[at]))
            case "move":
                lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case _:
                name = data.draw(st.sampled_from(sorted(lines[at])))
                lines[at] = lines[at] | {name: data.draw(other_than(lines[at][name]))}

    is_good(signed_anew([render(each) + b"\n" for each in lines], made[1]))


# --- what a node that holds all of its keys could forge ----------------------------------------------------

Lines = list[dict[str, Any]]


@dataclass
class Forgery:
    """A whole export, parsed, with the private halves of all keys, and the time at which it is looked at."""

    lines: Lines
    keys: dict[str, SealingKey]
    now: int

    def find(self, kind: str, which: int = -1, **members: object) -> dict[str, Any]:
        """Return a line of a kind, whose document has these members."""
        return [
            line
            for line in self.lines
            if line["kind"] == kind and members.items() <= orjson.loads(line["body"]).items()
        ][which]

    def change(self, line: dict[str, Any], **members: object) -> None:
        line["body"] = orjson.dumps(
            orjson.loads(line["body"]) | members, option=orjson.OPT_SORT_KEYS
        ).decode()

    def told(self, line: dict[str, Any]) -> Any:
        return orjson.loads(line["body"])

    @property
    def first_key(self) -> str:
        return next(iter(self.keys))

    @property
    def retired(self) -> int:
        """The moment from which the first key may sign no more."""
        return int(self.told(self.find("key"))["retires"])


@pytest.fixture(scope="module")
def forged(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Forgery:
    folder = tmp_path_factory.mktemp("forgery")

    async def make() -> Forgery:
        async with proven_ledger(location(None, folder), folder) as ledger:
            first = ledger.signer.key_at(0)
            await fill(ledger)
            await ledger.write(seen())
            export = await ledger.export()
            keys = {key.id.hex(): key for key in (first, ledger.signer.key_at(2**62))}
        lines = [orjson.loads(line) for line in export.splitlines()[:-1]]
        return Forgery(lines, keys, now_us() + 3_700_000_000)

    for file in sqlite_template.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return anyio.run(make)


def a_record_dated_after_its_batch(it: Forgery) -> None:
    batch = it.told(it.find("batch", slot=0))
    line = it.lines[it.lines.index(it.find("batch", slot=0)) + 1]
    it.change(line, at=batch["at"] + 1)


def a_record_of_another_node(it: Forgery) -> None:
    it.change(it.find("record"), node="H27")


def a_batch_by_a_key_that_is_retired(it: Forgery) -> None:
    it.change(it.find("batch", slot=0), at=it.retired, key=it.first_key)
    it.change(it.find("checkpoint"), at=it.retired)


def a_batch_by_the_key_before_the_one_of_its_chain(it: Forgery) -> None:
    it.change(it.find("batch", slot=0), key=it.first_key)


def a_batch_by_a_key_before_its_time(it: Forgery) -> None:
    it.change(it.find("batch", 0, slot=0), key=list(it.keys)[1])


def a_batch_of_an_epoch_before(it: Forgery) -> None:
    it.change(it.find("batch", slot=0), epoch=1)


def a_batch_sealed_before_the_one_it_follows(it: Forgery) -> None:
    before = it.told(it.find("batch", -2, slot=0))
    line = it.find("batch", slot=0)
    it.change(it.lines[it.lines.index(line) + 1], at=before["at"] - 10)
    it.change(line, at=before["at"] - 1)


def a_checkpoint_by_a_key_that_is_retired(it: Forgery) -> None:
    it.change(it.find("checkpoint"), at=it.retired, key=it.first_key)


def a_checkpoint_before_the_one_it_follows(it: Forgery) -> None:
    it.change(it.find("checkpoint"), at=it.told(it.find("checkpoint", -2))["at"] - 1)


def a_checkpoint_that_shows_less(it: Forgery) -> None:
    chains = it.told(it.find("checkpoint", 0))["chains"]
    it.change(it.find("checkpoint"), chains=chains)


def a_checkpoint_of_the_future(it: Forgery) -> None:
    it.change(it.find("checkpoint"), at=it.now + 25 * 3_600_000_000)


FORGERIES = [
    a_record_dated_after_its_batch,
    a_record_of_another_node,
    a_batch_by_a_key_that_is_retired,
    a_batch_by_the_key_before_the_one_of_its_chain,
    a_batch_by_a_key_before_its_time,
    a_batch_of_an_epoch_before,
    a_batch_sealed_before_the_one_it_follows,
    a_checkpoint_by_a_key_that_is_retired,
    a_checkpoint_before_the_one_it_follows,
    a_checkpoint_that_shows_less,
    a_checkpoint_of_the_future,
]


def test_what_is_resealed_unchanged_is_good(forged: Forgery) -> None:
    assert is_good(resealed(forged.lines, forged.keys), forged.now)


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_node_with_all_its_keys_cannot_forge(forged: Forgery, forge: Callable[[Forgery], None]) -> None:
    copied = Forgery([dict(line) for line in forged.lines], forged.keys, forged.now)
    forge(copied)
    assert copied.lines != forged.lines

    assert not is_good(resealed(copied.lines, copied.keys), copied.now)


def other_than(value: object) -> st.SearchStrategy[object]:
    """Return values that look like this one and are another."""
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int):
        return st.one_of(
            st.just(value + 1), st.just(value - 1), st.integers(0, 2**53), st.just(str(value))
        ).filter(lambda other: other != value or isinstance(other, str))
    if isinstance(value, str):
        return st.one_of(
            st.just(value + "0"), st.just(value[:-1] or "0"), st.just(value.upper() + "A"), st.just(0)
        )
    if isinstance(value, list):
        return st.one_of(st.just(value[1:] if value else [0]), st.just([*value, *value[:1], 0]), st.just(0))
    return st.just({"month": "2026-10"})


# --- two files -------------------------------------------------------------------------------------------


async def test_a_node_restored_from_a_backup_contradicts_what_it_gave_before(
    sqlite_template: Path, tmp_path: Path
) -> None:
    folder, backup = tmp_path / "node", tmp_path / "backup"
    for at in (folder, backup):
        at.mkdir()
    for file in sqlite_template.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    async with proven_ledger(location(None, folder), folder) as ledger:
        await fill(ledger)
    for file in folder.glob("ledger.db*"):
        (backup / file.name).write_bytes(file.read_bytes())
    async with proven_ledger(location(None, folder), folder) as ledger:
        await ledger.write(seen(), seen())
        await ledger.write(seen())
        before = await ledger.export()

    async with proven_ledger(location(None, backup), backup) as ledger:
        await ledger.write(forged := seen())
        after = await ledger.export()
        alone = await ledger.export(exchanges=(forged.exchange,))

    assert is_good(before)
    for later in (after, alone):
        assert is_good(later)
        compared = compare(check(before), check(later))
        assert any("forked" in what or "another one" in what for what in compared.contradictions)
        one, other = Verifier(now_us()), Verifier(now_us())
        one.run(before)
        other.run(later)
        assert list(contradictions(one, other))


def another_key(report: Report) -> None:
    first, *others = report.keys.statements
    report.keys = KeyList()
    report.keys._list = [replace(first, public=bytes(32)), *others]


def one_key_less(report: Report) -> None:
    first, *_ = report.keys.statements
    report.keys = KeyList()
    report.keys._list = [first]


def another_batch(report: Report) -> None:
    place = max(report.batches)
    report.batches[place] = replace(report.batches[place], root=bytes(32))


def another_head_in_a_checkpoint(report: Report) -> None:
    latest = report.checkpoints[max(report.checkpoints)]
    chains = [replace(latest.chains[0], head=bytes(32)), *latest.chains[1:]]
    report.batches = {}
    report.checkpoints = {latest.number + 5: replace(latest, number=latest.number + 5, chains=chains)}


def an_older_batch(report: Report) -> None:
    slot, number = max(report.batches)
    report.batches[slot, number + 1] = replace(report.batches[slot, number], number=number + 1, epoch=0)


def another_checkpoint(report: Report) -> None:
    number = max(report.checkpoints)
    report.checkpoints[number] = replace(report.checkpoints[number], previous=bytes(32))


def a_checkpoint_that_does_not_follow(report: Report) -> None:
    number = max(report.checkpoints)
    report.checkpoints = {number + 1: replace(report.checkpoints[number], number=number + 1)}


def a_checkpoint_of_an_earlier_state(report: Report) -> None:
    number = max(report.checkpoints)
    latest = report.checkpoints[number]
    report.checkpoints = {number + 7: replace(latest, number=number + 7, chains=latest.chains[:1])}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (another_key, "key 1 is another one"),
        (one_key_less, "key 2 of the earlier export is not in the later one"),
        (another_batch, "has another head: the chain was forked"),
        (another_head_in_a_checkpoint, "has another head in a later checkpoint"),
        (an_older_batch, "was sealed before batch"),
        (another_checkpoint, "is another one"),
        (a_checkpoint_that_does_not_follow, "does not follow checkpoint"),
        (a_checkpoint_of_an_earlier_state, "shows an earlier state than checkpoint"),
    ],
)
def test_each_contradiction_is_told(export: bytes, change: Callable[[Report], None], told: str) -> None:
    earlier, later = check(export), check(export)
    assert compare(earlier, later).contradictions == ()
    change(later)

    compared = compare(earlier, later)
    assert any(told in what for what in compared.contradictions), compared
    assert compared.is_linked
