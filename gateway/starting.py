"""Why a node cannot start: found before it takes a request, and told in one sentence with what helps."""

import ssl
from collections.abc import Callable
from ipaddress import ip_address

from connectors.errors import ConnectorError
from gateway.egress import EgressWrong, parse_egress
from gateway.limiter import parse_networks
from gateway.node_key import NodeKeyWrong
from gateway.secrets import SecretsWrong
from gateway.settings import Settings, SettingsWrong, address_of
from gateway.subject_keys import SubjectKeysWrong
from registry.entities import Mode
from registry.errors import (
    KeysUnreadable,
    LedgerUnavailable,
    RegistryError,
    SchemaUnknown,
    SlotTaken,
    StoreUnavailable,
)

EXPECTED = (
    RegistryError,
    ConnectorError,
    NodeKeyWrong,
    SubjectKeysWrong,
    SecretsWrong,
    SettingsWrong,
    EgressWrong,
    OSError,
)
"""What may go wrong at the start and is somebody's turn to put right; anything else is a fault of ours."""


class CannotStart(Exception):
    """The node cannot start: what happened, whose turn it is and what helps, in Vietnamese and English.

    `may_pass` says whether it may go away by itself (a database that is not there yet).
    """

    def __init__(self, vi: str, en: str, *, may_pass: bool = False) -> None:
        super().__init__(en)
        self.vi = vi
        self.en = en
        self.may_pass = may_pass


def explain(error: Exception) -> CannotStart:
    """Return what to tell of one of the EXPECTED errors."""
    match error:
        case SchemaUnknown():
            return CannotStart(*schema_told(error))
        case SlotTaken():
            return CannotStart(
                f"Một tiến trình khác đang ghi sổ bằng chứng của nút này ({error}). "
                "Hãy dừng nút đang chạy, hoặc đặt cho nút này LGSP_NODE hay LGSP_DATA_DIR riêng.",
                f"Another process writes this node's ledger ({error}). "
                "Stop the node that is running, or give this one an LGSP_NODE or LGSP_DATA_DIR of its own.",
                may_pass=True,
            )
        case StoreUnavailable() | LedgerUnavailable():
            return CannotStart(
                f"Không mở được cơ sở dữ liệu của nút ({error}). "
                "Hãy kiểm tra LGSP_DATABASE hoặc LGSP_DATA_DIR, máy chủ cơ sở dữ liệu và dung lượng đĩa, rồi khởi động lại.",
                f"The node's database cannot be opened ({error}). "
                "Check LGSP_DATABASE or LGSP_DATA_DIR, the database server and the disk, and start again.",
                may_pass=True,
            )
        case KeysUnreadable():
            return CannotStart(
                f"Khoá của nút không mở được các khoá ký đã lưu ({error}). "
                "Hãy khôi phục đúng tệp khoá của nút (LGSP_NODE_KEY_FILE, hoặc node.key trong LGSP_DATA_DIR).",
                f"The node key does not open the signing keys that are kept ({error}). "
                "Restore the right node key file (LGSP_NODE_KEY_FILE, or node.key in LGSP_DATA_DIR).",
            )
        case NodeKeyWrong():
            return CannotStart(
                f"Khoá của nút không dùng được: {error}", f"The node key is not usable: {error}"
            )
        case SubjectKeysWrong():
            return CannotStart(
                f"Khoá băm chủ thể dữ liệu không dùng được: {error}. Hãy khôi phục tệp LGSP_SUBJECT_KEYS_FILE "
                "(hoặc subject.keys trong LGSP_DATA_DIR); nút mới thì tạo bằng `lgsp keys rotate --subject --local`.",
                f"The subject keys are not usable: {error}. Restore LGSP_SUBJECT_KEYS_FILE "
                "(or subject.keys in LGSP_DATA_DIR); for a new node make it with `lgsp keys rotate --subject --local`.",
            )
        case SecretsWrong():
            return CannotStart(
                f"Tệp LGSP_SECRETS_FILE không dùng được: {error}", f"LGSP_SECRETS_FILE is not usable: {error}"
            )
        case _:
            return settings_wrong(error if isinstance(error, SettingsWrong) else SettingsWrong(str(error)))


def schema_told(error: SchemaUnknown) -> tuple[str, str]:
    """Return what to tell of databases that this program cannot use as they are."""
    if error.missing:
        return (
            "Chưa có cơ sở dữ liệu: hãy chạy `lgsp database upgrade`.",
            "There is no database yet: run `lgsp database upgrade`.",
        )
    return (
        f"Cơ sở dữ liệu chưa đúng phiên bản của chương trình này ({error}). "
        "Người quản trị nút hãy chạy `lgsp database upgrade` rồi khởi động lại.",
        f"The databases do not have this program's schema ({error}). "
        "The node's administrator runs `lgsp database upgrade` and starts again.",
    )


