"""Looking connectors up, and setting broken plug-ins aside."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from typing import Any

import pytest

from connectors.builtin.echo import EchoConnector
from connectors.builtin.rest import RESTConnector
from connectors.catalogue import GROUP, Catalogue, installed, load
from connectors.errors import ConnectorUnknown, SettingsRefused
from tests.plugins import SPOILT, a_good_one, install, install_spoilt


class OtherEcho(EchoConnector):
    """Claims the same kind."""


def an_entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


def test_what_ships_is_installed() -> None:
    catalogue = installed()

    assert {EchoConnector, RESTConnector} <= set(catalogue)
    assert catalogue.broken == ()


def test_two_that_claim_one_kind_are_an_error() -> None:
    with pytest.raises(TypeError, match="'echo' is claimed by both"):
        Catalogue([EchoConnector, OtherEcho])


def test_the_same_one_twice_is_none() -> None:
    assert list(Catalogue([EchoConnector, EchoConnector])) == [EchoConnector]


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ConnectorUnknown, match="'fax'"):
        Catalogue([EchoConnector]).get("fax")


def test_a_plug_in_that_fails_to_load_is_set_aside_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugin_that_raises.py").write_text("raise RuntimeError('no licence file')", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    catalogue = load(
        [
            an_entry("broken", "plugin_that_raises:Connector"),
            an_entry("echo", "connectors.builtin.echo:EchoConnector"),
            an_entry("gone", "no_such_module:Connector"),
            an_entry("empty", "connectors.errors:NotSent"),
            an_entry("alias", "connectors.builtin.echo:EchoConnector"),
        ]
    )

    assert list(catalogue) == [EchoConnector]
    assert {it.name: it.reason.split(":")[0] for it in catalogue.broken} == {
        "broken": "RuntimeError",
        "gone": "ModuleNotFoundError",
        "empty": "lacks kind, version, capabilities, Settings, open, call, check, describe, drain, close",
        "alias": "says that its kind is 'echo'",
    }
    assert {
        "kind": "broken",
        "package": "",
        "broken": "RuntimeError: no licence file",
    } in catalogue.describe()
    with pytest.raises(ConnectorUnknown, match="no licence file"):
        catalogue.get("broken")


def test_each_is_described_by_its_settings() -> None:
    described = Catalogue([RESTConnector, EchoConnector]).describe()

    assert [it["kind"] for it in described] == ["echo", "rest"]
    assert described[1]["capabilities"]["streaming"] is True
    assert described[1]["settings"]["required"] == ["url"]


# --- other people's packages ----------------------------------------------------------------------------


def loaded_from(folder: Path, *, seconds: float = 20.0) -> Catalogue:
    """Load what is installed in a folder, beside what ships."""
    found = [
        entry
        for distribution in distributions(path=[str(folder)])
        for entry in distribution.entry_points
        if entry.group == GROUP
    ]
    return load([*entry_points(group=GROUP), *found], seconds=seconds)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_each_spoilt_package_is_set_aside_with_its_reason_and_the_others_work(folder: Path) -> None:
    install_spoilt(folder)
    catalogue = loaded_from(folder)

    found = {it.name: it for it in catalogue.broken}
    assert set(found) == set(SPOILT)
    for kind, (_, reason) in SPOILT.items():
        assert found[kind].reason.startswith(reason)
        assert found[kind].package == f"spoilt-{kind.lower().replace('_', '-')} 1.0"
    assert catalogue.get("good").version == "3"
    assert catalogue.get("rest") is RESTConnector
    described = {it["kind"]: it for it in catalogue.describe()}
    assert described["good"]["package"] == "good 1.0"
    assert described["rest"]["package"].startswith("lgsp ")


def test_of_two_that_claim_one_kind_none_is_taken_nor_imported(folder: Path) -> None:
    install(folder, "one-fax", "raise RuntimeError('imported')", {"fax": "Good"})
    install(folder, "two-fax", a_good_one("fax"), {"fax": "Good"})
    catalogue = loaded_from(folder)

    reason = "the kind 'fax' is claimed by one-fax 1.0 and two-fax 1.0: none is taken"
    assert [it.reason for it in catalogue.broken] == [reason, reason]
    with pytest.raises(ConnectorUnknown, match="none is taken"):
        catalogue.get("fax")


def test_no_plug_in_takes_a_kind_away_from_what_ships(folder: Path) -> None:
    install(folder, "squatter", a_good_one("rest"), {"rest": "Good"})
    catalogue = loaded_from(folder)

    assert catalogue.get("rest") is RESTConnector
    [broken] = catalogue.broken
    assert broken.package == "squatter 1.0"
    assert broken.reason.startswith("the kind 'rest' is claimed by lgsp ")


def test_a_plug_in_that_hangs_while_it_is_imported_is_left_behind(folder: Path) -> None:
    install(folder, "sleeper", "import time\ntime.sleep(3)\n" + a_good_one("sleeper"), {"sleeper": "Good"})
    catalogue = loaded_from(folder, seconds=0.2)

    assert [it.reason for it in catalogue.broken] == ["was not imported within 0.2 s"]
    assert catalogue.get("echo") is EchoConnector


def test_a_constructor_or_check_of_the_authors_own_that_fails_refuses_the_settings(folder: Path) -> None:
    failing = a_good_one("failing").replace(
        "        pass\n\n    async def open", "        raise OSError('mat-khau')\n\n    async def open"
    )
    install(folder, "failing", failing, {"failing": "Good"})
    check = "    @pydantic.model_validator(mode='before')\n    def look(cls, given):\n        raise KeyError(given['khoa'])\n\n\nclass"
    strange = "import pydantic\n" + a_good_one("strange").replace("    pass\n\n\nclass", check, 1)
    install(folder, "strange", strange, {"strange": "Good"})
    catalogue = loaded_from(folder)
    context: Any = None  # Any: neither gets that far

    assert catalogue.broken == ()
    with pytest.raises(SettingsRefused, match="no connector can be made of them") as refused:
        catalogue.build("failing", {}, context)
    assert str(refused.value).endswith("(OSError)")
    with pytest.raises(SettingsRefused, match="the connector cannot check them") as refused:
        catalogue.check_settings("strange", {"khoa": "mat-khau"})
    assert str(refused.value).endswith("(KeyError)")
