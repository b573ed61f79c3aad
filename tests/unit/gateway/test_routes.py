"""Routes find what a method and a path mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routes import Routes

ROUTES = Routes(
    [
        ("GET", "/chiTietDoanhNghiep", "detail"),
        ("GET", "/Category/{category}", "category"),
        ("POST", "/Category/{category}", "insert"),
        ("GET", "/Category/all", "all"),
        ("ANY", "/files/{rest*}", "files"),
        ("GET", "/", "root"),
        ("GET", "/a/{b}/c", "nested"),
        ("GET", "/a/x/d", "literal"),
        ("POST", "/Statistic/UpdateStatistic ", "trailing space"),
        ("GET", "/tra cứu", "vietnamese"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("GET", "/chiTietDoanhNghiep", "detail"),
        ("GET", "/Category/DanToc", "category"),
        ("POST", "/Category/DanToc", "insert"),
        ("GET", "/Category/all", "all"),
        ("PATCH", "/files/a/b/c", "files"),
        ("GET", "/files/", "files"),
        ("GET", "/", "root"),
        ("GET", "/a/x/c", "nested"),
        ("GET", "/a/x/d", "literal"),
        ("POST", "/Statistic/UpdateStatistic%20", "trailing space"),
        ("GET", "/tra%20c%E1%BB%A9u", "vietnamese"),
    ],
)
def test_a_path_leads_to_its_operation(method: str, path: str, target: str) -> None:
    assert ROUTES.find(method, path) == target


@pytest.mark.parametrize(
    "path", ["/unknown", "/Category", "/Category/", "/Category/a/b", "/chiTietDoanhNghiep/", "//"]
)
def test_a_path_that_no_operation_has_leads_nowhere(path: str) -> None:
    assert ROUTES.find("GET", path) == frozenset()


def test_a_method_that_the_path_lacks_names_those_it_has() -> None:
    assert ROUTES.find("DELETE", "/Category/DanToc") == frozenset({"GET", "POST"})


segments = st.lists(st.text("abcxyz-_.~", min_size=1, max_size=8), min_size=1, max_size=4)


@given(st.lists(segments, min_size=1, max_size=20, unique_by=tuple))
def test_each_of_many_literal_paths_is_found(paths: list[list[str]]) -> None:
    entries = ["/" + "/".join(parts) for parts in paths]

    routes = Routes([("GET", path, path) for path in entries])

    assert [routes.find("GET", path) for path in entries] == entries


def test_any_is_every_method_but_trace() -> None:
    routes = Routes([("ANY", "/x", "any"), ("POST", "/x", "post")])
    assert routes.find("POST", "/x") == "post"
    assert routes.find("PROPFIND", "/x") == "any"
    allowed = routes.find("TRACE", "/x")
    assert isinstance(allowed, frozenset)
    assert {"GET", "POST"} <= allowed
    assert not {"ANY", "TRACE"} & allowed
