"""What can go wrong on the way to a provider.

ConnectorError
├── ConnectorUnknown         no installed connector has this kind
├── SettingsRefused          the endpoint's settings are not what the connector takes
├── NotSent                  nothing reached the provider (refused, DNS, TLS, connect time-out)
│   └── EgressDenied         the node does not let calls go to this address
├── NoAnswer                 something was sent and no whole answer came (reset, time-out)
├── BadAnswer                what came is not a valid answer, or is larger than allowed
└── SecretUnknown            a `secret:NAME` is not bound, or not for this host
"""


class ConnectorError(Exception):
    """The root of this package's errors. Messages never hold secrets, bodies, paths or queries."""


class ConnectorUnknown(ConnectorError):
    """No installed connector has this kind."""


class SettingsRefused(ConnectorError):
    """The endpoint's settings are not what the connector takes."""


class NotSent(ConnectorError):
    """Nothing reached the provider."""


class EgressDenied(NotSent):
    """The node does not let calls go to this address."""


class NoAnswer(ConnectorError):
    """Something was sent and no whole answer came."""


class BadAnswer(ConnectorError):
    """What came is not a valid answer, or is larger than allowed."""


class SecretUnknown(ConnectorError):
    """A `secret:NAME` is not bound, or not for this host."""
