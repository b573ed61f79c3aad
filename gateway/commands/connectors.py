"""What can be spoken to: the connectors that are installed on this machine, or on a node."""

from collections.abc import Sequence

from gateway.commands.access import Access, AsJson, Node, run
from gateway.commands.say import Json, Out

NOT_GIVEN = Access()


def connectors(*, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """List the connectors installed here, or with credentials those of the node, with what they can do."""
    settings = access.settings()
    asks_node = settings.client_id is not None or settings.client_file is not None
    if access.node is None and (access.local or not asks_node):
        # Imported here: a question to a node does not load connectors.
        from connectors.catalogue import installed  # noqa: PLC0415

        show(Out(settings.language, as_json=as_json), installed().describe())
        return 0

    async def work(node: Node, out: Out) -> None:
        show(out, (await node.get("connectors"))["items"])

    run(access, work, as_json=as_json)
    return 0


def show(out: Out, items: Sequence[Json]) -> None:
    """Write connectors for programs, or as a table."""
    if out.as_json:
        out.result(items)
        return
    columns = [
        ("Loại", "Kind"),
        ("Bản", "Version"),
        ("Gói", "Package"),
        ("Truyền luồng", "Streams"),
        ("Gọi lại an toàn", "Idempotence"),
        ("Không dùng được vì", "Not usable because"),
    ]
    out.table(columns, [row(item) for item in items])


def row(item: Json) -> tuple[object, ...]:
    """Return a connector as a row of the table, a broken one with the reason."""
    if "broken" in item:
        return item["kind"], None, item["package"], None, None, item["broken"]
    can = item["capabilities"]
    return item["kind"], item["version"], item["package"], can["streaming"], can["idempotence"], None
