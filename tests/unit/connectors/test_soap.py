"""The SOAP connector against a provider that answers byte by byte what a test tells it to."""

import hashlib
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from typing import Any

import orjson
import pytest
from lxml import etree

from connectors.builtin.soap.connector import SOAPConnector
from connectors.builtin.soap.security import WSSE, WSU
from connectors.contract import Busy, Done, Rejected, Result, Unknown, Unreachable
from connectors.errors import ConnectorError
from tests.connectors import a_call
from tests.hostile import free_port
from tests.soap import NS, SOAP_11, SOAP_12, Parts, a_fault, a_wsdl, an_answer, an_envelope, soap_parts
from tests.soap_keys import a_certificate, verified, verified_by_signxml
from tests.stalls import watched_loop

REPLY = f'<TraCuuResponse xmlns="{NS}"><nguoi><hoTen>Nguyễn Ánh (giả lập)</hoTen></nguoi></TraCuuResponse>'
FOUND = {"nguoi": [{"hoTen": "Nguyễn Ánh (giả lập)"}]}
ASKED = b'{"soDinhDanh": "001099000001"}'


async def ask(
    connector: SOAPConnector, body: bytes = ASKED, operation: str = "TraCuu", **call: Any
) -> Result:
    made = a_call(method="POST", body=body, **call)
    made.operation = operation
    return await connector.call(made)


def told(result: Result) -> Any:  # Any: JSON
    assert isinstance(result, Done)
    assert isinstance(result.reply.body, bytes)
    return orjson.loads(result.reply.body)


async def once(
    answer: bytes, parts_settings: dict[str, Any] | None = None, **call: Any
) -> tuple[Result, Parts]:
    async with soap_parts(answer) as parts:
        connector = await parts.connector(**parts_settings or {})
        result = await ask(connector, **call)
        await connector.close()
    return result, parts


SOAPS = [("1.1", SOAP_11), ("1.2", SOAP_12)]


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_json_goes_out_as_the_ports_soap_and_comes_back_as_json(version: str) -> None:
    soap = SOAP_11 if version == "1.1" else SOAP_12
    result, parts = await once(an_answer(an_envelope(REPLY, soap=soap)), {"wsdl": a_wsdl(version=version)})

    assert told(result) == FOUND
    sent = etree.fromstring(parts.provider.bodies[0])
    assert sent.tag == f"{{{soap}}}Envelope"
    assert sent.findtext(f".//{{{NS}}}TraCuu/{{{NS}}}soDinhDanh") == "001099000001"
    head = parts.provider.heads[0]
    if version == "1.1":
        assert (head["content-type"], head["soapaction"]) == ("text/xml; charset=utf-8", '"urn:tra-cuu"')
    else:
        assert head["content-type"] == 'application/soap+xml; charset=utf-8; action="urn:tra-cuu"'
        assert "soapaction" not in head


@pytest.mark.parametrize(("version", "soap"), SOAPS)
async def test_rpc_parts_stand_in_an_element_named_like_the_operation(version: str, soap: str) -> None:
    content = '<m:CongResponse xmlns:m="urn:vi-du:cong"><tong>3</tong></m:CongResponse>'
    settings = {"port": "R", "wsdl": a_wsdl(version=version)}
    answer = an_answer(an_envelope(content, soap=soap))
    result, parts = await once(answer, settings, body=b'{"x": 1, "y": 2}', operation="Cong")

    assert told(result) == {"tong": 3}
    sent = etree.fromstring(parts.provider.bodies[0])
    wrapper = sent[0][0]
    assert sent.tag == f"{{{soap}}}Envelope"
    assert (wrapper.tag, [(part.tag, part.text) for part in wrapper]) == (
        "{urn:vi-du:cong}Cong",
        [("x", "1"), ("y", "2")],
    )


