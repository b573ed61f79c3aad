"""The process's settings: one frozen object, read once, strict. The only reader of the environment."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

PREFIX = "LGSP_"
MB = 1024 * 1024


def _split(value: object) -> object:
    """Take a comma-separated text for a list."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]


class Settings(BaseModel):
    """The process's settings; docs/reference/settings.md is made from these fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # the node
    node: str = Field(
        "local",
        description="The node's code; stands in evidence and figures.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,34}$",
    )
    nation: str = Field(
        "vn", description="Whose production this is. Figures print it; the demonstration says `demo`."
    )
    role: Literal["local", "hub"] = Field("local", description="`local` (LGSP) or `hub` (NGSP).")
    data_dir: Path = Field(Path("data"), description="Folder for the SQLite files, the node key and locks.")
    database: SecretStr | None = Field(
        None, description="`postgresql://user@host/name`; without it two SQLite files in the data folder."
    )
    node_key_file: Path | None = Field(
        None,
        description="File with 32 random bytes (hex) that protect secrets kept in the database; made in the data folder when not set.",
    )
    subject_keys_file: Path | None = Field(
        None,
        description="File with the keys under which data subjects are hashed; made in the data folder when not set.",
    )
    secrets_file: Path | None = Field(
        None, description="TOML file that binds organisations' secrets to files and hosts."
    )
    # listening
    listen: str = Field("127.0.0.1:8080", description="Public address: data plane, tokens, health.")
    admin_listen: str | None = Field(
        None, description="Address of admin API, console and metrics; by default the public one."
    )
    issuer: str | None = Field(
        None, description="The node's public base address, `https://…`; by default made from `listen`."
    )
    tls_certificate: Path | None = Field(None, description="PEM file with the certificate chain.")
    tls_key: Path | None = Field(None, description="PEM file with the private key.")
    trusted_proxies: Names = Field(
        (), description="Networks whose `X-Forwarded-For` is believed, and that end TLS for us."
    )
    metrics_networks: Names = Field(
        ("127.0.0.0/8", "::1/128"),
        description="Networks that may read `/metrics` on the public address without a token.",
    )
    workers: int = Field(1, ge=1, le=64, description="Worker processes; more than one needs PostgreSQL.")
    door: Literal["fast-lane", "asgi"] = Field(
        "fast-lane",
        description="How data-plane requests reach the pipeline: straight from the HTTP protocol, or through ASGI.",
    )
    transport: Literal["http1", "aiohttp"] = Field(
        "http1",
        description="The HTTP client of the data plane: our own, or aiohttp's as reference and fallback.",
    )
    # limits
    max_connections: int = Field(4096, ge=1, description="Open connections per worker.")
    max_connections_per_address: int = Field(
        1024, ge=1, description="Open connections per caller's address and worker."
    )
    max_headers: int = Field(100, ge=1, description="Header fields in one request.")
    max_head_bytes: int = Field(32 * 1024, ge=1024, description="Size of a request's head.")
    max_header_bytes: int = Field(16 * 1024, ge=256, description="Size of one header field.")
    head_seconds: float = Field(10.0, gt=0, description="Time for a request's head to arrive.")
    body_seconds: float = Field(30.0, gt=0, description="Time between two pieces of a request's body.")
    keep_alive_seconds: float = Field(75.0, gt=0, description="Time an idle connection is kept.")
    buffer_bytes: int = Field(
        64 * 1024, ge=1024, description="Bodies up to this size are held in memory; larger ones are streamed."
    )
    provider_connections: int = Field(
        1024,
        ge=1,
        description="Open connections per worker to one address of a provider; who finds none free waits.",
    )
    provider_write_seconds: float | None = Field(
        None,
        gt=0,
        description="Time in which a provider takes nothing of a request; empty: until the call's deadline.",
    )
    provider_first_byte_seconds: float | None = Field(
        None,
        gt=0,
        description="Time from a request's end to an answer's first byte; empty: until the call's deadline.",
    )
    provider_between_bytes_seconds: float | None = Field(
        None, gt=0, description="Time between two pieces of an answer; empty: until the call's deadline."
    )
    address_rate: int = Field(
        5000, ge=1, description="Requests per second and caller's address, before anything else is looked at."
    )
    failure_rate: int = Field(
        20, ge=1, description="Failed sign-ins per minute for one client from one address."
    )
    drain_seconds: float = Field(
        30.0, gt=0, description="Time that requests under way get when the node stops."
    )
    stop_notice_seconds: float = Field(
        0.0,
        ge=0,
        le=300,
        description="Time between being told to stop, when `/health/ready` says so, and taking no new connections.",
    )
    # egress
    egress_networks: Names = Field(
        (),
        description="Networks that calls may go to; empty: all but loopback, link-local and metadata addresses.",
    )
    egress_hosts: Names = Field((), description="Host names that calls may go to; empty: any.")
    egress_ports: Names = Field((), description="Ports that calls may go to; empty: any.")
    ca_file: Path | None = Field(
        None, description="PEM file with further certificate authorities for outgoing TLS."
    )
    # figures
    window_days: int = Field(
        30, ge=1, le=366, description="Days back in which a success proves a connection."
    )
    min_successes: int = Field(1, ge=1, description="Successes that prove a connection.")
    allowed_modes: Names = Field(("lgsp-ngsp", "ngsp", "lgsp"), description="Connection modes that count.")
    # operation
    token_seconds: int = Field(3600, ge=1, le=86400, description="Life of an access token.")
    poll_seconds: float = Field(0.25, gt=0, le=5, description="How often a worker looks for a new revision.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line to write."
    )
    log_format: Literal["json", "text"] = Field("json", description="JSON lines, or text for people.")

    def database_address(self) -> str | None:
        """Return the database's address, its password included; None for SQLite in the data folder."""
        return None if self.database is None else self.database.get_secret_value()


