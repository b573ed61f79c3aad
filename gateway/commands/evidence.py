"""Commands that prove: export records with their proofs, verify a file offline, and the keys that sign."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run
from gateway.commands.failures import Failed, WrongUsage
from gateway.commands.say import Json, Out

if TYPE_CHECKING:
    from registry.verification import Compared, Held, Report

NOT_GIVEN = Access()
FINGERPRINT_BYTES = 32
SHOWN = 20

Output = Annotated[Path, Parameter(name=["--output", "-o"], help="The file to write.")]


def export(  # noqa: PLR0913  (options of a command)
    *exchanges: Annotated[
        str, Parameter(help="Exchanges by id; without them, final records by party and time.")
    ],
    output: Output,
    consumer: Annotated[str | None, Parameter(help="The calling system, by code or id.")] = None,
    provider: Annotated[str | None, Parameter(help="The called system, by code or id.")] = None,
    since: Annotated[str | None, Parameter(help="From this day or time on.")] = None,
    until: Annotated[str | None, Parameter(help="Before this day or time.")] = None,
    salts: Annotated[
        bool, Parameter(help="With the salts of the commitments; for parties and auditors.", negative="")
    ] = False,
    follow: Annotated[
        Path | None,
        Parameter(help="An earlier export: the new one is tied to it by all checkpoints between."),
    ] = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Write records with what proves them into one file, and check it."""
    after = _latest_checkpoint(follow, Out(access.settings().language)) if follow else None

    async def work(node: Node, out: Out) -> None:
        with written(output) as draft, out.progress("Đang xuất bằng chứng", "Exporting evidence"):
            with draft.open("wb") as file:
                async for piece in node.stream(
                    "proofs", exchange=list(exchanges) or None, consumer=consumer, provider=provider, since=since,
                    until=until, salts=salts or None, follow=after,
                ):  # fmt: skip
                    file.write(piece)
            report = _read(draft, out, b"")
        if not report.holds:
            raise Failed(
                f"Tệp nhận được không tự chứng minh được: {report.flaws[0].what}",
                f"The file that came does not prove itself: {report.flaws[0].what}",
            )
        _exported(out, output, report)

    run(access, work, as_json=as_json)
    return 0


