"""`lgsp import openapi` and `lgsp import wsdl`: a description becomes a draft of a version, and what could not be taken is told."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run, segment
from gateway.commands.failures import Failed, WrongUsage
from gateway.commands.say import Json, Out

NOT_GIVEN = Access()
MOST_LINES = 40
MOST_OF_A_KIND = 5
Say = Callable[[str, str], None]

Service = Annotated[
    str, Parameter(help="The service that it describes, by name or id; it must be registered.")
]
Number = Annotated[str, Parameter(help="The number of the version that it becomes.")]
Place = Annotated[str, Parameter(help="For which environment the address is: sandbox or production.")]
Address = Annotated[
    str | None, Parameter(name="--url", help="The provider's address, instead of the description's.")
]
Database = Annotated[str | None, Parameter(help="The national database that the version opens.")]
Only = Annotated[
    tuple[str, ...],
    Parameter(
        help="Take only this operation, tag or beginning of paths; may stand several times.", negative=""
    ),
]
Mock = Annotated[
    bool,
    Parameter(
        help="Let the sandbox be answered by the description itself: its examples, or invented data.",
        negative="",
    ),
]
Replace = Annotated[
    bool,
    Parameter(help="If there is a draft of this number, read the description into it again.", negative=""),
]
DryRun = Annotated[bool, Parameter(help="Only say what would come of it; change nothing.", negative="")]
AsYAML = Annotated[
    bool,
    Parameter(name="--yaml", help="Print the version as YAML for `lgsp apply`; change nothing.", negative=""),
]


def openapi(  # noqa: PLR0913  (one option each)
    file: Annotated[Path, Parameter(help="OpenAPI 3.0 or 3.1, or Swagger 2.0, as JSON or YAML.")],
    *,
    service: Service,
    version: Number,
    environment: Place = "sandbox",
    url: Address = None,
    national_database: Database = None,
    only: Only = (),
    mock: Mock = False,
    replace: Replace = False,
    dry_run: DryRun = False,
    as_yaml: AsYAML = False,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Make a draft of a version from an OpenAPI description.

    What cannot be taken is told item by item, with what happens instead; the rest is usable. Nothing that the
    description refers to is fetched.
    """
    media_type = "application/json" if file.suffix.lower() == ".json" else "application/yaml"
    query: Json = {
        "version": version,
        "environment": environment,
        "url": url,
        "national_database": national_database,
        "only": list(only) or None,
        "mock": mock or None,
        "replace": replace or None,
        "dry_run": dry_run or as_yaml or None,
        "as_yaml": as_yaml or None,
    }
    return take(file, read_file(file), media_type, service, query, access=access, as_json=as_json)


