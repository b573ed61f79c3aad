from datetime import UTC, datetime

import pytest

from gateway.api.moments import parse_day, parse_moment


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        pytest.param("2026-11-25", datetime(2026, 11, 24, 17, tzinfo=UTC), id="a day begins in Vietnam"),
        pytest.param("2026-11-25T08:00:00+07:00", datetime(2026, 11, 25, 1, tzinfo=UTC), id="a time"),
        pytest.param(
            "2026-11-25T08:00:00 07:00", datetime(2026, 11, 25, 1, tzinfo=UTC), id="an unescaped plus"
        ),
        pytest.param("2026-11-25T01:00:00Z", datetime(2026, 11, 25, 1, tzinfo=UTC), id="in UTC"),
    ],
)
def test_a_time_or_a_day_is_read(given: str, moment: datetime) -> None:
    assert parse_moment(given) == moment


@pytest.mark.parametrize(
    "given",
    ["", "yesterday", "2026-13-01", "2026-11-25T08:00:00", "0001-01-01T00:00:00+14:00", "0001-01-01", 5],
)
def test_what_says_no_instant_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_moment(given)


@pytest.mark.parametrize("given", ["0", "2026-1-1", "1899-12-31", "3000-01-01", "2026-11-25T00:00:00", None])
def test_what_is_no_usual_day_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_day(given)
