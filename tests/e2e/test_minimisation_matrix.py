"""Consumer × service × purpose × field, through a real node: who gets what, and that the record says by which rules."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from itertools import product
from random import Random
from typing import Any

import pytest
from lxml import etree

from registry.entities import Kind
from registry.evidence import Outcome
from tests.e2e.node import AUTHOR, Caller
from tests.e2e.plane import MARK, Plane, running_plane

CONSUMERS = ("H99:mot-cua", "H99:ho-tich")
SERVICES = ("DanCu", "HoTich")
PURPOSES = ("CAP-PHEP", "XAC-MINH")
ENVELOPE = ("Status", "CongdanCollection.Status")
PERSON = {
    "soDinhDanh": "999990000010",
    "hoTen": "Nguyễn Thị Giả Lập",
    "ngaySinh": "01/02/1990",
    "ngayCap": "20210731",
    "noiO": "xã Đắk Ơ",
    "ghiChu": "x",
}
ACTIONS: tuple[dict[str, Any], ...] = (
    {"action": "keep"},
    {"action": "mask", "keep_last": 3},
    {"action": "generalise", "to": "year"},
    {"action": "generalise", "to": "month"},
)
Rules = Mapping[str, Mapping[str, Any]]
"""Field -> what the grant says of it."""


def drawn(random: Random) -> Rules:
    return {name: random.choice(ACTIONS) for name in PERSON if random.random() < 0.6}


DRAWN = Random(20260101)  # noqa: S311 (test data)
GRANTED = {key: drawn(DRAWN) for key in product(CONSUMERS, SERVICES, PURPOSES)}


def written(rules: Rules) -> list[dict[str, Any]]:
    """Write rules for the service's JSON and for its XML."""
    ways = ("CongDan[]", "CongdanCollection.CongDan")
    return [{"path": f"{way}.{name}", **rule} for way in ways for name, rule in rules.items()]


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path_factory.mktemp("matrix") / "node") as running:
        for service in SERVICES:
            await running.offer(service, granted=False, envelope=list(ENVELOPE))
            for consumer in CONSUMERS:
                fields = {purpose: written(GRANTED[consumer, service, purpose]) for purpose in PURPOSES}
                await running.node.grant(service, consumer, fields=fields, purposes=list(PURPOSES))
        await running.node.settled()
        yield running


def released(value: str, rule: Mapping[str, Any]) -> str | None:
    """Say by hand what a rule leaves of a value."""
    if rule["action"] == "keep":
        return value
    if rule["action"] == "mask":
        last = 3 if len(value) >= 6 else 0
        return "*" * (len(value) - last) + value[len(value) - last :]
    known = {
        "01/02/1990": {"year": "1990", "month": "02/1990"},
        "20210731": {"year": "2021", "month": "202107"},
    }
    return known.get(value, {}).get(rule["to"])


def expected(rules: Rules) -> dict[str, str]:
    found = {name: released(value, rules[name]) for name, value in PERSON.items() if name in rules}
    return {name: value for name, value in found.items() if value is not None}


def as_json() -> bytes:
    grown = {"moi": MARK} | PERSON | {"me": {"hoTen": MARK}, "con": [MARK]}
    return json.dumps({"Status": 1, "CongDan": [grown, grown], "Moi": MARK}, ensure_ascii=False).encode()


def as_xml() -> bytes:
    inner = "".join(f"<{name} moi='{MARK}'>{value}</{name}>" for name, value in PERSON.items())
    person = f"<CongDan ma='{MARK}'><moi>{MARK}</moi>{inner}<me><hoTen>{MARK}</hoTen></me></CongDan>"
    return (
        f"<CongdanCollection><Status>1</Status>{person}{person}<Moi>{MARK}</Moi></CongdanCollection>".encode()
    )


def scope_by_the_page(consumer: str, service: str, purpose: str) -> str:
    """Name the scope as docs/reference/evidence-format.md says, from what a grant and a version hold."""
    rules = [
        [rule["path"].replace("[]", ""), rule["action"], rule.get("keep_last", 0), rule.get("to", "")]
        for rule in written(GRANTED[consumer, service, purpose])
    ]
    said = {"envelope": sorted(ENVELOPE), "namespaces": {}, "rules": sorted(rules)}
    return named(purpose, said)