def verify(  # noqa: PLR0913  (options of a command)
    file: Annotated[
        Path | None, Parameter(help="An exported file; without it, this machine's own ledger.")
    ] = None,
    *,
    key: Annotated[
        str | None, Parameter(help="The fingerprint of the node's key, as it was published.")
    ] = None,
    against: Annotated[Path | None, Parameter(help="An earlier export that it must not contradict.")] = None,
    exchange: Annotated[
        str | None, Parameter(help="The exchange that --request and --reply belong to.")
    ] = None,
    request: Annotated[Path | None, Parameter(help="A file with the body of the request.")] = None,
    reply: Annotated[Path | None, Parameter(help="A file with the body of the reply.")] = None,
    archived: Annotated[
        tuple[Path, ...],
        Parameter(help="With the own ledger: archives of months that were dropped.", negative=""),
    ] = (),
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Check an exported file, offline: exit code 0 when everything in it holds, 1 when something does not."""
    out = Out(access.settings().language, as_json=as_json)
    if file is None:
        if key or against or exchange or request or reply:
            raise WrongUsage("Hãy nêu tệp cần kiểm tra.", "Name the file to check.")
        from gateway.commands.evidence_months import verify_own  # noqa: PLC0415  (needs the database)

        return verify_own(archived, out)
    report = _read(file, out, _fingerprint(key))
    compared = _compared(_read(against, out, b""), report) if against else None
    bodies = dict(_bodies(report, exchange, request, reply))
    if as_json:
        out.result(_document(report, compared, bodies))
    else:
        _tell(out, report, compared, bodies, trusted=key is not None)
    return 0 if _all_holds(report, compared, bodies) else 1


def keys(*, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """List the keys that sign the ledger. The first one's fingerprint is what verifiers need."""

    async def work(node: Node, out: Out) -> None:
        found = await node.get("ledger/keys")
        if as_json:
            out.result(found["items"])
            return
        columns = [("Số", "Number"), ("Dấu vân tay", "Fingerprint"), ("Ký từ (UTC)", "Signs from (UTC)")]
        out.table(columns, [(each["number"], each["id"], _moment(each["from"])) for each in found["items"]])

    run(access, work, as_json=as_json)
    return 0


def rotate(
    *,
    leaked: Annotated[
        bool, Parameter(help="The key has leaked: it signs no more once the new one does.", negative="")
    ] = False,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Make a new key that signs the ledger, endorsed by the one before it."""

    async def work(node: Node, out: Out) -> None:
        made = await node.post("ledger/keys/rotate", {"leaked": leaked})
        if as_json:
            out.result(made)
        out.say(
            f"Khóa số {made['number']} ({made['id']}) ký từ {_moment(made['from'])} UTC.",
            f"Key {made['number']} ({made['id']}) signs from {_moment(made['from'])} UTC on.",
        )

    run(access, work, as_json=as_json)
    return 0


# --- files ----------------------------------------------------------------------------------------------


@contextmanager
def written(output: Path) -> Iterator[Path]:
    """Yield where to write; the file takes its name when all went well, so that no half of one is left behind."""
    draft = output.with_name(f".{output.name}.part")
    try:
        yield draft
        draft.replace(output)
    except OSError as error:
        raise Failed(f"Không ghi được {output}: {error}", f"{output} cannot be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _read(file: Path, out: Out, key: bytes) -> "Report":
    from registry.verification import Verifier  # noqa: PLC0415  (only for commands that verify)

    verifier = Verifier(now=time.time_ns() // 1000, key=key)
    try:
        with file.open("rb") as lines, out.progress("Đang kiểm tra", "Checking", total=file.stat().st_size):
            for line in lines:
                verifier.take(line)
    except OSError as error:
        raise Failed(f"Không đọc được {file}: {error}", f"{file} cannot be read: {error}") from error
    return verifier.finish()


def _latest_checkpoint(file: Path, out: Out) -> int:
    report = _read(file, out, b"")
    if not report.holds or report.latest is None:
        raise Failed(
            f"{file} không phải là tệp bằng chứng nguyên vẹn.", f"{file} is not an export that proves itself."
        )
    return report.latest.number


def _fingerprint(key: str | None) -> bytes:
    if key is None:
        return b""
    try:
        found = bytes.fromhex(key)
    except ValueError:
        found = b""
    if len(found) != FINGERPRINT_BYTES:
        raise WrongUsage(
            "Dấu vân tay là 64 chữ số hệ 16 (lgsp evidence keys).",
            "A fingerprint is 64 hexadecimal digits (lgsp evidence keys).",
        )
    return found


def _compared(earlier: "Report", later: "Report") -> "Compared":
    from registry.verification import compare  # noqa: PLC0415  (as above)

    if not earlier.holds:
        raise Failed(
            f"Tệp trước không tự chứng minh được: {earlier.flaws[0].what}",
            f"The earlier file does not prove itself: {earlier.flaws[0].what}",
        )
    return compare(earlier, later)


def _bodies(
    report: "Report", exchange: str | None, request: Path | None, reply: Path | None
) -> Iterator[tuple[str, bool | None]]:
    for name, file in (("request", request), ("reply", reply)):
        if file is None:
            continue
        held = [
            h for h in report.records if h.record.kind == "final" and exchange in {None, h.record.exchange}
        ]
        if len(held) != 1:
            raise WrongUsage(
                "Hãy nêu giao dịch của nội dung bằng --exchange.", "Say with --exchange whose body that is."
            )
        try:
            yield name, held[0].commits_to(file.read_bytes(), reply=name == "reply")
        except OSError as error:
            raise Failed(f"Không đọc được {file}: {error}", f"{file} cannot be read: {error}") from error


def _all_holds(report: "Report", compared: "Compared | None", bodies: dict[str, bool | None]) -> bool:
    agrees = compared is None or (compared.is_linked and not compared.contradictions)
    return report.holds and agrees and all(bodies.values())


# --- telling --------------------------------------------------------------------------------------------


def _exported(out: Out, output: Path, report: "Report") -> None:
    if out.as_json:
        out.result({"file": str(output), "records": len(report.records), "fingerprint": report.fingerprint})
    out.say(
        f"Đã ghi {len(report.records)} bản ghi vào {output}. Dấu vân tay của nút: {report.fingerprint}",
        f"{len(report.records)} records written to {output}. The node's fingerprint: {report.fingerprint}",
    )


def _document(report: "Report", compared: "Compared | None", bodies: dict[str, bool | None]) -> Json:
    opening, latest = report.opening, report.latest
    return {
        "holds": _all_holds(report, compared, bodies),
        "node": opening.node if opening else None,
        "asked": dict(opening.asked) if opening else None,
        "fingerprint": report.fingerprint or None,
        "checkpoint": {"number": latest.number, "head": latest.head.hex(), "at": latest.at}
        if latest
        else None,
        "records": [_held(each) for each in report.records],
        "flaws": [{"line": flaw.line, "what": flaw.what} for flaw in report.flaws],
        "against": None
        if compared is None
        else {"linked": compared.is_linked, "contradictions": list(compared.contradictions)},
        "bodies": bodies,
    }


def _held(held: "Held") -> Json:
    return {
        "exchange": held.record.exchange,
        "kind": held.record.kind,
        "at": held.record.at,
        "outcome": str(held.record.outcome),
        "slot": held.slot,
        "batch": held.batch,
        "position": held.position,
        "included": held.included,
        "signed": held.signed,
        "checkpoint": held.checkpoint or None,
    }


def _tell(
    out: Out, report: "Report", compared: "Compared | None", bodies: dict[str, bool | None], *, trusted: bool
) -> None:
    columns = [
        ("Giao dịch", "Exchange"), ("Loại", "Kind"), ("Lúc (UTC)", "At (UTC)"), ("Thuộc lô", "Included"),
        ("Có chữ ký", "Signed"), ("Điểm kiểm", "Checkpoint"),
    ]  # fmt: skip
    out.table(columns, [_row(held) for held in report.records[:SHOWN]])
    if len(report.records) > SHOWN:
        more = len(report.records) - SHOWN
        out.say(
            f"… và {more} bản ghi nữa (--json liệt kê hết).", f"… and {more} more records (--json lists all)."
        )
    for flaw in report.flaws:
        place = (f"dòng {flaw.line}: ", f"line {flaw.line}: ") if flaw.line else ("", "")
        out.say(f"SAI  {place[0]}{flaw.what}", f"WRONG  {place[1]}{flaw.what}")
    _tell_compared(out, compared)
    for name, holds in bodies.items():
        _tell_body(out, name, holds)
    _tell_key(out, report, trusted=trusted)


def _row(held: "Held") -> tuple[object, ...]:
    at = _moment(held.record.at)
    return held.record.exchange, held.record.kind, at, held.included, held.signed, held.checkpoint or None


def _tell_compared(out: Out, compared: "Compared | None") -> None:
    if compared is None:
        return
    for what in compared.contradictions:
        out.say(f"MÂU THUẪN  {what}", f"CONTRADICTION  {what}")
    if not compared.is_linked:
        out.say(
            "Hai tệp không có gì chung để đối chiếu; hãy xuất lại với --follow TỆP_TRƯỚC.",
            "The two files have nothing in common to compare; export again with --follow EARLIER_FILE.",
        )


def _tell_body(out: Out, name: str, holds: bool | None) -> None:  # noqa: FBT001  (what was found)
    told = {
        True: ("đúng là nội dung đã ghi nhận", "is the one that was recorded"),
        False: ("KHÔNG phải nội dung đã ghi nhận", "is NOT the one that was recorded"),
        None: ("không đối chiếu được: tệp không có muối", "cannot be compared: the file holds no salt"),
    }[holds]
    vi = "yêu cầu" if name == "request" else "trả lời"
    out.say(f"Nội dung {vi}: {told[0]}.", f"The body of the {name} {told[1]}.")


def _tell_key(out: Out, report: "Report", *, trusted: bool) -> None:
    if report.holds:
        out.say(
            f"Đúng: {len(report.records)} bản ghi, {report.lines} dòng.",
            f"All holds: {len(report.records)} records, {report.lines} lines.",
        )
    if not trusted and report.fingerprint:
        out.say(
            f"Dấu vân tay của nút: {report.fingerprint}. Hãy so với dấu vân tay mà nút đã công bố (--key).",
            f"The node's fingerprint: {report.fingerprint}. Compare it with the one that the node has published (--key).",
        )


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