class ClientSettings(BaseModel):
    """What commands that speak to a node read from the environment, where an option does not say it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node_url: str = Field(
        "http://127.0.0.1:8080", description="Base address of the node that commands speak to."
    )
    public_url: str | None = Field(
        None,
        description="Base address that `lgsp call` calls services at; by default what the node says, else the one above.",
    )
    client_file: Path | None = Field(
        None,
        description="File with both of the next two, as `lgsp client create --save` writes it; used when no id is set.",
    )
    client_id: str | None = Field(None, description="Id of the client that commands sign in as.")
    client_secret: SecretStr | None = Field(None, description="Its secret.")
    client_secret_file: Path | None = Field(None, description="File with its secret, instead of the secret.")
    language: Literal["vi", "en"] = Field("vi", description="Language of what commands say.")


class SettingsWrong(Exception):
    """The settings are not usable; the text says which and why, in English and (`vi`) in Vietnamese."""

    def __init__(self, en: str, vi: str | None = None) -> None:
        super().__init__(en)
        self.vi = vi or en


def read_settings(
    environ: Mapping[str, str] | None = None, **given: Any
) -> Settings:  # Any: checked by Settings
    """Read the settings: `given` before environment before the file that `LGSP_SETTINGS_FILE` names.

    Raises:
        SettingsWrong: a name nobody knows, or a value that does not fit; secrets are not shown.
    """
    environ = os.environ if environ is None else environ
    values = {n.removeprefix(PREFIX).lower(): v for n, v in environ.items() if n.startswith(PREFIX)}
    values = {n: v for n, v in values.items() if n not in {"fault_rounds", *ClientSettings.model_fields}}
    file = values.pop("settings_file", None)
    from_file: dict[str, Any] = {}
    if file:
        try:
            from_file = tomllib.loads(Path(file).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsWrong(f"{file}: {error}") from error
    try:
        return Settings.model_validate(from_file | values | {n: v for n, v in given.items() if v is not None})
    except ValueError as error:
        raise _wrong(error) from None


def read_client_settings(environ: Mapping[str, str] | None = None, **given: Any) -> ClientSettings:
    """Read what commands that speak to a node need: `given` before the environment. Raises SettingsWrong."""
    environ = os.environ if environ is None else environ
    names = {f"{PREFIX}{name.upper()}": name for name in ClientSettings.model_fields}
    values = {names[n]: v for n, v in environ.items() if n in names}
    if given.get("client_file") is not None:
        # What was said on the command line is not mixed with another client of the environment.
        values = {
            n: v for n, v in values.items() if n not in {"client_id", "client_secret", "client_secret_file"}
        }
    try:
        return ClientSettings.model_validate(values | {n: v for n, v in given.items() if v is not None})
    except ValueError as error:
        raise _wrong(error) from None


_TYPES: Mapping[str, str] = {
    "int_parsing": "phải là số nguyên",
    "int_type": "phải là số nguyên",
    "int_from_float": "phải là số nguyên",
    "float_parsing": "phải là số",
    "float_type": "phải là số",
    "finite_number": "phải là số hữu hạn",
    "bool_parsing": "phải là true hoặc false",
    "bool_type": "phải là true hoặc false",
    "string_type": "phải là văn bản",
    "path_type": "phải là đường dẫn",
    "tuple_type": "phải là danh sách",
    "literal_error": "phải là một trong: {expected}",
    "greater_than": "phải lớn hơn {gt}",
    "greater_than_equal": "không được nhỏ hơn {ge}",
    "less_than": "phải nhỏ hơn {lt}",
    "less_than_equal": "không được lớn hơn {le}",
    "string_pattern_mismatch": "không đúng dạng {pattern}",
}
"""pydantic's words for what is wrong with a setting -> the same in Vietnamese."""


def _wrong(error: ValueError) -> SettingsWrong:
    vi, en = [], []
    for item in getattr(error, "errors", list)():
        name = PREFIX + ".".join(str(part) for part in item["loc"]).upper()
        if item["type"] == "extra_forbidden":
            vi.append(f"{name}: không có tham số này")
            en.append(f"{name}: no setting has this name")
        else:
            words = _TYPES.get(item["type"], "giá trị không hợp lệ")
            vi.append(f"{name}: {words.format_map(item.get('ctx', {})).replace(' or ', ' hoặc ')}")
            en.append(f"{name}: {item['msg']}")
    if not en:
        return SettingsWrong("the settings are not usable", "cấu hình không dùng được")
    return SettingsWrong("\n".join(en), "\n".join(vi))


def address_of(listen: str) -> tuple[str, int]:
    """Split `host:port` (IPv6 in brackets)."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsWrong(f"{listen!r} is not host:port", f"«{listen}» không có dạng máy:cổng")
    return host.strip("[]"), int(port)


def handed_on(settings: Settings) -> dict[str, Any]:  # Any: JSON
    """Return the settings in JSON form for a worker process, the database's address included."""
    return settings.model_dump(mode="json") | {"database": settings.database_address()}


def child_environment(**more: str) -> dict[str, str]:
    """Return the environment for a process of our own: this one's, without our settings, and `more`."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | more


def secret_variables() -> dict[str, str]:
    """Return the environment's variables that may hold organisations' secrets (`SECRET_…`)."""
    return {name: value for name, value in os.environ.items() if name.startswith("SECRET_")}
