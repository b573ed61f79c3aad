"""Flaws and refused steps in both languages."""

import re
from pathlib import Path

import pytest

from gateway.flaws import STATES, WORDS, render_flaw, state_in_vietnamese
from registry.errors import Flaw

ROOT = Path(__file__).parents[3]
RAISED = re.compile(r'raise WrongState\(\s*f?"([^"]*)"')


@pytest.mark.parametrize(
    ("flaw", "vietnamese"),
    [
        (
            Flaw("/organisation", "reference-unknown", "No organisation is known as 'DEMO.H77'."),
            "Không tìm thấy đối tượng được tham chiếu: «DEMO.H77».",
        ),
        (
            Flaw("/kind", "choice", "'máy' is not one of: database, other."),
            "Giá trị không thuộc danh sách cho phép: «máy»; được chọn: database, other.",
        ),
        (Flaw("/name", "reserved", "'token' is an address of the node itself."), "Tên này được hệ thống dành riêng: «token»."),
        (Flaw("/x", "missing", "The system's name isn't there."), "Thiếu trường bắt buộc."),
        (Flaw("/x", "no-such-code", "Something."), "Something."),
    ],
)  # fmt: skip
def test_a_flaw_names_its_value_in_both_languages(flaw: Flaw, vietnamese: str) -> None:
    rendered = render_flaw(flaw)

    assert rendered["messages"] == {"vi": vietnamese, "en": flaw.message}
    assert rendered["message"] == flaw.message


def test_a_flaw_of_a_query_names_the_parameter() -> None:
    assert render_flaw(Flaw("/limit", "range", "No."), "parameter")["parameter"] == "limit"


def test_every_code_has_both_languages() -> None:
    assert all(words.vi and words.en and words.vi != words.en for words in WORDS.values())


def test_every_refused_step_of_the_registry_is_told_in_vietnamese() -> None:
    """Read from the source: a new sentence needs its Vietnamese."""
    told = [
        re.sub(r"\{[^{}]*!r\}", "'draft'", sentence).replace("{_MOST_WINDOWS}", "50")
        for file in (ROOT / "registry" / "register").glob("*.py")
        for sentence in RAISED.findall(file.read_text("utf-8"))
    ]
    told = [re.sub(r"\{[^{}]*\}", "revoked", sentence) for sentence in told]

    assert len(told) > 10
    assert [sentence for sentence in told if state_in_vietnamese(sentence) == sentence] == []
    assert state_in_vietnamese("this is not possible while the status is 'draft'").endswith("«draft»")
    assert len(STATES) >= len(set(told)) - 1
