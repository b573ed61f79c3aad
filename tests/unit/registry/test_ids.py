from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from uuid import UUID

from registry.ids import uuid7, uuid7_at


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = UUID(uuid7())

    assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_ids_rise_within_a_process() -> None:
    made = [uuid7() for _ in range(2000)]

    assert made == sorted(made)


def test_ids_made_at_once_differ() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(chain.from_iterable(pool.map(lambda _: [uuid7() for _ in range(500)], range(8))))

    assert len(set(made)) == 4000


def test_an_id_of_a_moment_holds_its_milliseconds() -> None:
    made = UUID(uuid7_at(1_700_000_000_123))

    assert made.int >> 80 == 1_700_000_000_123
    assert made.version == 7
