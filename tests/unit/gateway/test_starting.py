"""Settings that are each right and do not go together, or name what is not there."""

from typing import Any

import pytest

from gateway.settings import Settings
from gateway.starting import CannotStart, check_together


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param({"listen": "0.0.0.0:0"}, "not loopback", id="open to all without TLS"),
        pytest.param({"admin_listen": "0.0.0.0:0"}, "not loopback", id="admin open to all without TLS"),
        pytest.param({"listen": "nut.vi-du:80"}, "not loopback", id="a name without TLS"),
        pytest.param(
            {"listen": "127.0.0.1:1", "admin_listen": "127.0.0.2:1"},
            "different ports",
            id="one port for both",
        ),
        pytest.param({"workers": 2}, "needs PostgreSQL", id="workers on SQLite"),
        pytest.param({"database": "mysql://x/y"}, "postgresql://user@host/name", id="another database"),
        pytest.param({"trusted_proxies": "near"}, "LGSP_TRUSTED_PROXIES", id="no network"),
        pytest.param({"metrics_networks": "near"}, "LGSP_METRICS_NETWORKS", id="no network for metrics"),
        pytest.param({"egress_networks": "far"}, "LGSP_EGRESS_NETWORKS", id="no egress network"),
        pytest.param({"egress_ports": "0"}, "LGSP_EGRESS_PORTS", id="no egress port"),
        pytest.param({"allowed_modes": "pigeon"}, "LGSP_ALLOWED_MODES", id="no mode"),
        pytest.param({"ca_file": "/nowhere.pem"}, "LGSP_CA_FILE", id="no authorities"),
        pytest.param({"tls_key": "/nowhere.pem"}, "go together", id="half of TLS"),
        pytest.param({"tls_key": "/no.pem", "tls_certificate": "/no.pem"}, "not usable", id="no certificate"),
    ],
)
def test_a_node_says_which_settings_it_cannot_start_with(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(CannotStart) as caught:
        check_together(Settings(**settings))

    assert told in caught.value.en
    assert caught.value.vi != caught.value.en
    assert not caught.value.may_pass


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="as it comes"),
        pytest.param({"listen": "[::1]:0", "admin_listen": "127.0.0.1:0"}, id="two addresses"),
        pytest.param({"listen": "0.0.0.0:80", "trusted_proxies": "192.0.2.1"}, id="behind a proxy with TLS"),
        pytest.param(
            {"workers": 2, "database": "postgresql://nut@localhost/lgsp"}, id="workers on PostgreSQL"
        ),
    ],
)
def test_settings_that_go_together_are_accepted(settings: dict[str, Any]) -> None:
    check_together(Settings(**settings))
