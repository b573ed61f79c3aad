"""The node's own key: 32 random bytes in a file, which protect the secrets that the database keeps."""

import os
import stat
from pathlib import Path
from secrets import token_bytes, token_hex

KEY_BYTES = 32
FILE_NAME = "node.key"
MAX_FILE_BYTES = 1024


class NodeKeyWrong(Exception):
    """The node key cannot be used; the text says why and what to do, and shows nothing of the key."""


def node_key_path(node_key_file: Path | None, data_dir: Path) -> Path:
    """Return where the node key is: the file that the settings name, or one in the data folder."""
    return node_key_file if node_key_file is not None else data_dir / FILE_NAME


def read_node_key(node_key_file: Path | None, data_dir: Path) -> bytes:
    """Return the node key; make one in the data folder when there is none yet and the settings name no file.

    Several processes may do this at once: all get the same key.

    Raises:
        NodeKeyWrong: the named file is missing, others may read it, or it holds no key.
    """
    path = node_key_path(node_key_file, data_dir)
    if node_key_file is None and not path.exists():
        _make(path)
    return _read(path)


def _make(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NodeKeyWrong(f"the folder {path.parent} cannot be made: {error.strerror}") from error
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:  # noqa: PTH123  (only a descriptor can be born with this mode)
            file.write(token_bytes(KEY_BYTES).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link fails when another process was faster; then its key is the one to use.
        path.hardlink_to(draft)
    except FileExistsError:
        return
    except OSError as error:
        raise NodeKeyWrong(f"the node key cannot be written to {path}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            _check_mode(path, os.fstat(file.fileno()))
            text = file.read(MAX_FILE_BYTES).strip()
    except OSError as error:
        raise NodeKeyWrong(f"the node key cannot be read from {path}: {error.strerror}") from error
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise NodeKeyWrong(f"{path} does not hold {KEY_BYTES} bytes in hex")
    return key


def _check_mode(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NodeKeyWrong(f"{path} is not a file")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise NodeKeyWrong(f"others may read or change {path}; allow its owner only: chmod 600 {path}")