async def test_names_actions_headers_and_media_type_are_those_of_the_settings() -> None:
    async with soap_parts(an_answer(an_envelope(REPLY)), khoa="b1-m4t") as parts:
        connector = await parts.connector(
            operations={"tra-cuu-nguoi": "TraCuu"},
            actions={"tra-cuu-nguoi": ""},
            content_type="application/xml",
            headers={"apikey": "secret:khoa"},
            credentials={"kind": "basic", "username": "lgsp", "password": "secret:khoa"},
            soap_headers=[
                {"namespace": NS, "name": "Auth", "values": {"User": "lgsp", "Pass": "secret:khoa"}}
            ],
        )
        result = await ask(connector, operation="tra-cuu-nguoi", context={"x-officer": "CB1"})
        await connector.close()

    assert told(result) == FOUND
    head = parts.provider.heads[0]
    assert (head["soapaction"], head["content-type"], head["apikey"]) == ('""', "application/xml", "b1-m4t")
    assert head["authorization"] == "Basic " + b64encode(b"lgsp:b1-m4t").decode()
    assert head["x-officer"] == "CB1"
    auth = etree.fromstring(parts.provider.bodies[0]).find(f"{{{SOAP_11}}}Header/{{{NS}}}Auth")
    assert auth is not None
    assert [(part.tag, part.text) for part in auth] == [
        (f"{{{NS}}}User", "lgsp"),
        (f"{{{NS}}}Pass", "b1-m4t"),
    ]


async def test_a_request_by_get_has_its_fields_in_the_query() -> None:
    async with soap_parts(an_answer(an_envelope(REPLY))) as parts:
        connector = await parts.connector()
        result = await ask(connector, b"", query="soDinhDanh=001&hoTen=L%C3%AA")
        await connector.close()

    assert told(result) == FOUND
    assert "<n0:hoTen>Lê</n0:hoTen>" in parts.provider.bodies[0].decode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"soDinhDanh": {"x": 1}}', "unfit /soDinhDanh: type"),
        (b'{"bi-mat": "khong-duoc-lo"}', "unfit /bi-mat: unknown"),
        (b"{", "unfit /: malformed"),
        (b"[" * 10_000, "unfit /: depth"),
        (b'{"soDinhDanh": "1", "hoTen": "' + b"x" * 2000 + b'"}', "too-large"),
    ],
)
async def test_a_request_that_does_not_fit_is_rejected_unsent(body: bytes, reason: str) -> None:
    result, parts = await once(b"", {"max_request_bytes": 1500 if b"xxx" in body else 100_000}, body=body)

    assert result == Rejected(reason=reason)
    assert parts.provider.bodies == []


async def test_an_operation_that_does_not_exist_is_rejected() -> None:
    result, parts = await once(b"", operation="KhongCo")

    assert result == Rejected(reason="unfit /: operation-unknown")
    assert parts.provider.bodies == []


