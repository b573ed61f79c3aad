"""Field rules on the admin API: written short or in full, told where they are wrong."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from registry.sql.database import location, upgrade
from tests.e2e.admin_app import AdminNode, admin_node
from tests.factories import a_grant, a_small_province

API = "/admin/v1"


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AdminNode]:
    folder = tmp_path_factory.mktemp("node")
    where = location(None, folder)
    await upgrade(where)
    async with admin_node(where, folder) as running:
        await a_small_province(running.register)
        await running.snapshots.refresh()
        yield running


async def test_a_rule_is_written_short_or_in_full(node: AdminNode) -> None:
    http = await node.http("node-admin")
    mask = {"path": "B", "action": "mask", "keep_last": 3, "to": None}
    fields = {"*": ["A.*", {"path": "B", "action": "mask", "keep_last": 3}]}

    answer = await http.post(f"{API}/grants", json=a_grant(fields=fields))

    assert answer.status_code == 201, answer.text
    kept = {"path": "A.*", "action": "keep", "keep_last": None, "to": None}
    assert answer.json()["document"]["fields"] == {"*": [kept, mask]}


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"*": ["A..B"]}, "/fields/*/0", "field-path"),
        ({"*": ["A.*", "A.B"]}, "/fields/*/1", "field-conflict"),
        ({"*": [{"path": "A", "action": "hash"}]}, "/fields/*/0/action", "choice"),
        ({"*": [{"path": "A", "rule": 1}]}, "/fields/*/0/rule", "unknown-field"),
        ({"*": [{"action": "keep"}]}, "/fields/*/0/path", "missing"),
        ({"*": [5]}, "/fields/*/0", "wrong-type"),
        ({"*": "A"}, "/fields/*", "wrong-type"),
        ({"*": [{"path": "A", "action": "mask", "keep_last": -1}]}, "/fields/*/0/keep_last", "range"),
        ({"a b": ["A"]}, "/fields/a b", "pattern"),
        ({"a/b": []}, "/fields", "purpose-uncovered"),
    ],
)
async def test_a_bad_rule_is_refused_where_it_is(
    node: AdminNode, fields: Any, pointer: str, code: str
) -> None:
    http = await node.http("node-admin")

    answer = await http.post(f"{API}/grants", json=a_grant(fields=fields))

    assert answer.status_code == 422, answer.text
    assert [(flaw["pointer"], flaw["code"]) for flaw in answer.json()["errors"]] == [(pointer, code)]
