from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.entities import Kind
from registry.labels import (
    Label,
    choose,
    fold,
    key,
    new_form,
    old_form,
    other_forms,
    own_labels,
    today,
)
from tests.factories import an_organisation

days = st.dates(date(2020, 1, 1), date(2030, 1, 1))
labels = st.builds(Label, st.just("H24"), st.none() | days, st.none() | days)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("000.00.01.H27", "H27.01"),
        ("000.00.00.H49", "H49"),
        ("000.00.12.H26", "H26.12"),
        ("001.02.03.H26", "H26.03.02.001"),
    ],
)
def test_the_two_forms_of_an_organisation_code_convert(old: str, new: str) -> None:
    assert new_form(old) == new
    assert old_form(new) == old


@pytest.mark.parametrize("code", ["H55.242", "vxp.saas.03", "H26.1.2.3.4", ""])
def test_a_code_without_an_old_form_has_none(code: str) -> None:
    assert old_form(code) is None


def test_an_old_code_without_its_zeros_still_converts() -> None:
    assert new_form("28.22.H17") == "H17.22.28"


def test_a_systems_code_converts_with_its_organisation() -> None:
    assert list(other_forms(Kind.SYSTEM, "H26.12:mot-cua")) == ["000.00.12.H26:mot-cua"]
    assert list(other_forms(Kind.SERVICE, "H26.12")) == []


@given(st.lists(st.integers(1, 99), max_size=2), st.integers(10, 99))
def test_converting_there_and_back_gives_the_code_again(groups: list[int], number: int) -> None:
    code = ".".join([f"H{number}", *(f"{group:02}" for group in groups)])
    old = old_form(code)

    assert old is not None
    assert new_form(old) == code


@given(labels, labels, days)
def test_two_labels_that_hold_on_one_day_overlap(one: Label, other: Label, day: date) -> None:
    if one.holds_on(day) and other.holds_on(day):
        assert one.overlaps(other)
    assert one.overlaps(other) == other.overlaps(one)


@given(st.lists(days, min_size=1, max_size=6, unique=True), days)
def test_of_labels_one_after_the_other_the_one_that_holds_is_chosen(cuts: list[date], day: date) -> None:
    cuts = sorted(cuts)
    ends = [None, *cuts, None]
    candidates = [
        (Label("H24", since, until), str(index)) for index, (since, until) in enumerate(pairwise(ends))
    ]

    assert choose(candidates, day) == str(sum(cut <= day for cut in cuts))


@given(st.lists(st.tuples(labels, st.text(max_size=3)), max_size=5), days)
def test_on_a_day_only_a_label_that_holds_is_chosen(candidates: list[tuple[Label, str]], day: date) -> None:
    chosen = choose(candidates, day)

    holding = [target for label, target in candidates if label.holds_on(day)]
    assert chosen in holding if holding else chosen is None


def test_without_a_day_the_last_holder_is_found_before_a_coming_one() -> None:
    now, week = today(), timedelta(days=7)
    candidates = [
        (Label("x", None, now - 2 * week), "long ago"),
        (Label("x", now - 2 * week, now), "just ended"),
        (Label("x", now + week, None), "coming"),
    ]

    assert choose(candidates, None) == "just ended"
    assert choose(candidates[2:], None) == "coming"
    assert choose([], None) is None


def test_an_organisation_is_known_by_code_old_code_and_aliases() -> None:
    document = an_organisation(
        "H99.01",
        old_code="000.00.01.H99",
        valid_to="2027-01-01",
        aliases=[{"code": "X", "valid_from": "2025-01-01"}],
    )

    assert list(own_labels(Kind.ORGANISATION, document)) == [
        Label("H99.01", None, date(2027, 1, 1)),
        Label("000.00.01.H99", None, date(2027, 1, 1)),
        Label("X", date(2025, 1, 1), None),
    ]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Đắk Lắk", "dak lak"),
        ("THANH HOÁ", "thanh hoa"),
        ("Thanh Hóa", "thanh hoa"),
        ("Sở KH&CN", "so kh&cn"),
    ],
)
def test_search_text_has_no_accents_and_no_capitals(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_a_label_is_one_however_its_letters_are_composed() -> None:
    assert key("Một cửa") == key("Một cửa".upper())
    assert key("Một cửa") == key("M\u1ed9t c\u1eeda")
    assert key("Một") != key("Mot")


@given(st.text(max_size=600))
def test_a_key_fits_into_an_index(text: str) -> None:
    assert len(key(text).encode()) <= 400