# --- faults and failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "soap", "http", "status", "first"),
    [
        ("Client", SOAP_11, "500 X", 400, "Client"),
        ("Client.NoAuth", SOAP_11, "500 X", 400, "Client"),
        ("Server", SOAP_11, "500 X", 500, "Server"),
        ("Server", SOAP_11, "200 OK", 500, "Server"),
        ("004", SOAP_11, "500 X", 500, "004"),
        ("Sender", SOAP_12, "400 X", 400, "Sender"),
        ("Receiver", SOAP_12, "500 X", 500, "Receiver"),
        ("MustUnderstand", SOAP_12, "500 X", 400, "MustUnderstand"),
    ],
)
async def test_a_fault_is_an_answer_that_a_success_rule_can_read(
    code: str, soap: str, http: str, status: int, first: str
) -> None:
    detail = '<Loi xmlns="urn:x"><Ma>005</Ma></Loi>'
    result, _ = await once(an_answer(a_fault(code, "Không được phép", detail, soap=soap), http))

    assert isinstance(result, Done)
    assert result.status == status
    fault = told(result)["fault"]
    assert (fault["code"], fault["reason"], fault["detail"]) == (
        first,
        "Không được phép",
        {"Loi": {"Ma": "005"}},
    )
    assert (b"soap-fault", first.encode()) in result.reply.headers


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        pytest.param(an_answer(b"<html>x</html>", "404 Not Found"), 502, id="404 is no answer"),
        pytest.param(an_answer(b"x", "500 X", "text/html"), 500, id="500 without a fault"),
        pytest.param(an_answer(b"", "401 X"), 401, id="401"),
        pytest.param(an_answer(b"", "407 X"), 401, id="407"),
        pytest.param(an_answer(b"", "302 X", more="Location: /\r\n"), 302, id="redirect"),
        pytest.param(an_answer(b"", "429 X"), Busy(after=None), id="429"),
        pytest.param(an_answer(b"", "503 X", more="Retry-After: 7\r\n"), Busy(after=7.0), id="503 with a time"),
        pytest.param(an_answer(b"", "503 X"), 503, id="503"),
        pytest.param(an_answer(b""), Unknown(reason="empty", rubbish=True), id="empty"),
        pytest.param(an_answer(b" \r\n"), Unknown(reason="empty", rubbish=True), id="blank"),
        pytest.param(an_answer(an_envelope("")), Unknown(reason="empty", rubbish=True), id="empty body element"),
        pytest.param(an_answer(b"", "202 X"), {}, id="202"),
        pytest.param(an_answer(b"<a/>"), Unknown(reason="unfit ", rubbish=True), id="no envelope"),
        pytest.param(an_answer(b"{}"), Unknown(reason="unfit malformed", rubbish=True), id="JSON"),
        pytest.param(an_answer(an_envelope('<Khac xmlns="urn:x"/>')), Unknown(reason="unfit /: another-message", rubbish=True), id="another message"),
        pytest.param(an_answer(b"rac " + an_envelope(REPLY)), Unknown(reason="unfit malformed", rubbish=True), id="junk in front"),
        pytest.param(an_answer(b"<!DOCTYPE x>" + an_envelope(REPLY)), Unknown(reason="unfit doctype", rubbish=True), id="DOCTYPE"),
        pytest.param(an_answer(b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + an_envelope(REPLY.replace("Ánh", "&a;"))), Unknown(reason="unfit doctype", rubbish=True), id="XXE"),
        pytest.param(an_answer(an_envelope("<a>" * 300 + "</a>" * 300)), Unknown(reason="unfit too-deep", rubbish=True), id="deep"),
        pytest.param(an_answer(an_envelope(REPLY), media_type="text/xml; charset=utf-7"), Unknown(reason="unfit encoding", rubbish=True), id="odd encoding"),
        pytest.param(an_answer(an_envelope(REPLY)[:-5]), Unknown(reason="unfit malformed", rubbish=True), id="cut inside"),
        pytest.param(an_answer(b"--x", media_type="multipart/related; boundary=x"), Unknown(reason="unfit attachments", rubbish=True), id="MTOM"),
    ],
)  # fmt: skip
async def test_what_comes_instead_of_an_answer_is_named(answer: bytes, result: Any) -> None:
    got, _ = await once(answer)

    if isinstance(result, int):
        assert isinstance(got, Done)
        assert got.status == result
    elif isinstance(result, dict):
        assert told(got) == result
    else:
        assert got == result


async def test_bombs_in_answers_end_in_bounded_time() -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>'.encode() + an_envelope("<a>&a11;</a>")
    started = time.monotonic()
    result, _ = await once(an_answer(bomb))

    assert isinstance(result, Unknown)
    assert result.rubbish
    assert time.monotonic() - started < 1


async def test_an_answer_over_the_limit_is_not_read_on() -> None:
    result, _ = await once(an_answer(an_envelope("x" * 200_000)), {"max_reply_bytes": 100_000})

    assert result == Unknown(reason="too-large", rubbish=True)


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        pytest.param(an_envelope(REPLY).decode().encode("utf-16"), "text/xml; charset=utf-16", id="UTF-16"),
        pytest.param(an_envelope(REPLY).decode().encode("utf-16"), "text/xml", id="UTF-16 by its mark"),
        pytest.param(b"\xef\xbb\xbf" + an_envelope(REPLY), "text/xml; charset=iso-8859-1", id="a mark beats the header"),
        pytest.param(b'<?xml version="1.0" encoding="utf-16"?>' + an_envelope(REPLY), "text/xml; charset=utf-8", id="the header beats the declaration"),
        pytest.param(an_envelope(REPLY), "application/xml", id="nothing said"),
    ],
)  # fmt: skip
async def test_the_encoding_is_what_the_message_says_of_itself(document: bytes, media_type: str) -> None:
    result, _ = await once(an_answer(document, media_type=media_type))

    assert told(result) == FOUND


async def test_an_empty_answer_means_nothing_found_where_the_settings_say_so() -> None:
    for document in (b"", an_envelope("")):
        result, _ = await once(an_answer(document), {"empty_reply": "nothing"})
        assert told(result) == {}
    result, _ = await once(b"", {"empty_reply": "nothing"})  # the connection simply ends: that is no answer
    assert isinstance(result, Unknown)