def settings_wrong(error: SettingsWrong) -> CannotStart:
    """Return what to tell of settings that are not usable."""
    return CannotStart(f"Cấu hình chưa đúng: {error.vi}", f"The settings are not usable: {error}")


def check_together(settings: Settings) -> None:
    """Refuse settings that are each right and do not go together. Raises CannotStart."""
    if settings.workers > 1 and settings.database is None:
        raise CannotStart(
            "Chạy nhiều tiến trình (--workers) cần PostgreSQL: với SQLite, sổ bằng chứng chỉ có một tiến trình ghi. "
            "Hãy đặt LGSP_DATABASE, hoặc chạy một tiến trình.",
            "More than one worker needs PostgreSQL: with SQLite the ledger has one writer. "
            "Set LGSP_DATABASE, or run one worker.",
        )
    _check_tls(settings)
    _check_addresses(settings)
    _check_values(settings)


def _check_values(settings: Settings) -> None:
    """Read what is kept as text and would otherwise be read only when it is needed."""
    for name, read in _READERS:
        try:
            read(settings)
        except (ValueError, OSError) as error:
            raise settings_wrong(SettingsWrong(f"LGSP_{name}: {error}")) from error


def _read_database(settings: Settings) -> None:
    if settings.database is not None:
        from registry.sql.database import location  # noqa: PLC0415  (SQLAlchemy is slow to import)

        location(settings.database_address(), settings.data_dir)


_READERS: tuple[tuple[str, Callable[[Settings], object]], ...] = (
    ("DATABASE", _read_database),
    ("TRUSTED_PROXIES", lambda it: parse_networks(it.trusted_proxies)),
    ("METRICS_NETWORKS", lambda it: parse_networks(it.metrics_networks)),
    ("EGRESS_NETWORKS", lambda it: parse_egress(networks=it.egress_networks)),
    ("EGRESS_PORTS", lambda it: parse_egress(ports=it.egress_ports)),
    ("ALLOWED_MODES", lambda it: [Mode(mode) for mode in it.allowed_modes]),
    ("CA_FILE", lambda it: it.ca_file and ssl.create_default_context(cafile=it.ca_file)),
)


def _check_tls(settings: Settings) -> None:
    certificate, key = settings.tls_certificate, settings.tls_key
    if (certificate is None) != (key is None):
        raise CannotStart(
            "LGSP_TLS_CERTIFICATE và LGSP_TLS_KEY phải đi cùng nhau: hãy đặt cả hai, hoặc bỏ cả hai.",
            "LGSP_TLS_CERTIFICATE and LGSP_TLS_KEY go together: set both, or neither.",
        )
    if certificate is None or key is None:
        return
    try:
        # An encrypted key would have the process wait for somebody to type a password.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise CannotStart(
            f"Chứng thư hoặc khoá TLS không dùng được ({error}). "
            "Hãy kiểm tra hai tệp LGSP_TLS_CERTIFICATE và LGSP_TLS_KEY (PEM, khoá không mã hoá).",
            f"The TLS certificate or key is not usable ({error}). "
            "Check the files LGSP_TLS_CERTIFICATE and LGSP_TLS_KEY (PEM, the key not encrypted).",
        ) from error


def _check_addresses(settings: Settings) -> None:
    listening = [at for at in (settings.listen, settings.admin_listen) if at is not None]
    ports = [address_of(at)[1] for at in listening]
    if len(ports) > 1 and ports[0] == ports[1] != 0:
        raise CannotStart(
            "LGSP_LISTEN và LGSP_ADMIN_LISTEN phải có cổng khác nhau: cổng cho biết yêu cầu thuộc phần nào.",
            "LGSP_LISTEN and LGSP_ADMIN_LISTEN need different ports: the port tells the planes apart.",
        )
    if settings.tls_certificate is not None or settings.trusted_proxies:
        return
    for at in listening:
        if not is_loopback(address_of(at)[0]):
            raise CannotStart(
                f"{at} không phải địa chỉ nội bộ của máy mà chưa có TLS. Hãy đặt LGSP_TLS_CERTIFICATE và LGSP_TLS_KEY, "
                "hoặc khai trong LGSP_TRUSTED_PROXIES máy chủ nào kết thúc TLS trước nút này.",
                f"{at} is not loopback, and there is no TLS. Set LGSP_TLS_CERTIFICATE and LGSP_TLS_KEY, "
                "or say in LGSP_TRUSTED_PROXIES who ends TLS in front of this node.",
            )


def is_loopback(host: str) -> bool:
    """Say whether an address can be reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
