"""Delegations on the admin API: a provider lets the node's administrators decide on grants for it."""

from gateway.api.nouns import Filter, Noun, SearchQuery
from registry.entities import Kind


class DelegationQuery(SearchQuery):
    """Filters of delegations."""

    organisation: Filter = None


NOUN = Noun(
    kind=Kind.DELEGATION,
    name="delegation",
    query=DelegationQuery,
    example={"organisation": "G99", "legal_basis": "Văn bản ủy quyền ví dụ"},
)