async def test_attachments_are_put_back_where_they_belong_once_they_are_declared() -> None:
    root = an_envelope(
        REPLY.replace(
            "Nguyễn Ánh (giả lập)",
            '<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:anh%40x"/>',
        )
    )
    body = (
        b'--b\r\nContent-Type: application/xop+xml\r\nContent-ID: <goc@x>\r\n\r\n' + root + b"\r\n--b\r\n"
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <anh@x>\r\n\r\n\x00\x01\r\n--b--\r\n"
    )  # fmt: skip
    media_type = 'multipart/related; boundary=b; start="<goc@x>"; type="application/xop+xml"'
    result, _ = await once(an_answer(body, media_type=media_type), {"attachments": True})

    assert told(result) == {"nguoi": [{"hoTen": b64encode(b"\x00\x01").decode()}]}


# --- XML as it is -----------------------------------------------------------------------------------------


async def test_xml_passes_as_it_is_with_or_without_an_envelope() -> None:
    settings = {"passthrough": "xml", "wsdl": "", "actions": {"TraCuu": "urn:x"}}
    answer = an_envelope(REPLY)
    for body in (an_envelope("<a>ắ</a>"), "<a>ắ</a>".encode()):
        result, parts = await once(
            an_answer(answer), settings, body=body, media_type="text/xml; charset=utf-8"
        )
        assert isinstance(result, Done)
        assert (result.status, result.reply.body, result.reply.media_type) == (
            200,
            answer,
            "text/xml; charset=utf-8",
        )
        sent = parts.provider.bodies[0]
        assert sent == body or etree.fromstring(sent)[0][0].text == "ắ"
        assert parts.provider.heads[0]["soapaction"] == '"urn:x"'


async def test_a_fault_in_xml_keeps_its_xml_and_is_named_in_a_header() -> None:
    answer = a_fault("Client", "sai")
    result, _ = await once(an_answer(answer, "500 X"), {"passthrough": "xml", "wsdl": ""}, body=b"<a/>")

    assert isinstance(result, Done)
    assert (result.status, result.reply.body) == (400, answer)
    assert (b"soap-fault", b"Client") in result.reply.headers


@pytest.mark.parametrize(
    "body",
    [b"<!DOCTYPE a><a/>", b"<a", b"{}", b"", b" <?xml version='1.0'?><a/>", b"<Envelope/>", b"<a>" * 300 + b"</a>" * 300],
)  # fmt: skip
async def test_xml_that_is_not_clean_is_rejected_unsent(body: bytes) -> None:
    result, parts = await once(b"", {"passthrough": "xml", "wsdl": ""}, body=body)

    assert isinstance(result, Rejected)
    assert parts.provider.bodies == []


# --- security ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "soap"), SOAPS)
async def test_a_user_name_token_hashes_password_nonce_and_time(version: str, soap: str) -> None:
    async with soap_parts(an_answer(an_envelope(REPLY, soap=soap)), mk="b1 m4t&") as parts:
        connector = await parts.connector(
            wsdl=a_wsdl(version=version),
            security={"kind": "username-token", "username": "lgsp", "password": "secret:mk"},
        )
        for _ in range(2):
            await ask(connector)
        await connector.close()

    tokens = [etree.fromstring(body).find(f".//{{{WSSE}}}UsernameToken") for body in parts.provider.bodies]
    nonces = set()
    for token in tokens:
        assert token is not None
        nonce = b64decode(token.findtext(f"{{{WSSE}}}Nonce", ""))
        created = token.findtext(f"{{{WSU}}}Created", "").encode()
        expected = b64encode(hashlib.sha1(nonce + created + b"b1 m4t&").digest()).decode()  # noqa: S324 (the profile's)
        assert token.findtext(f"{{{WSSE}}}Password") == expected
        nonces.add(nonce)
    assert len(nonces) == 2
    assert b"b1 m4t" not in b"".join(parts.provider.bodies)


