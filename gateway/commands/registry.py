"""`lgsp apply | diff | export | import`: the registry as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run
from gateway.commands.failures import Failed, WrongUsage
from gateway.commands.say import Json, Out

NOT_GIVEN = Access()
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
SIGNS = {"create": "+", "replace": "~", "steps": ">", "unchanged": "="}

File = Annotated[Path, Parameter(help="YAML files, applied one after the other.")]


def apply(*files: File, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """Bring the registry to what YAML files say, each in one revision or not at all.

    Shows the plan and sends back the versions that it was made from, so that nothing changes unseen in between.
    """

    _check_some(files)

    async def work(node: Node, out: Out) -> None:
        done = []
        for file in files:
            text = _read(file)
            with out.progress(f"Đang áp dụng {file}", f"Applying {file}"):
                plan = await _plan(node, text)
                document = {"yaml": text, "expected_versions": plan["versions"]}
                done.append(await node.post("apply", document))
            _show_plan(out, file, done[-1])
        if as_json:
            out.result(done)

    run(access, work, as_json=as_json)
    return 0


def diff(*files: File, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """Show what `apply` would change, and change nothing."""

    _check_some(files)

    async def work(node: Node, out: Out) -> None:
        plans = []
        for file in files:
            plans.append(await _plan(node, _read(file)))
            _show_plan(out, file, plans[-1])
        if as_json:
            out.result(plans)

    run(access, work, as_json=as_json)
    return 0


def export(
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Write to this file.")] = None,
    access: Access = NOT_GIVEN,
) -> int:
    """Print the registry as YAML that, applied to it, changes nothing. Secrets are not in it."""

    async def work(node: Node, out: Out) -> None:
        text = (await node.send("GET", "export")).text
        if output is None:
            out.text(text)
            return
        try:
            output.write_text(text, "utf-8")
        except OSError as error:
            raise Failed(
                f"Không ghi được {output}: {error}", f"{output} cannot be written: {error}"
            ) from error

    run(access, work)
    return 0


def inventory(
    file: Annotated[Path, Parameter(help="A CSV (UTF-8) or XLSX file.")],
    *,
    dry_run: Annotated[bool, Parameter(help="Only say which rows would be taken.", negative="")] = False,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Take over systems and needs from what a province already keeps; refused rows are told with reasons.

    Exit code 1 when rows were refused; the others are taken over all the same.
    """
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise Failed(f"{file}: cần tệp .csv hoặc .xlsx.", f"{file}: a .csv or .xlsx file is needed.")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Failed(f"Không đọc được {file}: {error}", f"{file} cannot be read: {error}") from error

    async def work(node: Node, out: Out) -> Json:
        with out.progress(f"Đang nhập {file}", f"Importing {file}"):
            reply = await node.send(
                "POST",
                "import/inventory",
                params={"dry_run": str(dry_run).lower()},
                content=content,
                headers={"Content-Type": media_type},
            )
        found: Json = reply.json()
        if as_json:
            out.result(found)
        else:
            _show_inventory(out, file, found)
        return found

    return 1 if run(access, work, as_json=as_json)["refused"] else 0


def _check_some(files: Sequence[Path]) -> None:
    if not files:
        raise WrongUsage("Hãy nêu ít nhất một tệp YAML.", "Name at least one YAML file.")


async def _plan(node: Node, text: str) -> Json:
    return await node.post("apply", {"yaml": text}, dry_run="true")


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise Failed(f"Không đọc được {file}: {error}", f"{file} cannot be read: {error}") from error


def _show_plan(out: Out, file: Path, plan: Json) -> None:
    total = plan["total"]
    out.say(
        f"{file}: {total['create']} mới, {total['replace']} sửa, {total['steps']} chuyển trạng thái, "
        f"{total['unchanged']} không đổi" + (f" (phiên bản {plan['revision']})" if plan["applied"] else ""),
        f"{file}: {total['create']} new, {total['replace']} replaced, {total['steps']} moved on, "
        f"{total['unchanged']} unchanged" + (f" (revision {plan['revision']})" if plan["applied"] else ""),
    )
    for item in plan["items"]:
        if item["change"] != "unchanged" or item["waiting"]:
            for line in _lines(item):
                out.say(line, line)
        for step in item["waiting"]:
            out.say(*_awaited(item, step))


def _lines(item: Json) -> Sequence[str]:
    steps = " ".join(item["steps"])
    lines = [f"  {SIGNS[item['change']]} {item['kind']} {item['label']} {steps}".rstrip()]
    if item["change"] == "replace":
        lines += [
            f"      {step['pointer']}: {step['before']!r} -> {step['after']!r}" for step in item["diff"]
        ]
    return lines


def _awaited(item: Json, step: str) -> tuple[str, str]:
    """Say who has to act now: nobody decides on a grant that they requested themselves."""
    command = f"lgsp grant {step} {item['label']}"
    return (
        f"      {step}: chờ bên cung cấp (hoặc quản trị viên khác được ủy quyền) quyết định, vì chính bạn đã đề nghị: {command}",
        f"      {step}: waiting for the provider (or another administrator with its delegation), for you requested it: {command}",
    )


def _show_inventory(out: Out, file: Path, found: Json) -> None:
    accepted, refused = found["accepted"], len(found["refused"])
    if found["applied"]:
        out.say(
            f"Nhận {accepted} dòng, từ chối {refused} dòng.", f"{accepted} rows taken, {refused} refused."
        )
    else:
        out.say(
            f"Sẽ nhận {accepted} dòng, từ chối {refused} dòng; chưa thay đổi gì.",
            f"{accepted} rows would be taken, {refused} refused; nothing was changed.",
        )
    for row in found["refused"]:
        # A CSV file has no sheets, so its own name says all.
        sheet = "" if file.suffix.lower() == ".csv" else f" {row['sheet']}"
        place = f"{file.name}{sheet} {row['row']}"
        told = {
            language: "; ".join(f"{flaw['pointer']}: {flaw['messages'][language]}" for flaw in row["errors"])
            for language in ("vi", "en")
        }
        out.say(f"  dòng {place}: {told['vi']}", f"  row {place}: {told['en']}")
