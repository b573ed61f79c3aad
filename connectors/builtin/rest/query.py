"""Query parameters that are ours: keys, above all, which nobody else may set or see."""

import re
from collections.abc import Mapping

from connectors.builtin.rest.operations import decoded, encoded
from connectors.contract import ConnectorContext
from connectors.credentials import SECRET
from connectors.message import Headers

_PIECES = re.compile("[&;]")
_SHORTEST_SECRET = 4


class FixedQuery:
    """Adds the declared parameters to a target, and takes away a caller's of the same names."""

    def __init__(self, parameters: Mapping[str, str], context: ConnectorContext) -> None:
        self._context = context
        self._parameters = dict(parameters)
        self._names = frozenset(name.casefold() for name in parameters)
        self._said: dict[str, list[bytes]] = {}

    def added(self, target: str, authority: str) -> str:
        """Return path and query with ours at the end. Raises SecretUnknown."""
        path, _, query = target.partition("?")
        fields = [field for field in query.split("&") if field and not self._is_ours(field)]
        said: list[bytes] = []
        for name, value in self._parameters.items():
            sent = value
            if value.startswith(SECRET):
                sent = self._context.secrets.get(value, host=authority)
                said += [sent.encode(), encoded(sent.encode()).encode()]
            fields.append(f"{encoded(name.encode())}={encoded(sent.encode())}")
        self._said[authority] = [value.lower() for value in said if len(value) >= _SHORTEST_SECRET]
        return f"{path}?{'&'.join(fields)}"

    def without_echo(self, headers: Headers, authority: str) -> Headers:
        """Return a provider's headers without those that repeat one of our secrets, as a redirect's address may."""
        said = self._said.get(authority)
        if not said:
            return headers
        return [field for field in headers if not any(value in field[1].lower() for value in said)]

    def _is_ours(self, field: str) -> bool:
        names = (
            decoded(piece.partition("=")[0]).decode("utf-8", "replace") for piece in _PIECES.split(field)
        )
        return any(name.strip().casefold() in self._names for name in names)
