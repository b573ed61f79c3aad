"""What the registry keeps, as plain values.

`...Spec` is what a person writes; the class derived from it adds what the life cycle decides. References
between entities are ids (UUIDv7 text); codes are accepted wherever an id is and resolved before storing.
Times are aware datetimes in UTC, days are dates in Asia/Ho_Chi_Minh.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, NewType

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from registry.subjects import SubjectType

NodeId = NewType("NodeId", str)
OrganisationId = NewType("OrganisationId", str)
SystemId = NewType("SystemId", str)
NeedId = NewType("NeedId", str)
NationalDatabaseId = NewType("NationalDatabaseId", str)
ServiceId = NewType("ServiceId", str)
VersionId = NewType("VersionId", str)
GrantId = NewType("GrantId", str)
ClientId = NewType("ClientId", str)

Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
Note = Annotated[str, StringConstraints(max_length=2000)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=63)]
OrganisationCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{1,34}$")]
SystemCode = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{1,34}:[a-z0-9]+(-[a-z0-9]+)*$", max_length=99)
]
DatabaseCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{1,62}$")]
ServiceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{1,62}$")]
VersionNumber = Annotated[str, StringConstraints(pattern=r"^v?[0-9]+(\.[0-9]+){0,2}$", max_length=20)]
OperationName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{0,63}$")]
ProcedureCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,63}$")]
PurposeCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/\-]{0,99}$")]
OfficerCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@\-]{0,63}$")]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=200)]
FieldPath = Annotated[str, StringConstraints(max_length=300)]
"""Names fields of an answer (see `registry.field_paths`)."""


def _in_utc(moment: datetime) -> datetime:
    """Turn an aware datetime to UTC; a naive one says no instant."""
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset, for example 2026-01-31T08:00:00+07:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is out of range") from error


Instant = Annotated[datetime, AfterValidator(_in_utc)]
"""A moment, kept in UTC."""


class Environment(StrEnum):
    """Production or sandbox: belongs to the client, travels in the token, selects the endpoint."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


class Mode(StrEnum):
    """How a system reaches a national database (Circular 13/2017/TT-BTTTT)."""

    LGSP_NGSP = "lgsp-ngsp"
    NGSP = "ngsp"
    LGSP = "lgsp"
    DIRECT = "direct"


class Role(StrEnum):
    """What a client may do on the admin API."""

    NODE_ADMIN = "node-admin"
    ORGANISATION_ADMIN = "organisation-admin"
    SERVICE_OWNER = "service-owner"
    OBSERVER = "observer"
    AUDITOR = "auditor"


class Kind(StrEnum):
    """The kinds of object, as they stand in addresses and in YAML."""

    ORGANISATION = "organisations"
    NATIONAL_DATABASE = "national-databases"
    SYSTEM = "systems"
    NEED = "needs"
    SERVICE = "services"
    VERSION = "versions"
    GRANT = "grants"
    CLIENT = "clients"
    OFFICER = "officers"
    DELEGATION = "delegations"
    CODE_LIST = "code-lists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """The root of all entities; unknown fields are refused."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


