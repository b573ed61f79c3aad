"""Commands about data subjects: who looked at a person, and the keys under which records name people."""

import sys
from datetime import UTC, datetime
from getpass import getpass
from typing import Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run
from gateway.commands.failures import Failed, WrongUsage
from gateway.commands.say import Json, Out

NOT_GIVEN = Access()
LONGEST_LINE = 1000


def look_up(
    *,
    type_: Annotated[
        str,
        Parameter(
            name="--type", help="citizen-id, old-citizen-id, insurance-number, enterprise or passport."
        ),
    ],
    since: Annotated[str | None, Parameter(help="From this time on, with its offset.")] = None,
    until: Annotated[str | None, Parameter(help="Before this time, with its offset.")] = None,
    every: Annotated[
        bool, Parameter(name="--all", help="Show every page, not the newest 50 only.", negative="")
    ] = False,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """List who looked at a person or enterprise, when and for what purpose, the newest first.

    The id is read from standard input, or asked for; it never stands on the command line, where other users of the
    machine and the shell's history would see it. The node writes down that you asked.
    """
    if access.local:
        raise WrongUsage(
            "Tra cứu chủ thể dữ liệu phải qua nút đang chạy, để nút ghi lại ai đã hỏi; không dùng --local.",
            "A look-up goes through the running node, which writes down who asks: do without --local.",
        )
    document = {
        "type": type_,
        "id": _read_id(access),
        "since": since,
        "until": until,
        "limit": 200 if every else 50,
    }

    async def work(node: Node, out: Out) -> None:
        found = await _pages(node, {k: v for k, v in document.items() if v is not None}, every=every)
        if as_json:
            out.result(found)
            return
        columns = [
            ("Lúc (UTC)", "At (UTC)"), ("Bên gọi", "Consumer"), ("Dịch vụ", "Service"), ("Thao tác", "Operation"),
            ("Mục đích", "Purpose"), ("Thủ tục", "Procedure"), ("Cán bộ", "Officer"), ("Kết cục", "Outcome"),
            ("Giao dịch", "Exchange"),
        ]  # fmt: skip
        out.table(columns, [_row(item, found["labels"]) for item in found["items"]])
        out.say(f"{len(found['items'])} giao dịch.", f"{len(found['items'])} exchanges.")
        if found["next"] is not None:
            out.say("Còn nữa; dùng --all để xem hết.", "There are more; --all shows every page.")

    run(access, work, as_json=as_json)
    return 0


def _read_id(access: Access) -> str:
    """Read the id from standard input, or ask for it where a person sits. Raises Failed."""
    vi = access.settings().language == "vi"
    try:
        if sys.stdin.isatty():
            given = getpass("Số định danh (không hiển thị): " if vi else "Id (not shown): ")
        else:
            given = sys.stdin.readline(LONGEST_LINE)
    except (UnicodeDecodeError, EOFError):
        given = ""
    if not given.strip():
        raise Failed(
            "Hãy đưa số định danh qua đầu vào chuẩn, ví dụ: lgsp evidence subject --type citizen-id < tệp",
            "Give the id on standard input, for example: lgsp evidence subject --type citizen-id < file",
        )
    return given.strip()


async def _pages(node: Node, document: Json, *, every: bool) -> Json:
    found = await node.post("evidence/subject", document)
    while every and found["next"] is not None:
        more = await node.post("evidence/subject", document | {"cursor": found["next"]})
        found["items"] += more["items"]
        found["labels"] |= more["labels"]
        found["next"] = more["next"]
    return found


def _row(item: Json, labels: Json) -> tuple[object, ...]:
    return (
        datetime.fromtimestamp(item["at"] / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        labels.get(item["consumer"], item["consumer"]) or None,
        labels.get(item["service"], item["service"]) or None,
        item["operation"] or None,
        item["purpose"] or None,
        item["procedure"] or None,
        item["officer"] or None,
        item["outcome"],
        item["exchange"],
    )


# --- keys -----------------------------------------------------------------------------------------------


def rotate(access: Access, *, as_json: bool) -> int:
    """Add a subject key, under which records are written from now on."""

    async def work(node: Node, out: Out) -> None:
        made = await node.post("subject-keys/rotate", {})
        if as_json:
            out.result(made)
        out.say(
            f"Khoá băm chủ thể mới {made['id']} dùng để ghi từ bây giờ; các khoá cũ vẫn dùng để tra cứu.",
            f"Records are written under the new subject key {made['id']} from now on; older ones go on looking up.",
        )

    run(access, work, as_json=as_json)
    return 0


def keys_list(*, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """List the subject keys by id and time; the keys themselves are shown nowhere."""

    async def work(node: Node, out: Out) -> None:
        found = await node.get("subject-keys")
        if as_json:
            out.result(found["items"])
            return
        columns = [
            ("Khoá", "Key"),
            ("Tạo lúc", "Made at"),
            ("Đang ghi", "Writes"),
            ("Huỷ lúc", "Destroyed at"),
        ]
        rows = [(it["id"], it["created_at"], it["writes"], it["destroyed_at"]) for it in found["items"]]
        out.table(columns, rows)

    run(access, work, as_json=as_json)
    return 0


def keys_destroy(
    *,
    subject: Annotated[str, Parameter(help="Id of the subject key to destroy.")],
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Destroy a subject key: whom the records written under it were about can be told by nobody any more.

    The records and their proofs stay. It cannot be undone, but by a backup of the key file: destroy those too.
    """

    async def work(node: Node, out: Out) -> None:
        gone = await node.post("subject-keys/destroy", {"id": subject})
        if as_json:
            out.result(gone)
        out.say(
            f"Đã huỷ khoá {gone['id']}. Hãy huỷ cả các bản sao lưu của tệp khoá.",
            f"The key {gone['id']} is destroyed. Destroy the backups of the key file too.",
        )

    run(access, work, as_json=as_json)
    return 0
