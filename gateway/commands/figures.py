"""Commands that read figures and evidence, and two that renew what the node keeps."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run, segment
from gateway.commands.failures import Failed, WrongUsage
from gateway.commands.say import Json, Out

NOT_GIVEN = Access()


def connectivity(
    *,
    unit: Annotated[str | None, Parameter(help="An organisation by code or id, with all below it.")] = None,
    database: Annotated[str | None, Parameter(help="A national database by code or id.")] = None,
    mode: Annotated[str | None, Parameter(help="One connection mode: lgsp-ngsp, ngsp, lgsp, direct.")] = None,
    on: Annotated[str | None, Parameter(help="The last day of the window; today without it.")] = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Print the connectivity figure with its rule."""

    async def work(node: Node, out: Out) -> None:
        figure = await node.get("connectivity", unit=unit, database=database, mode=mode, on=on)
        if as_json:
            out.result(figure)
            return
        _show_figure(out, figure)

    run(access, work, as_json=as_json)
    return 0


def _show_figure(out: Out, figure: Json) -> None:
    share = figure["share_percent"]
    printed = "-" if share is None else f"{share} %"
    out.say(
        f"Kết nối CSDL quốc gia ({figure['nation']}): {figure['connected']}/{figure['needed']} hệ thống có nhu cầu, {printed}",
        f"Connected to national databases ({figure['nation']}): {figure['connected']} of {figure['needed']} systems in need, {printed}",
    )
    out.say(
        f"Ngày tính: {figure['on']}; trong {figure['window_days']} ngày",
        f"Day: {figure['on']}; within {figure['window_days']} days",
    )
    for row in figure["by_database"]:
        told = f"  {row['database']}: {row['connected']}/{row['needed']}"
        out.say(told, told)
    out.say(f"Quy tắc: {figure['rule']['vi']}", f"Rule: {figure['rule']['en']}")
    out.say(f"Phiên bản danh bạ: {figure['revision']}", f"Registry revision: {figure['revision']}")


def evidence_list(
    *,
    consumer: Annotated[str | None, Parameter(help="The calling system, by code or id.")] = None,
    provider: Annotated[str | None, Parameter(help="The called system, by code or id.")] = None,
    outcome: Annotated[
        str | None, Parameter(help="How the exchanges ended, e.g. success, refused, unknown.")
    ] = None,
    since: Annotated[str | None, Parameter(help="From this day or time on.")] = None,
    until: Annotated[str | None, Parameter(help="Before this day or time.")] = None,
    limit: Annotated[int, Parameter(help="Most records to show, up to 200.")] = 50,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """List recorded exchanges, the newest first."""

    async def work(node: Node, out: Out) -> None:
        wanted = {
            "consumer": consumer,
            "provider": provider,
            "outcome": outcome,
            "since": since,
            "until": until,
        }
        page = await node.get("evidence", limit=limit, **wanted)
        if as_json:
            out.result(page)
            return
        columns = [
            ("Lúc (UTC)", "At (UTC)"), ("Giao dịch", "Exchange"), ("Thao tác", "Operation"), ("Kết cục", "Outcome"),
            ("Lý do", "Reason"), ("HTTP", "HTTP"),
        ]  # fmt: skip
        out.table(columns, [_evidence(item) for item in page["items"]])
        out.say(f"{page['total']} giao dịch.", f"{page['total']} exchanges.")

    run(access, work, as_json=as_json)
    return 0


def _evidence(item: Json) -> tuple[object, ...]:
    at = datetime.fromtimestamp(item["at"] / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return (
        at,
        item["exchange"],
        item["operation"] or None,
        item["outcome"],
        item["reason"] or None,
        item["status"],
    )


def evidence_show(
    exchange: Annotated[str, Parameter(help="The exchange's id (Lgsp-Exchange-Id).")],
    *,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Show all that is recorded of one exchange; salts for its parties and auditors."""

    async def work(node: Node, out: Out) -> None:
        found = await node.get(f"evidence/{segment(exchange)}")
        if as_json:
            out.result(found)
            return
        for kept in found["records"]:
            rows = [
                (name, value)
                for name, value in kept["record"].items()
                if value is False or value not in {"", 0}
            ]
            out.table([("Trường", "Field"), ("Giá trị", "Value")], rows)
            chain = kept["chain"]
            place = f"{chain['node']}/{chain['slot']} #{chain['batch']}.{chain['position']}"
            out.say(f"Chuỗi: {place}", f"Chain: {place}")
            await _tell_scope(node, out, kept["record"])

    run(access, work, as_json=as_json)
    return 0


async def _tell_scope(node: Node, out: Out, record: Json) -> None:
    """Tell by which field rules an answer was limited, to who may read the grant."""
    if not record.get("scope") or not record["grant"]:
        return
    try:
        found = await node.get(f"grants/{segment(record['grant'])}/scopes", scope=record["scope"])
    except Failed:
        return
    for scope in found["items"]:
        out.say(f"Quy tắc trường dữ liệu ({scope['scope']}):", f"Field rules ({scope['scope']}):")
        rows = [
            (rule["path"], rule["action"], rule["to"] or rule["keep_last"] or None) for rule in scope["rules"]
        ]
        rows += [(path, "keep", "envelope") for path in scope["envelope"]]
        out.table([("Trường", "Field"), ("Cách xử lý", "Action"), ("", "")], rows)


def usage_rebuild(*, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """Recompute usage from the evidence; it must give the same numbers, and says what it had to correct."""

    async def work(node: Node, out: Out) -> None:
        with out.progress("Đang tính lại từ bằng chứng", "Recomputing from the evidence"):
            done = await node.post("usage/rebuild", {})
        if as_json:
            out.result(done)
        out.say(
            f"Đã tính lại từ {done['records']} bản ghi; sửa {done['corrected']} dòng.",
            f"Recomputed from {done['records']} records; {done['corrected']} rows corrected.",
        )

    run(access, work, as_json=as_json)
    return 0


def keys_rotate(
    *,
    leaked: Annotated[
        bool, Parameter(help="A key has leaked: every token made so far ends at once.", negative="")
    ] = False,
    subject: Annotated[
        bool,
        Parameter(help="The key that names data subjects in the evidence, not the signing key.", negative=""),
    ] = False,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Make a new signing key; tokens of the old one stay good until they end."""
    if subject:
        return _rotate_subject_key(access, leaked=leaked, as_json=as_json)

    async def work(node: Node, out: Out) -> None:
        made = await node.post("keys/rotate", {"leaked": leaked})
        if as_json:
            out.result(made)
        out.say(
            f"Khóa mới {made['kid']} ký từ {made['active_from']}.",
            f"The new key {made['kid']} signs from {made['active_from']} on.",
        )

    run(access, work, as_json=as_json)
    return 0


def _rotate_subject_key(access: Access, *, leaked: bool, as_json: bool) -> int:
    from gateway.commands.subjects import rotate  # noqa: PLC0415  (only for --subject)

    if leaked:
        raise WrongUsage(
            "--leaked dành cho khoá ký token. Khoá băm bị lộ thì: tạo khoá mới (--subject), rồi huỷ khoá cũ.",
            "--leaked is for signing keys. A subject key that has leaked: make a new one, then destroy the old one.",
        )
    return rotate(access, as_json=as_json)
