"""Settings of the `population` connector."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from connectors.builtin.soap.person import BirthForm, NameForm
from connectors.builtin.soap.settings import Networks
from connectors.contract import ConnectorSettings
from connectors.credentials import URL, CredentialSettings, HeaderName, HeaderValue, NoCredentials, SecretName

NAMESPACE = "http://dancuquocgia.bca"
OperationName = Literal["TraCuuThongTinCongDan", "XacThucThongTinCongDan", "CungCapThongTinCongDan"]
LENGTHS: Mapping[str, int] = {
    "MaYeuCau": 40,
    "MaDVC": 20,
    "MaTichHop": 20,
    "MaCanBo": 20,
    "MaDonVi": 35,
    "TaiKhoan": 50,
    "SoDienThoai": 20,
    "HoVaTen": 100,
}


class PopulationSettings(ConnectorSettings):
    """Settings of the `population` connector."""

    url: URL = Field(description="Address that look-ups are posted to.")
    user: Annotated[str, StringConstraints(pattern=r"^[^:\x00-\x1f\x7f]*$", max_length=200)] = Field(
        "",
        description="Our name with the database; without one there is no log-in by time stamp (see `credentials`).",
    )
    secret: SecretName | None = Field(
        None, description="Reference to the secret that the log-in hashes, `secret:NAME`."
    )
    login_url: URL | None = Field(
        None, description="The address as the database hashes it, where something stands between it and us."
    )
    client: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]*$", max_length=200)] = Field(
        "", description="Value of `X-Road-Client`; not sent when empty."
    )
    api_key: SecretName | None = Field(None, description="Reference to the value of `ApiKey`, `secret:NAME`.")
    unit: Annotated[str, StringConstraints(min_length=1, max_length=LENGTHS["MaDonVi"])] = Field(
        description="Our unit's code (`MaDonVi`)."
    )
    integration: Annotated[str, StringConstraints(min_length=1, max_length=LENGTHS["MaTichHop"])] = Field(
        "037", description="The integration's code (`MaTichHop`)."
    )
    account: Annotated[str, StringConstraints(max_length=LENGTHS["TaiKhoan"])] | None = Field(
        None, description="`TaiKhoan`, where the database wants it."
    )
    phone: Annotated[str, StringConstraints(max_length=LENGTHS["SoDienThoai"])] | None = Field(
        None, description="`SoDienThoai`, where the database wants it."
    )
    officer_from: HeaderName = Field(
        "x-officer",
        description="The header under which the endpoint's `passes` tells the officer: becomes `MaCanBo`.",
    )
    procedure_from: HeaderName = Field(
        "x-procedure", description="The header under which `passes` tells the procedure: becomes `MaDVC`."
    )
    operations: dict[Annotated[str, StringConstraints(max_length=200)], OperationName] = Field(
        default_factory=dict,
        max_length=100,
        description="Operation of the service here to the database's own, where the names differ.",
    )
    name_form: NameForm = Field(
        "upper",
        description="How the database compares names: `as-given`, `upper`, `unaccented` (upper case), `unaccented-joined`.",
    )
    birth_form: BirthForm = Field(
        "compact", description="How birth dates are written: yyyyMMdd or yyyy-MM-dd."
    )
    namespace: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=200)] = Field(
        NAMESPACE, description="Namespace of requests."
    )
    content_type: Annotated[
        str, StringConstraints(pattern=r"^[a-z/+.-]+(; ?[\x20-\x7e]+)?$", max_length=100)
    ] = Field("text/xml; charset=utf-8", description="Media type of requests; some want `application/xml`.")
    wrapped: bool = Field(
        default=False,
        description="Answers come as a platform wraps them: JSON with `error_code`, and the message as text in `message`.",
    )
    credentials: CredentialSettings = Field(
        default_factory=NoCredentials,
        description="How the node proves itself where there is no log-in by time stamp: none, basic, header or oauth2.",
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict,
        description="Further HTTP headers; a value `secret:NAME` is replaced by the secret.",
    )
    egress: Networks = Field(
        (), description="Networks that the address has to lie in; narrows what the node allows."
    )
    connect_seconds: float = Field(3.0, gt=0, le=30, description="Time to make a connection.")

    @model_validator(mode="after")
    def _check_login(self) -> "PopulationSettings":
        if bool(self.user) != (self.secret is not None):
            raise ValueError("user and secret belong together")
        if self.user and not isinstance(self.credentials, NoCredentials):
            raise ValueError("credentials: a log-in by time stamp leaves no place for others")
        return self