def wsdl(  # noqa: PLR0913  (one option each)
    *files: Annotated[Path, Parameter(help="The WSDL, then the files that it imports, if there are any.")],
    service: Service,
    version: Number,
    environment: Place = "sandbox",
    url: Address = None,
    national_database: Database = None,
    only: Only = (),
    mock: Mock = False,
    wsdl_service: Annotated[str | None, Parameter(help="The WSDL's service; else the first.")] = None,
    wsdl_port: Annotated[
        str | None, Parameter(help="The WSDL's port; else the first that speaks SOAP.")
    ] = None,
    replace: Replace = False,
    dry_run: DryRun = False,
    as_yaml: AsYAML = False,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Make a draft of a version from a WSDL 1.1; its messages become JSON, as the connector `soap` shows them.

    What cannot be taken is told item by item, with what happens instead; the rest is usable. Nothing is fetched:
    name the files that it imports.
    """
    if not files:
        raise WrongUsage("Hãy nêu tệp WSDL.", "Name the WSDL file.")
    query: Json = {
        "version": version,
        "environment": environment,
        "url": url,
        "national_database": national_database,
        "only": list(only) or None,
        "mock": mock or None,
        "wsdl_service": wsdl_service,
        "wsdl_port": wsdl_port,
        "replace": replace or None,
        "dry_run": dry_run or as_yaml or None,
        "as_yaml": as_yaml or None,
    }
    content = json.dumps({"files": [file_of(files[0], one) for one in files]}).encode()
    return take(
        files[0], content, "application/vnd.lgsp.wsdl+json", service, query, access=access, as_json=as_json
    )


def file_of(first: Path, file: Path) -> Json:
    """Return a file under the name by which the first one imports it: its place beside that."""
    text = read_file(file)
    try:
        return {"name": os.path.relpath(file, first.parent), "text": text.decode("utf-8-sig")}
    except UnicodeDecodeError as error:
        raise Failed(
            f"{file}: không phải UTF-8 (byte {error.start}); hãy lưu lại bằng UTF-8.",
            f"{file} is not UTF-8 (byte {error.start}); save it as UTF-8.",
        ) from error


def take(
    file: Path, content: bytes, media_type: str, service: str, query: Json, *, access: Access, as_json: bool
) -> int:
    """Hand a description to the node and show what came of it. `query` is that of the admin API."""
    given = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in query.items()
        if value is not None
    }

    async def work(node: Node, out: Out) -> None:
        with out.progress(f"Đang đọc {file}", f"Reading {file}"):
            reply = await node.send(
                "POST",
                f"services/{segment(service)}/descriptions",
                params=given,
                content=content,
                headers={"Content-Type": media_type},
            )
        found: Json = reply.json()
        if as_json:
            out.result(found)
        elif found["yaml"] is not None:
            out.text(found["yaml"])
            _show_not_taken(found, out.note)
        else:
            _show(out, found)

    run(access, work, as_json=as_json)
    return 0


def read_file(file: Path) -> bytes:
    """Return what stands in a file. Raises Failed."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failed(f"Không đọc được {file}: {error}", f"{file} cannot be read: {error}") from error


def _show(out: Out, found: Json) -> None:
    count, label = len(found["operations"]), found["label"]
    if found["applied"]:
        out.say(
            f"Đã tạo bản nháp {label} ({count} thao tác, {found['schemas']} lược đồ).",
            f"The draft {label} is made (operations: {count}, schemas: {found['schemas']}).",
        )
    else:
        out.say(
            f"Sẽ tạo bản nháp {label} ({count} thao tác, {found['schemas']} lược đồ); chưa thay đổi gì.",
            f"The draft {label} would be made (operations: {count}, schemas: {found['schemas']}); nothing was changed.",
        )
    for one in found["operations"][:MOST_LINES]:
        line = f"  {one['method']:<7} {one['path']}  {one['name']}"
        out.say(line, line)
    _rest(count, out.say)
    for environment, one in found["endpoints"].items():
        line = f"  {environment}: {one['connector']} {one['url'] or ''}".rstrip()
        out.say(line, line)
    _show_not_taken(found, out.say)
    if found["applied"]:
        out.say(
            f"Tiếp theo: lgsp version check {label}, rồi lgsp step version {label} publish",
            f"Next: lgsp version check {label}, then lgsp step version {label} publish",
        )


def _show_not_taken(found: Json, say: Say) -> None:
    total = found["not_taken_total"]
    if not total:
        return
    say(f"Không nhận nguyên vẹn được: {total} chỗ", f"Not taken as it is written: {total}")
    shown = found["not_taken"]
    for code, count in Counter(one["code"] for one in shown).most_common():
        these = [one for one in shown if one["code"] == code]
        why, instead = these[0]["why"], these[0]["instead"]
        say(f"  {why['vi']}; {instead['vi']} ({count}):", f"  {why['en']}; {instead['en']} ({count}):")
        for one in these[:MOST_OF_A_KIND]:
            line = f"    {one['pointer'] or '/'}  {one['detail']}".rstrip()
            say(line, line)
        if count > MOST_OF_A_KIND:
            say(
                f"    … và {count - MOST_OF_A_KIND} chỗ nữa (--json cho đủ)",
                f"    … and {count - MOST_OF_A_KIND} more (all with --json)",
            )


def _rest(count: int, say: Say) -> None:
    if count > MOST_LINES:
        say(f"  … và {count - MOST_LINES} thao tác nữa", f"  … and {count - MOST_LINES} more")
