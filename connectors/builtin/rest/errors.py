"""What can be wrong with a call before it is sent."""

from connectors.errors import ConnectorError


class Unfit(ConnectorError):
    """The call does not fit what the provider takes; the text is `PLACE: RULE` and holds no value."""
