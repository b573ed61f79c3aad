"""Officers on the admin API: who may look things up under grants whose rule is `registered`."""

from gateway.api.nouns import Filter, Noun, SearchQuery
from registry.entities import Kind


class OfficerQuery(SearchQuery):
    """Filters of officers."""

    organisation: Filter = None


NOUN = Noun(
    kind=Kind.OFFICER,
    name="officer",
    query=OfficerQuery,
    example={"code": "cb-vi-du-01", "organisation": "H99.05", "procedures": ["1.000001"]},
)
