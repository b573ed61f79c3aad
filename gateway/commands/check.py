"""`lgsp check`: whether a node could run here, line by line."""

import errno
import importlib
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import packages_distributions
from pathlib import Path

import anyio
import httpx2

from gateway.commands.access import Access, AsJson
from gateway.commands.say import Out
from gateway.settings import Settings, SettingsWrong, address_of, read_settings

NOT_GIVEN = Access()
PACKAGES = ("gateway", "auth", "registry", "connectors")
ROOT = Path(__file__).resolve().parents[2]
MIN_FREE_BYTES = 1024**3
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
LONGEST_STEP_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing looked at: its name, whether it is as it has to be, and a word on it."""

    name: str
    ok: bool
    vi: str
    en: str


def check(*, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """Check settings, packages, databases, node key, ports, clock and disk; exit code 1 when one is not ok."""
    out = Out(access.settings().language, as_json=as_json)
    lines = list(_lines())
    if as_json:
        out.result([asdict(line) for line in lines])
    for line in lines:
        sign = "ok    " if line.ok else "not ok"
        out.say(f"{sign}  {line.name}: {line.vi}", f"{sign}  {line.name}: {line.en}")
    return 0 if all(line.ok for line in lines) else 1


def _lines() -> Iterator[Line]:
    yield _packages()
    try:
        settings = read_settings()
    except SettingsWrong as error:
        yield Line(name="settings", ok=False, vi=error.vi, en=str(error))
        return
    yield Line(name="settings", ok=True, vi=f"nút {settings.node}", en=f"node {settings.node}")
    for look in LOOKS:
        yield look(settings)


def _packages() -> Line:
    """Distributions of the same names exist; installed beside ours they would overwrite it."""
    strangers, claims = [], packages_distributions()
    for name in PACKAGES:
        file = importlib.import_module(name).__file__
        others = sorted(set(claims.get(name, ())) - {"lgsp"})
        if others or file is None or Path(file).resolve().parent.parent != ROOT:
            strangers.append(f"{name} ({', '.join(others) or file})")
    told = ", ".join(strangers)
    return Line(
        name="packages",
        ok=not strangers,
        vi=f"không phải của lgsp: {told}; hãy cài vào một môi trường riêng" if strangers else "đều của lgsp",
        en=f"not lgsp's own: {told}; install into an environment of its own"
        if strangers
        else "all lgsp's own",
    )


def _connectors(settings: Settings) -> Line:
    from connectors.catalogue import installed  # noqa: PLC0415  (it imports all of them)

    catalogue = installed()
    broken = "; ".join(f"{it.name} ({it.package or it.value}): {it.reason}" for it in catalogue.broken)
    if broken:
        vi, en = f"không dùng được, nút vẫn chạy: {broken}", f"not usable, the node runs without: {broken}"
        return Line(name="connectors", ok=False, vi=vi, en=en)
    kinds = ", ".join(sorted(connector.kind for connector in catalogue))
    return Line(name="connectors", ok=True, vi=kinds, en=kinds)


def _database(settings: Settings) -> Line:
    from gateway.starting import schema_told  # noqa: PLC0415  (it needs the connectors)
    from registry.errors import RegistryError, SchemaUnknown  # noqa: PLC0415  (SQLAlchemy is slow to import)
    from registry.sql.database import check_schema, location  # noqa: PLC0415

    database = settings.database.get_secret_value() if settings.database else None
    kind = "SQLite" if database is None else "PostgreSQL"
    try:
        anyio.run(check_schema, location(database, settings.data_dir))
    except SchemaUnknown as error:
        vi, en = (f"{told[0].lower()}{told[1:].rstrip('.')}" for told in schema_told(error))
        return Line(name="database", ok=False, vi=f"{kind}: {vi}", en=f"{kind}: {en}")
    except (RegistryError, ValueError, OSError) as error:
        return Line(name="database", ok=False, vi=f"{kind}: {error}", en=f"{kind}: {error}")
    return Line(name="database", ok=True, vi=f"{kind}, đúng phiên bản", en=f"{kind}, this program's schema")


def _node_key(settings: Settings) -> Line:
    from gateway.node_key import NodeKeyWrong, node_key_path, read_node_key  # noqa: PLC0415

    path = node_key_path(settings.node_key_file, settings.data_dir)
    if settings.node_key_file is None and not path.exists():
        return Line(
            name="node key", ok=True, vi="sẽ được tạo khi chạy lần đầu", en="will be made at the first start"
        )
    try:
        read_node_key(settings.node_key_file, settings.data_dir)
    except NodeKeyWrong as error:
        return Line(name="node key", ok=False, vi=str(error), en=str(error))
    return Line(
        name="node key", ok=True, vi=f"{path}, chỉ chủ sở hữu đọc được", en=f"{path}, for its owner only"
    )


def _subject_keys(settings: Settings) -> Line:
    from gateway.subject_keys import SubjectKeys, SubjectKeysWrong, subject_keys_path  # noqa: PLC0415

    path, name = subject_keys_path(settings.subject_keys_file, settings.data_dir), "subject keys"
    if settings.subject_keys_file is None and not path.exists():
        return Line(
            name=name, ok=True, vi="sẽ được tạo khi chạy lần đầu", en="will be made at the first start"
        )
    keys = SubjectKeys(path, make=False)
    try:
        keys.refresh()
    except SubjectKeysWrong as error:
        return Line(name=name, ok=False, vi=str(error), en=str(error))
    left = sum(key.is_usable for key in keys.keys)
    return Line(
        name=name,
        ok=True,
        vi=f"{path}, {left} khóa, chỉ chủ sở hữu đọc được",
        en=f"{path}, {left} keys, for its owner only",
    )


def _ports(settings: Settings) -> Line:
    told_vi, told_en, ok = [], [], True
    for listening in filter(None, (settings.listen, settings.admin_listen)):
        state = _port_state(listening)
        ok = ok and state != "taken"
        told_vi.append(f"{listening} {STATES[state][0]}")
        told_en.append(f"{listening} {STATES[state][1]}")
    return Line(name="ports", ok=ok, vi=", ".join(told_vi), en=", ".join(told_en))


STATES = {
    "free": ("còn trống", "is free"),
    "ours": ("đang do một nút lgsp dùng", "is used by a running node"),
    "taken": ("đang bị chương trình khác dùng", "is used by another program"),
}


def _port_state(listening: str) -> str:
    try:
        host, port = address_of(listening)
    except SettingsWrong:
        return "taken"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return "ours" if error.errno == errno.EADDRINUSE and _answers(host, port) else "taken"
    return "free"


def _answers(host: str, port: int) -> bool:
    shown = f"[{host}]" if ":" in host else host
    try:
        reply = httpx2.get(f"http://{shown}:{port}/health/live", timeout=2, trust_env=False)
        return bool(reply.json().get("status") == "live")
    except (httpx2.HTTPError, ValueError, AttributeError):
        return False


def _clock(settings: Settings) -> Line:
    """A clock that is years behind, or that jumps, makes tokens and days wrong."""
    wall, steady = time.time(), time.monotonic()
    time.sleep(0.05)
    step = abs((time.time() - wall) - (time.monotonic() - steady))
    now = datetime.now(UTC)
    ok = now >= EARLIEST and step < LONGEST_STEP_SECONDS
    return Line(
        name="clock",
        ok=ok,
        vi=f"{now:%Y-%m-%d %H:%M:%S} UTC" + ("" if ok else "; hãy đồng bộ đồng hồ (NTP)"),
        en=f"{now:%Y-%m-%d %H:%M:%S} UTC" + ("" if ok else "; synchronise it (NTP)"),
    )


def _disk(settings: Settings) -> Line:
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    ok = free >= MIN_FREE_BYTES
    gigabytes = f"{free / 1024**3:.1f} GB"
    return Line(
        name="disk", ok=ok, vi=f"còn trống {gigabytes} ở {folder}", en=f"{gigabytes} free at {folder}"
    )


LOOKS: tuple[Callable[[Settings], Line], ...] = (
    _database,
    _node_key,
    _subject_keys,
    _ports,
    _clock,
    _disk,
    _connectors,
)
