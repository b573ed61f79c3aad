"""The `lgsp` command as processes of their own, against a node that runs and on its machine."""

import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

PROVINCE = """\
organisations:
  - {code: H99, name_vi: Tỉnh (ví dụ), kind: province}
national-databases:
  - {code: CSDLDN, name_vi: CSDL doanh nghiệp (ví dụ), owner: H99}
systems:
  - {code: "H99:mot-cua", name_vi: Một cửa (ví dụ), organisation: H99}
  - {code: "H99:csdl", name_vi: CSDL (ví dụ), organisation: H99}
needs:
  - {system: "H99:mot-cua", national_database: CSDLDN, legal_basis: Văn bản ví dụ}
services:
  - {name: DoanhNghiep, title_vi: Tra cứu (ví dụ), provider: "H99:csdl"}
versions:
  - service: DoanhNghiep
    version: 1.10
    status: published
    national_database: CSDLDN
    operations: [{name: chiTiet, path: "/chiTiet/{maso}"}]
    endpoints: {production: {connector: echo}}
grants:
  - {name: "H99:mot-cua/DoanhNghiep", consumer: "H99:mot-cua", service: DoanhNghiep, status: approved}
"""


@dataclass
class Machine:
    """A node's machine: its folder, its address, and how commands are run there."""

    folder: Path
    port: int
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            capture_output=True,
            text=True,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=120,
        )

    def result(self, *arguments: str, **environ: str) -> Any:
        """Run a command with --json and return what it printed."""
        done = self.run(*arguments, "--json", **environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine with databases and no node that runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    folder = tmp_path_factory.mktemp("machine")
    environ = {
        "PATH": os.defpath,
        "PYTHONUTF8": "1",
        "LGSP_DATA_DIR": str(folder / "data"),
        "LGSP_LISTEN": f"127.0.0.1:{port}",
        "LGSP_NODE_URL": f"http://127.0.0.1:{port}",
        "LGSP_LANGUAGE": "en",
    }
    made = Machine(folder, port, environ)
    assert made.run("database", "upgrade").returncode == 0
    return made


@pytest.fixture(scope="module")
def running(machine: Machine) -> Iterator[Machine]:
    """The same machine with its node running, a registry, and an administrator signed in."""
    (machine.folder / "province.yaml").write_text(PROVINCE, "utf-8")
    admin = machine.result("client", "create", "root", "--role", "node-admin", "--local")
    machine.result("apply", str(machine.folder / "province.yaml"), "--local")
    with _serving(machine):
        yield Machine(machine.folder, machine.port, machine.environ | _credentials(admin))


@contextmanager
def _serving(machine: Machine) -> Iterator[None]:
    with (machine.folder / "node.log").open("wb") as log:
        node = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"], env=machine.environ, stdout=log, stderr=log
        )
    try:
        _wait_until_ready(machine, node)
        yield
    finally:
        node.terminate()
        node.wait(30)


def _credentials(client: Mapping[str, Any]) -> dict[str, str]:
    return {"LGSP_CLIENT_ID": client["client_id"], "LGSP_CLIENT_SECRET": client["client_secret"]}


