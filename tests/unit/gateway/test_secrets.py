"""Secrets go to the organisation and the hosts they are bound to, and nowhere else."""

import json
from pathlib import Path

import pytest

from connectors.errors import SecretUnknown
from gateway.secrets import SecretBindings, SecretsWrong, variable_prefix

VALUE = "m4t-kh4u-bi-m4t"
HOST = "api.dkdn.example:443"


class Turned:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def some_bindings(
    folder: Path, text: str, variables: dict[str, str] | None = None, clock: Turned | None = None
) -> SecretBindings:
    file = folder / "secrets.toml"
    file.write_text(text, "utf-8")
    return SecretBindings(file, variables=variables or {}, monotonic=clock or Turned())


def a_file(folder: Path, organisation: str = "H26.12", name: str = "dkdn", value: str = VALUE) -> Path:
    path = folder / organisation / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(value + "\n", "utf-8")
    return path


ONE = f"""["H26.12".DKDN]\nfile = "dkdn"\nhosts = ["{HOST}"]\n"""


def test_a_value_comes_from_the_organisations_own_file(tmp_path: Path) -> None:
    a_file(tmp_path)
    secrets = some_bindings(tmp_path, ONE).of("H26.12")

    assert secrets.get("secret:DKDN", host=HOST) == VALUE
    assert secrets.get("DKDN", host="API.dkdn.example:443") == VALUE


@pytest.mark.parametrize("host", ["api.dkdn.example:80", "evil.example:443", "api.dkdn.example", ""])
def test_a_value_goes_to_its_hosts_only(tmp_path: Path, host: str) -> None:
    a_file(tmp_path)

    with pytest.raises(SecretUnknown, match="not bound for this host"):
        some_bindings(tmp_path, ONE).of("H26.12").get("secret:DKDN", host=host)


def test_a_host_without_port_stands_for_all_its_ports(tmp_path: Path) -> None:
    a_file(tmp_path)
    secrets = some_bindings(tmp_path, ONE.replace(":443", "")).of("H26.12")

    assert secrets.get("secret:DKDN", host="api.dkdn.example:8443") == VALUE


@pytest.mark.parametrize(("organisation", "name"), [("H26", "DKDN"), ("H26.12", "OTHER"), ("..", "DKDN")])
def test_another_organisations_secret_is_unknown(tmp_path: Path, organisation: str, name: str) -> None:
    a_file(tmp_path)

    with pytest.raises(SecretUnknown):
        some_bindings(tmp_path, ONE).of(organisation).get(name, host=HOST)


def test_a_variable_needs_the_organisations_own_prefix(tmp_path: Path) -> None:
    text = ONE.replace('file = "dkdn"', 'variable = "SECRET_H26_12__DKDN"')
    secrets = some_bindings(tmp_path, text, {"SECRET_H26_12__DKDN": VALUE}).of("H26.12")

    assert variable_prefix("H26.12") == "SECRET_H26_12__"
    assert secrets.get("secret:DKDN", host=HOST) == VALUE


@pytest.mark.parametrize(
    "binding",
    [
        'variable = "HOME"',
        'variable = "LGSP_DATABASE"',
        'variable = "SECRET_H26__DKDN"',
        'variable = "SECRET_H26_12__"',
        'file = "../H26/dkdn"',
        'file = "/etc/hostname"',
        'file = "dkdn"\nvariable = "SECRET_H26_12__DKDN"',
        "",
        'file = "dkdn"\nvalue = "m4t-kh4u"',
    ],
)
def test_a_binding_that_reaches_further_is_refused(tmp_path: Path, binding: str) -> None:
    bindings = some_bindings(tmp_path, ONE.replace('file = "dkdn"', binding))

    with pytest.raises(SecretsWrong) as caught:
        bindings.check()
    assert "m4t-kh4u" not in str(caught.value)


def test_a_secret_without_hosts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretsWrong):
        some_bindings(tmp_path, ONE.replace(f'"{HOST}"', "")).check()


def test_text_that_is_not_toml_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SecretsWrong) as caught:
        some_bindings(tmp_path, "[a\npassword = m4t-kh4u").check()

    assert "m4t-kh4u" not in str(caught.value)


@pytest.mark.parametrize("target", ["file", "folder"])
def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path, target: str) -> None:
    outside = a_file(tmp_path, "H26")
    own = tmp_path / "H26.12"
    if target == "file":
        own.mkdir()
        (own / "dkdn").symlink_to(outside)
    else:
        own.symlink_to(outside.parent)

    with pytest.raises(SecretUnknown):
        some_bindings(tmp_path, ONE).of("H26.12").get("DKDN", host=HOST)


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    real = a_file(tmp_path, name="..data")
    (real.parent / "dkdn").symlink_to("..data")

    assert some_bindings(tmp_path, ONE).of("H26.12").get("DKDN", host=HOST) == VALUE


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    clock = Turned()
    path = a_file(tmp_path)
    bindings = some_bindings(tmp_path, ONE, clock=clock)
    secrets = bindings.of("H26.12")
    before = secrets.get("DKDN", host=HOST)
    path.write_text("another, longer one", "utf-8")
    clock.now = 2.0
    after = secrets.get("DKDN", host=HOST)
    (tmp_path / "secrets.toml").write_text("", "utf-8")
    clock.now = 4.0

    assert (before, after) == (VALUE, "another, longer one")
    with pytest.raises(SecretUnknown):
        secrets.get("DKDN", host=HOST)


def test_nothing_is_bound_without_a_file() -> None:
    bindings = SecretBindings(None, variables={"SECRET_H26__X": VALUE})
    bindings.check()

    with pytest.raises(SecretUnknown):
        bindings.of("H26").get("X", host=HOST)


def test_no_value_shows_in_a_repr_or_in_json(tmp_path: Path) -> None:
    a_file(tmp_path)
    bindings = some_bindings(tmp_path, ONE)
    secrets = bindings.of("H26.12")
    secrets.get("DKDN", host=HOST)

    assert VALUE not in repr(bindings) + repr(secrets) + str(secrets)
    with pytest.raises(TypeError):
        json.dumps(secrets)
