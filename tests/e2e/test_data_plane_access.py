"""Who may call what: tokens, grants, identities, versions, switches and quotas, through a real node."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auth.keys import KeyRing, SigningKey
from auth.tokens import issue
from gateway.exchange import Reason
from registry.entities import Kind
from registry.evidence import Outcome
from registry.sql.database import open_engine
from registry.sql.keys import KeyStore
from tests.e2e.node import PROVIDER, ready, start
from tests.e2e.plane import EXCHANGE, JSON_OK, MARK, WAYS, Plane, a_provider, running_plane
from tests.factories import a_service, a_version, an_endpoint, an_officer, an_operation, an_organisation

GRANT = "H99:mot-cua"


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way["door"])
async def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path_factory.mktemp("plane") / "node", **request.param) as running:
        await running.offer("DoanhNghiep")
        yield running


async def ring_of(plane: Plane) -> KeyRing:
    """Return the node's own keys, as somebody would have them who stole both database and node key."""
    engine = open_engine(plane.node.location.registry)
    try:
        store = KeyStore(engine, plane.node.node_key)
        return KeyRing([SigningKey.parse(kept) for kept in await store.search(time.time())])
    finally:
        await engine.dispose()


async def a_token(plane: Plane, ring: KeyRing | None = None, **given: Any) -> str:
    caller = await plane.caller()
    claims: dict[str, Any] = {
        "issuer": plane.node.base,
        "client": caller.id,
        "system": await plane.id_of(Kind.SYSTEM, "H99:mot-cua"),
        "environment": "production",
        "scope": "default",
        "now": time.time(),
        "seconds": 3600,
    }
    return issue(ring or await ring_of(plane), **claims | given)


async def answer_to(plane: Plane, token: str | None, path: str = "/DoanhNghiep/1.0/x", **headers: str) -> Any:
    given = {} if token is None else {"authorization": f"Bearer {token}"}
    return await plane.node.http.get(path, headers=given | headers)


