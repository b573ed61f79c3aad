"""A client's id and secret in a file for its owner alone: in a form that shells, systemd and containers read, too."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.commands.failures import Failed

ID, SECRET = "LGSP_CLIENT_ID", "LGSP_CLIENT_SECRET"


def read_credentials(file: Path) -> tuple[str, str]:
    """Return id and secret from lines `NAME=value`. Raises Failed."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise Failed(
            f"Không đọc được tệp thông tin đăng nhập {file}: {error}",
            f"The file of credentials {file} cannot be read: {error}",
        ) from error
    found = {
        name.strip(): value.strip()
        for name, equals, value in (line.partition("=") for line in lines)
        if equals and not name.startswith("#")
    }
    if not found.get(ID) or not found.get(SECRET):
        raise Failed(
            f"Tệp {file} phải có hai dòng {ID}=… và {SECRET}=….",
            f"The file {file} must have the lines {ID}=… and {SECRET}=….",
        )
    return found[ID], found[SECRET]


class Place:
    """A file that credentials can be written to: that it can was found out before there were any."""

    def __init__(self, file: Path, beside: Path) -> None:
        self.file = file
        self._beside = beside

    def write(self, client: str, id_: str, secret: str) -> None:
        """Put the credentials there, whole or not at all. Raises OSError."""
        with self._beside.open("w", encoding="utf-8") as written:
            written.write(f"# {client}\n{ID}={id_}\n{SECRET}={secret}\n")
            written.flush()
            os.fsync(written.fileno())
        self._beside.replace(self.file)


@contextmanager
def place_for(file: Path, *, new: bool) -> Iterator[Place]:
    """Yield a place for credentials, readable by their owner only; with `new` nothing may be there yet.

    Raises:
        Failed: nothing can be written there, or something is there already.
    """
    if new and file.exists():
        raise Failed(
            f"Đã có tệp {file}; hãy chọn tên khác, để không mất thông tin đăng nhập đang dùng.",
            f"There is a file {file} already: choose another name, so that no credentials are lost.",
        )
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise Failed(f"Không ghi được {file}: {error}", f"{file} cannot be written: {error}") from error
    os.close(handle)
    try:
        yield Place(file, Path(name))
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
