"""The keys under which data subjects are hashed: a file of the node's own, outside the database.

Records name a data subject by `HMAC(key, …)` and the id of the key. The newest key writes, all of them look up. A key
is added by rotation and ends by destruction: then nobody can tell any more whom its hashes stand for. The file
keeps the ids and times of destroyed keys, never their bytes.
"""

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes, token_hex

from registry.errors import NotFound, WrongState
from registry.subjects import SubjectType, subject_hash

FILE_NAME = "subject.keys"
KEY_BYTES = 32
MAX_FILE_BYTES = 1024 * 1024


class SubjectKeysWrong(Exception):
    """The file of subject keys cannot be used; the text says why and what to do, and shows nothing of a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectKey:
    """One key; `secret` is hex, "" once it is destroyed. Times are ISO 8601 in UTC."""

    id: str
    created_at: str
    secret: str = field(repr=False)
    destroyed_at: str | None = None

    @property
    def is_usable(self) -> bool:
        """Whether hashes of this key can still be computed."""
        return self.secret != ""


def subject_keys_path(subject_keys_file: Path | None, data_dir: Path) -> Path:
    """Return where the subject keys are: the file that the settings name, or one in the data folder."""
    return subject_keys_file if subject_keys_file is not None else data_dir / FILE_NAME


class SubjectKeys:
    """The keys of one file, as it was when `refresh` last looked. Several processes may use it at once.

    With `make`, a file that is not there is made with a first key. No method gives a key's bytes out.
    """

    def __init__(self, path: Path, *, make: bool) -> None:
        self._path = path
        self._make = make
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[SubjectKey, ...] = ()
        self._newest = b""
        self.newest_id = ""

    def refresh(self) -> None:
        """Look at the file again if it has changed. Raises SubjectKeysWrong; the keys known so far then stay."""
        try:
            if self._make and not self._path.exists():
                self._add(_now(), only_first=True)
            if self._seen != _identity(self._path):
                self._load()
        except OSError as error:
            raise SubjectKeysWrong(
                f"the subject keys cannot be read from {self._path}: {error.strerror}"
            ) from error

    @property
    def keys(self) -> Sequence[SubjectKey]:
        """All keys that there are or were, the oldest first."""
        return self._keys

    def name(self, type_: SubjectType, normalised: str) -> tuple[str, str]:
        """Return the hash of a data subject under the newest key, and that key's id."""
        return subject_hash(self._newest, type_, normalised), self.newest_id

    def names(self, type_: SubjectType, normalised: str) -> Sequence[tuple[str, str]]:
        """Return the hashes of a data subject under every key that is left, each with its key's id."""
        return [
            (subject_hash(bytes.fromhex(key.secret), type_, normalised), key.id)
            for key in self._keys
            if key.is_usable
        ]

    def rotate(self, now: datetime | None = None) -> SubjectKey:
        """Add a key, with which records are written from now on. Raises SubjectKeysWrong."""
        try:
            self._add(now or _now(), only_first=False)
            self._load()
        except OSError as error:
            raise self._unwritable(error) from error
        return next(key for key in self._keys if key.id == self.newest_id)

    def destroy(self, id_: str, now: datetime | None = None) -> SubjectKey:
        """Forget a key for ever: what was written under it can be found by nobody any more.

        Raises:
            NotFound: no key has this id.
            WrongState: it is the newest one, which records are written under, or it is destroyed already.
            SubjectKeysWrong: the file cannot be written.
        """
        try:
            with self._locked():
                keys = list(self._read()) if self._path.exists() else []
                place = next((i for i, key in enumerate(keys) if key.id == id_), None)
                if place is None:
                    raise NotFound("subject-key", id_)
                if not keys[place].is_usable:
                    raise WrongState("this subject key is destroyed already")
                if place == len(keys) - 1:
                    raise WrongState(
                        "records are written under this subject key: rotate before destroying it"
                    )
                gone = replace(keys[place], secret="", destroyed_at=_text(now or _now()))
                keys[place] = gone
                self._write(keys)
            self._load()
        except OSError as error:
            raise self._unwritable(error) from error
        return gone

    def _add(self, now: datetime, *, only_first: bool) -> None:
        with self._locked():
            keys = self._read() if self._path.exists() else ()
            if only_first and keys:
                return  # another process was faster; then its key is the one to use
            key = SubjectKey(id=token_hex(8), created_at=_text(now), secret=token_bytes(KEY_BYTES).hex())
            self._write([*keys, key])

    def _load(self) -> None:
        seen = _identity(self._path)
        self._keys = tuple(self._read())
        self._newest, self.newest_id = bytes.fromhex(self._keys[-1].secret), self._keys[-1].id
        self._seen = seen

    def _read(self) -> Sequence[SubjectKey]:
        with self._path.open("rb") as file:
            _check_mode(self._path, os.fstat(file.fileno()))
            text = file.read(MAX_FILE_BYTES)
        try:
            keys = [SubjectKey(**given) for given in json.loads(text)["keys"]]
            whole = all(len(bytes.fromhex(key.secret)) == (KEY_BYTES if key.secret else 0) for key in keys)
        except (ValueError, TypeError, KeyError):
            keys, whole = [], False
        if not whole or not keys or not keys[-1].is_usable or len({key.id for key in keys}) != len(keys):
            raise SubjectKeysWrong(f"{self._path} does not hold subject keys; restore it from a backup")
        return keys

    def _write(self, keys: Sequence[SubjectKey]) -> None:
        draft = self._path.with_name(f".{self._path.name}.{token_hex(8)}")
        text = json.dumps({"keys": [asdict(key) for key in keys]}, indent=1) + "\n"
        try:
            # Only a descriptor can be born with this mode.
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        held = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)

    def _unwritable(self, error: OSError) -> SubjectKeysWrong:
        return SubjectKeysWrong(f"the subject keys cannot be written to {self._path}: {error.strerror}")


def _check_mode(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SubjectKeysWrong(f"{path} is not a file")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SubjectKeysWrong(f"others may read or change {path}; allow its owner only: chmod 600 {path}")


def _identity(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _now() -> datetime:
    return datetime.now(UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