def segment(value: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


# --- tokens ---------------------------------------------------------------------------------------------


async def test_without_a_token_no_exchange_begins(plane: Plane) -> None:
    answer = await answer_to(plane, None, f"/DoanhNghiep/1.0/{MARK}")
    await plane.stranger(answer, Reason.TOKEN_MISSING, 401)
    assert answer.headers["www-authenticate"] == 'Bearer realm="lgsp"'


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c.d", "!!.!!.!!", "x" * 9000])
async def test_a_malformed_token(plane: Plane, token: str) -> None:
    answer = await answer_to(plane, token)
    await plane.stranger(answer, Reason.TOKEN_MALFORMED, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_another_scheme_is_no_token(plane: Plane) -> None:
    answer = await plane.node.http.get("/DoanhNghiep/1.0/x", auth=("a", "b"))
    await plane.stranger(answer, Reason.TOKEN_MALFORMED, 401)


async def test_forged_tokens(plane: Plane) -> None:
    genuine = await a_token(plane)
    header, body, signature = genuine.split(".")
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    stolen = KeyRing([SigningKey.generate(kid=kid)])
    forged = {
        "another key under our name": await a_token(plane, stolen),
        "another body": f"{header}.{segment({'sub': 'khac'})}.{signature}",
        "alg none": f"{segment({'alg': 'none', 'typ': 'at+jwt', 'kid': kid})}.{body}.AAAA",
        "alg swapped": f"{segment({'alg': 'HS256', 'typ': 'at+jwt', 'kid': kid})}.{body}.{signature}",
        "typ swapped": f"{segment({'alg': 'ES256', 'typ': 'JWT', 'kid': kid})}.{body}.{signature}",
        "unknown kid": f"{segment({'alg': 'ES256', 'typ': 'at+jwt', 'kid': 'khac'})}.{body}.{signature}",
        "kid as a path": f"{segment({'alg': 'ES256', 'typ': 'at+jwt', 'kid': '../../key'})}.{body}.{signature}",
    }
    for token in forged.values():
        await plane.stranger(await answer_to(plane, token), Reason.TOKEN_FORGED, 401)
    assert (await answer_to(plane, genuine)).status_code == 200


async def test_the_token_of_another_node(plane: Plane) -> None:
    other = await a_token(plane, KeyRing([SigningKey.generate(kid="khac")]), issuer="http://nut-khac.example")
    await plane.stranger(await answer_to(plane, other), Reason.TOKEN_FOREIGN, 401)
    swapped = await a_token(plane, issuer="http://nut-khac.example")
    await plane.stranger(await answer_to(plane, swapped), Reason.TOKEN_FOREIGN, 401)
    nobody = await a_token(plane, client="01900000-0000-7000-8000-00000000dead")
    await plane.stranger(await answer_to(plane, nobody), Reason.TOKEN_FOREIGN, 401)


async def test_a_genuine_token_that_has_expired_begins_an_exchange(plane: Plane) -> None:
    expired = await a_token(plane, now=time.time() - 7200)
    record = await plane.refused(await answer_to(plane, expired), Reason.TOKEN_EXPIRED, 401, "consumer")
    assert record.client == plane.callers["một cửa"].id
    assert record.consumer == await plane.id_of(Kind.SYSTEM, "H99:mot-cua")
    assert record.outcome == Outcome.REFUSED


async def test_a_token_of_another_environment_is_revoked(plane: Plane) -> None:
    token = await a_token(plane, environment="sandbox")
    await plane.refused(await answer_to(plane, token), Reason.TOKEN_REVOKED, 401, "consumer")


async def test_a_disabled_client_stops_within_a_second_and_its_tokens_for_good(plane: Plane) -> None:
    caller = await plane.caller("bị khoá")
    assert (await caller.call("/DoanhNghiep/1.0/x")).status_code == 200
    await plane.node.step(Kind.CLIENT, caller.id, "disable")
    await within_a_second(plane, caller.token, Reason.CLIENT_DISABLED)
    await plane.refused(await answer_to(plane, caller.token), Reason.CLIENT_DISABLED, 401, "consumer")
    await plane.node.step(Kind.CLIENT, caller.id, "enable")
    await plane.node.settled()
    await plane.refused(await answer_to(plane, caller.token), Reason.TOKEN_REVOKED, 401, "consumer")
    await caller.fetch_token()
    assert (await caller.call("/DoanhNghiep/1.0/x")).status_code == 200


async def within_a_second(plane: Plane, token: str, code: str, path: str = "/DoanhNghiep/1.0/x") -> None:
    """Call until the answer is this problem's; it has to come in time."""
    async with asyncio.timeout(1.0):
        while (answer := await answer_to(plane, token, path)).status_code == 200:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.03)
    assert answer.json()["code"] == code


async def test_rotated_secrets_end_the_tokens_before_when_asked_to(plane: Plane) -> None:
    caller = await plane.caller("xoay vòng")
    assert (await caller.call("/DoanhNghiep/1.0/x")).status_code == 200
    await asyncio.sleep(1.0)
    await plane.node.step(
        Kind.CLIENT, caller.id, "set-secrets", secrets=[], not_before=datetime.now(UTC).isoformat()
    )
    await plane.node.settled()
    await plane.refused(await answer_to(plane, caller.token), Reason.TOKEN_REVOKED, 401, "consumer")


async def test_a_client_from_a_network_that_it_may_not_come_from(plane: Plane) -> None:
    caller = await plane.caller("nơi khác", allowed_networks=["192.0.2.0/24"])
    token = await a_token(plane, client=caller.id)
    await plane.refused(await answer_to(plane, token), Reason.CLIENT_NETWORK, 403, "consumer")
    forged = await answer_to(plane, token, **{"X-Forwarded-For": "192.0.2.1"})
    await plane.refused(forged, Reason.CLIENT_NETWORK, 403, "consumer")


async def test_an_admin_s_token_calls_no_service(plane: Plane) -> None:
    admin = await plane.node.client("quản trị", role="node-admin")
    answer = await admin.call("/DoanhNghiep/1.0/x")
    record = await plane.refused(answer, Reason.SCOPE_MISSING, 403, "consumer")
    assert (record.client, record.consumer) == (admin.id, "")


async def test_a_suspended_system_may_not_call(plane: Plane) -> None:
    caller = await plane.caller("hộ tịch", system="H99:ho-tich")
    await caller.fetch_token()
    stored = await plane.node.registry.get(Kind.SYSTEM, "H99:ho-tich")
    for status in ("suspended", "active"):
        document = stored.document | {"status": status}
        stored = await plane.node.register.replace(
            Kind.SYSTEM, stored.id, document, expected_version=stored.version, author=PROVIDER
        )
        await plane.node.settled()
        if status == "suspended":
            answer = await caller.call("/DoanhNghiep/1.0/x")
            await plane.refused(answer, Reason.SYSTEM_INACTIVE, 403, "consumer")
    answer = await caller.call("/DoanhNghiep/1.0/x")
    await plane.refused(answer, Reason.GRANT_MISSING, 403, "consumer")


# --- grants ---------------------------------------------------------------------------------------------


async def test_the_life_of_a_grant(plane: Plane) -> None:
    await plane.offer("DoiSong", granted=False)
    caller, node = await plane.caller(), plane.node

    async def told(reason: Reason, turn: str) -> None:
        await node.settled()
        record = await plane.refused(await caller.call("/DoiSong/1.0/x"), reason, 403, turn)
        assert record.outcome == Outcome.REFUSED
        assert record.service == await plane.id_of(Kind.SERVICE, "DoiSong")

    await told(Reason.GRANT_MISSING, "consumer")
    request = {"consumer": GRANT, "service": "DoiSong"}
    refused = await node.add(Kind.GRANT, request)
    await told(Reason.GRANT_REQUESTED, "provider")
    await node.step(Kind.GRANT, refused.id, "refuse", PROVIDER, note="không")
    await told(Reason.GRANT_REFUSED, "consumer")
    grant = await node.grant("DoiSong")
    await node.settled()
    assert (await caller.call("/DoiSong/1.0/x")).status_code == 200
    await node.step(Kind.GRANT, grant.id, "suspend", PROVIDER, note="tạm")
    await told(Reason.GRANT_SUSPENDED, "provider")
    await node.step(Kind.GRANT, grant.id, "resume", PROVIDER)
    await node.settled()
    assert (await caller.call("/DoiSong/1.0/x")).status_code == 200
    await node.step(Kind.GRANT, grant.id, "revoke", PROVIDER, note="thôi")
    await within_a_second(plane, caller.token, Reason.GRANT_REVOKED, "/DoiSong/1.0/x")
    await told(Reason.GRANT_REVOKED, "consumer")


async def test_a_grant_holds_in_its_time_only(plane: Plane) -> None:
    now = datetime.now(UTC)
    caller = await plane.caller()
    await plane.offer("ChuaDen", granted=False)
    await plane.node.grant("ChuaDen", valid_from=(now + timedelta(days=1)).isoformat())
    await plane.offer("SapHet", granted=False)
    await plane.node.grant("SapHet", valid_until=(datetime.now(UTC) + timedelta(seconds=1.5)).isoformat())
    await plane.node.settled()
    early = await caller.call("/ChuaDen/1.0/x")
    await plane.refused(early, Reason.GRANT_NOT_YET_VALID, 403, "consumer")
    assert (await caller.call("/SapHet/1.0/x")).status_code == 200
    await asyncio.sleep(1.5)
    await plane.refused(await caller.call("/SapHet/1.0/x"), Reason.GRANT_EXPIRED, 403, "consumer")


async def test_a_grant_holds_for_its_operations_only(plane: Plane) -> None:
    operations = [an_operation("mot", "/mot"), an_operation("hai", "/hai")]
    await plane.offer("HaiViec", granted=False, operations=operations)
    await plane.node.grant("HaiViec", operations=["mot"])
    await plane.node.settled()
    caller = await plane.caller()
    assert (await caller.call("/HaiViec/1.0/mot")).status_code == 200
    record = await plane.refused(
        await caller.call("/HaiViec/1.0/hai"), Reason.OPERATION_NOT_GRANTED, 403, "consumer"
    )
    assert record.operation == "hai"


async def test_purposes(plane: Plane) -> None:
    await plane.offer("MucDich", granted=False)
    await plane.node.grant("MucDich", purposes=["nghi-dinh-1", "1.000001"])
    await plane.offer("MacDinh", granted=False)
    await plane.node.grant("MacDinh", purposes=["nghi-dinh-1"], default_purpose="nghi-dinh-1")
    await plane.node.settled()
    caller = await plane.caller()
    none = await caller.call("/MucDich/1.0/x")
    await plane.refused(none, Reason.PURPOSE_MISSING, 403, "consumer")
    other = await caller.call("/MucDich/1.0/x", headers={"Lgsp-Purpose": "khac"})
    record = await plane.refused(other, Reason.PURPOSE_NOT_ALLOWED, 403, "consumer")
    assert record.purpose == "khac"
    told = await caller.call("/MucDich/1.0/x", headers={"Lgsp-Purpose": "nghi-dinh-1"})
    assert (await plane.final(told)).purpose == "nghi-dinh-1"
    procedure = await caller.call("/MucDich/1.0/x", headers={"Lgsp-Procedure": "1.000001"})
    assert (await plane.final(procedure)).purpose == "1.000001"
    assert (await plane.final(await caller.call("/MacDinh/1.0/x"))).purpose == "nghi-dinh-1"


async def test_procedures(plane: Plane) -> None:
    await plane.offer("ThuTuc", granted=False)
    await plane.node.grant("ThuTuc", procedures=["1.000001"], procedure_required=True)
    await plane.node.settled()
    caller = await plane.caller()
    none = await caller.call("/ThuTuc/1.0/x")
    await plane.refused(none, Reason.PROCEDURE_MISSING, 403, "consumer")
    other = await caller.call("/ThuTuc/1.0/x", headers={"Lgsp-Procedure": "9.9"})
    await plane.refused(other, Reason.PROCEDURE_NOT_ALLOWED, 403, "consumer")
    told = await caller.call("/ThuTuc/1.0/x", headers={"Lgsp-Procedure": "1.000001"})
    assert (await plane.final(told)).procedure == "1.000001"


async def test_officers(plane: Plane) -> None:
    await plane.node.add(Kind.OFFICER, an_officer("CB-01", procedures=["1.000001"]))
    await plane.node.add(Kind.OFFICER, an_officer("CB-02", valid_to="2020-01-01"))
    await plane.offer("NeuTen", granted=False)
    await plane.node.grant("NeuTen", officer="asserted")
    await plane.offer("DangKy", granted=False)
    await plane.node.grant("DangKy", officer="registered")
    await plane.node.settled()
    caller = await plane.caller()
    none = await caller.call("/NeuTen/1.0/x")
    await plane.refused(none, Reason.OFFICER_MISSING, 403, "consumer")
    said = await plane.final(await caller.call("/NeuTen/1.0/x", headers={"Lgsp-Officer": "CB-99"}))
    assert (said.officer, said.officer_rule) == ("CB-99", "asserted")
    for officer, procedure in (("CB-99", "1.000001"), ("CB-02", "1.000001"), ("CB-01", "9.9"), ("CB-01", "")):
        headers = {"Lgsp-Officer": officer, "Lgsp-Procedure": procedure}
        unknown = await caller.call("/DangKy/1.0/x", headers=headers)
        await plane.refused(unknown, Reason.OFFICER_UNKNOWN, 403, "consumer")
    headers = {"Lgsp-Officer": "CB-01", "Lgsp-Procedure": "1.000001"}
    known = await plane.final(await caller.call("/DangKy/1.0/x", headers=headers))
    assert (known.officer, known.officer_rule) == ("CB-01", "registered")


async def test_what_stands_in_the_message_of_software_that_cannot_send_our_headers(plane: Plane) -> None:
    await plane.offer(
        "TrongTin", granted=False, officer_at="pointer:/Dau/MaCanBo", procedure_at="query:MaTTHC"
    )
    await plane.node.grant("TrongTin", officer="asserted", procedure_required=True)
    await plane.offer("TrongDau", granted=False, officer_at="header:X-Can-Bo")
    await plane.node.grant("TrongDau", officer="asserted")
    await plane.node.settled()
    caller = await plane.caller()
    path, body = "/TrongTin/1.0/x?MaTTHC=1.000001", b'{"Dau": {"MaCanBo": "CB-7"}}'
    record = await plane.final(await caller.call(path, "POST", content=body), request=body)
    assert (record.officer, record.procedure) == ("CB-7", "1.000001")
    same = await caller.call(path, "POST", content=body, headers={"Lgsp-Officer": "CB-7"})
    assert same.status_code == 200

    conflicts: list[tuple[str, bytes, dict[str, str]]] = [
        (path, body, {"Lgsp-Officer": "CB-8"}),
        (path, body, {"Lgsp-Procedure": "2"}),
        (path + "&MaTTHC=2", body, {}),
    ]
    for where, content, headers in conflicts:
        answer = await caller.call(where, "POST", content=content, headers=headers)
        await plane.refused(answer, Reason.IDENTITY_CONFLICT, 403, "consumer", request=content)
    for content in (b"", b"khong phai json", b'{"Dau": {"MaCanBo": ["CB-7"]}}', b"[]"):
        answer = await caller.call(path, "POST", content=content)
        await plane.refused(answer, Reason.OFFICER_MISSING, 403, "consumer", request=content)
    unsafe = b'{"Dau": {"MaCanBo": "CB 7"}}'
    answer = await caller.call(path, "POST", content=unsafe)
    await plane.refused(answer, Reason.HEADER_INVALID, 422, "consumer", request=unsafe)

    header = await caller.call("/TrongDau/1.0/x", headers={"X-Can-Bo": "CB-9"})
    assert (await plane.final(header)).officer == "CB-9"


async def test_a_shared_client_names_the_system_that_it_calls_for(plane: Plane) -> None:
    node = plane.node
    shared = await node.registry.get(Kind.SYSTEM, "G99:csdl")
    document = shared.document | {"acts_for": [await plane.id_of(Kind.SYSTEM, "H99:mot-cua")]}
    await node.register.replace(
        Kind.SYSTEM, shared.id, document, expected_version=shared.version, author=PROVIDER
    )
    province = await node.registry.get(Kind.ORGANISATION, "H99")
    document = an_organisation("H99", old_code="000.00.00.H99")
    await node.register.replace(
        Kind.ORGANISATION, province.id, document, expected_version=province.version, author=PROVIDER
    )
    await node.grant("DoanhNghiep", consumer="G99:csdl")
    caller = await plane.caller("dùng chung", system="G99:csdl")
    for name in ("H99:mot-cua", "000.00.00.H99:mot-cua", await plane.id_of(Kind.SYSTEM, "H99:mot-cua")):
        named = await plane.final(await caller.call("/DoanhNghiep/1.0/x", headers={"Lgsp-System": name}))
        assert named.consumer == await plane.id_of(Kind.SYSTEM, "H99:mot-cua")
        assert named.counts is True
    unnamed = await plane.final(await caller.call("/DoanhNghiep/1.0/x"))
    assert (unnamed.consumer, unnamed.counts) == (shared.id, False)
    for name in ("H99:ho-tich", "khong-co", "H99:khong-co"):
        other = await caller.call("/DoanhNghiep/1.0/x", headers={"Lgsp-System": name})
        record = await plane.refused(other, Reason.SYSTEM_NOT_ALLOWED, 403, "consumer")
        assert record.consumer == shared.id
    alone = await (await plane.caller()).call("/DoanhNghiep/1.0/x", headers={"Lgsp-System": "H99:ho-tich"})
    await plane.refused(alone, Reason.SYSTEM_NOT_ALLOWED, 403, "consumer")


async def test_a_sandbox_client_reaches_the_sandbox_and_never_production(plane: Plane) -> None:
    async with a_provider() as sandbox:
        sandbox.replies(body=b'{"thu": true}')
        node = plane.node
        await node.add(Kind.SERVICE, a_service("CoHaiNoi"))
        endpoints = {
            "production": an_endpoint(connector="rest", settings={"url": plane.provider.url}),
            "sandbox": an_endpoint(connector="rest", settings={"url": sandbox.url}, through_hub=True),
        }
        operations = [an_operation("bat-ky", "/{duong*}", method="ANY")]
        document = a_version(
            "CoHaiNoi", endpoints=endpoints, operations=operations, national_database="CSDLDN"
        )
        version = await node.add(Kind.VERSION, document)
        await node.step(Kind.VERSION, version.id, "publish")
        await node.grant("CoHaiNoi", environments=["sandbox", "production"])
        await plane.offer("ChiThat", granted=False)
        await node.grant("ChiThat", environments=["sandbox", "production"])
        tester = await plane.caller("thử nghiệm", environment="sandbox")
        before = len(plane.provider.heads)

        answer = await tester.call("/CoHaiNoi/1.0/x")
        assert answer.json() == {"thu": True}
        record = await plane.final(answer)
        assert (record.environment, record.mode) == ("sandbox", "lgsp-ngsp")
        nowhere = await tester.call("/ChiThat/1.0/x")
        await plane.refused(nowhere, Reason.NO_ENDPOINT, 503, "provider")
        ungranted = await tester.call("/DoanhNghiep/1.0/x")
        record = await plane.refused(ungranted, Reason.ENVIRONMENT_NOT_GRANTED, 403, "consumer")
        assert record.environment == "sandbox"
        assert len(plane.provider.heads) == before
        real = await (await plane.caller()).call("/CoHaiNoi/1.0/x")
        assert (await plane.final(real)).mode == "lgsp"
        assert len(sandbox.heads) == 1


# --- versions and switches ------------------------------------------------------------------------------


async def test_versions(plane: Plane) -> None:
    await plane.offer("NhieuBan", version="1.0")
    node, caller = plane.node, await plane.caller()
    operations = [an_operation("bat-ky", "/{duong*}", method="ANY")]
    endpoints = {"production": an_endpoint(connector="rest", settings={"url": plane.provider.url + "/hai"})}
    draft = await node.add(
        Kind.VERSION, a_version("NhieuBan", "v2", endpoints=endpoints, operations=operations)
    )
    await node.settled()
    for path in ("/NhieuBan/2/x", "/NhieuBan/v2/x", "/NhieuBan/9.9/x"):
        await plane.refused(await caller.call(path), Reason.VERSION_UNKNOWN, 404, "consumer")
    for path in ("/NhieuBan/1.0/x", "/NhieuBan/v1.0/x", "/NhieuBan/x"):
        assert (await caller.call(path)).status_code == 200
        assert plane.provider.line == "GET /x HTTP/1.1"

    await node.step(Kind.VERSION, draft.id, "publish")
    await node.settled()
    for path in ("/NhieuBan/2/x", "/NhieuBan/v2/x", "/NhieuBan/x", "/nhieuban/x"):
        assert (await caller.call(path)).status_code == 200
        assert plane.provider.line == "GET /hai/x HTTP/1.1"
    assert "deprecation" not in (await caller.call("/NhieuBan/1.0/x")).headers

    sunset = datetime.now(UTC) + timedelta(days=30)
    await node.step(Kind.VERSION, "NhieuBan/1.0", "deprecate", sunset_at=sunset.isoformat())
    await node.settled()
    answer = await caller.call("/NhieuBan/1.0/x")
    assert answer.status_code == 200
    assert abs(int(answer.headers["deprecation"].removeprefix("@")) - time.time()) < 60
    assert datetime.strptime(answer.headers["sunset"], "%a, %d %b %Y %H:%M:%S GMT").date() == sunset.date()  # noqa: DTZ007

    await node.step(Kind.VERSION, "NhieuBan/1.0", "retire")
    await node.settled()
    record = await plane.refused(
        await caller.call("/NhieuBan/1.0/x"), Reason.VERSION_RETIRED, 404, "consumer"
    )
    assert record.version == await plane.id_of(Kind.VERSION, "NhieuBan/1.0")


async def test_a_draft_that_is_the_default_version_is_not_callable(plane: Plane) -> None:
    node = plane.node
    service = await node.add(Kind.SERVICE, a_service("ChiCoNhap"))
    await node.add(Kind.VERSION, a_version("ChiCoNhap"))
    document = a_service("ChiCoNhap", default_version="1.0")
    await node.register.replace(
        Kind.SERVICE, service.id, document, expected_version=service.version, author=PROVIDER
    )
    await node.settled()
    caller = await plane.caller()
    await plane.refused(await caller.call("/ChiCoNhap/x"), Reason.VERSION_UNKNOWN, 404, "consumer")
    assert "details" not in (await caller.call("/ChiCoNha/x")).json()


async def test_the_kill_switch(plane: Plane) -> None:
    await plane.offer("NgatMach")
    caller, node = await plane.caller(), plane.node
    assert (await caller.call("/NgatMach/1.0/x")).status_code == 200
    await node.step(Kind.SERVICE, "NgatMach", "block", reason="sự cố")
    await within_a_second(plane, caller.token, Reason.SERVICE_BLOCKED, "/NgatMach/1.0/x")
    record = await plane.refused(
        await caller.call("/NgatMach/1.0/x"), Reason.SERVICE_BLOCKED, 503, "provider"
    )
    assert record.outcome == Outcome.UNAVAILABLE
    await node.step(Kind.SERVICE, "NgatMach", "unblock")
    await node.step(Kind.SERVICE, "NgatMach", "block-consumer", consumer="H99:ho-tich", reason="lạm dụng")
    await node.settled()
    assert (await caller.call("/NgatMach/1.0/x")).status_code == 200
    await node.step(Kind.SERVICE, "NgatMach", "block-consumer", consumer=GRANT, reason="lạm dụng")
    await within_a_second(plane, caller.token, Reason.CONSUMER_BLOCKED, "/NgatMach/1.0/x")
    await plane.refused(await caller.call("/NgatMach/1.0/x"), Reason.CONSUMER_BLOCKED, 403, "provider")


async def test_a_maintenance_window(plane: Plane) -> None:
    await plane.offer("BaoTri")
    caller = await plane.caller()
    now = datetime.now(UTC)
    starts, ends = (now + timedelta(seconds=0.6)).isoformat(), (now + timedelta(seconds=2.2)).isoformat()
    await plane.node.step(Kind.SERVICE, "BaoTri", "plan-maintenance", starts_at=starts, ends_at=ends)
    assert (await caller.call("/BaoTri/1.0/x")).status_code == 200
    await asyncio.sleep(max(0.0, 0.7 - (datetime.now(UTC) - now).total_seconds()))
    answer = await caller.call("/BaoTri/1.0/x")
    await plane.refused(answer, Reason.MAINTENANCE, 503, "provider")
    assert 1 <= int(answer.headers["retry-after"]) <= 2
    await asyncio.sleep(max(0.0, 2.3 - (datetime.now(UTC) - now).total_seconds()))
    assert (await caller.call("/BaoTri/1.0/x")).status_code == 200


async def test_errors_in_the_manner_of_wso2_by_service_and_by_client(plane: Plane) -> None:
    node = plane.node
    await node.add(Kind.SERVICE, a_service("KieuCu", error_style="wso2"))
    await node.add(Kind.VERSION, a_version("KieuCu"))
    await node.step(Kind.VERSION, "KieuCu/1.0", "publish")
    caller = await plane.caller()
    await node.settled()

    def fault(answer: Any, status: int, code: int) -> None:
        assert (answer.status_code, answer.json()["fault"]["code"]) == (status, code), answer.text
        assert set(answer.json()) == {"fault"}

    ungranted = await caller.call("/KieuCu/1.0/chiTietDoanhNghiep")
    fault(ungranted, 403, 900908)
    assert (await plane.final(ungranted)).reason == Reason.GRANT_MISSING
    fault(await answer_to(plane, await a_token(plane, now=1e9), "/KieuCu/1.0/x"), 401, 900901)
    fault(await answer_to(plane, "x", "/KieuCu/1.0/x"), 401, 900901)
    fault(await answer_to(plane, None, "/KieuCu/1.0/x"), 401, 900902)
    old = await plane.caller("phần mềm cũ", error_style="wso2")
    fault(await old.call("/DoanhNghiep/9.9/x"), 404, 404)
    fault(await old.call("/KhongCo/x"), 404, 404)


# --- quotas ---------------------------------------------------------------------------------------------


async def test_the_quota_of_a_second(plane: Plane) -> None:
    await plane.offer("MoiGiay", granted=False)
    await plane.node.grant("MoiGiay", quota={"per_second": 2})
    await plane.node.settled()
    caller = await plane.caller()
    answers = [await caller.call("/MoiGiay/1.0/x") for _ in range(4)]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) >= 1
    await plane.refused(refused[0], Reason.QUOTA_PER_SECOND, 429, "consumer")
    assert refused[0].headers["retry-after"] == "1"
    await asyncio.sleep(0.6)
    assert (await caller.call("/MoiGiay/1.0/x")).status_code == 200


