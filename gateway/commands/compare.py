"""`lgsp compare`: what a version, or a description, changes, and for whom."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run, segment
from gateway.commands.failures import WrongUsage
from gateway.commands.import_description import file_of, read_file
from gateway.commands.say import Json, Out

NOT_GIVEN = Access()
MOST_LINES = 60
SIGNS = {"breaking": "✗", "unknown": "?", "compatible": "✓"}
VERDICTS = {
    "breaking": ("phá vỡ tương thích", "breaking"),
    "unknown": ("chưa rõ", "unknown"),
    "compatible": ("tương thích", "compatible"),
}
WAYS = {"request": ("yêu cầu", "request"), "reply": ("trả lời", "reply")}


def compare(
    label: Annotated[
        str,
        Parameter(help="The version as SERVICE/VERSION, or its id: the new one; with --file, the old one."),
    ],
    *,
    against: Annotated[
        str | None,
        Parameter(help="The older version, by number or id; else the newest before it that can be called."),
    ] = None,
    files: Annotated[
        tuple[Path, ...],
        Parameter(
            name="--file",
            help="A description (OpenAPI, or WSDL and what it imports) to compare with.",
            negative="",
        ),
    ] = (),
    every: Annotated[
        bool, Parameter(name="--all", help="Show compatible changes, too.", negative="")
    ] = False,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Show what a version changes, and whose requests or fields it breaks; exit code 1 when something breaks.

    With --file nothing is kept: the description is read as an import reads it. What nobody can prove is `unknown`.
    """
    if files and against is not None:
        raise WrongUsage(
            "Dùng --against hoặc --file, không dùng cả hai.", "Use --against or --file, not both."
        )

    async def work(node: Node, out: Out) -> Json:
        path = f"versions/{segment(label)}/changes"
        with out.progress(f"Đang so sánh {label}", f"Comparing {label}"):
            found = await (_described(node, path, files) if files else node.get(path, against=against))
        if as_json:
            out.result(found)
        else:
            _show(out, found, every=every)
        return found

    return 1 if run(access, work, as_json=as_json)["summary"]["breaking"] else 0


async def _described(node: Node, path: str, files: Sequence[Path]) -> Json:
    first = files[0]
    if len(files) > 1 or first.suffix.lower() in {".wsdl", ".xml"}:
        content = json.dumps({"files": [file_of(first, one) for one in files]}).encode()
        media_type = "application/vnd.lgsp.wsdl+json"
    else:
        content = read_file(first)
        media_type = "application/json" if first.suffix.lower() == ".json" else "application/yaml"
    reply = await node.send("POST", path, content=content, headers={"Content-Type": media_type})
    found: Json = reply.json()
    return found


def _show(out: Out, found: Json, *, every: bool) -> None:
    to = found["to"]
    out.say(
        f"Từ {found['from']} sang {to or 'bản mô tả'}: {_figures(found['summary'], 0)}",
        f"From {found['from']} to {to or 'the description'}: {_figures(found['summary'], 1)}",
    )
    shown = [one for one in found["changes"] if every or one["verdict"] != "compatible"]
    shown.sort(key=lambda one: list(SIGNS).index(one["verdict"]))
    for one in shown[:MOST_LINES]:
        out.say(_line(one, 0), _line(one, 1))
    rest = len(shown) - MOST_LINES
    if rest > 0:
        out.say(f"  … và {rest} thay đổi nữa (--json cho đủ)", f"  … and {rest} more (all with --json)")
    if shown or found["consumers"]:
        out.say("Bên khai thác:", "Consumers:")
    for consumer in found["consumers"]:
        out.say(_consumer(consumer, 0), _consumer(consumer, 1))
    if not found["consumers"]:
        out.say("  chưa có quyền nào còn hiệu lực", "  no grant is in force")


def told(found: Json) -> tuple[str, str]:
    """Say in one line what a publication has changed."""
    return (
        f"So với {found['from']}: {_figures(found, 0)} (xem: lgsp compare)",
        f"Against {found['from']}: {_figures(found, 1)} (see: lgsp compare)",
    )


def _figures(summary: Json, language: int) -> str:
    counts = ", ".join(f"{VERDICTS[name][language]} {summary[name]}" for name in SIGNS)
    broken = summary["consumers_broken"], summary["consumers"]
    words = ("{} trên {} bên khai thác bị phá vỡ", "{} of {} consumers broken")
    return f"{counts}; {words[language].format(*broken)}"


def _line(one: Json, language: int) -> str:
    message = one["messages"][("vi", "en")[language]]
    place = f"{one['operation'] or '-'} {WAYS[one['way']][language]} {one['field'] or one['pointer'] or '/'}"
    detail = f" ({one['detail']})" if one["detail"] else ""
    whom = f"  [{', '.join(one['consumers'])}]" if one["consumers"] else ""
    return f"  {SIGNS[one['verdict']]} {place}: {message}{detail}{whom}"


def _consumer(one: Json, language: int) -> str:
    broken = [change for change in one["changes"] if change["verdict"] == one["verdict"] != "compatible"]
    places = sorted(
        {f"{change['operation']} {change['field'] or change['rule']}".strip() for change in broken}
    )
    more = f": {'; '.join(places[:5])}{' …' if len(places) > 5 else ''}" if places else ""  # noqa: PLR2004  (fits a line)
    return f"  {SIGNS[one['verdict']]} {one['consumer']} {VERDICTS[one['verdict']][language]}{more}"
