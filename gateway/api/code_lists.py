"""Code lists on the admin API."""

from gateway.api.bodies import LARGE
from gateway.api.nouns import Filter, Noun, SearchQuery
from registry.entities import Kind


class CodeListQuery(SearchQuery):
    """Filters of code lists."""

    edition: Filter = None


NOUN = Noun(
    kind=Kind.CODE_LIST,
    name="code list",
    query=CodeListQuery,
    limit=LARGE,
    example={
        "code": "gioi-tinh",
        "name_vi": "Giới tính",
        "name_en": "Sex",
        "codes": [{"code": "1", "name_vi": "Nam"}, {"code": "2", "name_vi": "Nữ"}],
    },
)