# --- who ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(Entity):
    """Another code of an organisation, with the days on which it was valid (`valid_to` is exclusive)."""

    code: OrganisationCode
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation(Entity):
    """A legal body taking part.

    `code` is the form of Decision 20/2020/QD-TTg (`H26.12`), `old_code` that of QCVN 102:2016
    (`000.00.12.H26`). A merger is `successor` from the day `valid_to`: from then on the organisation's
    systems count for its successor.
    """

    code: OrganisationCode
    name_vi: Text
    name_en: Text | None = None
    old_code: OrganisationCode | None = None
    kind: Literal["ministry", "agency", "province", "department", "commune", "company", "other"] = "other"
    parent: Reference | None = None
    aliases: tuple[Alias, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    successor: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NationalDatabase(Entity):
    """A national database: what a Need asks for and a service version opens."""

    code: DatabaseCode
    name_vi: Text
    name_en: Text | None = None
    owner: Reference
    legal_basis: Note = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class System(Entity):
    """A registered piece of software of an organisation; the thing that calls or is called.

    `acts_for` names the systems that a shared client of this system may name in `Lgsp-System`.
    """

    code: SystemCode
    name_vi: Text
    name_en: Text | None = None
    organisation: Reference
    kind: Literal["one-stop-shop", "specialised", "database", "portal", "platform", "other"] = "other"
    security_level: Annotated[int, Field(ge=1, le=5)] | None = None
    status: Literal["active", "suspended", "retired"] = "active"
    acts_for: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal(Entity):
    """Why, by whom and when a need was withdrawn."""

    reason: Text
    author: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedSpec(Entity):
    """A system's declared need of a national database, with its legal basis."""

    system: Reference
    national_database: Reference
    legal_basis: Text
    mode: Mode = Mode.LGSP
    declared_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need(NeedSpec):
    """A need as kept: withdrawn at most once, never deleted."""

    withdrawn: Withdrawal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer(Entity):
    """An officer registered for look-ups under a grant whose rule is `registered`."""

    code: OfficerCode
    organisation: Reference
    procedures: tuple[ProcedureCode, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation(Entity):
    """A provider's recorded leave for node administrators to approve grants on its behalf."""

    organisation: Reference
    legal_basis: Text
    valid_from: Instant | None = None
    valid_until: Instant | None = None


# --- what is offered ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(Entity):
    """One look at a provider's answer.

    `at` is `status`, `header:NAME`, `pointer:/JSON/pointer`, `xml:/Root/Element` (local names; `@name` last for an
    attribute; the first one that is there) or `body` (then only `empty` makes sense).
    Values are compared as text; a number or boolean in JSON is compared in its JSON spelling.
    """

    at: Annotated[
        str,
        StringConstraints(
            pattern=r"^(status|body|header:[A-Za-z0-9-]+|pointer:(/.*)?|xml:(/[^/@\s]+)+(/@[^/@\s]+)?)$",
            max_length=300,
        ),
    ]
    equals: tuple[str, ...] = ()
    starts_with: tuple[str, ...] = ()
    present: bool | None = None
    empty: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessRule(Entity):
    """How to tell success, "nothing found" and a business failure apart in a provider's answer.

    Read in this order: a 5xx or a redirect is a provider failure unless `nothing_found` or
    `business_failure` claims it; if any condition of `nothing_found` holds the exchange is a success (with
    nothing found); if any of `business_failure` holds, or a condition of `success` does not, it is a
    business failure; without conditions, 2xx is a success and 4xx a business failure.
    """

    success: tuple[Condition, ...] = ()
    nothing_found: tuple[Condition, ...] = ()
    business_failure: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformSpec(Entity):
    """One change of a message. `settings` belong to the transform's kind and are checked by it."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(Entity):
    """What must come out of an operation's transforms for a given message, as text (JSON or XML)."""

    direction: Literal["request", "reply"]
    given: Annotated[str, StringConstraints(max_length=100_000)]
    expected: Annotated[str, StringConstraints(max_length=100_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transforms(Entity):
    """How the messages of an operation are changed, in order, on the way to the provider and on the way back.

    The examples are run before a version is taken in; one that gives another result keeps it out.
    """

    request: Annotated[tuple[TransformSpec, ...], Field(max_length=10)] = ()
    reply: Annotated[tuple[TransformSpec, ...], Field(max_length=10)] = ()
    examples: Annotated[tuple[Example, ...], Field(max_length=50)] = ()


SchemaName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,120}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Entity):
    """One value that a caller gives beside the body. `schema` is a JSON Schema (2020-12)."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    at: Literal["path", "query", "header"]
    required: bool = False
    schema: dict[str, Any] = field(default_factory=dict)
    note: Note = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyContract(Entity):
    """What a body looks like on the consumer's side.

    `schema` is a JSON Schema (2020-12) of a JSON body; it refers to the version's shared schemas as
    `{"$ref": "#/schemas/NAME"}`. `xsd` names one of the version's XML Schema documents, by which an XML body is
    checked. Examples are bodies by name, as JSON values (an XML body as a string), invented ones only.
    """

    media_type: Annotated[str, StringConstraints(max_length=100)] = "application/json"
    schema: dict[str, Any] | None = None
    xsd: SchemaName | None = None
    required: bool = False
    examples: Annotated[dict[str, Any], Field(max_length=50)] = field(default_factory=dict)


def _switched_off(written: object) -> object:
    """Read YAML's `off`, which is its word for false."""
    return "off" if written is False else written


CheckMode = Annotated[
    Literal["off", "shadow", "enforce"],
    BeforeValidator(_switched_off, json_schema_input_type=Literal["off", "shadow", "enforce"]),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractChecks(Entity):
    """What happens with a message that breaks the contract, by direction: it is counted, or refused, too."""

    request: CheckMode = "off"
    reply: CheckMode = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Entity):
    """One thing a consumer can ask for.

    `path` is relative to the version's address, with `{name}` for one segment and a last `{name*}` for the
    rest. `counts` marks operations by which a connection is proved; `effect` says whether a call changes
    something at the provider. `subject_at` and `subject_type` take the place of the version's for this operation;
    here `path:NAME` may also name a variable of the path. `parameters`, `request` and `reply` (of an answer that is a
    success) say what a consumer sends and gets; without them nothing is promised, and nothing checked.
    """

    name: OperationName
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"] = "GET"
    path: Annotated[str, StringConstraints(pattern=r"^/.*$", max_length=300)]
    title_vi: Note = ""
    title_en: Note = ""
    counts: bool = True
    effect: Literal["read", "write"] = "read"
    success_rule: SuccessRule | None = None
    subject_at: Annotated[str, StringConstraints(max_length=200)] | None = None
    subject_type: SubjectType | None = None
    transforms: Transforms = field(default_factory=Transforms)
    parameters: Annotated[tuple[Parameter, ...], Field(max_length=100)] = ()
    request: BodyContract | None = None
    reply: BodyContract | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker(Entity):
    """When to stop trying an endpoint: after so many failures in a row, for so long, then one probe."""

    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    open_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Entity):
    """Where, and through which connector, a version is reached.

    `settings` belong to the connector's kind and are checked by it. `passes` names what the provider is
    told of us: `exchange`, `purpose`, `procedure`, `officer`, each to the header it wants them in.
    """

    connector: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,30}$")]
    settings: dict[str, Any] = field(default_factory=dict)
    deadline_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    max_in_flight: Annotated[int, Field(ge=1, le=10000)] = 64
    max_queue: Annotated[int, Field(ge=0, le=10000)] = 128
    queue_seconds: Annotated[float, Field(ge=0, le=60)] = 1.0
    breaker: Breaker = field(default_factory=Breaker)
    through_hub: bool = False
    passes: dict[Literal["exchange", "purpose", "procedure", "officer"], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance(Entity):
    """A planned time during which calls get 503 with `Retry-After`."""

    starts_at: Instant
    ends_at: Instant
    note_vi: Note = ""
    note_en: Note = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec(Entity):
    """A named set of operations offered by a provider. `name` is the first segment of its address."""

    name: ServiceName
    title_vi: Text
    title_en: Text | None = None
    provider: Reference
    default_version: VersionNumber | None = None
    error_style: Literal["problem", "wso2"] = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(ServiceSpec):
    """A service as kept, with its kill switch (for all, or for one consumer) and maintenance windows."""

    blocked: str | None = None
    blocked_consumers: dict[str, str] = field(default_factory=dict)
    maintenance: tuple[Maintenance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SOAPOffer(Entity):
    """That a version is offered as SOAP, too, at `/soap/SERVICE/VERSION`.

    `namespace` is that of its messages (by default `urn:lgsp:SERVICE:VERSION`); `operations` empty means all that can be
    described. `public` lets everybody read the WSDL; else it takes the token of any client. Calls always take one.
    """

    namespace: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+.\-]*:[!#-;=?-~]+$", max_length=200)]
        | None
    ) = None
    operations: Annotated[tuple[OperationName, ...], Field(max_length=500)] = ()
    public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSpec(Entity):
    """One state of a service's contract.

    `officer_at` and `procedure_at` say where they stand in the caller's message when its software cannot send
    our headers: `header:NAME`, `query:NAME` or `pointer:/JSON/pointer`. `subject_at` says likewise where the data
    subject stands (the person or enterprise that is looked at), and `subject_type` by what kind of id. `envelope`
    names fields that say how a call went (`Status`, `Message`): they reach every consumer, whatever its grant names.
    `schemas` are JSON Schemas and `xsd` XML Schema documents that the operations' bodies refer to; `checks` says what
    happens with messages that do not fit. With `soap` the version is offered as SOAP, too.
    """

    service: Reference
    version: VersionNumber
    national_database: Reference | None = None
    operations: Annotated[tuple[Operation, ...], Field(min_length=1, max_length=500)]
    endpoints: dict[Environment, Endpoint]
    success_rule: SuccessRule = field(default_factory=SuccessRule)
    max_body_bytes: Annotated[int, Field(ge=0, le=1 << 40)] = 10 * 1024 * 1024
    officer_at: Annotated[str, StringConstraints(max_length=200)] | None = None
    procedure_at: Annotated[str, StringConstraints(max_length=200)] | None = None
    subject_at: Annotated[str, StringConstraints(max_length=200)] | None = None
    subject_type: SubjectType | None = None
    envelope: Annotated[tuple[FieldPath, ...], Field(max_length=50)] = ()
    schemas: Annotated[dict[SchemaName, dict[str, Any]], Field(max_length=2000)] = field(default_factory=dict)
    xsd: Annotated[
        dict[SchemaName, Annotated[str, StringConstraints(max_length=1_000_000)]], Field(max_length=50)
    ] = field(default_factory=dict)
    checks: ContractChecks = field(default_factory=ContractChecks)
    soap: SOAPOffer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(VersionSpec):
    """A version as kept: draft, then published, deprecated, retired."""

    status: Literal["draft", "published", "deprecated", "retired"] = "draft"
    published_at: Instant | None = None
    deprecated_at: Instant | None = None
    sunset_at: Instant | None = None
    retired_at: Instant | None = None


# --- who may --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota(Entity):
    """How much a grant allows: calls per second (a bucket of as many) and per day (Asia/Ho_Chi_Minh)."""

    per_second: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    per_day: Annotated[int, Field(ge=1, le=10**12)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule(Entity):
    """What becomes of one field of the answer; a path alone stands for `keep`.

    `path` is as in `MainInformation.NAME`; lists are walked through, `.*` at the end keeps all that lies below.
    `mask` leaves the last `keep_last` characters and writes `*` for the others; `generalise` leaves of a date its
    `year`, or its `month` and year.
    """

    path: FieldPath
    action: Literal["keep", "mask", "generalise"] = "keep"
    keep_last: Annotated[int, Field(ge=0, le=32)] | None = None
    to: Literal["year", "month"] | None = None


def _as_rule(written: object) -> object:
    return {"path": written} if isinstance(written, str) else written


WrittenRule = Annotated[FieldRule, BeforeValidator(_as_rule, json_schema_input_type=FieldPath | FieldRule)]
Purpose = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._:/\-]{0,99})$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.\-]{0,30}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantSpec(Entity):
    """A consumer's asked-for permission to call a service.

    `operations` empty means every operation; `purposes` empty means any purpose code or none. `fields` names, for
    each purpose (`*`: any other), the fields of answers that may be released, and how; all others are removed. Empty
    means whole answers. `namespaces` are the prefixes that its paths use for XML.
    """

    consumer: Reference
    service: Reference
    environments: Annotated[tuple[Environment, ...], Field(min_length=1)] = (Environment.PRODUCTION,)
    operations: tuple[OperationName, ...] = ()
    purposes: tuple[PurposeCode, ...] = ()
    default_purpose: PurposeCode | None = None
    procedure_required: bool = False
    procedures: tuple[ProcedureCode, ...] = ()
    officer: Literal["none", "asserted", "registered"] = "none"
    fields: Annotated[
        dict[Purpose, Annotated[tuple[WrittenRule, ...], Field(max_length=1000)]], Field(max_length=200)
    ] = field(default_factory=dict)
    namespaces: dict[Prefix, Annotated[str, StringConstraints(min_length=1, max_length=300)]] = field(
        default_factory=dict
    )
    quota: Quota = field(default_factory=Quota)
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    legal_basis: Note = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Entity):
    """Who decided on a grant, when, and why; `delegation` when a node administrator did it for a provider."""

    by: str
    at: Instant
    note: Note = ""
    delegation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(GrantSpec):
    """A grant as kept. `expired` is read off `valid_until`, the other states are decided."""

    status: Literal["requested", "approved", "refused", "suspended", "revoked"] = "requested"
    requested_by: str = ""
    decision: Decision | None = None
    authority: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSpec(Entity):
    """Credentials by which a system, or a person's tool on the admin API, gets tokens.

    A data-plane client names its `system`; an admin client names a `role` and, for an organisation's or a
    service's role, the `organisation` it is for. A client does not have both.
    """

    name: Text
    system: Reference | None = None
    role: Role | None = None
    organisation: Reference | None = None
    environment: Environment = Environment.PRODUCTION
    allowed_networks: tuple[Annotated[str, StringConstraints(max_length=50)], ...] = ()
    error_style: Literal["problem", "wso2"] | None = None
    jwks: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret(Entity):
    """A client secret as kept: HMAC-SHA256 under the node's key (hex), and when it stops working."""

    digest: str
    created_at: Instant
    expires_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client(ClientSpec):
    """A client as kept. Tokens issued before `not_before` are refused."""

    status: Literal["active", "disabled"] = "active"
    secrets: tuple[ClientSecret, ...] = ()
    not_before: Instant | None = None


