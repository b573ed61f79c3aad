"""What the owner of a database declares: where it is, and one statement for each operation."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import SchemaError, SchemaValidator, core_schema

from connectors.builtin.sql.text import compile_text
from connectors.contract import ConnectorSettings
from connectors.credentials import SecretName

PORTS: Mapping[str, int] = {"postgresql": 5432, "mariadb": 3306, "mysql": 3306}

_TYPES_WITH_BOUNDS = ("integer", "decimal")
_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,62})\}")


def _check_at(text: str) -> str:
    kind, _, rest = text.partition(":")
    if text == "body" or (kind in ("query", "path") and rest) or (kind == "pointer" and rest[:1] == "/"):
        return text
    raise ValueError("one of query:NAME, path:NAME, pointer:/a/b, body")


def _check_host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:\-]{1,253}", text):
        raise ValueError("not a host's name or address")
    return text.lower()


At = Annotated[str, StringConstraints(max_length=200), AfterValidator(_check_at)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
MemberName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
ColumnType = Literal[
    "string", "integer", "bigint", "decimal", "number", "boolean", "date", "datetime", "json"
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameter(_Part):
    """One parameter of a statement: where its value stands in the call, and what it must be."""

    at: At = Field(
        description="Where the value stands: `query:NAME`, `path:NAME` (a variable of the statement's `path`), "
        "`pointer:/a/b` (in a JSON body), `body` (the whole body as text)."
    )
    type: Literal["string", "integer", "decimal", "date", "boolean"] = Field(
        "string", description="Its type."
    )
    required: bool = Field(
        default=True, description="Refuse a call without it; else it is NULL, or `default`."
    )
    default: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        None, description="Value when it is not given, written as in a query."
    )
    pattern: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        None,
        description="Regular expression (of linear time: no back-references) that the whole text matches.",
    )
    max_length: int = Field(1000, ge=1, le=1_000_000, description="Most characters of a text.")
    minimum: Decimal | None = Field(None, description="Least value of a number.")
    maximum: Decimal | None = Field(None, description="Greatest value of a number.")
    normalise: Literal["none", "NFC", "NFD"] = Field(
        "none", description="Unicode form that a text is brought to, the one that the database holds."
    )

    @model_validator(mode="after")
    def _check(self) -> "Parameter":
        if self.pattern is not None:
            if self.type != "string":
                raise ValueError("pattern is for the type string")
            try:
                SchemaValidator(core_schema.str_schema(pattern=f"^(?:{self.pattern})$"))
            except SchemaError:
                raise ValueError("pattern is not a regular expression of linear time") from None
        if (self.minimum is not None or self.maximum is not None) and self.type not in _TYPES_WITH_BOUNDS:
            raise ValueError("minimum and maximum are for the types integer and decimal")
        if self.at == "body" and self.type != "string":
            raise ValueError("the whole body is a string")
        return self


class Column(_Part):
    """One member of the answer's objects."""

    type: ColumnType = Field(description="Type in the answer; `bigint` and `decimal` are written as text.")
    column: ShortText | None = Field(
        None, description="Name of the result's column; the member's own name when not set."
    )


class Statement(_Part):
    """What an operation does in the database."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=50_000)] = Field(
        description="One SQL statement; parameters are written `:name`."
    )
    parameters: dict[Name, Parameter] = Field(
        default_factory=dict, max_length=100, description="Its parameters, by name."
    )
    path: Annotated[str, StringConstraints(pattern=r"^/[\x21-\x7e]*$", max_length=300)] | None = Field(
        None, description="The operation's path with its variables, `/cong-dan/{so}`; needed for `path:NAME`."
    )
    result: Literal["one", "list", "count", "document"] = Field(
        "list",
        description="`one`: an object of the one row; `list`: an array of all rows, streamed when large; `count`: "
        "how many rows were changed; `document`: the one column of the one row is the answer, JSON already.",
    )
    columns: dict[MemberName, ColumnType | Column] = Field(
        default_factory=dict,
        max_length=300,
        description="Members of the answer's objects, by name; columns that are not named here never leave.",
    )
    nothing_found: Literal["404", "empty"] | None = Field(
        None,
        description="Answer without a row: 404, or `[]` (for `one` and `document`: `null`); 404 for `one` and "
        "`document`, empty for `list` and `count` when not set.",
    )
    writes: bool = Field(default=False, description="It changes something; the operation must say so, too.")
    max_rows: int = Field(1000, ge=1, le=10_000_000, description="Most rows of an answer; more are refused.")
    seconds: float = Field(10.0, gt=0, le=600, description="Most time that the database works on it.")

    @model_validator(mode="after")
    def _check(self) -> "Statement":
        if bool(self.columns) != (self.result in ("one", "list")):
            raise ValueError("columns are for the results one and list, and needed there")
        if self.result == "count" and not self.writes:
            raise ValueError("the result count is for statements that write")
        if self.writes and self.max_rows > _MAX_WRITTEN:
            raise ValueError(f"a statement that writes answers at most {_MAX_WRITTEN} rows")
        named = {it.at.partition(":")[2] for it in self.parameters.values() if it.at.startswith("path:")}
        if not named <= set(_VARIABLE.findall(self.path or "")):
            raise ValueError("path lacks a variable that a parameter is read from")
        return self


_MAX_WRITTEN = 10_000


class SQLSettings(ConnectorSettings):
    """Settings of the `sql` connector."""

    database_kind: Literal["postgresql", "mariadb", "mysql"] = Field(description="Which database it is.")
    host: Annotated[str, AfterValidator(_check_host)] = Field(description="Name or address of its server.")
    port: int | None = Field(None, ge=1, le=65535, description="Its port; the kind's usual one when not set.")
    database: ShortText = Field(description="Name of the database.")
    user: ShortText = Field(
        description="Role that the node uses, with no more rights than its statements need."
    )
    password: SecretName = Field(description="Reference to its password, `secret:NAME`.")
    tls: bool = Field(default=True, description="Use TLS and verify the server's certificate.")
    tls_name: Annotated[str, AfterValidator(_check_host)] | None = Field(
        None, description="Name that the certificate has, where it is not `host`."
    )
    tls_authority: Annotated[str, StringConstraints(max_length=100_000)] | None = Field(
        None, description="Certificate of the server's authority (PEM); those the node trusts when not set."
    )
    pool_size: int = Field(5, ge=1, le=100, description="Most connections that the node keeps to it.")
    connect_seconds: float = Field(3.0, gt=0, le=30, description="Time to make a connection.")
    max_body: int = Field(65_536, ge=1, le=10_000_000, description="Most bytes of a body that is read.")
    statements: dict[MemberName, Statement] = Field(
        min_length=1, max_length=500, description="Statements, by the name of the version's operation."
    )

    @model_validator(mode="after")
    def _check_statements(self) -> "SQLSettings":
        for operation, statement in self.statements.items():
            try:
                text = compile_text(statement.text, self.database_kind, writes=statement.writes)
            except ValueError as error:
                raise ValueError(f"{operation}: {error}") from None
            if set(text.names) != set(statement.parameters):
                odd = ", ".join(sorted(set(text.names) ^ set(statement.parameters)))
                raise ValueError(f"{operation}: in the text or in parameters, but not in both: {odd}")
        return self
