import pytest

from gateway.commands.connectors import row
from gateway.commands.say import Out, explain

PROBLEM = {
    "title": "Đối tượng đã được thay đổi",
    "detail": "…",
    "status": 412,
    "code": "version-stale",
    "turn": "consumer",
    "retry": {"helps": True, "after_seconds": 5},
    "messages": {
        "vi": {"title": "Đối tượng đã được thay đổi", "detail": "Hãy đọc lại."},
        "en": {"title": "The object has changed", "detail": "Read it again."},
    },
    "errors": [
        {
            "pointer": "/code",
            "code": "pattern",
            "message": "no",
            "messages": {"vi": "sai dạng", "en": "bad form"},
        }
    ],
    "difference": [{"pointer": "/name_vi", "before": "a", "after": "b"}],
    "instance": "urn:uuid:0",
}


def test_a_problem_is_told_in_english() -> None:
    assert explain(PROBLEM, "en").splitlines() == [
        "The object has changed (412, version-stale)",
        "Read it again.",
        "  /code: bad form",
        "  /name_vi: 'a' -> 'b'",
        "Next: the calling side",
        "Trying again may help after 5 s.",
        "Exchange: urn:uuid:0",
    ]


def test_a_problem_is_told_in_vietnamese() -> None:
    told = explain(PROBLEM, "vi")

    assert told.startswith("Đối tượng đã được thay đổi (412, version-stale)\nHãy đọc lại.\n  /code: sai dạng")
    assert "Cần xử lý: bên gọi" in told


def test_an_answer_that_is_no_problem_of_ours_is_told_too() -> None:
    assert (
        explain({"status": 502, "code": "http-error", "title": "HTTP 502"}, "en")
        == "HTTP 502 (502, http-error)"
    )


def test_a_row_is_one_line_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    exchanges = [f"01890000-0000-7000-8000-00000000000{number}" for number in range(6)]

    Out("en").table(
        [("Giao dịch", "Exchange")] * 6 + [("Thao tác", "Operation")], [(*exchanges, "chiTiet[1]")]
    )

    assert capsys.readouterr().out.splitlines()[1].rstrip() == "  ".join([*exchanges, "chiTiet[1]"])


def test_a_connector_that_cannot_be_loaded_is_listed_with_the_reason() -> None:
    can = {"streaming": True, "idempotence": "none"}
    good = {"kind": "echo", "version": "1", "package": "lgsp 0.1.0", "capabilities": can}
    broken = {"kind": "sql", "package": "lgsp 0.1.0", "broken": "ImportError"}

    assert row(good) == ("echo", "1", "lgsp 0.1.0", True, "none", None)
    assert row(broken) == ("sql", None, "lgsp 0.1.0", None, None, "ImportError")
