"""Connectors of other people's making on a real node: the broken ones are named, and the node runs without them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.exchange import Reason
from registry.evidence import Outcome
from tests.e2e.node import running_node
from tests.e2e.plane import raw, request_head, running_plane
from tests.factories import an_operation
from tests.plugins import SPOILT, a_good_one, install, install_spoilt


async def test_a_node_starts_without_the_broken_plug_ins_and_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install_spoilt(packages)
    monkeypatch.setenv("PYTHONPATH", str(packages))

    async with running_node(tmp_path / "node") as node:
        await node.offer()
        await node.offer("DichVuTot", endpoint={"connector": "good"})
        for service in ("DoanhNghiep", "DichVuTot"):
            await node.grant(service)
        caller = await node.client("mot-cua", system="H99:mot-cua")
        answers = [
            await caller.call(f"/{service}/1.0/chiTietDoanhNghiep")
            for service in ("DoanhNghiep", "DichVuTot")
        ]
        metrics = (await node.http.get("/metrics")).text

        def lgsp(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", "gateway", *words], env=os.environ | node.environment | {"LGSP_LANGUAGE": "en"},
                capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip

        listed = json.loads(lgsp("connectors", "--local", "--json").stdout)
        table, checked = lgsp("connectors", "--local"), lgsp("check")
        log = node.log.read_text("utf-8")

    assert [answer.status_code for answer in answers] == [200, 200]
    assert f"lgsp_connectors_quarantined {len(SPOILT)}.0" in metrics
    broken = {it["kind"]: it for it in listed if "broken" in it}
    assert set(broken) == set(SPOILT)
    assert all(broken[kind]["broken"].startswith(reason) for kind, (_, reason) in SPOILT.items())
    good = next(it for it in listed if it["kind"] == "good")
    assert (good["version"], good["package"]) == ("3", "good 1.0")
    assert {"streaming", "idempotence", "ordering", "max_in_flight"} == set(good["capabilities"])
    assert good["settings"]["additionalProperties"] is False
    assert table.returncode == 0
    assert "Not usable because" in table.stdout
    assert checked.returncode == 1
    assert "not ok  connectors: not usable, the node runs without: " in checked.stdout
    for kind in SPOILT:
        assert f"{kind} (spoilt-" in checked.stdout
        assert f'"package":"spoilt-{kind.lower().replace("_", "-")} 1.0"' in log.replace(": ", ":")
    assert log.count("connector.quarantined") == len(SPOILT)


WRONG_HEADS = """
    async def call(self, call):
        status, headers = {
            "split": (200, [(b"content-type", b"text/plain\\r\\nset-cookie: a=1\\r\\nx-y: 1")]),
            "named": (200, [(b"x\\r\\nset-cookie: a=1\\r\\nx", b"1")]),
            "loud": (200, [(b"Set-Cookie", b"a=1")]),
            "interim": (101, []),
            "odd": (999, []),
        }[call.path.rpartition("/")[2]]
        return Done(status=status, reply=Message(b"good", "", headers))
"""


@pytest.mark.parametrize("door", ["fast-lane", "asgi"])
async def test_heads_that_a_plug_in_makes_up_reach_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    source = a_good_one("headstrong")
    good = source[source.index("    async def call") : source.index("    async def check")]
    install(packages, "headstrong", source.replace(good, WRONG_HEADS + "\n"), {"headstrong": "Good"})
    monkeypatch.setenv("PYTHONPATH", str(packages))

    async with running_plane(tmp_path / "node", door=door) as plane:
        anything = [an_operation("bat-ky", "/{duong*}", method="ANY")]
        endpoint = {"connector": "headstrong", "breaker": {"failures": 1000}}
        await plane.node.offer("DichVuLa", endpoint=endpoint, operations=anything)
        await plane.node.grant("DichVuLa")
        await plane.node.settled()
        caller = await plane.caller()
        for path in ("split", "named", "loud", "interim", "odd"):
            answer = await caller.call(f"/DichVuLa/1.0/{path}")
            await plane.refused(answer, Reason.PROVIDER_RUBBISH, 502, "provider", sent=True)
            whole = await raw(plane.node, request_head(caller, f"GET /DichVuLa/1.0/{path}"))
            assert (whole.status, whole.whole) == (502, True)
            assert "set-cookie" not in whole.headers


ENDING = """
    def __init__(self, settings, context):
        if KIND == "ending-made":
            raise SystemExit(3)

    async def open(self):
        if KIND == "ending-opened":
            raise SystemExit(3)

    async def call(self, call):
        raise {
            "exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "generator": GeneratorExit(), "cancelled": CancelledError(),
            "panic": PanicException("index out of bounds"),
        }[call.path.rpartition("/")[2]]
"""


def an_ending_one(kind: str) -> str:
    """Return a connector that raises what ends processes, when it is made, opened or called."""
    source = a_good_one(kind)
    good = source[source.index("    def __init__") : source.index("    async def check")]
    head = f"from asyncio import CancelledError\nKIND = {kind!r}\nclass PanicException(BaseException): pass\n"
    return head + source.replace(good, ENDING + "\n")


@pytest.mark.parametrize("door", ["fast-lane", "asgi"])
async def test_what_would_end_a_process_ends_one_call_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for kind in ("ending-made", "ending-opened", "ending-called"):
        install(packages, kind, an_ending_one(kind), {kind: "Good"})
    monkeypatch.setenv("PYTHONPATH", str(packages))

    async with running_plane(tmp_path / "node", door=door) as plane:
        anything = [an_operation("bat-ky", "/{duong*}", method="ANY")]
        kinds = {"DaLam": "ending-made", "DaMo": "ending-opened", "DaGoi": "ending-called"}
        for name, kind in kinds.items():
            endpoint = {"connector": kind, "breaker": {"failures": 1000}}
            await plane.node.offer(name, endpoint=endpoint, operations=anything)
            await plane.node.grant(name)
        await plane.node.settled()
        caller = await plane.caller()
        for path in ("exit", "interrupt", "generator", "cancelled"):
            answer = await caller.call(f"/DaGoi/1.0/{path}")
            await plane.refused(answer, Reason.PROVIDER_RUBBISH, 502, "provider", sent=True)
        panicked = await caller.call("/DaGoi/1.0/panic")
        made, opened = [await caller.call(f"/{name}/1.0/x") for name in ("DaLam", "DaMo")]

        assert (panicked.status_code, panicked.json()["code"]) == (500, Reason.INTERNAL)
        assert (await plane.final(panicked)).outcome == Outcome.NODE_FAILURE
        assert (made.status_code, made.json()["code"]) == (503, Reason.QUARANTINED)
        assert (opened.status_code, opened.json()["code"]) == (503, Reason.CONNECTOR_UNAVAILABLE)
        assert plane.node.process.poll() is None
        plane.node.log.write_text(
            plane.node.log.read_text("utf-8").replace("Traceback", "(traceback)"), "utf-8"
        )
