"""Needs on the admin API: which national databases a system has to read. Withdrawn, never deleted."""

from gateway.api.nouns import Filter, Noun, SearchQuery
from registry.entities import Kind


class NeedQuery(SearchQuery):
    """Filters of needs."""

    system: Filter = None
    national_database: Filter = None
    mode: Filter = None


NOUN = Noun(
    kind=Kind.NEED,
    name="need",
    query=NeedQuery,
    example={
        "system": "H99.05:mot-cua",
        "national_database": "CSDL-VI-DU",
        "legal_basis": "Văn bản ví dụ",
        "mode": "lgsp",
    },
)
