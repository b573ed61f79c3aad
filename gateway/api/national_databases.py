"""National databases on the admin API."""

from gateway.api.nouns import Filter, Noun, SearchQuery
from registry.entities import Kind


class NationalDatabaseQuery(SearchQuery):
    """Filters of national databases."""

    owner: Filter = None


NOUN = Noun(
    kind=Kind.NATIONAL_DATABASE,
    name="national database",
    query=NationalDatabaseQuery,
    example={
        "code": "CSDL-VI-DU",
        "name_vi": "Cơ sở dữ liệu quốc gia (ví dụ)",
        "name_en": "National database (example)",
        "owner": "G99",
        "legal_basis": "Văn bản ví dụ",
    },
)
