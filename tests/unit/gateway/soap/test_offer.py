"""What a message asks for, as the request that it becomes."""

from typing import Any

import pytest
from lxml import etree

from gateway.soap.nodes import Unfit
from gateway.soap.offer import Asked
from tests.soap_offers import an_offered_version, compiled, message


def asked(inside: str, operation: dict[str, Any]) -> Asked:
    offer = compiled(an_offered_version([{"name": "hoi"} | operation]))
    return offer.operations["hoi"].asked(etree.fromstring(message("hoi", inside).encode()))


def test_parameters_go_where_they_belong() -> None:
    operation = {
        "path": "/{a}/x/{con_lai*}",
        "parameters": [
            {"name": "n", "at": "query", "schema": {"type": "integer"}},
            {"name": "dài lắm", "at": "query", "schema": {"type": "array", "items": {"type": "string"}}},
            {"name": "X-Ma", "at": "header", "schema": {"type": "string"}},
        ],
    }
    inside = "<t:a>ổ/1</t:a><t:con_lai>b c/d</t:con_lai><t:n>042</t:n><t:dài_lắm>x&amp;y</t:dài_lắm><t:dài_lắm>z</t:dài_lắm><t:X-Ma>7</t:X-Ma>"

    assert asked(inside, operation) == Asked(
        "GET",
        "/%E1%BB%95%2F1/x/b%20c/d",
        "n=42&d%C3%A0i+l%E1%BA%AFm=x%26y&d%C3%A0i+l%E1%BA%AFm=z",
        [(b"X-Ma", b"7")],
        b"",
    )


@pytest.mark.parametrize("inside", ["", "<t:ma/>"])
def test_an_address_with_a_hole_is_refused(inside: str) -> None:
    with pytest.raises(Unfit, match="/ma: missing"):
        asked(inside, {"path": "/{ma}"})


@pytest.mark.parametrize("value", ["a\nb", "Đ", "x" * 5000])
def test_a_header_holds_no_more_than_a_header_can(value: str) -> None:
    with pytest.raises(Unfit, match="/X-Ma: character"):
        asked(f"<t:X-Ma>{value}</t:X-Ma>", {"path": "/a", "parameters": [{"name": "X-Ma", "at": "header"}]})


@pytest.mark.parametrize(
    "name", ["Authorization", "Lgsp-Officer", "Content-Length", "Host", "Cookie", "a b", "Transfer-Encoding"]
)
def test_headers_of_ours_are_no_parameters(name: str) -> None:
    offer = compiled(
        an_offered_version([{"name": "hoi", "path": "/a", "parameters": [{"name": name, "at": "header"}]}])
    )

    assert "parameter" in {remark.why for remark in offer.remarks}
    assert not offer.operations["hoi"].request.members


def test_a_body_may_be_anything_or_left_out() -> None:
    post = {"path": "/a", "method": "POST"}

    assert asked("<t:body><a>1</a><a>2</a></t:body>", post).body == b'{"a":["1","2"]}'
    assert asked("", post).body == b""
    assert asked('<t:body xsi:nil="true"/>', post).body == b"null"


def test_any_method_is_the_one_that_fits() -> None:
    assert asked("", {"path": "/a", "method": "ANY"}).method == "GET"
    assert (
        asked("", {"path": "/a", "method": "ANY", "request": {"schema": {"type": "string"}}}).method == "POST"
    )
