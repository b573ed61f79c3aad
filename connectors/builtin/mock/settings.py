"""What a mock provider is made from, and how it fails on demand."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from connectors.builtin.soap.wsdl import Sources, WSDLRefused
from connectors.contract import ConnectorSettings

_STATUS = re.compile(r"[45][0-9]{2}")

Time = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Fault = Annotated[str, StringConstraints(pattern=r"^([45][0-9]{2}|unreachable|timeout|cut|rubbish|busy)$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
FAULTS = ("unreachable", "timeout", "cut", "rubbish", "busy")


def is_fault(text: str) -> bool:
    """Say whether a text names a fault: a status from 400, or one of FAULTS."""
    return text in FAULTS or _STATUS.fullmatch(text) is not None


class Scheduled(BaseModel):
    """A fault, a delay or both, at certain calls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: Fault | None = Field(
        None, description="A status from 400, or `unreachable`, `timeout`, `cut`, `rubbish`, `busy`."
    )
    delay_seconds: float = Field(0.0, ge=0, le=600, description="Time to wait before answering.")
    every: int = Field(1, ge=1, le=1_000_000, description="Every so many calls; 1 for each.")
    operations: tuple[Annotated[str, StringConstraints(max_length=100)], ...] = Field(
        (), max_length=100, description="Which operations; all when empty."
    )
    daily_from: Time | None = Field(None, description="From this time of the day in Vietnam, `HH:MM`.")
    daily_until: Time | None = Field(None, description="Until this time of the day.")


class MockSettings(ConnectorSettings):
    """Settings of the `mock` connector."""

    description: dict[str, Any] | None = Field(
        None, description="An OpenAPI description, 3.0 or 3.1, references within it."
    )
    wsdl: Annotated[str, StringConstraints(max_length=8 * 1024 * 1024)] = Field(
        "", description="A WSDL 1.1 description as text, in place of an OpenAPI one."
    )
    schemas: dict[Annotated[str, StringConstraints(max_length=500)], str] = Field(
        default_factory=dict,
        max_length=500,
        description="What the WSDL imports: location as written there, to text. Nothing is fetched.",
    )
    service: Name | None = Field(None, description="The service in the WSDL; the first when not set.")
    port: Name | None = Field(None, description="The port of the service; the first that speaks SOAP.")
    operations: dict[Name, Name] = Field(
        default_factory=dict,
        max_length=1000,
        description="Operation of the service here to operation in the description, where the names differ.",
    )
    seed: Annotated[str, StringConstraints(max_length=100)] = Field(
        "", description="Another seed, other data; the same seed and the same question, the same answer."
    )
    households: int = Field(
        0,
        ge=0,
        le=10_000,
        description="How many households, and enterprises, exist; about others nothing is found. 0: whoever is asked after exists.",
    )
    prefer: Literal["examples", "invented"] = Field(
        "examples", description="Answer with the described examples where there are some, or never."
    )
    headers_in_sandbox: bool = Field(
        default=True,
        description="Let callers in the sandbox order faults with `mock-fault`, delays with `mock-delay`, and an "
        "example by its name with `mock-example`. Nobody else ever can.",
    )
    schedule: tuple[Scheduled, ...] = Field(
        (), max_length=50, description="Faults and delays at certain calls."
    )

    @model_validator(mode="after")
    def _check(self) -> "MockSettings":
        if bool(self.wsdl) == (self.description is not None):
            raise ValueError("either description (OpenAPI) or wsdl is needed")
        if self.description is None:
            _check_wsdl(self.wsdl, self.schemas)
            return self
        if not re.fullmatch(r"3\.[01](\..*)?", str(self.description.get("openapi", ""))):
            raise ValueError(
                "description is not OpenAPI 3.0 or 3.1; `lgsp import openapi --mock` takes Swagger 2.0 too"
            )
        if not isinstance(self.description.get("paths"), dict):
            raise ValueError("description has no paths")
        return self


def _check_wsdl(wsdl: str, schemas: Mapping[str, str]) -> None:
    """Refuse a description that leads outside or is none. Raises ValueError."""
    if find_spec("zeep") is None:
        raise ValueError("wsdl: the extra `soap` is not installed (pip install 'lgsp[soap]')")
    try:
        Sources(wsdl, schemas)
    except WSDLRefused as error:
        raise ValueError(f"wsdl: {error}") from None
