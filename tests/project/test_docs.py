"""The documents keep up with the program, and with each other."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from connectors.catalogue import installed
from gateway.commands.table import COMMANDS
from gateway.exchange import Reason
from gateway.metrics import DECLARATIONS
from gateway.reference.pages import pages
from gateway.settings import PREFIX, ClientSettings, Settings
from registry.documents import parse_as
from registry.entities import Kind, SuccessRule
from registry.wanted import parse_yaml

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!https?:|mailto:)([^)\s]+)\)")
BLOCK = re.compile(r"^```([a-z]+)(?: ([a-z-]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(rf"\b{PREFIX}[A-Z_]+\b")
COMMAND = re.compile(
    r"\blgsp((?: (?:serve|demo|check|apply|diff|export|import|client|call|step|service|version|grant|connectors|connectivity|evidence|usage|keys|transform|database)\b)(?: [a-z]+)?)"
)
METRIC = re.compile(r"\blgsp_[a-z_]+\b")
OTHER_VARIABLES = {"LGSP_SETTINGS_FILE", "LGSP_FAULT_ROUNDS"}
NOT_OURS = {"LGSP_PORT"}


@cache
def tracked() -> tuple[Path, ...]:
    """Return the files that belong to the repository, and those that are about to."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607  (git is where it is)
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(language: str) -> Iterator[tuple[Path, str, str]]:
    """Yield page, the word after the language, and text of every block of a language."""
    for page in documents():
        for found, word, text in BLOCK.findall(page.read_text("utf-8")):
            if found == language:
                yield page, word, text


# --- what is made from the code -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    page = (REFERENCE / name).read_text("utf-8")

    assert pages()[name](page) == page, f"run `make docs` to write docs/reference/{name} anew"


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("problems.md", [f"`{reason}`" for reason in Reason]),
        ("metrics.md", [f"`{metric.name}`" for metric in DECLARATIONS]),
        ("settings.md", [f"`{PREFIX}{n.upper()}`" for n in (*Settings.model_fields, *ClientSettings.model_fields)]),
        ("command-line.md", [f"## lgsp {row.words}\n" for row in COMMANDS]),
        ("registry.md", [f"## {kind.value}\n" for kind in Kind]),
    ],
)  # fmt: skip
def test_nothing_is_missing_from_the_reference(name: str, entries: list[str]) -> None:
    page = (REFERENCE / name).read_text("utf-8")

    assert [entry for entry in entries if entry not in page] == []


def test_every_connector_has_its_page() -> None:
    assert {one.kind for one in installed()} <= {
        page.stem for page in (REFERENCE / "connectors").glob("*.md")
    }


# --- what is written by hand ----------------------------------------------------------------------------


def test_every_relative_link_resolves() -> None:
    broken = [
        f"{named(page)}: {link}"
        for page in documents()
        for link in LINK.findall(page.read_text("utf-8"))
        if not resolves(page, link)
    ]

    assert broken == []


def resolves(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or anchor in {slug(line) for line in headings(target)}


def headings(page: Path) -> Iterator[str]:
    text = BLOCK.sub("", page.read_text("utf-8"))
    return (line.lstrip("#").strip() for line in text.splitlines() if re.match(r"#{1,6} ", line))


def slug(heading: str) -> str:
    """Return a heading as the places that show Markdown make an anchor of it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_page_can_be_found_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    apart = {"docs/index.md"}
    lost = [
        named(page)
        for page in documents()
        if named(page).startswith("docs/")
        and "/decisions/" not in named(page)
        and named(page) not in apart
        and f"({page.relative_to(ROOT / 'docs')})" not in index
    ]

    assert lost == []


def test_decisions_are_numbered_without_a_gap() -> None:
    found = sorted(page.name for page in (ROOT / "docs" / "explanation" / "decisions").glob("*.md"))

    assert [int(name[:4]) for name in found] == list(range(1, len(found) + 1))
    for name in found:
        text = (ROOT / "docs" / "explanation" / "decisions" / name).read_text("utf-8")
        assert text.startswith(f"# {int(name[:4])}. ")
        assert all(part in text for part in ("Context", "Choice", "Consequence"))


def test_every_python_block_compiles() -> None:
    for page, _, text in blocks("python"):
        ast.parse(text, named(page))


def test_every_yaml_block_is_what_the_program_reads() -> None:
    for page, word, text in blocks("yaml"):
        content = yaml.safe_load(text)
        if word == "success-rule":
            parse_as(SuccessRule, content)
        elif set(content) <= set(Kind):
            assert parse_yaml(text), named(page)


def test_documents_name_settings_that_exist() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in (*Settings.model_fields, *ClientSettings.model_fields)}
    used = {
        name
        for page in [*documents(), *(ROOT / "deploy").glob("*.*")]
        for name in VARIABLE.findall(page.read_text("utf-8"))
        if not name.endswith("_")
    }

    assert used - known - OTHER_VARIABLES - NOT_OURS == set()


def test_documents_name_commands_that_exist() -> None:
    words = {row.words for row in COMMANDS}
    first = {command.partition(" ")[0] for command in words}
    wrong = [
        f"{named(page)}: lgsp {command}"
        for page in documents()
        for command in (found.strip() for found in COMMAND.findall(page.read_text("utf-8")))
        if command not in words
        and (command.partition(" ")[0] not in words or command.partition(" ")[0] not in first)
        and command.partition(" ")[0]
        not in {row.words.partition(" ")[0] for row in COMMANDS if " " in row.words} - words
    ]

    assert wrong == []


def test_the_readmes_commands_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = {
        name
        for page, _, text in blocks("sh")
        if page.name == "README.md"
        for name in re.findall(r"^make (\w+)", text, re.MULTILINE)
    }

    assert {"run", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


# --- deploying ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml", "alerts.yaml"])
def test_a_file_for_deploying_is_yaml(name: str) -> None:
    assert all(yaml.safe_load_all((ROOT / "deploy" / name).read_text("utf-8")))


def test_kubernetes_gives_the_node_no_variables_of_its_own() -> None:
    [deployment] = [
        one
        for one in yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text("utf-8"))
        if one["kind"] == "Deployment"
    ]
    pod = deployment["spec"]["template"]["spec"]

    assert pod["enableServiceLinks"] is False
    assert {"readinessProbe", "livenessProbe"} <= set(pod["containers"][0])


@pytest.mark.parametrize("file", ["deploy/alerts.yaml", "docs/how-to/read-the-metrics.md"])
def test_expressions_name_metrics_that_exist(file: str) -> None:
    known = {series for metric in DECLARATIONS for series in series_of(metric.name, metric.kind)}
    used = set(METRIC.findall((ROOT / file).read_text("utf-8")))

    assert used - known == set()


def series_of(name: str, kind: str) -> set[str]:
    return {name, *(f"{name}_{part}" for part in ("bucket", "sum", "count") if kind == "histogram")}


# --- what must not be in the tree -----------------------------------------------------------------------

FORBIDDEN = {
    "the host of a package registry": re.compile(
        r"pypi" + r"\.org|pythonhosted" + r"\.org|npmjs" + r"\.(?:com|org)"
    ),
    "a folder of somebody's machine": re.compile(
        r"/(?:home/[a-z]+|Users/[A-Za-z]+|work/(?:main|shared))\b|/tmp/[a-z]"
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_text_holds(what: str) -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        if FORBIDDEN[what].search(text):
            found.append(named(path))

    assert found == []