def _wait_until_ready(machine: Machine, node: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert node.poll() is None, (machine.folder / "node.log").read_text()
        try:
            if httpx2.get(f"{machine.address}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    pytest.fail("the node was not ready in time")


# --- without a node -------------------------------------------------------------------------------------


def test_help_imports_neither_the_web_framework_nor_the_database(machine: Machine) -> None:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gateway", "--help"],
        capture_output=True,
        text=True,
        env=machine.environ,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert "connectivity" in done.stdout
    assert imported.isdisjoint({"fastapi", "starlette", "sqlalchemy", "pydantic", "httpx2", "gateway.build"})
    assert time.perf_counter() - started < 5


def test_a_local_command_does_without_the_web_framework(machine: Machine) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gateway", "client", "list", "--local", "--json"],
        capture_output=True,
        text=True,
        env=machine.environ,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert json.loads(done.stdout) == []
    assert imported.isdisjoint({"fastapi", "alembic", "uvicorn", "aiohttp", "gateway.build"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "nonsense"),
        (["client", "create"], "exactly one"),
        (["client", "create", "x", "--role", "auditor", "--system", "y"], "exactly one"),
        (["apply"], "at least one"),
        (["serve", "--workers", "many"], "many"),
        (["call", "A", "b", "--local"], "--local"),
    ],
)
def test_wrong_usage_is_exit_code_two(machine: Machine, arguments: list[str], said: str) -> None:
    done = machine.run(*arguments)

    assert done.returncode == 2
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_node_a_command_says_what_to_do(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    who = {"LGSP_CLIENT_ID": "x", "LGSP_CLIENT_SECRET": "y"}

    away = machine.run("client", "list", "--node", f"http://127.0.0.1:{free}", **who)
    nobody = machine.run("client", "list", "--language", "vi")

    assert (away.returncode, "lgsp serve" in away.stderr, "--local" in away.stderr) == (1, True, True)
    assert (nobody.returncode, "LGSP_CLIENT_ID" in nobody.stderr) == (1, True)
    assert nobody.stderr.startswith("Thiếu")


def test_settings_nobody_knows_are_told(machine: Machine) -> None:
    done = machine.run("serve", LGSP_LISTENN="x")

    assert done.returncode == 1
    assert "LGSP_LISTENN" in done.stderr


def test_a_local_command_before_the_databases_are_made_says_what_to_do(machine: Machine) -> None:
    done = machine.run("client", "list", "--local", LGSP_DATA_DIR=str(machine.folder / "empty"))
    checked = machine.run("database", "check", LGSP_DATA_DIR=str(machine.folder / "empty"))

    assert (done.returncode, "lgsp database upgrade" in done.stderr) == (1, True)
    assert (checked.returncode, "lgsp database upgrade" in checked.stderr) == (1, True)


def test_check_looks_at_everything(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = f"127.0.0.1:{stranger.getsockname()[1]}"

        good = machine.run("check", "--json")
        bad = machine.run("check", LGSP_LISTEN=taken, LGSP_DATA_DIR=str(machine.folder / "empty"))

    lines = {line["name"]: line["ok"] for line in json.loads(good.stdout)}
    assert lines == dict.fromkeys(
        (
            "packages",
            "settings",
            "database",
            "node key",
            "subject keys",
            "ports",
            "clock",
            "disk",
            "connectors",
        ),
        True,
    )
    assert good.returncode == 0
    assert bad.returncode == 1
    assert "not ok  database" in bad.stdout
    assert "not ok  ports" in bad.stdout


def test_settings_are_told_in_the_users_language(machine: Machine) -> None:
    wrong = {"LGSP_WORKERS": "0", "LGSP_TOKEN_SECONDS": "many", "LGSP_ROLE": "both"}

    english = machine.run("check", **wrong).stdout
    vietnamese = machine.run("serve", LGSP_LANGUAGE="vi", **wrong).stderr

    assert "greater than or equal to 1" in english
    assert "LGSP_WORKERS: không được nhỏ hơn 1" in vietnamese
    assert "LGSP_TOKEN_SECONDS: phải là số nguyên" in vietnamese
    assert "LGSP_ROLE: phải là một trong: 'local' hoặc 'hub'" in vietnamese
    assert "Input should" not in vietnamese


def test_before_there_is_a_database_everything_says_so(machine: Machine, postgres_database: str) -> None:
    empty = {"LGSP_DATABASE": postgres_database}

    checked = machine.run("check", **empty).stdout
    started = machine.run("serve", LGSP_LANGUAGE="vi", **empty)
    looked = machine.run("database", "check", **empty)
    local = machine.run("client", "list", "--local", LGSP_LANGUAGE="vi", **empty)

    assert "PostgreSQL: there is no database yet: run `lgsp database upgrade`" in checked
    assert (started.returncode, started.stderr) == (
        1, "Chưa có cơ sở dữ liệu: hãy chạy `lgsp database upgrade`.\n",
    )  # fmt: skip
    assert (looked.returncode, looked.stderr) == (
        1, "There is no database yet: run `lgsp database upgrade`.\n",
    )  # fmt: skip
    assert (local.returncode, local.stderr) == (1, started.stderr)


def test_the_first_administrator_needs_no_name(machine: Machine) -> None:
    first = machine.result("client", "create", "--role", "node-admin", "--local")
    second = machine.result("client", "create", "--role", "node-admin", "--local")

    assert (first["label"], second["label"]) == ("node-admin", "node-admin-2")
    assert first["client_id"] != second["client_id"]


# --- with a node ----------------------------------------------------------------------------------------


def test_a_province_is_connected_from_the_command_line(running: Machine) -> None:
    """What the tutorial does: a client, a call, the figure, the evidence."""
    app = running.result("client", "create", "app", "--system", "H99:mot-cua")
    time.sleep(1)

    called = running.run("call", "DoanhNghiep", "chiTiet", "--set", "maso=01", **_credentials(app))
    figure = running.result("connectivity", "--unit", "H99")
    evidence = running.result("evidence", "list", "--outcome", "success")
    exchange = running.result("evidence", "show", evidence["items"][0]["exchange"])

    assert called.returncode == 0, called.stdout + called.stderr
    assert json.loads(called.stdout)["path"] == "/chiTiet/01"
    assert (figure["needed"], figure["connected"]) == (1, 1)
    assert evidence["total"] == 1
    assert [record["record"]["operation"] for record in exchange["records"]] == ["chiTiet"]
    auditor = running.result("client", "create", "auditor", "--role", "auditor")
    time.sleep(1)
    audited = running.result("evidence", "show", exchange["exchange"], **_credentials(auditor))
    assert [record["salt"] for record in exchange["records"]] == [None]
    assert len(bytes.fromhex(audited["records"][0]["salt"])) >= 16
    assert running.result("usage", "rebuild") == {"records": 1, "corrected": 0}
    sums = running.run("usage", "show", "--group-by", "service,outcome", "--group-by", "consumer")
    listed = running.run("evidence", "list", COLUMNS="80").stdout
    shown = running.run("evidence", "show", exchange["exchange"]).stdout
    assert "DoanhNghiep  success  H99:mot-cua" in sums.stdout
    assert [line for line in listed.splitlines() if exchange["exchange"] in line and "chiTiet" in line]
    assert re.search(r"^sent +✓", shown, re.MULTILINE)
    assert running.result("usage", "show", "--since", "2020-01-01", "--until", "2020-01-02")["total"] == 0


def test_a_refused_call_is_explained_in_the_users_language(running: Machine) -> None:
    app = running.result("client", "create", "other", "--system", "H99:csdl")
    time.sleep(1)

    english = running.run("call", "DoanhNghiep", "/chiTiet/01", **_credentials(app))
    vietnamese = running.run("call", "DoanhNghiep", "/chiTiet/01", "--language", "vi", **_credentials(app))
    unknown = running.run("call", "DoanhNghiep", "noSuch", **_credentials(app))

    assert (english.returncode, "grant-missing" in english.stdout) == (1, True)
    assert "urn:uuid:" in english.stdout
    assert "Cần xử lý" in vietnamese.stdout
    assert (unknown.returncode, "chiTiet" in unknown.stderr) == (1, True)


def test_a_service_is_closed_and_opened_again(running: Machine) -> None:
    blocked = running.run("service", "block", "DoanhNghiep", "--reason", "Sự cố (ví dụ)")
    again = running.run("service", "unblock", "DoanhNghiep")
    twice = running.run("service", "unblock", "DoanhNghiep", "--language", "vi")
    one = running.result("service", "block", "DoanhNghiep", "--consumer", "H99:mot-cua", "--reason", "x")
    free = running.result("service", "unblock", "DoanhNghiep", "--consumer", "H99:mot-cua")
    when = ("--from", "2099-01-01T00:00:00+07:00")
    planned = running.result(
        "service", "plan-maintenance", "DoanhNghiep", *when, "--until", "2099-01-01T02:00:00+07:00"
    )
    cancelled = running.result("service", "cancel-maintenance", "DoanhNghiep", *when)

    assert blocked.returncode == 0, blocked.stderr
    assert "  /blocked: None -> 'Sự cố (ví dụ)'" in blocked.stdout
    assert again.returncode == 0
    assert (twice.returncode, "dịch vụ không bị khóa" in twice.stderr) == (1, True)
    assert (len(one["document"]["blocked_consumers"]), free["document"]["blocked_consumers"]) == (1, {})
    assert [len(it["document"]["maintenance"]) for it in (planned, cancelled)] == [1, 0]


def test_a_step_is_taken_by_its_name(running: Machine) -> None:
    steps = running.result("step")
    table = running.run("step").stdout
    taken = running.run("step", "client", "root", "disable", "--set", "x=1")
    unknown = running.run("step", "services", "DoanhNghiep", "explode")
    nowhere = running.run("step", "officers")
    made = running.result("client", "create", "stepped", "--role", "observer")
    done = running.result("step", "clients", made["id"], "disable")

    assert {"kind": "services", "step": "block", "takes": {"reason": True}} in steps
    assert {"kind": "grants", "step": "approve", "takes": {"note": False}} in steps
    assert "set-secrets" not in table
    assert (taken.returncode, "/x" in taken.stderr) == (1, True)
    assert (unknown.returncode, "block-consumer" in unknown.stderr) == (2, True)
    assert (nowhere.returncode, "grants" in nowhere.stderr) == (2, True)
    assert done["document"]["status"] == "disabled"


def test_a_grant_is_decided_by_somebody_else(running: Machine) -> None:
    """One's own request waits, and `apply` says for whom; the provider's service owner decides."""
    file = running.folder / "grant.yaml"
    file.write_text('grants: [{consumer: "H99:csdl", service: DoanhNghiep, status: approved}]\n', "utf-8")
    label = "H99:csdl/DoanhNghiep"
    applied = running.run("apply", str(file))
    vietnamese = running.run("apply", str(file), "--language", "vi")
    waiting = running.run("grant", "list", "--status", "requested").stdout
    mine = running.run("grant", "approve", label)
    owner = _credentials(
        running.result("client", "create", "--role", "service-owner", "--organisation", "H99")
    )
    time.sleep(1)
    approved = running.run("grant", "approve", label, "--note", "Theo văn bản ví dụ", **owner)
    steps = [
        running.result("grant", step, label, "--note", "x", **owner)["document"]["status"]
        for step in ("suspend", "resume", "revoke")
    ]

    assert applied.returncode == 0
    assert (
        f"approve: waiting for the provider (or another administrator with its delegation), for you requested it: lgsp grant approve {label}"
        in applied.stdout
    )
    assert "approve: chờ bên cung cấp" in vietnamese.stdout
    assert label in waiting
    assert "approved" not in waiting
    assert (mine.returncode, "403" in mine.stderr) == (1, True)
    assert approved.returncode == 0, approved.stderr
    assert "  /status: 'requested' -> 'approved'" in approved.stdout
    assert steps == ["suspended", "approved", "revoked"]


def test_the_connection_of_a_version_is_tested(running: Machine) -> None:
    """The echo connector has nothing to connect to: no step of it fails."""
    told = running.run("version", "check", "DoanhNghiep/1.10")
    checked = running.result("version", "check", "DoanhNghiep/1.10")

    assert told.returncode == 0, told.stdout + told.stderr
    assert "production (echo): ok" in told.stdout
    assert [endpoint["ok"] for endpoint in checked["endpoints"]] == [True]


def test_what_is_applied_again_changes_nothing(running: Machine) -> None:
    file = running.folder / "province.yaml"
    changed = running.folder / "changed.yaml"
    changed.write_text(PROVINCE.replace("Một cửa (ví dụ)", "Một cửa mới (ví dụ)"), "utf-8")

    again = running.run("apply", str(file))
    shown = running.run("diff", str(changed))
    exported = running.run("export")
    (running.folder / "export.yaml").write_text(exported.stdout, "utf-8")
    nothing = running.run("diff", str(running.folder / "export.yaml"), "--local")

    assert (again.returncode, "8 unchanged" in again.stdout) == (0, True)
    assert "/name_vi: 'Một cửa (ví dụ)' -> 'Một cửa mới (ví dụ)'" in shown.stdout
    assert "0 new, 0 replaced, 0 moved on" in nothing.stdout


def test_a_flaw_in_a_file_is_told_with_its_place(running: Machine) -> None:
    bad = running.folder / "bad.yaml"
    bad.write_text("systems: [{code: 'H99:a', name_vi: a, organisation: H00}]", "utf-8")

    done = running.run("apply", str(bad), "--language", "vi")
    missing = running.run("apply", str(running.folder / "no-such.yaml"))

    assert (done.returncode, "/systems/0/organisation" in done.stderr) == (1, True)
    assert "Không tìm thấy" in done.stderr
    assert (missing.returncode, "no-such.yaml" in missing.stderr) == (1, True)


def test_an_inventory_is_taken_over_and_refused_rows_make_exit_code_one(running: Machine) -> None:
    table = running.folder / "inventory.csv"
    table.write_text("Tên hệ thống,Mã hệ thống,Mã đơn vị\nMới (ví dụ),H99:moi,H99\nLạ,H00:la,H00\n", "utf-8")

    done = running.run("import", "inventory", str(table), "--dry-run")
    vietnamese = running.run("import", "inventory", str(table), "--dry-run", "--language", "vi")
    other = running.run("import", "inventory", str(running.folder / "province.yaml"))

    assert (done.returncode, "1 rows would be taken, 1 refused; nothing was changed." in done.stdout) == (
        1,
        True,
    )
    assert "row inventory.csv 3: /organisation: No organisation is known as 'H00'." in done.stdout
    assert (
        "dòng inventory.csv 3: /organisation: Không tìm thấy đối tượng được tham chiếu: «H00»."
        in vietnamese.stdout
    )
    assert (other.returncode, ".csv" in other.stderr) == (1, True)


def test_a_client_is_rotated_and_disabled(running: Machine) -> None:
    made = running.result("client", "create", "short-lived", "--role", "observer")
    rotated = running.result("client", "rotate", "short-lived", "--overlap-seconds", "0")
    time.sleep(1)

    old = running.run("connectivity", **_credentials(made))
    new = running.run("connectivity", **_credentials(rotated))
    disabled = running.run("client", "disable", "short-lived")
    time.sleep(1)
    after = running.run("connectivity", **_credentials(rotated))

    assert (old.returncode, new.returncode, disabled.returncode, after.returncode) == (1, 0, 0, 1)
    assert "401" in after.stderr
    names = {item["label"]: item["document"]["status"] for item in running.result("client", "list")}
    assert names["short-lived"] == "disabled"


def test_a_secret_may_stand_in_a_file(running: Machine) -> None:
    file = running.folder / "secret"
    file.write_text(running.environ["LGSP_CLIENT_SECRET"] + "\n", "utf-8")
    environ = {name: value for name, value in running.environ.items() if name != "LGSP_CLIENT_SECRET"}

    done = Machine(running.folder, running.port, environ).run("client", "list", "--secret-file", str(file))

    assert (done.returncode, "root" in done.stdout) == (0, True)


def test_credentials_are_saved_for_their_owner_and_read_by_everything(running: Machine) -> None:
    file = running.folder / "watcher.env"
    environ = {name: value for name, value in running.environ.items() if not name.startswith("LGSP_CLIENT_")}
    watcher = Machine(running.folder, running.port, environ)

    made = running.run("client", "create", "--role", "observer", "--save", str(file))
    time.sleep(1)
    by_variable = watcher.run("connectivity", LGSP_CLIENT_FILE=str(file))
    by_option = running.run("client", "list", "--client-file", str(file))
    again = running.run("client", "create", "--role", "observer", "--save", str(file))
    before = file.read_text("utf-8")
    rotated = running.run("client", "rotate", "observer", "--overlap-seconds", "0", "--save", str(file))
    time.sleep(1)
    after = watcher.run("connectivity", LGSP_CLIENT_FILE=str(file))
    shell = subprocess.run(
        ["/bin/sh", "-c", f'. {file}; printf %s "$LGSP_CLIENT_ID/$LGSP_CLIENT_SECRET"'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    saved = dict(line.split("=", 1) for line in file.read_text("utf-8").splitlines()[1:])
    assert made.returncode == 0, made.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert saved["LGSP_CLIENT_SECRET"] not in made.stdout + rotated.stdout
    assert (by_variable.returncode, after.returncode) == (0, 0), by_variable.stderr + after.stderr
    assert (by_option.returncode, "role" in by_option.stderr) == (1, True)
    assert (again.returncode, str(file) in again.stderr) == (1, True)
    assert before.splitlines()[1] == file.read_text("utf-8").splitlines()[1]
    assert before != file.read_text("utf-8")
    assert shell.stdout == "/".join(saved.values())
    assert [path.name for path in running.folder.glob(".watcher*")] == []


def test_a_service_without_a_published_version_is_not_called(running: Machine) -> None:
    draft = running.folder / "draft.yaml"
    draft.write_text(
        'services: [{name: BanNhap, title_vi: Bản nháp (ví dụ), provider: "H99:csdl"}]\n'
        "versions: [{service: BanNhap, version: 1.1, operations: [{name: xem, path: /xem}],\n"
        "  endpoints: {production: {connector: echo}}}]\n",
        "utf-8",
    )
    assert running.run("apply", str(draft)).returncode == 0

    nothing = running.run("call", "BanNhap", "xem")
    other = running.run("call", "DoanhNghiep", "chiTiet", "--version", "9")

    assert (nothing.returncode, "No version of the service BanNhap is published" in nothing.stderr) == (
        1,
        True,
    )
    assert "no published version 9. Published: 1.10" in other.stderr


def test_with_an_address_for_administration_calls_go_to_the_public_one(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        admin = listener.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    folder = machine.folder / "two-addresses"
    environ = machine.environ | {
        "LGSP_DATA_DIR": str(folder),
        "LGSP_LISTEN": f"127.0.0.1:{port}",
        "LGSP_ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "LGSP_NODE_URL": f"http://127.0.0.1:{admin}",
    }
    two = Machine(folder, port, environ)
    assert two.run("database", "upgrade").returncode == 0
    province = machine.folder / "two.yaml"
    province.write_text(PROVINCE, "utf-8")
    two.result("apply", str(province), "--local")
    app = _credentials(two.result("client", "create", "--system", "H99:mot-cua", "--local"))
    with _serving(two):
        named = two.run("call", "DoanhNghiep", "chiTiet", "--set", "maso=01", **app)
        by_path = two.run("call", "DoanhNghiep", "/chiTiet/02", **app)
        told = two.run("call", "DoanhNghiep", "/chiTiet/03", "--public-url", two.address + "/", **app)
        away = two.run("call", "DoanhNghiep", "/chiTiet/04", LGSP_PUBLIC_URL="http://127.0.0.1:1", **app)

    assert (named.returncode, by_path.returncode, told.returncode) == (0, 0, 0), named.stderr + by_path.stderr
    assert json.loads(by_path.stdout)["path"] == "/chiTiet/02"
    assert (away.returncode, "LGSP_PUBLIC_URL" in away.stderr) == (1, True)


def test_keys_are_rotated_while_the_node_runs(running: Machine) -> None:
    rotated = running.result("keys", "rotate")

    assert rotated["kid"] in {key["kid"] for key in rotated["jwks"]["keys"]}


def test_connectors_are_those_of_the_node_or_without_credentials_of_this_machine(
    running: Machine, machine: Machine
) -> None:
    of_node = running.result("connectors")
    here = machine.result("connectors")
    away = machine.run("connectors", "--node", running.address)

    assert {it["kind"] for it in here} >= {"rest", "soap", "population", "sql", "mock", "echo"}
    assert all({"version", "capabilities", "settings"} <= it.keys() for it in here)
    assert of_node == here
    assert (away.returncode, "LGSP_CLIENT_FILE" in away.stderr) == (1, True)
