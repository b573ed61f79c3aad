"""The demonstration's registry: every document is one that the registry takes, and says that it is invented."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import yaml

from connectors.builtin.mock.operations import operations_of
from connectors.builtin.mock.settings import MockSettings
from deploy.sandbox.described import NAMES, base_of, read_description
from gateway.demo.province import FILES
from registry.documents import parse
from registry.entities import Kind

LIFE = {Kind.VERSION: {"status"}, Kind.GRANT: {"status", "name"}}


def documents() -> Iterator[tuple[Kind, dict[str, Any]]]:
    for name in FILES:
        text = files("deploy.demo").joinpath(name).read_text("utf-8")
        for kind, items in yaml.safe_load(text).items():
            for item in items:
                yield Kind(kind), item


@pytest.mark.parametrize(
    ("kind", "document"), [pytest.param(k, d, id=f"{k}-{n}") for n, (k, d) in enumerate(documents())]
)
def test_a_document_is_what_the_registry_takes(kind: Kind, document: dict[str, Any]) -> None:
    spec = {name: value for name, value in document.items() if name not in LIFE.get(kind, set())}

    parse(kind, spec, spec=True)


def test_everything_with_a_name_says_that_it_is_invented() -> None:
    names = [d["name_vi"] for _, d in documents() if "name_vi" in d]

    assert names
    assert all("(giả lập)" in name for name in names)


def test_no_code_can_be_mistaken_for_a_real_one() -> None:
    codes = [d["code"] for kind, d in documents() if kind in {Kind.ORGANISATION, Kind.SYSTEM}]

    assert all(code.startswith("DEMO.") for code in codes)


@pytest.mark.parametrize("name", NAMES)
def test_a_description_makes_a_provider_for_the_operations_of_its_service(name: str) -> None:
    description = read_description(name)
    settings = MockSettings.model_validate({"description": description, "households": 30})
    assert settings.description is not None
    described = {one.name for one in operations_of(settings.description)}
    service = base_of(description).split("/")[1]
    [version] = [d for kind, d in documents() if kind is Kind.VERSION and d["service"] == service]

    assert {one["name"] for one in version["operations"]} <= described
    assert version["endpoints"]["sandbox"]["settings"]["description"] == f"{{{{{name.upper()}_DESCRIPTION}}}}"
    assert "(giả lập)" in description["info"]["title"]
