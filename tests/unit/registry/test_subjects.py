import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.subjects import IdUnreadable, SubjectType, normalise, subject_hash

CITIZEN, OLD = SubjectType.CITIZEN_ID, SubjectType.OLD_CITIZEN_ID
INSURANCE, ENTERPRISE, PASSPORT = SubjectType.INSURANCE_NUMBER, SubjectType.ENTERPRISE, SubjectType.PASSPORT


@pytest.mark.parametrize(
    ("type_", "written", "expected"),
    [
        pytest.param(CITIZEN, "001099000001", "001099000001", id="as it is"),
        pytest.param(CITIZEN, " 001.099 000-001 ", "001099000001", id="blanks, dots and dashes"),
        pytest.param(CITIZEN, "1099000001", "001099000001", id="zeros that a number has lost"),
        pytest.param(CITIZEN, "\u200b001\u00a0099\u2013000001", "001099000001", id="what cannot be seen"),
        pytest.param(CITIZEN, "００１０９９０００００１", "001099000001", id="full-width digits"),
        pytest.param(OLD, "12 345 678", "012345678", id="nine digits"),
        pytest.param(OLD, "001099000001", "001099000001", id="the later form of twelve"),
        pytest.param(INSURANCE, "0123456789", "0123456789", id="insurance"),
        pytest.param(ENTERPRISE, "101234567", "0101234567", id="enterprise"),
        pytest.param(ENTERPRISE, "0101234567-001", "0101234567001", id="a branch"),
        pytest.param(PASSPORT, "b 1234567", "B1234567", id="upper case"),
    ],
)
def test_an_id_has_one_spelling(type_: SubjectType, written: str, expected: str) -> None:
    assert normalise(type_, written) == expected


@pytest.mark.parametrize(
    ("type_", "written"),
    [
        pytest.param(CITIZEN, "", id="nothing"),
        pytest.param(CITIZEN, " . - ", id="only separators"),
        pytest.param(CITIZEN, "0010990000012", id="too many digits"),
        pytest.param(CITIZEN, "1234", id="too few digits"),
        pytest.param(CITIZEN, "00109900000A", id="a letter among digits"),
        pytest.param(CITIZEN, "001099000001;001099000002", id="two of them"),
        pytest.param(CITIZEN, "²01099000001", id="a superscript is no digit"),
        pytest.param(PASSPORT, "B1234567ĐÀ", id="letters that no passport has"),
        pytest.param(PASSPORT, "B" * 65, id="endless"),
    ],
)
def test_what_cannot_be_an_id_is_refused_without_repeating_it(type_: SubjectType, written: str) -> None:
    with pytest.raises(IdUnreadable) as caught:
        normalise(type_, written)

    assert not written.strip(" .-") or written not in str(caught.value)


@given(st.sampled_from(SubjectType), st.text(max_size=80))
def test_normalising_twice_is_normalising_once(type_: SubjectType, written: str) -> None:
    try:
        once = normalise(type_, written)
    except IdUnreadable:
        return

    assert normalise(type_, once) == once
    assert once.isascii()
    assert once.isalnum()


def test_the_hash_is_the_one_that_the_docs_describe() -> None:
    key = bytes(range(32))

    expected = hmac.new(key, b"citizen-id\x00001099000001", hashlib.sha256).hexdigest()

    assert subject_hash(key, CITIZEN, "001099000001") == expected
    assert subject_hash(key, OLD, "001099000001") != expected
