"""Values of a call: read from where they are declared to stand, and refused when they are not what was declared."""

import re
import unicodedata
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from connectors.builtin.sql.parameters import ParameterWrong, Reader
from connectors.builtin.sql.settings import SQLSettings, Statement
from tests.connectors import a_call

NAME = "Nguyễn Thị Ngọc Ánh"


def a_reader(parameter: dict[str, Any], path: str | None = None, max_body: int = 1000) -> Reader:
    given = {"text": "SELECT :x", "parameters": {"x": parameter}, "columns": {"x": "string"}, "path": path}
    return Reader(Statement.model_validate(given), max_body)


async def value(parameter: dict[str, Any], **call: Any) -> object:
    return (await a_reader(parameter).read(a_call(**call)))["x"]


async def rule(parameter: dict[str, Any], **call: Any) -> str:
    with pytest.raises(ParameterWrong) as caught:
        await a_reader(parameter).read(a_call(**call))
    return caught.value.rule


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("string", "001099000001", "001099000001"),
        ("string", "Nguy%E1%BB%85n+Th%E1%BB%8B", "Nguyễn Thị"),
        ("string", "", ""),
        ("integer", "-42", -42),
        ("integer", "9223372036854775807", 2**63 - 1),
        ("decimal", "1234567890123.45", Decimal("1234567890123.45")),
        ("date", "1990-02-28", date(1990, 2, 28)),
        ("boolean", "true", True),
        ("boolean", "false", False),
    ],
)
async def test_a_querys_value_is_read(kind: str, text: str, expected: object) -> None:
    assert await value({"at": "query:so", "type": kind}, query=f"a=1&so={text}") == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.0"), ("integer", "1e3"), ("integer", "1_000"), ("integer", "%20" + "1"), ("integer", "٣"),
        ("integer", "1;DROP TABLE ho_tich"), ("integer", "0x10"), ("integer", "9" * 30),
        ("decimal", "NaN"), ("decimal", "1e400"), ("decimal", "1,5"), ("decimal", "Infinity"),
        ("date", "28/02/1990"), ("date", "1990-02-30"), ("date", "1990-02-28'"), ("date", "19900228"),
        ("boolean", "1"), ("boolean", "TRUE"), ("boolean", "t' OR '1'='1"),
    ],
)  # fmt: skip
async def test_what_is_not_of_the_type_is_refused(kind: str, text: str) -> None:
    assert await rule({"at": "query:so", "type": kind}, query=f"so={text}") in {"type", "maximum"}


@pytest.mark.parametrize(
    ("parameter", "query", "broken"),
    [
        ({}, "", "required"),
        ({"max_length": 3}, "so=abcd", "max_length"),
        ({"pattern": "[0-9]{12}"}, "so=0010990000011", "pattern"),
        ({"pattern": "[0-9]{12}"}, "so=001099000001%0A", "pattern"),
        ({"type": "integer", "minimum": 1}, "so=0", "minimum"),
        ({"type": "decimal", "maximum": 1.5}, "so=1.51", "maximum"),
        ({}, "so=a&so=b", "type"),
        ({}, "so=%00", "encoding"),
        ({}, "so=%FF", "encoding"),
        ({}, "&".join(f"a{n}=1" for n in range(300)), "encoding"),
    ],
)
async def test_what_breaks_a_rule_is_refused_by_its_name(
    parameter: dict[str, Any], query: str, broken: str
) -> None:
    assert await rule({"at": "query:so"} | parameter, query=query) == broken


async def test_what_is_not_given_is_null_or_its_default() -> None:
    assert await value({"at": "query:so", "required": False}) is None
    assert await value({"at": "query:so", "type": "integer", "default": "7"}) == 7


async def test_a_hostile_text_meets_a_pattern_in_linear_time() -> None:
    assert await rule({"at": "query:so", "pattern": "(a+)+b"}, query="so=" + "a" * 900) == "pattern"


async def test_variables_of_the_path_are_decoded_once() -> None:
    reader = a_reader({"at": "path:so"}, "/cong-dan/{so}")

    assert await reader.read(a_call(path="/cong-dan/a%2527b")) == {"x": "a%27b"}
    with pytest.raises(ParameterWrong, match="path"):
        await reader.read(a_call(path="/cong-dan/a/b"))


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("string", '{"nguoi": [{"so": "001"}]}', "001"),
        ("integer", '{"nguoi": [{"so": 12}]}', 12),
        ("decimal", '{"nguoi": [{"so": 12345678901234567.89}]}', Decimal("12345678901234567.89")),
        ("decimal", '{"nguoi": [{"so": "0.10"}]}', Decimal("0.10")),
        ("boolean", '{"nguoi": [{"so": true}]}', True),
        ("date", '{"nguoi": [{"so": "1990-02-28"}]}', date(1990, 2, 28)),
    ],
)
async def test_a_body_is_read_by_pointer(kind: str, body: str, expected: object) -> None:
    assert await value({"at": "pointer:/nguoi/0/so", "type": kind}, body=body.encode()) == expected


