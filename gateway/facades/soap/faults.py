"""Problems as faults of either version."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.builtin.soap.envelope import Shell, Version
from connectors.message import Headers
from gateway.facades.soap.envelopes import EnvelopeRefused, FaultCode
from gateway.problems import Problem
from gateway.soap.nodes import write_open, xml_text
from gateway.soap.xsd import COMMON

MEDIA_TYPES: Final[Mapping[Version, bytes]] = {
    "1.1": b"text/xml; charset=utf-8",
    "1.2": b"application/soap+xml; charset=utf-8",
}
_SHELLS: Final = {one: Shell(one, {COMMON: "c"}) for one in MEDIA_TYPES}
_OF_12: Final[Mapping[FaultCode, str]] = {"Client": "Sender", "Server": "Receiver"}
_SERVER: Final = 500
_SENDER: Final = 400


def fault(
    problem: Problem,
    version: Version,
    *,
    refused: EnvelopeRefused | None = None,
    answer: Any = None,  # Any: foreign JSON
) -> tuple[int, Headers, bytes]:
    """Return status, headers and message of a fault; `answer` is what the provider said itself."""
    code: FaultCode = refused.fault if refused else "Server" if problem.status >= _SERVER else "Client"
    detail = "".join(_detail(problem, answer))
    if version == "1.1":
        content, header, status = _fault_11(code, problem, detail), "", _SERVER
    else:
        content, header = _fault_12(code, problem, detail), _not_understood(refused)
        status = _SENDER if code == "Client" else _SERVER
    headers = [field for field in problem.headers if field[0] != b"www-authenticate"]
    return (
        status,
        [(b"content-type", MEDIA_TYPES[version]), *headers],
        _SHELLS[version].around([content], header),
    )


def _fault_11(code: FaultCode, problem: Problem, detail: str) -> str:
    said = xml_text(f"{problem.body['title']}. {problem.body['detail']}")
    return (
        f"<s:Fault><faultcode>s:{code}</faultcode><faultstring>{said}</faultstring>"
        f"<detail>{detail}</detail></s:Fault>"
    )


def _fault_12(code: FaultCode, problem: Problem, detail: str) -> str:
    told = problem.body["messages"]
    texts = "".join(
        f'<s:Text xml:lang="{language}">{xml_text(told[language]["title"])}. {xml_text(told[language]["detail"])}</s:Text>'
        for language in ("vi", "en")
    )
    return (
        f"<s:Fault><s:Code><s:Value>s:{_OF_12.get(code, code)}</s:Value>"
        f"<s:Subcode><s:Value>c:{problem.code}</s:Value></s:Subcode></s:Code>"
        f"<s:Reason>{texts}</s:Reason><s:Detail>{detail}</s:Detail></s:Fault>"
    )


def _not_understood(refused: EnvelopeRefused | None) -> str:
    if refused is None or not refused.block:
        return ""
    uri, _, name = refused.block.removeprefix("{").rpartition("}")
    return f'<s:NotUnderstood qname="u:{xml_text(name)}" xmlns:u="{xml_text(uri)}"/>' if uri else ""


def _detail(problem: Problem, answer: Any) -> list[str]:  # Any: foreign JSON
    body = problem.body
    told = body["messages"]
    after = body["retry"]["after_seconds"]
    values = {
        "code": problem.code,
        "status": str(problem.status),
        "turn": body["turn"],
        "retryHelps": "true" if body["retry"]["helps"] else "false",
        "retryAfterSeconds": None if after is None else str(after),
        "sent": "true" if body["sent"] else "false",
        "exchange": body.get("instance", "").removeprefix("urn:uuid:") or None,
        "titleVi": told["vi"]["title"],
        "detailVi": told["vi"]["detail"],
        "titleEn": told["en"]["title"],
        "detailEn": told["en"]["detail"],
    }
    out = ["<c:Problem>"]
    out += [f"<c:{name}>{xml_text(text)}</c:{name}>" for name, text in values.items() if text is not None]
    for name, value in body.get("details", {}).items():
        out.append(f'<c:parameter name="{xml_text(name)}">{xml_text(str(value))}</c:parameter>')
    if answer is not None:
        write_open("c:providerAnswer", answer, out)
    out.append("</c:Problem>")
    return out
