"""`lgsp call`: a token, a call, and what came of it, explained."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import quote

import anyio
import httpx2
from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, fetch_token, http_client, problem_in, segment, send
from gateway.commands.failures import Failed, WrongUsage
from gateway.commands.say import Json, Out, explain
from gateway.settings import ClientSettings

NOT_GIVEN = Access()
Pairs = tuple[str, ...]


class Target(NamedTuple):
    """What to call: the base address, the method (None leaves it to the caller), and the path."""

    address: str
    method: str | None
    path: str


def call(  # noqa: PLR0913  (one option each)
    service: Annotated[str, Parameter(help="The service's name.")],
    operation: Annotated[str, Parameter(help="The operation's name, or a path that begins with a slash.")],
    *,
    version: Annotated[
        str | None, Parameter(help="The version; the service's default one without it.")
    ] = None,
    method: Annotated[str | None, Parameter(help="The method; else the operation's own, or GET.")] = None,
    path: Annotated[
        Pairs, Parameter(name="--set", help="NAME=VALUE for a variable in the operation's path.", negative="")
    ] = (),
    query: Annotated[Pairs, Parameter(help="NAME=VALUE in the query.", negative="")] = (),
    header: Annotated[Pairs, Parameter(help="NAME=VALUE of a header.", negative="")] = (),
    data: Annotated[
        str | None, Parameter(help="The body; @FILE reads it from a file, @- from standard input.")
    ] = None,
    media_type: Annotated[str, Parameter(help="The body's media type.")] = "application/json",
    purpose: Annotated[str | None, Parameter(help="Why the call is made (Lgsp-Purpose).")] = None,
    procedure: Annotated[str | None, Parameter(help="The procedure's code (Lgsp-Procedure).")] = None,
    officer: Annotated[str | None, Parameter(help="On whose account (Lgsp-Officer).")] = None,
    public_url: Annotated[
        str | None,
        Parameter(
            help="Base address that services are called at, where it is not --node; else LGSP_PUBLIC_URL, else what the node says."
        ),
    ] = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Get a token, call a service, explain what came of it. Exit code 0 for an answer below 400."""
    if access.local:
        raise WrongUsage(
            "«lgsp call» luôn gọi qua mạng; hãy bỏ --local.",
            "`lgsp call` always calls over the network; leave out --local.",
        )
    fields = {"Lgsp-Purpose": purpose, "Lgsp-Procedure": procedure, "Lgsp-Officer": officer}
    headers = {name: value for name, value in fields.items() if value is not None} | _pairs(header)
    body = _body(data)
    if body is not None:
        headers["Content-Type"] = media_type
    settings = access.settings(public_url=public_url)
    out = Out(settings.language, as_json=as_json)

    async def main() -> int:
        async with http_client(settings.node_url) as http:
            headers["Authorization"] = f"Bearer {await fetch_token(http, settings)}"
            target = await _target(http, settings, headers, (service, version, operation), path)
            reply = await send(
                http,
                method or target.method or ("GET" if body is None else "POST"),
                target.address + target.path,
                target.address,
                params=_pairs(query),
                headers=headers,
                content=body,
            )
            return _show(out, reply)

    try:
        return anyio.run(main)
    except Failed as error:
        error.language = settings.language
        raise


async def _target(
    http: httpx2.AsyncClient,
    settings: ClientSettings,
    headers: dict[str, str],
    named: tuple[str, str | None, str],
    given: Sequence[str],
) -> Target:
    """Find out what to call, by the node's catalogue; a path can be called without it."""
    service, version, operation = named
    reply = await send(
        http,
        "GET",
        f"/admin/v1/catalogue/{segment(service)}",
        settings.node_url,
        headers={"Authorization": headers["Authorization"]},
    )
    entry = {} if reply.is_error else reply.json()
    address = (settings.public_url or entry.get("address") or settings.node_url).rstrip("/")
    if operation.startswith("/"):
        base = f"/{quote(service)}" + (f"/{quote(version)}" if version else "")
        return Target(address, None, base + quote(operation, safe="/%:@!$&'()*+,;=~"))
    if reply.is_error:
        raise Failed(
            f"Không tra được thao tác {operation}: {explain(problem_in(reply), 'vi')}\nCó thể nêu đường dẫn, ví dụ /chitiet/1.",
            f"The operation {operation} cannot be looked up: {explain(problem_in(reply), 'en')}\nA path works without that, for example /chitiet/1.",
        )
    found = _operation(entry, version, operation)
    chosen = None if found["method"] == "ANY" else found["method"]
    path = f"/{quote(service)}/{found['version']}{_filled(found['path'], _pairs(given))}"
    return Target(address, chosen, path)


