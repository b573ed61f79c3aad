"""The demonstration from beginning to end, and that nothing of it stays behind."""

import json
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from gateway.demo import account
from gateway.demo.node import NodeRefused
from gateway.demo.processes import SIGNALS, ChildFailed, free_port
from gateway.demo.province import Province, open_province
from gateway.demo.scenario import PROVINCE, steps
from gateway.demo.traffic import Credentials, Traffic

USUAL_PORT = 8080
MARK = ".lgsp-demo"
Say = Callable[[Iterable[str]], None]


class Interrupted(BaseException):
    """Somebody asked the demonstration to end."""


class FolderTaken(Exception):
    """The folder holds something that is not ours to remove."""


class NotAsExpected(Exception):
    """A call of the demonstration ended in another way than it should."""


def demo(*, once: bool, as_json: bool, folder: Path | None = None, port: int | None = None) -> int:
    """Run the demonstration and return the exit code.

    With `once` it ends after its calls and leaves nothing behind; without, it stays up until it is interrupted, and
    its folder (`data/demo`) stays. With `as_json` standard output gets one JSON object and nothing else.
    """
    say = _say_to_people if not as_json else _say_aside
    try:
        with _interruptible(), _folder(folder, once=once) as place:
            _run(place, _port(port, once=once), say, once=once, as_json=as_json)
    except Interrupted:
        say(["", "Đã dừng. | Stopped."])
        return 1 if once else 0
    except (ChildFailed, NodeRefused, FolderTaken, NotAsExpected) as error:
        _say_aside([f"Không chạy được: | The demonstration failed: {error}"])
        return 1
    return 0


def _run(folder: Path, port: int, say: Say, *, once: bool, as_json: bool) -> None:
    say(["Khởi động bảy CSDL quốc gia giả lập và một nút cấp tỉnh ..."])
    say(["Starting seven sandbox national databases and a province's node ..."])
    with open_province(folder, port) as province:
        wrong = _calls(province, say)
        result = _result(province)
        if wrong:
            raise NotAsExpected("; ".join(wrong))
        records, by_outcome = result["evidence"]["records"], result["exchanges"]["by_outcome"]
        say(account.figures(result["connectivity"], by_outcome, records))
        if as_json:
            sys.stdout.write(json.dumps(_published(result), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        if not once:
            _stay(province, result, say)


def _calls(province: Province, say: Say) -> list[str]:
    """Make the calls and tell them; return what did not end as it should."""
    wrong = []
    say(account.heading("Ba hệ thống gọi qua nút", "Three systems call through the node"))
    traffic = Traffic(province.node.address)
    try:
        for number, step in enumerate(steps(province.sandboxes, province.processes), 1):
            if step.prepare is not None:
                step.prepare()
            if step.expired:
                province.wait_for_old_token()
            token = province.old_token if step.expired else traffic.token(province.clients[step.caller])
            seen = traffic.call(step, token)
            record = province.admin.get(f"evidence/{seen.exchange}")["records"][-1]["record"]
            say(account.call(number, step, seen, record))
            if record["outcome"] != step.expected:
                wrong.append(f"{number}: {record['outcome']} instead of {step.expected}")
    finally:
        traffic.close()
    return wrong


def _result(province: Province) -> dict[str, Any]:  # Any: JSON of the node
    """Return the demonstration's figures, all of them from the node's own API."""
    admin = province.admin
    usage = admin.get("usage", group_by="outcome")
    by_outcome = {row["group"]["outcome"]: row["count"] for row in usage["items"]}
    return {
        "exchanges": {"total": usage["total"], "by_outcome": by_outcome},
        "connectivity": admin.get("connectivity", unit=PROVINCE),
        "evidence": {"records": admin.get("evidence", limit="1")["total"]},
        "addresses": _addresses(province),
    }


def _addresses(province: Province) -> dict[str, str]:
    node = province.node.address
    own = {
        "node": node,
        "token": f"{node}/token",
        "admin": f"{node}/admin/v1",
        "openapi": f"{node}/admin/openapi.json",
        "metrics": f"{node}/metrics",
        "health": f"{node}/health/ready",
    }
    return own | {name: sandbox.base for name, sandbox in province.sandboxes.items()}


def _published(result: dict[str, Any]) -> dict[str, Any]:  # Any: JSON of the node
    names = (
        "unit", "nation", "needed", "connected", "share_percent", "rule", "window_days", "revision", "tiers", "by_database"
    )  # fmt: skip
    connectivity = result["connectivity"]
    return result | {"connectivity": {name: connectivity[name] for name in names}}


def _stay(province: Province, result: dict[str, Any], say: Say) -> None:  # Any: JSON of the node
    """Put the database that is down up again, say what can be tried, and wait to be interrupted."""
    down = province.processes["dmdc"]
    down.start()
    down.wait()
    say(account.addresses(result["addresses"]))
    examples = province.sandboxes["dkdn"].examples
    admin = Credentials(client=province.admin.client, secret=province.admin.secret)
    say(account.curl_lines(province.node.address, province.clients, admin, examples))
    say(["", "Nhấn Ctrl+C để dừng. | Press Ctrl+C to stop."])
    threading.Event().wait()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn the first signal into `Interrupted`; while we end our children, further ones change nothing."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _folder(wanted: Path | None, *, once: bool) -> Iterator[Path]:
    """Yield a fresh folder: a temporary one for `once`, else one that stays and replaces its predecessor."""
    if once and wanted is None:
        with tempfile.TemporaryDirectory(prefix="lgsp-demo-") as name:
            (Path(name) / "node").mkdir()
            yield Path(name)
        return
    folder = wanted or Path("data") / "demo"
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise FolderTaken(f"{folder} is not empty, and no demonstration made it")
        shutil.rmtree(folder)
    (folder / "node").mkdir(parents=True)
    (folder / MARK).touch()
    try:
        yield folder
    finally:
        if once:
            shutil.rmtree(folder)


def _port(wanted: int | None, *, once: bool) -> int:
    if wanted is not None:
        return free_port(wanted)
    return free_port(0 if once else USUAL_PORT)


def _say_to_people(lines: Iterable[str]) -> None:
    _write(lines, sys.stdout)


def _say_aside(lines: Iterable[str]) -> None:
    _write(lines, sys.stderr)


def _write(lines: Iterable[str], to: Any) -> None:  # Any: a text stream
    to.write("".join(f"{line}\n" for line in lines))
    to.flush()
