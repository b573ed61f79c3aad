from datetime import UTC, datetime, timedelta

import pytest

from auth.secrets import digest, is_expired, matches, new_secret, rotated
from registry.entities import ClientSecret

NODE_KEY = bytes(range(32))
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECRET = "đúng-là-bí-mật"


def a_secret(name: str, *, age_days: int = 1, expires_at: datetime | None = None) -> ClientSecret:
    return ClientSecret(digest=name, created_at=NOW - timedelta(days=age_days), expires_at=expires_at)


def test_a_secret_has_256_bits_and_needs_no_escaping() -> None:
    secrets = {new_secret() for _ in range(50)}

    assert len(secrets) == 50
    assert all(len(secret) == 43 and set(secret) <= set("-_" + ALNUM) for secret in secrets)


ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def test_what_is_kept_depends_on_the_node_key_and_shows_nothing() -> None:
    kept = digest(SECRET, NODE_KEY)

    assert len(bytes.fromhex(kept)) == 32
    assert kept != digest(SECRET, bytes(32))
    assert SECRET not in kept


@pytest.mark.parametrize(
    ("given", "expires", "right"),
    [
        pytest.param(SECRET, None, True, id="right"),
        pytest.param(SECRET, NOW.timestamp() + 1, True, id="right, soon to end"),
        pytest.param(SECRET, NOW.timestamp(), False, id="ended"),
        pytest.param(SECRET + "x", None, False, id="wrong"),
        pytest.param("", None, False, id="empty"),
        pytest.param("\ud800", None, False, id="not even text"),
    ],
)
def test_a_secret_is_compared(given: str, expires: float | None, right: bool) -> None:  # noqa: FBT001
    kept = [("0" * 64, None), (digest(SECRET, NODE_KEY), expires)]

    assert matches(given, kept, NODE_KEY, NOW.timestamp()) is right


def test_the_owner_of_an_ended_secret_is_recognised() -> None:
    kept = [(digest(SECRET, NODE_KEY), NOW.timestamp() - 1)]

    assert is_expired(SECRET, kept, NODE_KEY, NOW.timestamp())
    assert not is_expired("wrong", kept, NODE_KEY, NOW.timestamp())


def test_a_rotated_secret_works_until_the_overlap_ends() -> None:
    new, old = rotated([a_secret("old")], "new", now=NOW, overlap=timedelta(days=7))

    assert (new.digest, new.created_at, new.expires_at) == ("new", NOW, None)
    assert (old.digest, old.expires_at) == ("old", NOW + timedelta(days=7))


def test_a_second_rotation_keeps_the_newest_old_secret_only() -> None:
    kept = [a_secret("older", age_days=9, expires_at=NOW + timedelta(days=30)), a_secret("old")]

    after = rotated(kept, "new", now=NOW, overlap=timedelta(days=7))

    assert [secret.digest for secret in after] == ["new", "old"]


def test_a_rotation_never_gives_an_ending_secret_more_time() -> None:
    kept = [a_secret("old", expires_at=NOW + timedelta(days=1))]

    _, old = rotated(kept, "new", now=NOW, overlap=timedelta(days=7))

    assert old.expires_at == NOW + timedelta(days=1)


def test_without_overlap_the_old_secret_stops_at_once() -> None:
    after = rotated([a_secret("old")], "new", now=NOW, overlap=timedelta(0))

    assert [secret.digest for secret in after] == ["new"]
