import stat
import threading
from pathlib import Path

import pytest

from gateway.subject_keys import SubjectKeys, SubjectKeysWrong, subject_keys_path
from registry.errors import NotFound, WrongState
from registry.subjects import SubjectType

CITIZEN = SubjectType.CITIZEN_ID
NUMBER = "001099000001"


def opened(folder: Path, *, make: bool = True) -> SubjectKeys:
    keys = SubjectKeys(subject_keys_path(None, folder), make=make)
    keys.refresh()
    return keys


def test_the_first_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first, second = opened(tmp_path / "data"), opened(tmp_path / "data")

    assert first.name(CITIZEN, NUMBER) == second.name(CITIZEN, NUMBER)
    assert len(first.keys) == 1
    assert stat.S_IMODE(subject_keys_path(None, tmp_path / "data").stat().st_mode) == 0o600


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    names: list[tuple[str, str]] = []
    threads = [
        threading.Thread(target=lambda: names.append(opened(tmp_path).name(CITIZEN, NUMBER)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(names) == 8
    assert len(set(names)) == 1


def test_the_newest_key_writes_and_all_look_up(tmp_path: Path) -> None:
    keys = opened(tmp_path)
    before = keys.name(CITIZEN, NUMBER)

    made = keys.rotate()

    after = keys.name(CITIZEN, NUMBER)
    assert after[1] == made.id != before[1]
    assert keys.names(CITIZEN, NUMBER) == [before, after]


def test_another_process_hears_of_a_rotation_when_it_looks(tmp_path: Path) -> None:
    here, there = opened(tmp_path), opened(tmp_path)

    made = here.rotate()

    assert there.newest_id != made.id
    there.refresh()
    assert there.newest_id == made.id


def test_a_destroyed_key_is_gone_from_the_file_and_its_hashes_are_found_no_more(tmp_path: Path) -> None:
    keys, other = opened(tmp_path), opened(tmp_path)
    old = keys.name(CITIZEN, NUMBER)
    secret = keys.keys[0].secret
    keys.rotate()

    gone = keys.destroy(old[1])

    other.refresh()
    for each in (keys, other):
        assert old not in each.names(CITIZEN, NUMBER)
        assert len(each.names(CITIZEN, NUMBER)) == 1
    assert gone.destroyed_at is not None
    assert secret not in "".join(file.read_text() for file in tmp_path.iterdir())
    assert [key.id for key in other.keys] == [old[1], keys.newest_id]


def test_the_key_in_use_is_not_destroyed_and_none_is_twice(tmp_path: Path) -> None:
    keys = opened(tmp_path)
    first = keys.newest_id
    with pytest.raises(WrongState):
        keys.destroy(first)
    keys.rotate()
    keys.destroy(first)

    with pytest.raises(WrongState):
        keys.destroy(first)
    with pytest.raises(NotFound):
        keys.destroy("no-such-key")


def test_a_named_file_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.keys"
    keys = SubjectKeys(file, make=False)

    with pytest.raises(SubjectKeysWrong, match="cannot be read"):
        keys.refresh()

    assert not file.exists()
    keys.rotate()
    keys.refresh()
    assert len(keys.keys) == 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param('{"keys": []}', id="no key"),
        pytest.param('{"keys": [{"id": "a", "created_at": "x", "secret": "abcd"}]}', id="short key"),
        pytest.param('{"keys": [{"id": "a", "created_at": "x", "secret": ""}]}', id="only destroyed ones"),
        pytest.param('[{"id": "a"}]', id="another form"),
    ],
)
def test_a_broken_file_is_told_and_shows_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "subject.keys"
    file.write_text(text)
    file.chmod(0o600)

    with pytest.raises(SubjectKeysWrong, match="does not hold subject keys") as caught:
        opened(tmp_path)

    assert "abcd" not in str(caught.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    opened(tmp_path)
    subject_keys_path(None, tmp_path).chmod(0o640)

    with pytest.raises(SubjectKeysWrong, match="chmod 600"):
        opened(tmp_path)


def test_after_a_broken_file_the_known_keys_stay_in_use(tmp_path: Path) -> None:
    keys = opened(tmp_path)
    name = keys.name(CITIZEN, NUMBER)
    subject_keys_path(None, tmp_path).write_text("spoilt")

    with pytest.raises(SubjectKeysWrong):
        keys.refresh()

    assert keys.name(CITIZEN, NUMBER) == name


def test_a_key_shows_itself_in_no_text(tmp_path: Path) -> None:
    keys = opened(tmp_path)

    assert keys.keys[0].secret not in f"{keys.keys[0]!r}{keys.keys[0]}{keys!r}"
