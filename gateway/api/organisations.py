"""Organisations on the admin API."""

from gateway.api.nouns import Filter, Noun, SearchQuery
from registry.entities import Kind


class OrganisationQuery(SearchQuery):
    """Filters of organisations."""

    kind: Filter = None
    parent: Filter = None
    successor: Filter = None


NOUN = Noun(
    kind=Kind.ORGANISATION,
    name="organisation",
    query=OrganisationQuery,
    example={
        "code": "H99.05",
        "old_code": "000.00.05.H99",
        "name_vi": "Sở Tư pháp (ví dụ)",
        "name_en": "Department of Justice (example)",
        "kind": "department",
    },
)
