"""Looking connectors up, and setting broken plug-ins aside."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connectors.builtin.echo import EchoConnector
from connectors.builtin.rest import RESTConnector
from connectors.catalogue import GROUP, Catalogue, installed, load
from connectors.errors import ConnectorUnknown


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
        "empty": "lacks kind, version, capabilities, Settings",
        "alias": "says that its kind is 'echo'",
    }
    assert {"kind": "broken", "broken": "RuntimeError: no licence file"} in catalogue.describe()
    with pytest.raises(ConnectorUnknown, match="no licence file"):
        catalogue.get("broken")


def test_each_is_described_by_its_settings() -> None:
    described = Catalogue([RESTConnector, EchoConnector]).describe()

    assert [it["kind"] for it in described] == ["echo", "rest"]
    assert described[1]["capabilities"]["streaming"] is True
    assert described[1]["settings"]["required"] == ["url"]
