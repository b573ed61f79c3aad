"""Descriptions of invented SOAP services, and a provider that answers what a test tells it to."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from connectors.builtin.soap.connector import SOAPConnector
from connectors.builtin.soap.settings import SOAPSettings
from gateway.aiohttp_transport import AiohttpTransport
from gateway.deadlines import Deadlines
from gateway.egress import parse_egress
from tests import hostile as h
from tests.connectors import KeptLog, a_context

NS = "urn:vi-du:ho-tich"
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"

SCHEMA = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="{NS}" targetNamespace="{NS}"
  elementFormDefault="qualified">
 <xs:simpleType name="GioiTinh"><xs:restriction base="xs:string"><xs:enumeration value="1"/></xs:restriction></xs:simpleType>
 <xs:complexType name="Nguoi">
  <xs:sequence>
   <xs:element name="hoTen" type="xs:string"/>
   <xs:element name="gioiTinh" type="t:GioiTinh" minOccurs="0"/>
   <xs:element name="tuoi" type="xs:int" minOccurs="0"/>
   <xs:element name="soDinhDanh" type="xs:long" minOccurs="0"/>
   <xs:element name="tien" type="xs:decimal" minOccurs="0" nillable="true"/>
   <xs:element name="con" type="t:Nguoi" minOccurs="0" maxOccurs="unbounded"/>
  </xs:sequence>
  <xs:attribute name="ma" type="xs:string"/>
 </xs:complexType>
 <xs:complexType name="CanBo">
  <xs:complexContent><xs:extension base="t:Nguoi">
   <xs:sequence><xs:element name="chucVu" type="xs:string"/></xs:sequence>
  </xs:extension></xs:complexContent>
 </xs:complexType>
 <xs:complexType name="So"><xs:simpleContent><xs:extension base="xs:decimal">
  <xs:attribute name="donVi" type="xs:string"/></xs:extension></xs:simpleContent></xs:complexType>
 <xs:element name="TraCuu"><xs:complexType><xs:sequence>
  <xs:choice><xs:element name="soDinhDanh" type="xs:string"/><xs:element name="soCMND" type="xs:string"/></xs:choice>
  <xs:element name="hoTen" type="xs:string" minOccurs="0"/>
  <xs:element name="dung" type="xs:boolean" minOccurs="0"/>
  <xs:element name="nguoi" type="t:Nguoi" minOccurs="0"/>
  <xs:element name="le" type="t:So" minOccurs="0"/>
  <xs:choice minOccurs="0" maxOccurs="unbounded">
   <xs:element name="a" type="xs:string"/><xs:element name="b" type="xs:short"/>
  </xs:choice>
 </xs:sequence></xs:complexType></xs:element>
 <xs:element name="TraCuuResponse"><xs:complexType><xs:sequence>
  <xs:element name="nguoi" type="t:Nguoi" minOccurs="0" maxOccurs="unbounded"/>
 </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""

OPERATION = """<operation name="{name}"><soap:operation soapAction="{action}"/>
 <input><soap:body use="{use}" {body}/></input><output><soap:body use="{use}" {body}/></output></operation>"""


def a_wsdl(
    *,
    schema: str = SCHEMA,
    version: str = "1.1",
    use: str = "literal",
    action: str = "urn:tra-cuu",
    head: str = "",
    before: str = "",
) -> str:
    """Return a description with the operation `TraCuu` (document/literal) and `Cong` (rpc/literal)."""
    soap = "soap" if version == "1.1" else "soap12"
    return f"""{before}<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:t="{NS}" targetNamespace="{NS}"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:soap="http://schemas.xmlsoap.org/wsdl/{soap}/">{head}
 <types>{schema}</types>
 <message name="TraCuuIn"><part name="parameters" element="t:TraCuu"/></message>
 <message name="TraCuuOut"><part name="parameters" element="t:TraCuuResponse"/></message>
 <message name="CongIn"><part name="x" type="xs:int"/><part name="y" type="xs:int"/></message>
 <message name="CongOut"><part name="tong" type="xs:int"/></message>
 <portType name="Cua"><operation name="TraCuu"><input message="t:TraCuuIn"/><output message="t:TraCuuOut"/></operation>
 </portType>
 <portType name="CuaRPC"><operation name="Cong"><input message="t:CongIn"/><output message="t:CongOut"/></operation>
 </portType>
 <binding name="B" type="t:Cua"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
  {OPERATION.format(name="TraCuu", use=use, action=action, body="")}</binding>
 <binding name="R" type="t:CuaRPC"><soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
  {OPERATION.format(name="Cong", use=use, action="urn:cong", body='namespace="urn:vi-du:cong"')}</binding>
 <service name="HoTich"><port name="P" binding="t:B"><soap:address location="http://127.0.0.1:1/never-used"/></port>
  <port name="R" binding="t:R"><soap:address location="http://127.0.0.1:1/never-used"/></port></service>
