"""What an object was, from what was kept of its changes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.diffs import differences
from registry.entities import Kind
from registry.replay import states
from registry.stores import Revision

START = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = st.sampled_from(["fields", "a/b", "~", "x"])
VALUES = st.recursive(
    st.integers(0, 3) | st.text(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


def history(kind: Kind, documents: Sequence[dict[str, Any]]) -> list[Revision]:
    """Return the revisions in which an object became each of these, the newest first; others are touched too."""
    found = []
    before: dict[str, Any] | None = None
    for number, after in enumerate(documents, 1):
        changes = [
            {"id": "khác", "diff": [{"pointer": "/x", "before": 9, "after": 8}]},
            {"id": "này", "diff": differences(kind, before, after)},
        ]
        found.append(
            Revision(
                number=number, at=START + timedelta(days=number), author="a", author_name="A", via="http", changes=changes
            )
        )  # fmt: skip
        before = after
    return found[::-1]


@given(st.lists(DOCUMENTS, min_size=1, max_size=5))
def test_a_grant_is_known_at_each_of_its_revisions(documents: list[dict[str, Any]]) -> None:
    known = list(states("này", documents[-1], history(Kind.GRANT, documents)))

    assert [state.document for state in known] == documents[::-1]
    assert [state.revision for state in known] == list(range(len(documents), 0, -1))
    assert known[-1].since == START + timedelta(days=1)


def test_a_grant_of_any_size_is_known() -> None:
    large = [{"fields": {"*": [f"truong{number}" for number in range(size)]}} for size in (3000, 3001)]
    known = list(states("này", large[1], history(Kind.GRANT, large)))

    assert [state.document for state in known] == large[::-1]


def test_what_was_kept_in_short_ends_what_is_known() -> None:
    documents = [
        {"x": "a" * 5000, "envelope": ["a"]},
        {"x": "b", "envelope": ["a"]},
        {"x": "b", "envelope": ["b"]},
    ]
    known = list(states("này", documents[2], history(Kind.VERSION, documents)))

    assert [state.document for state in known] == [documents[2], documents[1]]
