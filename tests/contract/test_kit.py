"""The kit passes a connector that keeps the contract, and finds what is wrong with others."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.wrong_connectors import WRONG

FILE = Path(__file__).parents[1] / "wrong_connectors.py"


def run(report: Path, *nodes: str) -> dict[str, dict[str, str]]:
    """Run tests of the kit in a process of their own; return by class and test how each ended."""
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "connectors.testing", f"--junit-xml={report}", *nodes],
        cwd=FILE.parents[1], capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    found: dict[str, dict[str, str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 (pytest wrote it)
        ended = next((it.tag for it in case if it.tag in ("failure", "error", "skipped")), "passed")
        found.setdefault(case.attrib["classname"].rpartition(".")[2], {})[case.attrib["name"]] = ended
    return found


def test_a_connector_that_keeps_the_contract_passes(tmp_path: Path) -> None:
    ended = run(tmp_path / "report.xml", f"{FILE}::TestGood")["TestGood"]

    skipped = {name for name, how in ended.items() if how == "skipped"}
    assert {name for name, how in ended.items() if how not in ("passed", "skipped")} == set()
    assert skipped == {
        "test_it_is_found_by_its_entry_point",
        "test_a_certificate_of_a_stranger_is_tls",
        "test_a_server_without_tls_is_tls",
    }


def test_each_thing_that_is_wrong_is_found_by_its_own_test(tmp_path: Path) -> None:
    expected = {f"Test{wrong.__name__}": dict.fromkeys(tests, "failure") for wrong, tests in WRONG.items()}
    nodes = [f"{FILE}::{name}::{test}" for name, tests in expected.items() for test in tests]

    assert run(tmp_path / "report.xml", *nodes) == expected