@pytest.mark.parametrize(("version", "soap"), SOAPS)
async def test_a_user_name_token_may_show_the_password_as_text(version: str, soap: str) -> None:
    async with soap_parts(an_answer(an_envelope(REPLY, soap=soap)), mk="b1 m4t&<") as parts:
        connector = await parts.connector(
            wsdl=a_wsdl(version=version),
            security={
                "kind": "username-token", "username": "lgsp&", "password": "secret:mk", "password_type": "text",
            },
        )  # fmt: skip
        assert told(await ask(connector)) == FOUND
        await connector.close()

    header = etree.fromstring(parts.provider.bodies[0]).find(f"{{{soap}}}Header/{{{WSSE}}}Security")
    assert header is not None
    assert header.get(f"{{{soap}}}mustUnderstand") == "1"
    password = header.find(f".//{{{WSSE}}}Password")
    assert password is not None
    assert (header.findtext(f".//{{{WSSE}}}Username"), password.text) == ("lgsp&", "b1 m4t&<")
    assert password.get("Type", "").endswith("#PasswordText")
    assert "b1 m4t" not in "".join(parts.log.lines)


@pytest.mark.parametrize(("version", "soap"), SOAPS)
@pytest.mark.parametrize("kind", ["rsa", "ec"])
async def test_body_and_time_are_signed_so_that_others_can_verify(kind: str, version: str, soap: str) -> None:
    key, certificate = a_certificate(kind)
    async with soap_parts(an_answer(an_envelope(REPLY, soap=soap)), khoa=key, ct=certificate) as parts:
        connector = await parts.connector(
            wsdl=a_wsdl(version=version),
            security={"kind": "x509", "key": "secret:khoa", "certificate": "secret:ct"},
        )
        assert told(await ask(connector)) == FOUND
        await connector.close()

    sent = parts.provider.bodies[0]
    assert verified(sent, certificate) == {f"{{{soap}}}Body", f"{{{WSU}}}Timestamp"}
    assert verified_by_signxml(sent, certificate) == 2
    assert verified(sent.replace(b"001099000001", b"001099000002"), certificate) == set()
    assert key.split("\n")[1] not in sent.decode()


# --- life -------------------------------------------------------------------------------------------------


async def test_a_large_answer_does_not_hold_up_the_loop() -> None:
    people = "<nguoi><hoTen>Nguyễn Văn An (giả lập)</hoTen><tuoi>7</tuoi></nguoi>" * 100_000
    answer = an_answer(an_envelope(f'<TraCuuResponse xmlns="{NS}">{people}</TraCuuResponse>'))
    async with watched_loop() as gaps:
        result, _ = await once(answer, seconds=30)

    assert len(answer) > 7_000_000
    assert len(told(result)["nguoi"]) == 100_000
    assert max(gaps) < 0.4  # a busy machine; what is measured alone is in the reference page


async def test_nothing_is_called_before_opening_and_a_bad_description_says_why() -> None:
    async with soap_parts() as parts:
        connector = await parts.connector()
        fresh = SOAPConnector(connector._settings, connector._context)
        assert await ask(fresh) == Unreachable(reason="not-open")
        with pytest.raises(ConnectorError, match="no SOAP port"):
            await parts.connector(service="Khac")
        await connector.close()


async def test_an_address_where_nobody_listens_is_unreachable() -> None:
    async with soap_parts() as parts:
        connector = await parts.connector(url=f"http://127.0.0.1:{free_port()}")
        assert isinstance(await ask(connector), Unreachable)
        steps = await connector.check()
        await connector.close()

    assert [(step.step, step.ok) for step in steps] == [
        ("dns", None), ("tcp", False), ("tls", None), ("credentials", None), ("contract", None)
    ]  # fmt: skip


async def test_the_description_says_what_can_be_called() -> None:
    async with soap_parts() as parts:
        connector = await parts.connector()
        (described,) = await connector.describe()
        await connector.close()

    assert (described.name, described.method) == ("TraCuu", "POST")
    assert described.request_schema is not None
    assert described.request_schema["properties"]["dung"] == {"type": "boolean"}


def test_without_the_extra_a_node_lists_the_connector_as_broken() -> None:
    program = (
        "import sys, json; sys.modules['zeep'] = None\n"
        "from connectors.catalogue import installed\n"
        "print(json.dumps([it for it in installed().describe() if 'broken' in it]))\n"
        "assert 'rest' in [it.kind for it in installed()]"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)

    (broken,) = orjson.loads(done.stdout)
    assert broken["kind"] == "soap"
    assert "pip install 'lgsp[soap]'" in broken["broken"]


def test_a_node_without_soap_endpoints_does_not_load_zeep() -> None:
    program = (
        "import sys; from connectors.catalogue import installed; list(installed())\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('zeep', 'signxml', 'requests')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)

    assert done.stdout.strip() == "[]"
