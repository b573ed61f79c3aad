from contextlib import suppress
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transforms.dates import DateUnreadable, FormUnknown, day_of, read_date, write_date


@pytest.mark.parametrize(
    ("text", "source", "target", "expected"),
    [
        ("19800201", "auto", "dd/MM/yyyy", "01/02/1980"),  # population, social insurance
        ("01/02/1980", "auto", "yyyyMMdd", "19800201"),  # enterprises, criminal records
        ("1/2/1980", "auto", "yyyyMMdd", "19800201"),
        ("1980-02-01", "auto", "yyyyMMdd", "19800201"),
        ("1980/02/01", "auto", "yyyy-MM-dd", "1980-02-01"),  # electronic documents
        ("1980/02/01 07:08:09", "auto", "yyyyMMddHHmmss", "19800201070809"),  # their traces
        ("20250701083000", "auto", "yyyy-MM-dd HH:mm:ss", "2025-07-01 08:30:00"),  # dossiers
        ("2025-07-01 08:30:00", "auto", "yyyyMMddHHmmss", "20250701083000"),  # a ministry's portal
        ("240823", "yyMMdd", "yyyy-MM-dd", "2024-08-23"),  # dossier codes, both forms
        ("20260609", "auto", "yyMMdd", "260609"),
        ("800201", "yyMMdd", "yyyy", "1980"),
        ("01071980T102030", "ddMMyyyy'T'HHmmss", "yyyyMMddHHmmss", "19800701102030"),  # the axis' signature
        ("102030123", "HHmmssfff|yyyy", "yyyy", None),
        ("1751302800000", "ms", "yyyy-MM-dd HH:mm:ss", "2025-07-01 00:00:00"),  # the bulk look-up
        ("2025-07-01 00:00:00", "auto", "ms", "1751302800000"),
        ("1751302800", "s", "iso", "2025-07-01T00:00:00+07:00"),
        ("2025-06-30T20:00:00Z", "auto", "yyyyMMdd", "20250701"),  # a day is Vietnam's day
        ("2025-07-01T08:30:00.123456+0700", "auto", "yyyyMMddHHmmssfff", "20250701083000123"),
        ("1980", "auto", "yyyyMMdd|yyyyMM|yyyy", "1980"),  # year only
        ("198002", "yyyyMM", "yyyyMMdd|yyyyMM|yyyy", "198002"),  # month and year
        ("02/1980", "auto", "yyyyMMdd|yyyyMM|yyyy", "198002"),
        ("1980-02", "auto", "yyyy-MM-dd|yyyy-MM|yyyy", "1980-02"),
        ("19800000", "auto", "yyyyMMdd|yyyyMM|yyyy", "1980"),  # zeros stand for what nobody knows
        ("00/02/1980", "auto", "yyyyMMdd|yyyyMM|yyyy", "198002"),
        ("19800201", "auto", "yyyy", "1980"),  # generalised
        ("29/02/2000", "auto", "yyyyMMdd", "20000229"),
    ],
)  # fmt: skip
def test_each_form_of_the_field_is_read_and_written(
    text: str, source: str, target: str, expected: str | None
) -> None:
    if expected is None:
        with pytest.raises((DateUnreadable, FormUnknown)):
            write_date(read_date(text, source), target)
    else:
        assert write_date(read_date(text, source), target) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "hôm nay", "240823", "01021980", "30/02/1980", "29/02/2001", "19801301", "19800001", "2025-07-01T25:00:00",
        "13/13/1980", "1980-2-1-1", "0000", "99999", "1" * 50, "２０２５", "2025-07-01T00:00:00+99:99", "00/00/0000",
    ],
)  # fmt: skip
def test_what_is_no_date_or_could_be_two_is_refused(text: str) -> None:
    with pytest.raises(DateUnreadable):
        read_date(text)


@pytest.mark.parametrize("form", ["", "dd/MM", "YYYY-MM-DD", "yyyyyyyy", "abc", "yyyy" + "-" * 50])
def test_a_form_that_does_not_exist_is_refused(form: str) -> None:
    with pytest.raises(FormUnknown):
        read_date("1980", form)


def test_a_date_is_never_made_more_precise_than_it_is() -> None:
    with pytest.raises(DateUnreadable, match="month only"):
        write_date(read_date("02/1980"), "yyyyMMdd")
    with pytest.raises(DateUnreadable):
        day_of(read_date("1980"))
    with pytest.raises(DateUnreadable):
        write_date(read_date("01/02/1980"), "yyyyMMddHHmmss")


DAY_FORMS = ["yyyyMMdd", "dd/MM/yyyy", "yyyy-MM-dd", "yyyy/MM/dd", "dd-MM-yyyy", "dd.MM.yyyy"]


@given(st.dates(), st.sampled_from(DAY_FORMS), st.sampled_from(DAY_FORMS))
def test_any_day_survives_any_pair_of_forms(day: date, first: str, second: str) -> None:
    written = write_date(read_date(day.isoformat()), first)
    assert read_date(written) == read_date(written, first)
    assert day_of(read_date(write_date(read_date(written, first), second), second)) == day


NOT_LONG_AGO = datetime(1980, 1, 1)  # noqa: DTZ001  (hypothesis wants it so; before 1975 Vietnam had other times)


@given(st.datetimes(min_value=NOT_LONG_AGO))
def test_any_moment_survives(moment: datetime) -> None:
    text = f"{moment:%Y-%m-%d %H:%M:%S}"
    for form in ("yyyyMMddHHmmss", "iso", "s"):
        written = write_date(read_date(text), form)
        assert write_date(read_date(written, form), "yyyy-MM-dd HH:mm:ss") == text


@given(st.text(max_size=45))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(DateUnreadable):
        assert read_date(text).year > 0


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("1960-05-01T23:30:00+07:00", "dd/MM/yyyy", "01/05/1960"),
        ("1905-05-01T00:00:00+07:00", "iso", "1905-05-01T00:00:00+07:00"),
        ("1945-09-02 08:00:00", "iso", "1945-09-02T08:00:00+07:00"),
    ],
)
def test_old_moments_are_in_the_time_of_today(text: str, form: str, expected: str) -> None:
    assert write_date(read_date(text), form) == expected
    assert write_date(read_date(expected), form) == expected


def test_no_more_forms_than_a_person_writes() -> None:
    with pytest.raises(FormUnknown, match="more than"):
        read_date("1980", "|".join(["yyyy"] * 100))
