"""The `rest` connector. `settings` says what it can be told, `connector` carries the calls."""

from connectors.builtin.rest.connector import RESTConnector
from connectors.builtin.rest.settings import RESTSettings

__all__ = ["RESTConnector", "RESTSettings"]
