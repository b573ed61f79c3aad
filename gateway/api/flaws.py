"""How flaws are told: where, a stable code, and what is wrong in Vietnamese and English."""

from collections.abc import Mapping

from gateway.api.answers import Json
from registry.errors import Flaw
from registry.wording import FLAWS, Words

WORDS: Mapping[str, Words] = {
    **FLAWS,
    "json-broken": Words("Nội dung không phải JSON hợp lệ.", "The body is not valid JSON."),
    "connector-unknown": Words("Nút này không cài loại đầu nối đó.", "No installed connector has this kind."),
    "settings-refused": Words(
        "Đầu nối không nhận cấu hình này.", "The connector does not take this setting."
    ),
}
"""Every code of a flaw -> what kind of mistake it is."""


def render_flaw(flaw: Flaw, place: str = "pointer") -> Json:
    """Write a flaw; the English message is the more exact one where the Vietnamese says the kind of mistake."""
    where = flaw.pointer if place == "pointer" else flaw.pointer.removeprefix("/")
    words = WORDS.get(flaw.code)
    vietnamese = words.vi if words is not None else flaw.message
    return {
        place: where,
        "code": flaw.code,
        "message": flaw.message,
        "messages": {"vi": vietnamese, "en": flaw.message},
    }
