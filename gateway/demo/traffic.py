"""A one-stop-shop system as the node sees it: a token for every call, then the call."""

from dataclasses import dataclass
from typing import Any

import httpx2

from gateway.demo.scenario import Step

SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a system signs in with."""

    client: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the caller saw: HTTP status, the exchange's id, the answer, and the problem, if the node told one."""

    status: int
    exchange: str
    text: str
    problem: dict[str, Any]  # Any: JSON of the node


class Traffic:
    """Calls a node over HTTP."""

    def __init__(self, address: str) -> None:
        self._http = httpx2.Client(base_url=address, timeout=SECONDS)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def token(self, credentials: Credentials) -> str:
        """Fetch a token."""
        reply = self._http.post(
            "/token",
            data={"grant_type": "client_credentials"},
            auth=(credentials.client, credentials.secret),
        )
        reply.raise_for_status()
        return str(reply.json()["access_token"])

    def call(self, step: Step, token: str) -> Seen:
        """Make the step's call."""
        reply = self._http.request(
            "GET" if step.document is None else "POST",
            step.path,
            params=dict(step.query),
            json=None if step.document is None else dict(step.document),
            headers={"Authorization": f"Bearer {token}", **step.headers},
        )
        told = reply.headers.get("content-type", "").startswith("application/problem+json")
        return Seen(
            status=reply.status_code,
            exchange=reply.headers.get("lgsp-exchange-id", ""),
            text=reply.text,
            problem=reply.json() if told else {},
        )
