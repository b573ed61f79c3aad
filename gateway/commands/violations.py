"""`lgsp violations`: where messages break the contract of a service, and how often."""

from typing import Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run
from gateway.commands.say import Json, Out

NOT_GIVEN = Access()


def show(  # noqa: PLR0913  (one option each)
    service: Annotated[str, Parameter(help="A service, by name or id.")],
    *,
    days: Annotated[int, Parameter(help="Of so many days, today's included.")] = 7,
    consumer: Annotated[str | None, Parameter(help="Only in messages of this system, by code or id.")] = None,
    operation: Annotated[str | None, Parameter(help="Only of this operation.")] = None,
    direction: Annotated[str | None, Parameter(help="Only request, or only reply.")] = None,
    mode: Annotated[
        str | None, Parameter(help="Only what was counted in shadow, or refused (enforce).")
    ] = None,
    limit: Annotated[int, Parameter(help="At most so many lines.")] = 200,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """List where messages break the contract of a service, by consumer, the most frequent first.

    A place is a JSON pointer: * stands for list items, and for names that the contract does not know. Values of messages
    are kept nowhere.
    """
    asked = {"days": days, "consumer": consumer, "operation": operation, "direction": direction, "mode": mode}

    async def work(node: Node, out: Out) -> None:
        found = await node.get(f"services/{service}/violations", limit=limit, **asked)
        if as_json:
            out.result(found)
            return
        columns = [
            ("Bên gọi", "Consumer"), ("Thao tác", "Operation"), ("Chiều", "Direction"), ("Chế độ", "Mode"),
            ("Vị trí", "Place"), ("Quy tắc", "Rule"), ("Số lần", "Count"), ("Lần cuối (UTC)", "Last (UTC)"),
        ]  # fmt: skip
        out.table(columns, [_row(item, found["labels"]) for item in found["items"]])
        _sum_up(found, days, out)

    run(access, work, as_json=as_json)
    return 0


def _row(item: Json, labels: Json) -> tuple[object, ...]:
    return (
        labels.get(item["consumer"], item["consumer"]) or None,
        item["operation"],
        item["direction"],
        item["mode"],
        f"{item['at']} {item['pointer'] or '/'}",
        item["rule"],
        item["count"],
        str(item["last_at"])[:19].replace("T", " "),
    )


def _sum_up(found: Json, days: int, out: Out) -> None:
    if not found["items"]:
        out.say(
            f"Không có vi phạm nào trong {days} ngày. Chỉ những chiều đặt `shadow` hoặc `enforce` mới được kiểm tra.",
            f"No violations in {days} days. Only directions set to `shadow` or `enforce` are checked.",
        )
    elif found["total"] > len(found["items"]):
        out.say(
            f"Hiện {len(found['items'])} trên {found['total']} dòng; dùng --limit để xem thêm.",
            f"{len(found['items'])} of {found['total']} lines shown; --limit shows more.",
        )