def _operation(entry: Json, version: str | None, operation: str) -> Json:
    wanted = version or entry["default_version"]
    versions = [
        each for each in entry["versions"] if wanted is None or _number(each) == wanted.removeprefix("v")
    ]
    for each in versions:
        for known in each["operations"]:
            if known["name"] == operation:
                return {**known, "version": each["version"]}
    names = sorted({known["name"] for each in versions for known in each["operations"]})
    if not versions:
        raise _nothing_published(entry, wanted)
    raise Failed(
        f"Dịch vụ {entry['name']} không có thao tác «{operation}». Các thao tác: {', '.join(names) or '-'}.",
        f"The service {entry['name']} has no operation {operation!r}. It has: {', '.join(names) or '-'}.",
    )


def _nothing_published(entry: Json, wanted: str | None) -> Failed:
    published = ", ".join(sorted(each["version"] for each in entry["versions"]))
    if not published:
        return Failed(
            f"Dịch vụ {entry['name']} chưa có phiên bản nào được công bố; bên cung cấp cần công bố (status: published).",
            f"No version of the service {entry['name']} is published; its provider has to (status: published).",
        )
    return Failed(
        f"Dịch vụ {entry['name']} không có phiên bản {wanted} được công bố. Đã công bố: {published}.",
        f"The service {entry['name']} has no published version {wanted}. Published: {published}.",
    )


def _number(version: Json) -> str:
    return str(version["version"]).removeprefix("v")


def _filled(template: str, values: dict[str, str]) -> str:
    """Put values into a path: `{name}` for one segment, a last `{name*}` for the rest."""
    segments = []
    for part in template.split("/"):
        if part.startswith("{") and part.endswith("}"):
            name = part.strip("{}").removesuffix("*")
            if name not in values:
                raise WrongUsage(
                    f"Thiếu --set {name}=… cho {template}.", f"--set {name}=… is missing for {template}."
                )
            segments.append(quote(values[name], safe="/" if part.endswith("*}") else ""))
        else:
            segments.append(part)
    return "/".join(segments)


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise WrongUsage(f"«{text}» phải có dạng TÊN=GIÁ-TRỊ.", f"{text!r} must be NAME=VALUE.")
        pairs[name] = value
    return pairs


def _body(data: str | None) -> bytes | None:
    if data is None or not data.startswith("@"):
        return None if data is None else data.encode("utf-8")
    try:
        return sys.stdin.buffer.read() if data == "@-" else Path(data[1:]).read_bytes()
    except OSError as error:
        raise Failed(f"Không đọc được {data[1:]}: {error}", f"{data[1:]} cannot be read: {error}") from error


def _show(out: Out, reply: httpx2.Response) -> int:
    code = 1 if reply.is_error else 0
    exchange = reply.headers.get("lgsp-exchange-id", "")
    if out.as_json:
        headers = dict(reply.headers)
        out.result(
            {"status": reply.status_code, "exchange": exchange, "headers": headers, "body": _shown(reply)}
        )
        return code
    out.note(f"HTTP {reply.status_code}  {exchange}", f"HTTP {reply.status_code}  {exchange}")
    if reply.headers.get("content-type", "").startswith("application/problem+json"):
        problem = problem_in(reply)
        out.say(explain(problem, "vi"), explain(problem, "en"))
    elif reply.content:
        out.text(reply.text)
    return code


def _shown(reply: httpx2.Response) -> object:
    try:
        return reply.json()
    except ValueError:
        return reply.text
