"""TLS towards providers: always verified; a client certificate and an authority where an endpoint has its own."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from connectors.contract import TLSIdentity

_MISSING = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED"})
_EXPIRED = frozenset({"SSLV3_ALERT_CERTIFICATE_EXPIRED"})
_REFUSED = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_DECRYPT_ERROR",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)


def client_context(ca_file: Path | None, identity: TLSIdentity | None = None) -> ssl.SSLContext:
    """Return a context that verifies names and chains, and shows the identity's certificate where it is asked for.

    Raises:
        ValueError: the identity's texts are not PEM, or certificate and key do not belong together.
    """
    identity = identity or TLSIdentity()
    if identity.authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=identity.authority)
        except (ssl.SSLError, ValueError, TypeError):
            raise ValueError("the authority is not certificates in PEM") from None
    else:
        context = ssl.create_default_context()
        if ca_file is not None:
            context.load_verify_locations(ca_file)
    if identity.certificate:
        _show(context, identity)
    return context


def refusal(error: BaseException | None) -> str | None:
    """Return the code of what the other side said to our certificate; None for any other error.

    With TLS 1.3 it says so after the handshake, and has read nothing of what was sent since.
    """
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    if reason in _MISSING:
        return "tls-certificate-missing"
    if reason in _EXPIRED:
        return "tls-certificate-expired"
    return "tls-certificate-refused" if reason in _REFUSED else None


def _show(context: ssl.SSLContext, identity: TLSIdentity) -> None:
    with _as_file(f"{identity.certificate.strip()}\n{identity.key.strip()}\n".encode()) as path:
        try:
            # An encrypted key would ask for its password on the terminal.
            context.load_cert_chain(path, password=lambda: b"")
        except (ssl.SSLError, ValueError) as error:
            mismatch = getattr(error, "reason", None) == "KEY_VALUES_MISMATCH"
            raise ValueError(
                "certificate and key do not belong together"
                if mismatch
                else "not a certificate and key in PEM"
            ) from None


@contextmanager
def _as_file(text: bytes) -> Iterator[str]:
    """Yield a path under which OpenSSL can read a text, which takes files only; in memory where that can be."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, text)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "identity.pem"
        path.touch(0o600)
        path.write_bytes(text)
        yield str(path)