</definitions>"""


def an_echo_wsdl() -> str:
    """Return a description whose operation `traCuu` is answered with what it was asked."""
    schema = (
        f'<xs:schema targetNamespace="{NS}" elementFormDefault="qualified"><xs:element name="HoSo"><xs:complexType>'
        '<xs:sequence><xs:element name="hoTen" type="xs:string"/></xs:sequence></xs:complexType></xs:element></xs:schema>'
    )
    wsdl = a_wsdl(schema=schema).replace('"TraCuu"', '"traCuu"')
    return wsdl.replace('"t:TraCuu"', '"t:HoSo"').replace('"t:TraCuuResponse"', '"t:HoSo"')


def an_envelope(content: str, *, soap: str = SOAP_11) -> bytes:
    return f'<s:Envelope xmlns:s="{soap}"><s:Body>{content}</s:Body></s:Envelope>'.encode()


def a_fault(code: str, reason: str = "hỏng", detail: str = "", *, soap: str = SOAP_11) -> bytes:
    if soap == SOAP_11:
        inside = f"<faultcode>s:{code}</faultcode><faultstring>{reason}</faultstring>{detail and f'<detail>{detail}</detail>'}"
    else:
        text = f'<s:Reason><s:Text xml:lang="vi">{reason}</s:Text></s:Reason>'
        inside = (
            f"<s:Code><s:Value>s:{code}</s:Value></s:Code>{text}{detail and f'<s:Detail>{detail}</s:Detail>'}"
        )
    return an_envelope(f"<s:Fault>{inside}</s:Fault>", soap=soap)


def an_answer(
    body: bytes, status: str = "200 OK", media_type: str = "text/xml; charset=utf-8", more: str = ""
) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


@dataclass
class Provider:
    """A SOAP provider in a test's hands: what it was sent, and what it answers."""

    answer: bytes | Callable[[bytes], bytes] = b""
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, talk: h.Conversation) -> None:
        while True:
            head, body = await talk.read_request()
            if not head:
                return
            self.heads.append(h.fields_of(head))
            self.bodies.append(body)
            await talk.send(self.answer if isinstance(self.answer, bytes) else self.answer(body))


@dataclass
class Parts:
    """A provider, where it listens, and a client that reaches it."""

    provider: Provider
    url: str
    http: AiohttpTransport
    secrets: dict[str, str]
    log: KeptLog = field(default_factory=KeptLog)

    async def connector(self, **settings: Any) -> SOAPConnector:
        """Return an open connector."""
        made = SOAPConnector(
            SOAPSettings(**{"url": self.url, "wsdl": a_wsdl()} | settings),
            a_context(self.http, secrets=self.secrets, log=self.log),
        )
        await made.open()
        return made


@asynccontextmanager
async def soap_parts(answer: bytes | Callable[[bytes], bytes] = b"", **secrets: str) -> AsyncIterator[Parts]:
    provider = Provider(answer)
    async with (
        h.hostile(provider) as server,
        AiohttpTransport(egress=parse_egress(networks=["127.0.0.0/8"]), deadlines=Deadlines()) as http,
    ):
        yield Parts(provider, server.address + "/dich-vu", http, secrets)
