"""Which headers cross the node, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.steps.call import HOP_BY_HOP, TO_CALLER_NEVER, TO_PROVIDER_NEVER, to_caller, to_provider

OTHERS = (b"lgsp-purpose", b"x-forwarded-anything", b"x-giu", b"accept", b"content-type", b"x-ma")
NAMES = st.sampled_from([*sorted(TO_PROVIDER_NEVER | TO_CALLER_NEVER), *OTHERS])
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b"", b"1", b"x-giu, Accept", b"close"])), max_size=12)


@given(FIELDS)
def test_nothing_private_or_hop_by_hop_goes_on(fields: list[tuple[bytes, bytes]]) -> None:
    kept, _, _ = to_provider(fields, {"purpose": "X-Ma"}, plain=False)
    named = {
        part.strip().lower() for name, value in fields if name == b"connection" for part in value.split(b",")
    }
    for name, _value in kept:
        assert name not in HOP_BY_HOP | named | {b"authorization", b"cookie", b"x-ma", b"host"}
        assert not name.startswith((b"lgsp-", b"x-forwarded-"))
    assert kept == [field for field in fields if field in kept]


@given(FIELDS)
def test_nothing_private_or_hop_by_hop_comes_back(fields: list[tuple[bytes, bytes]]) -> None:
    for name, _value in to_caller(fields, keep_length=False):
        assert name not in HOP_BY_HOP | {b"set-cookie", b"server", b"www-authenticate"}
        assert not name.startswith((b"lgsp-", b"x-forwarded-"))


@pytest.mark.parametrize("plain", [True, False])
def test_an_answer_that_is_looked_into_is_asked_for_plain(plain: bool) -> None:  # noqa: FBT001
    kept, _, _ = to_provider([(b"accept-encoding", b"gzip"), (b"accept", b"*/*")], {}, plain=plain)
    assert dict(kept)[b"accept-encoding"] == (b"identity" if plain else b"gzip")


def test_what_the_call_says_of_itself_is_read() -> None:
    fields = [(b"content-type", b"text/xml"), (b"idempotency-key", b"k1")]
    assert to_provider(fields, {}, plain=False) == (fields, "text/xml", "k1")


def test_the_length_is_kept_where_our_body_has_the_same() -> None:
    fields = [(b"content-length", b"5")]
    assert to_caller(fields, keep_length=True) == fields
    assert to_caller(fields, keep_length=False) == []
