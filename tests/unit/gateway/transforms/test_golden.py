from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.transforms.golden import FolderWrong, folders_in, read_declaration, run_folder
from gateway.transforms.guests import Guests

ROOT = Path(__file__).parents[3] / "golden"
FOLDERS = list(folders_in(ROOT))


@pytest.fixture(scope="module")
def guests() -> Iterator[Guests]:
    guests = Guests()
    yield guests
    guests.close()


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_golden(folder: Path, guests: Guests) -> None:
    assert run_folder(folder, guests).difference is None


def test_every_folder_is_one() -> None:
    assert {path.name for path in ROOT.iterdir()} == {folder.name for folder in FOLDERS}


def test_a_difference_is_told(tmp_path: Path, guests: Guests) -> None:
    (tmp_path / "transform.yaml").write_text("transforms: [{kind: jsonata, settings: {mapping: a}}]")
    (tmp_path / "in.json").write_text('{"a": 1}')
    with pytest.raises(FolderWrong, match="out"):
        run_folder(tmp_path, guests)
    (tmp_path / "out.json").write_text("2")
    assert run_folder(tmp_path, guests).difference == "expected 2, but got 1"
    (tmp_path / "error.yaml").write_text("code: malformed")
    assert "expected an error" in (run_folder(tmp_path, guests).difference or "")


@pytest.mark.parametrize(
    "text", ["[", "- a", "transforms: [{kind: 5}]", "colour: 1", "transforms: [{kind: jsonata, a: 1}]"]
)
def test_a_declaration_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "transform.yaml").write_text(text)
    with pytest.raises(FolderWrong):
        read_declaration(tmp_path / "transform.yaml")
