import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth import base64url


@given(st.binary(max_size=100))
def test_what_is_written_can_be_read(raw: bytes) -> None:
    assert base64url.decode(base64url.encode(raw)) == raw


@given(st.text(alphabet="ABab01-_", max_size=12))
def test_each_value_has_one_spelling(text: str) -> None:
    try:
        raw = base64url.decode(text)
    except ValueError:
        return

    assert base64url.encode(raw) == text


@pytest.mark.parametrize("text", ["AA==", "A", "A+A/", "AB", "AAA ", "AAAA\n", "ÀAAA"])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (one class for all that is wrong)
        base64url.decode(text)
