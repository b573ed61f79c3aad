"""Settings of single operations: how the provider calls them, and how it cuts its answers into pages."""

import re
from typing import Annotated, Literal
from urllib.parse import unquote

from pydantic import AfterValidator, Field, StringConstraints

from connectors.contract import ConnectorSettings

VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]{0,99})(\*?)\}")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _check_path(text: str) -> str:
    bare = VARIABLE.sub("x", text)
    if not bare.startswith("/") or not _PATH.fullmatch(bare) or _BAD_PERCENT.search(bare):
        raise ValueError("a path of printable ASCII with {name} for variables, without query")
    if any(unquote(segment) in (".", "..") or "/" in unquote(segment) for segment in bare.split("/")):
        raise ValueError("a path without dot segments and encoded slashes")
    return text


def _check_query_value(text: str) -> str:
    if "{" in VARIABLE.sub("", text) or "}" in VARIABLE.sub("", text) or "*}" in text:
        raise ValueError("a text with {name} for variables")
    return text


def _check_pointer(text: str) -> str:
    if re.search(r"~(?![01])", text) or (text and not text.startswith("/")):
        raise ValueError("not a JSON pointer")
    return text


ParameterName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
PathTemplate = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_check_path)]
QueryTemplate = Annotated[
    str,
    StringConstraints(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$"),
    AfterValidator(_check_query_value),
]
Pointer = Annotated[str, StringConstraints(max_length=500), AfterValidator(_check_pointer)]


class _Pages(ConnectorSettings):
    """What all styles have in common."""

    items: Pointer = Field(
        "", description="JSON pointer to the array of each page; empty when the page is the array."
    )
    max_pages: int = Field(50, ge=1, le=1000, description="Most pages; more are an answer that is too large.")
    max_bytes: int = Field(
        8 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="Most bytes of all pages together."
    )


class _Counted(_Pages):
    size_parameter: ParameterName | None = Field(
        None, description="Query parameter that asks for so many items a page."
    )
    size: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Items a page; one with fewer is the last. When null, an empty one is.",
    )
    total_at: Pointer | None = Field(
        None, description="JSON pointer to the number of all items, where the provider says it."
    )


class NumberedPages(_Counted):
    """Pages that are asked for by their number."""

    style: Literal["page"] = Field(description="Says that it is this.")
    parameter: ParameterName = Field("page", description="Query parameter with the page's number.")
    first: int = Field(1, ge=0, le=1, description="Number of the first page.")


class OffsetPages(_Counted):
    """Pages that are asked for by the number of items before them."""

    style: Literal["offset"] = Field(description="Says that it is this.")
    parameter: ParameterName = Field(
        "offset", description="Query parameter with the number of items to leave out."
    )


class CursorPages(_Pages):
    """Pages that name the next one in themselves."""

    style: Literal["cursor"] = Field(description="Says that it is this.")
    parameter: ParameterName = Field("cursor", description="Query parameter that takes the cursor.")
    cursor: Pointer = Field(
        description="JSON pointer to the cursor; `-1` is the last element of an array. Absent, null and empty end it."
    )


class LinkedPages(_Pages):
    """Pages whose header `Link` names the next one (RFC 8288, rel=next), below the provider's own base address."""

    style: Literal["link"] = Field(description="Says that it is this.")


Pages = NumberedPages | OffsetPages | CursorPages | LinkedPages


class OperationSettings(ConnectorSettings):
    """How the provider calls one operation.

    A variable is one of the caller's path, by its name in the operation's declared path, or else a parameter of the
    caller's query.
    """

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] | None = Field(
        None, description="The provider's method; the caller's when null. With GET and HEAD no body is sent."
    )
    path: PathTemplate | None = Field(
        None,
        description="The provider's path below the base address, with `{name}` for variables (`{name*}` for one that "
        "has several segments); the caller's when null.",
    )
    query: dict[ParameterName, QueryTemplate] | None = Field(
        None,
        max_length=50,
        description="The provider's query, with `{name}` for variables; a parameter whose variables are missing is left "
        "out. When null, the caller's query goes on, without what the path has taken.",
    )
    pages: Annotated[Pages, Field(discriminator="style")] | None = Field(
        None, description="How the answer comes in pages, which are put together; null when it does not."
    )
