"""`lgsp reconcile`: our counts per hour against a provider's own."""

import csv
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run
from gateway.commands.failures import Failed, WrongUsage
from gateway.commands.say import Json, Out

NOT_GIVEN = Access()
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
MOST_LINES = 50
COLUMNS = (
    "hour",
    "service",
    "operation",
    "kind",
    "ours",
    "ours_success",
    "uncertain",
    "theirs",
    "theirs_success",
)
KINDS = {
    "count": ("số lượt khác nhau", "counts differ"),
    "success": ("số thành công khác nhau", "successes differ"),
    "missing-there": ("bên cung cấp không có", "missing on their side"),
    "missing-here": ("bên ta không có", "missing on our side"),
}
RISKY = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def reconcile(
    file: Annotated[Path, Parameter(help="The provider's counts: CSV (UTF-8) or XLSX.")],
    *,
    provider: Annotated[
        str | None, Parameter(help="Compare every service of this system, by code or id.")
    ] = None,
    service: Annotated[str | None, Parameter(help="The service, where the file names none.")] = None,
    environment: Annotated[str, Parameter(help="production or sandbox.")] = "production",
    zone: Annotated[
        str, Parameter(help="Assumed for hours without a time zone: Asia/Ho_Chi_Minh or UTC.")
    ] = "Asia/Ho_Chi_Minh",
    output: Annotated[
        Path | None,
        Parameter(
            name=["--output", "-o"], help="Write all differences to this CSV file, safe for spreadsheets."
        ),
    ] = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Compare our counts per hour with a provider's own and list where they cannot both be right.

    Exit code 0 when they agree, 1 when they do not.
    """
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise WrongUsage(f"{file}: cần tệp .csv hoặc .xlsx.", f"{file}: a .csv or .xlsx file is needed.")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Failed(f"Không đọc được {file}: {error}", f"{file} cannot be read: {error}") from error
    query = {"provider": provider, "service": service, "environment": environment, "zone": zone}

    async def work(node: Node, out: Out) -> Json:
        with out.progress(f"Đang đối soát {file}", f"Reconciling {file}"):
            reply = await node.send(
                "POST",
                "reconcile",
                params={name: value for name, value in query.items() if value is not None},
                content=content,
                headers={"Content-Type": media_type},
            )
        found: Json = reply.json()
        if as_json:
            out.result(found)
        else:
            _show(out, found)
        return found

    found = run(access, work, as_json=as_json)
    if output is not None:
        _write(output, found)
    return 0 if found["equal"] else 1


def _show(out: Out, found: Json) -> None:
    uncertain = found["uncertain"]
    out.say(
        f"Bên ta: {found['ours']} lượt chắc chắn đã trả lời, {uncertain} lượt không rõ; bên cung cấp: {found['theirs']}. "
        f"So sánh {found['compared']} ô, {found['differences_total']} ô khác nhau.",
        f"Ours: {found['ours']} answered for certain, {uncertain} uncertain; theirs: {found['theirs']}. "
        f"{found['compared']} places compared, {found['differences_total']} differ.",
    )
    if found["rows_without_zone"]:
        out.say(
            f"{found['rows_without_zone']} dòng không ghi múi giờ, đã hiểu là {found['zone']}.",
            f"{found['rows_without_zone']} rows name no time zone; {found['zone']} was assumed.",
        )
    if found["shift_hours"] is not None:
        out.say(
            f"Giờ của bên cung cấp có vẻ lệch {-found['shift_hours']:+d} giờ so với bên ta; hãy xem lại múi giờ (--zone).",
            f"Their hours seem to lie {-found['shift_hours']:+d} hours from ours; look at the time zone (--zone).",
        )
    columns = [
        ("Giờ (Việt Nam)", "Hour (Vietnam)"), ("Dịch vụ", "Service"), ("Thao tác", "Operation"), ("Bên ta", "Ours"),
        ("Không rõ", "Uncertain"), ("Bên cung cấp", "Theirs"), ("Khác ở", "Difference"),
    ]  # fmt: skip
    if found["differences"]:
        out.table(columns, [_line(out, it) for it in found["differences"][:MOST_LINES]])
    left = found["differences_total"] - MOST_LINES
    if left > 0:
        out.say(
            f"… và {left} ô nữa; dùng --output để ghi ra tệp.",
            f"… and {left} more; --output writes them down.",
        )
    for row in found["refused"][:MOST_LINES]:
        told = {
            language: "; ".join(f"{flaw['pointer']}: {flaw['messages'][language]}" for flaw in row["errors"])
            for language in ("vi", "en")
        }
        out.say(f"  dòng {row['row']}: {told['vi']}", f"  row {row['row']}: {told['en']}")


def _line(out: Out, it: Json) -> tuple[object, ...]:
    hour = datetime.fromisoformat(it["hour"]).astimezone(VIETNAM).strftime("%Y-%m-%d %H:00")
    kind = KINDS[it["kind"]][0 if out.language == "vi" else 1]
    if it["kind"] == "success":
        kind = f"{kind} ({it['ours_success']} / {it['theirs_success']})"
    return hour, it["service"], it["operation"], it["ours"], it["uncertain"], it["theirs"], kind


def _write(output: Path, found: Json) -> None:
    try:
        with output.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for it in found["differences"]:
                writer.writerow([_safe(it[name]) for name in COLUMNS])
    except OSError as error:
        raise Failed(f"Không ghi được {output}: {error}", f"{output} cannot be written: {error}") from error


def _safe(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: names in the file are the provider's."""
    if isinstance(value, str) and value.startswith(RISKY):
        return "'" + value
    return "" if value is None else value