# --- shared code lists ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Code(Entity):
    """One permitted value, with the days on which it was valid (`valid_to` is exclusive).

    `same_as` says by what code it goes in other lists, by their codes.
    """

    code: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    name_vi: Text
    name_en: Text | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    same_as: dict[Slug, Annotated[str, StringConstraints(min_length=1, max_length=100)]] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList(Entity):
    """A published list of permitted values."""

    code: Slug
    name_vi: Text
    name_en: Text | None = None
    edition: Annotated[str, StringConstraints(max_length=50)] = "1"
    codes: Annotated[tuple[Code, ...], Field(max_length=20_000)] = ()


ENTITIES: dict[Kind, type[Entity]] = {
    Kind.ORGANISATION: Organisation,
    Kind.NATIONAL_DATABASE: NationalDatabase,
    Kind.SYSTEM: System,
    Kind.NEED: Need,
    Kind.SERVICE: Service,
    Kind.VERSION: Version,
    Kind.GRANT: Grant,
    Kind.CLIENT: Client,
    Kind.OFFICER: Officer,
    Kind.DELEGATION: Delegation,
    Kind.CODE_LIST: CodeList,
}
"""What is kept of each kind, in an order in which references point to kinds before."""

SPECS: dict[Kind, type[Entity]] = ENTITIES | {
    Kind.NEED: NeedSpec,
    Kind.SERVICE: ServiceSpec,
    Kind.VERSION: VersionSpec,
    Kind.GRANT: GrantSpec,
    Kind.CLIENT: ClientSpec,
}
"""What a person may write of each kind."""
