"""Grants on the admin API: requested by a consumer, decided by the provider."""

from gateway.api.nouns import Filter, Noun, SearchQuery
from registry.entities import Kind


class GrantQuery(SearchQuery):
    """Filters of grants."""

    consumer: Filter = None
    service: Filter = None
    status: Filter = None
    requested_by: Filter = None


NOUN = Noun(
    kind=Kind.GRANT,
    name="grant",
    query=GrantQuery,
    example={
        "consumer": "H99.05:mot-cua",
        "service": "ViDuDoanhNghiep",
        "operations": ["chiTiet"],
        "purposes": ["1.000001"],
        "quota": {"per_second": 20, "per_day": 50000},
        "legal_basis": "Văn bản ví dụ",
    },
)