def named(purpose: str, said: Mapping[str, Any]) -> str:
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return f"{purpose}#{sha256(text.encode()).hexdigest()[:16]}"


async def the_caller(plane: Plane, consumer: str) -> Caller:
    return await plane.caller(consumer, system=consumer)


@pytest.mark.parametrize(("consumer", "service", "purpose"), list(GRANTED))
async def test_each_consumer_service_and_purpose_has_its_own_fields(
    plane: Plane, consumer: str, service: str, purpose: str
) -> None:
    rules = GRANTED[consumer, service, purpose]
    caller = await the_caller(plane, consumer)
    headers = {"lgsp-purpose": purpose}
    plane.provider.replies(body=as_json())
    in_json = await caller.call(f"/{service}/1.0/x", headers=headers)
    plane.provider.replies(body=as_xml(), Content_Type="text/xml")
    in_xml = await caller.call(f"/{service}/1.0/x", headers=headers)

    one = expected(rules)
    assert in_json.json() == ({"Status": 1, "CongDan": [one, one]} if rules else {"Status": 1})
    root = etree.fromstring(in_xml.content)
    people = [{child.tag: child.text for child in person} for person in root.findall("CongDan")]
    assert people == ([one, one] if one else people)
    assert all(not person for person in people) or people == [one, one]
    assert root.findtext("Status") == "1"
    assert {child.tag for child in root} <= {"Status", "CongDan"}
    for answer in (in_json, in_xml):
        assert MARK not in answer.text
        record = await plane.final(answer)
        assert record.consumer == await plane.id_of(Kind.SYSTEM, consumer)
        assert record.service == await plane.id_of(Kind.SERVICE, service)
        assert (record.purpose, record.outcome) == (purpose, Outcome.SUCCESS)
        assert record.scope == scope_by_the_page(consumer, service, purpose)


def test_the_draw_has_something_of_everything() -> None:
    said = [frozenset((name, *rule.values()) for name, rule in rules.items()) for rules in GRANTED.values()]

    assert len(set(said)) == len(said)
    assert {rule["action"] for rules in GRANTED.values() for rule in rules.values()} == {
        "keep",
        "mask",
        "generalise",
    }


def shown_of(plane: Plane, exchange: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "evidence", "show", exchange, "--local"],
        env=os.environ | plane.node.environment | {"LGSP_LANGUAGE": "en"},
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip


async def test_the_rules_of_a_record_can_be_looked_up_for_as_long_as_it_is_kept(plane: Plane) -> None:
    consumer, service, purpose = next(iter(GRANTED))
    plane.provider.replies(body=as_json())
    caller = await the_caller(plane, consumer)
    answer = await caller.call(f"/{service}/1.0/x", headers={"lgsp-purpose": purpose})
    record = await plane.final(answer)
    admin = await plane.node.client("quản trị", role="node-admin")
    address = f"/admin/v1/grants/{record.grant}/scopes"
    [now] = (await admin.call(address, params={"scope": record.scope})).json()["items"]
    rules = [[rule["path"], rule["action"], rule["keep_last"], rule["to"]] for rule in now["rules"]]
    said = {"envelope": now["envelope"], "namespaces": now["namespaces"], "rules": rules}
    assert named(purpose, said) == record.scope
    assert len(rules) == 2 * len(GRANTED[consumer, service, purpose])
    assert now["until"] is None

    grant = await plane.node.registry.get(Kind.GRANT, record.grant)
    spec = {"consumer": consumer, "service": service, "fields": {"*": ["khac"]}}
    await plane.node.register.replace(
        Kind.GRANT, grant.id, spec, expected_version=grant.version, author=AUTHOR
    )
    [then] = (await admin.call(address, params={"scope": record.scope})).json()["items"]
    every = (await admin.call(address)).json()["items"]
    shown = shown_of(plane, record.exchange)

    assert then["rules"] == now["rules"]
    assert then["until"] is not None
    assert {one["scope"] for one in every} == {
        scope_by_the_page(consumer, service, each) for each in PURPOSES
    } | {named("*", {"envelope": sorted(ENVELOPE), "namespaces": {}, "rules": [["khac", "keep", 0, ""]]})}
    assert (await admin.call(address, params={"scope": "x#0"})).json() == {"items": []}
    assert f"Field rules ({record.scope}):" in shown
    assert all(rule["path"] in shown for rule in now["rules"])
