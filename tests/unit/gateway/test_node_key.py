import os
import stat
import threading
from pathlib import Path

import pytest

from gateway.node_key import NodeKeyWrong, node_key_path, read_node_key


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    key = read_node_key(None, tmp_path / "data")
    file = node_key_path(None, tmp_path / "data")

    assert len(key) == 32
    assert read_node_key(None, tmp_path / "data") == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert bytes.fromhex(file.read_text("ascii").strip()) == key
    assert os.listdir(file.parent) == [file.name]  # noqa: PTH208  (names only)


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    keys: list[bytes] = []
    threads = [threading.Thread(target=lambda: keys.append(read_node_key(None, tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_a_named_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("ab" * 32)
    file.chmod(0o400)

    assert read_node_key(file, tmp_path) == b"\xab" * 32


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text("ab" * 32)
    file.chmod(mode)

    with pytest.raises(NodeKeyWrong, match="chmod 600"):
        read_node_key(file, tmp_path)


def test_a_named_file_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NodeKeyWrong, match="cannot be read"):
        read_node_key(tmp_path / "key", tmp_path)

    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "zz" * 32, "é" * 32])
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text, "utf-8")
    file.chmod(0o600)

    with pytest.raises(NodeKeyWrong, match="32 bytes in hex") as wrong:
        read_node_key(file, tmp_path)

    assert not text or text not in str(wrong.value)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(NodeKeyWrong, match="cannot be"):
        read_node_key(None, tmp_path / "file" / "data")
