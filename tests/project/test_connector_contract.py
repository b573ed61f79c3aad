"""The page on the connector contract names all of it."""

from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

from connectors import testing
from connectors.conformance import METHODS
from connectors.contract import Capabilities, ConnectorContext, Result
from connectors.testing.proxy import Fault
from connectors.testing.subject import ContractTests

PAGE = (Path(__file__).parents[2] / "docs/reference/connector-contract.md").read_text("utf-8")
DECLARED = ("settings(address)", "provider(reader, writer)", "message(text)", "text_of(body)", "upstream")
FROM_INSIDE = {"Address", "Stage", "FaultProxy", "Host"}
"""What an author meets as the type of something else."""


def test_the_page_names_all_of_the_contract_and_of_the_kit() -> None:
    names = {
        *(field.name for field in fields(Capabilities)),
        *(field.name for field in fields(ConnectorContext)),
        *get_type_hints(ContractTests),
        *DECLARED,
        *get_args(get_type_hints(Fault)["kind"]),
        *set(testing.__all__) - FROM_INSIDE,
    }

    assert [name for name in sorted(names) if f"`{name}`" not in PAGE] == []
    assert [name for name in METHODS if f"`{name}(" not in PAGE] == []
    assert [it.__name__ for it in get_args(Result) if f"`{it.__name__}(" not in PAGE] == []
