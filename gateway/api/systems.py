"""Systems on the admin API."""

from gateway.api.nouns import Filter, Noun, SearchQuery
from registry.entities import Kind


class SystemQuery(SearchQuery):
    """Filters of systems."""

    organisation: Filter = None
    kind: Filter = None
    status: Filter = None


NOUN = Noun(
    kind=Kind.SYSTEM,
    name="system",
    query=SystemQuery,
    example={
        "code": "H99.05:mot-cua",
        "name_vi": "Hệ thống một cửa (ví dụ)",
        "name_en": "One-stop shop (example)",
        "organisation": "H99.05",
        "kind": "one-stop-shop",
        "security_level": 3,
    },
)