async def test_the_quota_of_a_day_outlives_a_restart_and_counts_what_was_tried(plane: Plane) -> None:
    await plane.offer("MoiNgay", granted=False, operations=[an_operation("x", "/x"), an_operation("y", "/y")])
    await plane.node.grant("MoiNgay", quota={"per_second": 50, "per_day": 3})
    await plane.node.settled()
    caller, node = await plane.caller(), plane.node
    assert (await caller.call("/MoiNgay/1.0/x")).status_code == 200
    assert (await caller.call("/MoiNgay/1.0/z")).status_code == 404
    assert (await caller.call("/MoiNgay/1.0/y")).status_code == 200

    assert node.stop() == 0
    node.process = start(node.environment, node.log)
    await ready(node.http, node.process, node.log)
    answers = await asyncio.gather(*(caller.call("/MoiNgay/1.0/x") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 429, 429, 429, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    record = await plane.refused(refused, Reason.QUOTA_PER_DAY, 429, "consumer")
    assert record.outcome == Outcome.REFUSED
    assert 1 <= int(refused.headers["retry-after"]) <= 86_400
    await asyncio.sleep(1.2)  # the counts are read again meanwhile
    assert (await caller.call("/MoiNgay/1.0/x")).status_code == 429


async def test_tokens_end_with_a_key_that_is_replaced_at_once(plane: Plane) -> None:
    caller = await plane.caller()
    before = caller.token
    assert (await answer_to(plane, before)).content == JSON_OK
    engine = open_engine(plane.node.location.registry)
    try:
        await KeyStore(engine, plane.node.node_key).rotate(time.time(), lead_seconds=0, overlap_seconds=0)
    finally:
        await engine.dispose()
    began = time.monotonic()
    while (await answer_to(plane, before)).status_code == 200:
        assert time.monotonic() - began < 2.5
        await asyncio.sleep(0.05)
    answer = await answer_to(plane, before)
    await plane.refused(answer, Reason.TOKEN_REVOKED, 401, "consumer")
    assert EXCHANGE in answer.headers
    await caller.fetch_token()
    assert (await caller.call("/DoanhNghiep/1.0/x")).status_code == 200