@pytest.mark.parametrize(
    ("kind", "body", "broken"),
    [
        ("string", '{"so": 1}', "type"),
        ("string", '{"so": {"$ne": ""}}', "type"),
        ("string", '{"so": ["a"]}', "type"),
        ("string", '{"so": null}', "required"),
        ("integer", '{"so": true}', "type"),
        ("integer", '{"so": 1.0}', "type"),
        ("decimal", '{"so": 1e400}', "json"),
        ("decimal", '{"so": NaN}', "json"),
        ("string", '{"so": "\\ud800"}', "encoding"),
        ("string", '{"so": "a\\u0000"}', "encoding"),
        ("string", '{"so": "a", "so": "b"}', "json"),
        ("string", "[" * 100_000, "size"),
        ("string", "[" * 999, "json"),
        ("string", "<so>a</so>", "json"),
    ],
)
async def test_a_bodys_odd_values_are_refused(kind: str, body: str, broken: str) -> None:
    assert await rule({"at": "pointer:/so", "type": kind}, body=body.encode()) == broken


async def test_a_streamed_body_is_read_up_to_the_limit() -> None:
    async def pieces(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"12345"

    assert await value({"at": "body"}, body=pieces(3)) == "123451234512345"
    assert await rule({"at": "body"}, body=pieces(10_000)) == "size"


async def test_a_text_is_brought_to_the_form_that_the_database_holds() -> None:
    decomposed = unicodedata.normalize("NFD", NAME)

    body = decomposed.encode()
    assert await value({"at": "body"}, body=body) == decomposed
    assert await value({"at": "body", "normalise": "NFC"}, body=body) == NAME
    assert await value({"at": "body", "normalise": "NFD"}, body=NAME.encode()) == decomposed


BASE = {
    "database_kind": "postgresql",
    "host": "csdl.demo.invalid",
    "database": "ho_tich",
    "user": "lgsp",
    "password": "secret:mat-khau",
}
GOOD = {
    "text": "SELECT a FROM b WHERE c = :c",
    "parameters": {"c": {"at": "query:c"}},
    "columns": {"a": "string"},
}


def test_good_settings_are_taken_in() -> None:
    settings = SQLSettings.model_validate(BASE | {"statements": {"traCuu": GOOD}})

    assert settings.statements["traCuu"].parameters["c"].required
    assert settings.tls


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ({"text": "SELECT a FROM b WHERE c = :d"}, "not in both: c, d"),
        ({"text": "DELETE FROM b WHERE c = :c"}, "begins with"),
        ({"columns": {}}, "columns"),
        ({"columns": {"a": "money"}}, "columns"),
        ({"parameters": {"c": {"at": "header:c"}}}, "one of query"),
        ({"parameters": {"c": {"at": "path:c"}}}, "path lacks a variable"),
        ({"parameters": {"c": {"at": "query:c", "pattern": "(?=a)"}}}, "linear time"),
        ({"parameters": {"c": {"at": "query:c", "pattern": "("}}}, "linear time"),
        ({"parameters": {"c": {"at": "query:c", "minimum": 1}}}, "minimum and maximum"),
        ({"result": "count", "columns": {}}, "that write"),
        ({"writes": True, "max_rows": 100_000}, "at most"),
    ],
)
def test_bad_statements_are_refused_when_they_are_declared(change: dict[str, Any], flaw: str) -> None:
    with pytest.raises(ValidationError, match=flaw):
        SQLSettings.model_validate(BASE | {"statements": {"traCuu": GOOD | change}})


DOCS = Path(__file__).parents[3] / "docs"


def test_the_examples_of_the_pages_are_good() -> None:
    """Each YAML block that declares statements is what the connector takes."""
    pages = [DOCS / "reference/connectors/sql.md", DOCS / "how-to/publish-a-database.md"]
    blocks = [
        yaml.safe_load(block)
        for page in pages
        for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    ]
    reference, how_to = blocks[0]["settings"], blocks[1]["versions"][0]["endpoints"]["production"]["settings"]

    assert set(SQLSettings.model_validate(reference).statements) == {"traCuu"}
    assert set(SQLSettings.model_validate(how_to).statements) == {"traCuu", "danhSach", "ghiChu"}
