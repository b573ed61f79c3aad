"""What callers are told, in Vietnamese and English: one text for every reason an exchange can end early.

`{name}` stands for a parameter; a part in `[[ ]]` is left out when a parameter in it is not known. Texts say what
is wrong and what to do about it; they never hold tokens, bodies, paths or queries.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from gateway.exchange import Reason

Language = Literal["vi", "en"]
_PARTS: Final = re.compile(r"\[\[(.*?)\]\]")
_NAMES: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A sentence with parameters, some of whose parts may be left out."""

    source: str
    plain: str = field(init=False)
    _parts: tuple[tuple[str, frozenset[str]], ...] = field(init=False)

    def __post_init__(self) -> None:
        parts = tuple((part, frozenset(_NAMES.findall(part))) for part in _PARTS.split(self.source) if part)
        object.__setattr__(self, "_parts", parts)
        object.__setattr__(self, "plain", "".join(part for part, names in parts if not names))

    @property
    def parameters(self) -> frozenset[str]:
        """The names of all parameters."""
        return frozenset().union(*(names for _, names in self._parts))

    def fill(self, details: Mapping[str, object]) -> str:
        """Return the text with what is known."""
        if not details:
            return self.plain
        known = details.keys()
        return "".join(part.format_map(details) for part, names in self._parts if names <= known)


@dataclass(frozen=True, slots=True)
class Text:
    """A title and a detail in both languages."""

    title_vi: str
    title_en: str
    detail_vi: Template
    detail_en: Template


def text(title_vi: str, title_en: str, detail_vi: str, detail_en: str) -> Text:
    """Make a text of two titles and two templates."""
    return Text(title_vi, title_en, Template(detail_vi), Template(detail_en))


def choose(language: str | Sequence[str]) -> Language:
    """Return our language for an `Accept-Language` value or a list of tags, the preferred one first."""
    if isinstance(language, str):
        return preferred(language) if language else "vi"
    return next((known for known in map(_known, language) if known is not None), "vi")


@lru_cache(maxsize=256)
def preferred(accept_language: str) -> Language:
    """Return the language of ours that an `Accept-Language` value likes best; Vietnamese when it likes none."""
    best: tuple[float, Language] = (0.0, "vi")
    for part in accept_language[:200].split(","):
        tag, _, parameters = part.partition(";")
        known = _known(tag)
        weight = _weight(parameters)
        if known is not None and weight > best[0]:
            best = (weight, known)
    return best[1]


def _known(tag: str) -> Language | None:
    match tag.strip().lower().partition("-")[0]:
        case "vi":
            return "vi"
        case "en":
            return "en"
        case _:
            return None


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


REASON_TEXTS: Final[dict[Reason, Text]] = {
    # --- before a client is known ---
    Reason.TOKEN_MISSING: text(
        "Thiếu mã truy cập",
        "No access token",
        "Yêu cầu không kèm mã truy cập. Hãy lấy mã tại /token rồi gửi trong tiêu đề «Authorization: Bearer …».",
        "The request carries no access token. Get one from /token and send it as “Authorization: Bearer …”.",
    ),
    Reason.TOKEN_MALFORMED: text(
        "Mã truy cập sai dạng",
        "The access token is malformed",
        "Nội dung gửi trong tiêu đề Authorization không phải là mã truy cập do nút này cấp. Hãy gửi nguyên văn mã nhận từ /token.",
        "What the Authorization header holds is not an access token of this node. Send the token from /token exactly as received.",
    ),
    Reason.TOKEN_FORGED: text(
        "Mã truy cập không hợp lệ",
        "The access token is not genuine",
        "Chữ ký của mã truy cập không đúng hoặc khóa ký đã bị thu hồi. Hãy lấy mã mới tại /token.",
        "The signature of the access token does not verify, or its key is no longer in use. Get a new token from /token.",
    ),
    Reason.TOKEN_FOREIGN: text(
        "Mã truy cập của nút khác",
        "The access token belongs to another node",
        "Mã truy cập này không do nút này cấp, hoặc được cấp cho ứng dụng mà nút này không biết. Hãy lấy mã tại /token của chính nút này.",
        "This access token was not issued by this node, or for a client that this node does not know. Get one from this node's own /token.",
    ),
    Reason.ADDRESS_LIMITED: text(
        "Quá nhiều yêu cầu từ một địa chỉ",
        "Too many requests from one address",
        "Địa chỉ này gửi nhiều yêu cầu hơn mức cho phép trong một giây. Hãy gửi chậm lại.",
        "This address sends more requests per second than is allowed. Slow down.",
    ),
    Reason.PATH_AMBIGUOUS: text(
        "Đường dẫn không rõ ràng",
        "The path is ambiguous",
        "Đường dẫn có thể hiểu theo nhiều cách (dấu gạch chéo mã hóa, gạch chéo ngược, «..», ký tự điều khiển hoặc mã hóa sai) nên bị từ chối[[; lỗi: {why}]].",
        "The path can be read in more than one way (an encoded slash, a backslash, “..”, a control character or broken encoding) and is refused[[; what is wrong: {why}]].",
    ),
    # --- refused: the token ---
    Reason.TOKEN_EXPIRED: text(
        "Mã truy cập đã hết hạn",
        "The access token has expired",
        "Mã truy cập là thật nhưng đã hết hạn. Hãy lấy mã mới tại /token rồi gửi lại yêu cầu.",
        "The access token is genuine but has expired. Get a new one from /token and repeat the request.",
    ),
    Reason.TOKEN_REVOKED: text(
        "Mã truy cập đã bị thu hồi",
        "The access token has been revoked",
        "Thông tin xác thực của ứng dụng đã được thay đổi sau khi mã này được cấp. Hãy lấy mã mới bằng thông tin xác thực hiện hành.",
        "The client's credentials were changed after this token was issued. Get a new token with the current credentials.",
    ),
    Reason.CLIENT_DISABLED: text(
        "Ứng dụng đã bị khóa",
        "The client is disabled",
        "Ứng dụng dùng mã truy cập này đã bị quản trị nút khóa. Hãy liên hệ quản trị nút.",
        "The client that holds this token has been disabled by the node's administrator. Please contact them.",
    ),
    Reason.CLIENT_NETWORK: text(
        "Địa chỉ mạng không được phép",
        "This network address is not allowed",
        "Ứng dụng chỉ được gọi từ các mạng đã đăng ký, và yêu cầu này đến từ nơi khác.",
        "The client may only call from its registered networks, and this request came from elsewhere.",
    ),
    Reason.SCOPE_MISSING: text(
        "Mã truy cập không dùng được ở đây",
        "The access token is not good for this",
        "Mã truy cập này không dành cho việc gọi dịch vụ dữ liệu (ví dụ là mã của người quản trị). Hãy dùng mã của một hệ thống.",
        "This access token is not meant for calling data services (it may be an administrator's). Use a system's token.",
    ),
    # --- refused: the system and its grant ---
    Reason.SYSTEM_INACTIVE: text(
        "Hệ thống không còn hoạt động",
        "The system is not active",
        "Hệ thống gọi đã bị tạm ngừng hoặc ngừng sử dụng trong sổ đăng ký.",
        "The calling system is suspended or retired in the registry.",
    ),
    Reason.SYSTEM_NOT_ALLOWED: text(
        "Không được gọi thay hệ thống này",
        "Not allowed to call for this system",
        "Ứng dụng này không được đăng ký để gọi thay cho hệ thống nêu trong Lgsp-System.",
        "This client is not registered to call for the system named in Lgsp-System.",
    ),
    Reason.GRANT_MISSING: text(
        "Chưa được cấp quyền sử dụng dịch vụ",
        "No grant for this service",
        "Hệ thống chưa có quyền sử dụng dịch vụ này[[ ({service})]]. Hãy gửi đề nghị cấp quyền và chờ bên cung cấp phê duyệt.",
        "The system has no grant for this service[[ ({service})]]. Request one and wait for the provider's approval.",
    ),
    Reason.GRANT_REQUESTED: text(
        "Quyền đang chờ phê duyệt",
        "The grant awaits approval",
        "Đề nghị cấp quyền đã được ghi nhận nhưng bên cung cấp chưa phê duyệt.",
        "The grant has been requested, but the provider has not approved it yet.",
    ),
    Reason.GRANT_REFUSED: text(
        "Đề nghị cấp quyền bị từ chối",
        "The grant was refused",
        "Bên cung cấp đã từ chối đề nghị cấp quyền. Lý do được ghi tại đề nghị đó.",
        "The provider has refused the request for a grant. The reason stands with the request.",
    ),
    Reason.GRANT_SUSPENDED: text(
        "Quyền đang bị tạm dừng",
        "The grant is suspended",
        "Quyền sử dụng dịch vụ này đang bị tạm dừng. Hãy liên hệ bên cung cấp.",
        "The grant for this service is suspended. Please contact the provider.",
    ),
    Reason.GRANT_REVOKED: text(
        "Quyền đã bị thu hồi",
        "The grant has been revoked",
        "Quyền sử dụng dịch vụ này đã bị thu hồi. Cần có một đề nghị cấp quyền mới.",
        "The grant for this service has been revoked. A new one has to be requested.",
    ),
    Reason.GRANT_NOT_YET_VALID: text(
        "Quyền chưa có hiệu lực",
        "The grant is not valid yet",
        "Quyền sử dụng dịch vụ này chỉ có hiệu lực về sau[[, từ {since}]].",
        "The grant for this service becomes valid later[[, from {since}]].",
    ),
    Reason.GRANT_EXPIRED: text(
        "Quyền đã hết hiệu lực",
        "The grant has expired",
        "Quyền sử dụng dịch vụ này đã hết hiệu lực[[ từ {until}]]. Hãy đề nghị gia hạn.",
        "The grant for this service has expired[[ on {until}]]. Ask for its renewal.",
    ),
    Reason.GRANT_QUARANTINED: text(
        "Quyền tạm thời không dùng được",
        "The grant is quarantined",
        "Bản ghi quyền trong sổ đăng ký có lỗi nên bị cách ly cho đến khi quản trị nút sửa xong.",
        "The grant's entry in the registry is broken and is quarantined until the node's administrator mends it.",
    ),
    Reason.ENVIRONMENT_NOT_GRANTED: text(
        "Quyền không gồm môi trường này",
        "The grant does not cover this environment",
        "Quyền không áp dụng cho môi trường của mã truy cập[[ ({environment})]].",
        "The grant does not cover the environment of this token[[ ({environment})]].",
    ),
    Reason.OPERATION_NOT_GRANTED: text(
        "Quyền không gồm thao tác này",
        "The grant does not cover this operation",
        "Quyền sử dụng dịch vụ không bao gồm thao tác được gọi[[ ({operation})]].",
        "The grant does not include the operation that was called[[ ({operation})]].",
    ),
    Reason.PURPOSE_MISSING: text(
        "Thiếu mục đích khai thác",
        "The purpose is missing",
        "Quyền này yêu cầu nêu mục đích khai thác. Hãy gửi mã mục đích trong tiêu đề Lgsp-Purpose.",
        "This grant asks for a purpose. Send its code in the header Lgsp-Purpose.",
    ),
    Reason.PURPOSE_NOT_ALLOWED: text(
        "Mục đích khai thác không được phép",
        "The purpose is not allowed",
        "Mục đích nêu trong yêu cầu không thuộc các mục đích mà quyền này cho phép.",
        "The purpose given in the request is not among those that the grant allows.",
    ),
    Reason.PROCEDURE_MISSING: text(
        "Thiếu mã thủ tục hành chính",
        "The procedure code is missing",
        "Quyền này yêu cầu mã thủ tục hành chính (TTHC). Hãy gửi mã trong tiêu đề Lgsp-Procedure hoặc ở vị trí mà dịch vụ quy định.",
        "This grant asks for the code of the administrative procedure (TTHC). Send it in Lgsp-Procedure or where the service expects it.",
    ),
    Reason.PROCEDURE_NOT_ALLOWED: text(
        "Thủ tục hành chính không được phép",
        "The procedure is not allowed",
        "Mã thủ tục hành chính nêu trong yêu cầu không thuộc các thủ tục mà quyền này cho phép.",
        "The procedure code given in the request is not among those that the grant allows.",
    ),
    Reason.OFFICER_MISSING: text(
        "Thiếu mã cán bộ",
        "The officer is missing",
        "Quyền này yêu cầu mã cán bộ thực hiện tra cứu. Hãy gửi mã trong tiêu đề Lgsp-Officer hoặc ở vị trí mà dịch vụ quy định.",
        "This grant asks for the officer on whose account the call is made. Send the code in Lgsp-Officer or where the service expects it.",
    ),
    Reason.OFFICER_UNKNOWN: text(
        "Cán bộ chưa được đăng ký",
        "The officer is not registered",
        "Mã cán bộ không có trong danh sách cán bộ đã đăng ký của đơn vị, không còn hiệu lực, hoặc không được làm thủ tục này.",
        "The officer's code is not registered for the organisation, is no longer valid, or is not registered for this procedure.",
    ),
    Reason.IDENTITY_CONFLICT: text(
        "Thông tin cán bộ hoặc thủ tục mâu thuẫn",
        "Officer or procedure disagree",
        "Mã cán bộ hoặc mã thủ tục trong tiêu đề khác với mã trong nội dung yêu cầu. Hai nơi phải giống nhau.",
        "The officer or procedure in the headers differs from the one in the message. They have to agree.",
    ),
    Reason.CONSUMER_BLOCKED: text(
        "Hệ thống bị chặn khỏi dịch vụ này",
        "The system is blocked from this service",
        "Dịch vụ hiện chặn hệ thống này[[. Ghi chú: {note}]].",
        "The service is currently closed to this system[[. Note: {note}]].",
    ),
    Reason.QUOTA_PER_SECOND: text(
        "Vượt hạn mức mỗi giây",
        "The quota per second is spent",
        "Số lượt gọi trong một giây đã vượt hạn mức của quyền[[ ({limit} lượt)]]. Hãy gửi chậm lại.",
        "More calls per second than the grant allows[[ ({limit})]]. Slow down.",
    ),
    Reason.QUOTA_PER_DAY: text(
        "Đã dùng hết hạn mức trong ngày",
        "The quota for today is spent",
        "Số lượt gọi trong ngày (giờ Việt Nam) đã đạt hạn mức của quyền[[ ({limit} lượt)]].",
        "The grant's number of calls for this day (Vietnamese time) is used up[[ ({limit})]].",
    ),
    # --- invalid ---
    Reason.ROUTE_UNKNOWN: text(
        "Không có dịch vụ này",
        "No such service",
        "Nút này không công bố dịch vụ nào tại địa chỉ đó[[. Có phải ý bạn là «{did_you_mean}»?]]",
        "This node publishes no service at that address[[. Did you mean “{did_you_mean}”?]]",
    ),
    Reason.VERSION_UNKNOWN: text(
        "Không có phiên bản này",
        "No such version",
        "Dịch vụ[[ {service}]] không có phiên bản đã công bố nào như vậy, hoặc chưa có phiên bản mặc định.",
        "The service[[ {service}]] has no such published version, or no default version yet.",
    ),
    Reason.VERSION_RETIRED: text(
        "Phiên bản đã ngừng cung cấp",
        "This version has been retired",
        "Phiên bản[[ {version}]] của dịch vụ đã ngừng cung cấp. Hãy chuyển sang phiên bản đang được công bố.",
        "This version[[ ({version})]] of the service has been retired. Move to one that is published.",
    ),
    Reason.OPERATION_UNKNOWN: text(
        "Không có thao tác này",
        "No such operation",
        "Dịch vụ[[ {service}]] không có thao tác nào tại đường dẫn đó.",
        "The service[[ {service}]] has no operation at that path.",
    ),
    Reason.METHOD_NOT_ALLOWED: text(
        "Phương thức không được phép",
        "The method is not allowed",
        "Thao tác này không nhận phương thức đã dùng[[; các phương thức được phép: {allow}]].",
        "This operation does not take the method that was used[[; it takes: {allow}]].",
    ),
    Reason.BODY_TOO_LARGE: text(
        "Nội dung quá lớn",
        "The body is too large",
        "Nội dung yêu cầu lớn hơn mức dịch vụ cho phép[[ ({limit_bytes} byte)]].",
        "The request's body is larger than the service allows[[ ({limit_bytes} bytes)]].",
    ),
    Reason.BODY_CUT: text(
        "Nội dung bị ngắt giữa chừng",
        "The body broke off",
        "Kết nối bị ngắt hoặc hết thời gian trước khi nhận đủ nội dung yêu cầu.",
        "The connection broke or time ran out before the whole body of the request had arrived.",
    ),
    Reason.HEADER_INVALID: text(
        "Tiêu đề hoặc trường không hợp lệ",
        "A header or field is invalid",
        "Một tiêu đề Lgsp-* hoặc trường tương ứng trong nội dung không đúng dạng cho phép[[ ({header})]].",
        "A Lgsp-* header, or the field that stands for it in the message, does not have the allowed form[[ ({header})]].",
    ),
    Reason.SUBJECT_UNREADABLE: text(
        "Không đọc được chủ thể dữ liệu",
        "The data subject cannot be read",
        "Dịch vụ yêu cầu ghi nhận ai được tra cứu. Số định danh ở vị trí quy định[[ ({where})]] phải đúng dạng, chỉ có một giá trị, và nội dung phải là JSON đọc được trọn vẹn.",
        "The service has it recorded who is looked at. The id in its place[[ ({where})]] must have the right form and one value only, and a body must be JSON that can be read whole.",
    ),
    Reason.MESSAGE_UNFIT: text(
        "Nội dung yêu cầu không đúng mô tả của dịch vụ",
        "The request does not fit the service's description",
        "Nội dung không chuyển được thành thông điệp mà bên cung cấp nhận[[ ({why})]]; chưa có gì được gửi đi.",
        "The request cannot become a message that the provider takes[[ ({why})]]; nothing was sent.",
    ),
    Reason.ENVELOPE_UNREADABLE: text(
        "Không đọc được thông điệp SOAP",
        "The SOAP message cannot be read",
        "Thông điệp không phải phong bì SOAP 1.1 hoặc 1.2 đọc được một cách an toàn[[ ({why})]]; chưa có gì được gửi đi.",
        "The message is no SOAP 1.1 or 1.2 envelope that can be read safely[[ ({why})]]; nothing was sent.",
    ),
    Reason.REQUEST_NOT_TRANSFORMED: text(
        "Không biến đổi được yêu cầu cho bên cung cấp",
        "The request cannot be transformed for the provider",
        "Nội dung yêu cầu không đọc được một cách an toàn hoặc có giá trị không chuyển đổi được[[ ({why})]]; chưa có gì được gửi đi. Hãy đối chiếu với mô tả của dịch vụ.",
        "The request cannot be read safely, or holds a value that cannot be converted[[ ({why})]]; nothing was sent. Compare it with the service's description.",
    ),
    Reason.REQUEST_AGAINST_CONTRACT: text(
        "Yêu cầu không đúng hợp đồng dữ liệu của dịch vụ",
        "The request breaks the service's contract",
        "Yêu cầu không đúng mô tả mà dịch vụ đã công bố[[ ({why})]]; chưa có gì được gửi đi. Vị trí và quy tắc bị vi phạm nằm trong `violations`.",
        "The request does not fit the description that the service has published[[ ({why})]]; nothing was sent. `violations` says where, and by which rule.",
    ),
    # --- unavailable: not tried ---
    Reason.MAINTENANCE: text(
        "Dịch vụ đang bảo trì",
        "The service is under maintenance",
        "Dịch vụ đang trong thời gian bảo trì theo kế hoạch[[, đến {until}]].",
        "The service is under planned maintenance[[ until {until}]].",
    ),
    Reason.SERVICE_BLOCKED: text(
        "Dịch vụ đang tạm dừng",
        "The service is closed",
        "Dịch vụ đang được tạm dừng cho mọi hệ thống[[. Ghi chú: {note}]].",
        "The service is closed to all systems for now[[. Note: {note}]].",
    ),
    Reason.QUARANTINED: text(
        "Dịch vụ tạm thời không dùng được",
        "The service is quarantined",
        "Bản ghi của dịch vụ trong sổ đăng ký có lỗi nên bị cách ly cho đến khi quản trị nút sửa xong.",
        "The service's entry in the registry is broken and is quarantined until the node's administrator mends it.",
    ),
    Reason.NO_ENDPOINT: text(
        "Chưa có điểm kết nối cho môi trường này",
        "No endpoint for this environment",
        "Dịch vụ chưa có điểm kết nối cho môi trường của mã truy cập[[ ({environment})]].",
        "The service has no endpoint for the environment of this token[[ ({environment})]].",
    ),
    Reason.BREAKER_OPEN: text(
        "Tạm ngừng gọi bên cung cấp",
        "Calls to the provider are paused",
        "Các lần gọi gần đây đến bên cung cấp đều thất bại nên nút tạm ngừng gọi. Yêu cầu này chưa được gửi đi.",
        "The latest calls to the provider all failed, so the node has paused them. This request was not sent on.",
    ),
    Reason.CAPACITY: text(
        "Đang có quá nhiều cuộc gọi",
        "Too many calls under way",
        "Số cuộc gọi đồng thời đến bên cung cấp đã đạt giới hạn. Yêu cầu này chưa được gửi đi.",
        "The limit of simultaneous calls to the provider is reached. This request was not sent on.",
    ),
    Reason.CONNECTOR_UNAVAILABLE: text(
        "Kết nối đến bên cung cấp chưa sẵn sàng",
        "The connection to the provider is not ready",
        "Nút chưa mở được kết nối đến bên cung cấp và đang thử lại. Yêu cầu này chưa được gửi đi.",
        "The node could not open its connection to the provider yet and keeps trying. This request was not sent on.",
    ),
    Reason.PROVIDER_UNREACHABLE: text(
        "Không kết nối được bên cung cấp",
        "The provider cannot be reached",
        "Nút không thiết lập được kết nối đến bên cung cấp. Chưa có gì được gửi đi, nên gửi lại là an toàn.",
        "The node could not connect to the provider. Nothing was sent, so it is safe to repeat the request.",
    ),
    Reason.EGRESS_DENIED: text(
        "Địa chỉ bên cung cấp không được phép gọi",
        "The provider's address may not be called",
        "Chính sách mạng của nút không cho gọi đến địa chỉ đã đăng ký của dịch vụ. Quản trị nút cần kiểm tra cấu hình.",
        "The node's network policy does not let it call the service's registered address. The node's administrator has to look into it.",
    ),
    # --- provider failure ---
    Reason.PROVIDER_BUSY: text(
        "Bên cung cấp đang bận",
        "The provider is busy",
        "Bên cung cấp báo bận và chưa thực hiện yêu cầu. Hãy gửi lại sau.",
        "The provider says it is busy and has not carried the request out. Repeat it later.",
    ),
    Reason.PROVIDER_ERROR: text(
        "Bên cung cấp gặp lỗi",
        "The provider failed",
        "Bên cung cấp trả lời bằng một lỗi của chính họ[[ (mã {provider_status})]].",
        "The provider answered with an error of its own[[ (status {provider_status})]].",
    ),
    Reason.PROVIDER_RUBBISH: text(
        "Bên cung cấp trả lời không hợp lệ",
        "The provider's answer is not valid",
        "Câu trả lời của bên cung cấp không đúng giao thức hoặc không đúng hợp đồng của dịch vụ.",
        "The provider's answer breaks the protocol or the service's contract.",
    ),
    Reason.PROVIDER_REDIRECT: text(
        "Bên cung cấp chuyển hướng",
        "The provider redirects",
        "Bên cung cấp trả lời bằng một chuyển hướng, và nút không đi theo. Địa chỉ đăng ký cần được sửa.",
        "The provider answered with a redirect, which the node does not follow. The registered address has to be corrected.",
    ),
    Reason.PROVIDER_CREDENTIALS: text(
        "Bên cung cấp từ chối thông tin xác thực của nút",
        "The provider refuses the node's credentials",
        "Bên cung cấp không chấp nhận thông tin xác thực mà nút dùng để gọi. Quản trị nút cần cập nhật.",
        "The provider does not accept the credentials with which the node calls it. The node's administrator has to renew them.",
    ),
    Reason.PROVIDER_REJECTED: text(
        "Bên cung cấp không nhận yêu cầu",
        "The provider rejects the request",
        "Bên cung cấp không nhận yêu cầu này; gửi lại nguyên như vậy sẽ không có kết quả khác.",
        "The provider does not take this request; repeating it as it is will not help.",
    ),
    Reason.REPLY_UNREADABLE: text(
        "Không đọc được câu trả lời của bên cung cấp",
        "The provider's answer cannot be read",
        "Quyền truy cập chỉ cho phép một số trường dữ liệu, nhưng câu trả lời không đọc được một cách an toàn[[ ({why})]] nên không được chuyển đi.",
        "The grant releases certain fields only, and the answer cannot be read safely[[ ({why})]], so it is not passed on.",
    ),
    Reason.REPLY_NOT_LIMITED: text(
        "Không giới hạn được câu trả lời theo quyền truy cập",
        "The answer cannot be limited to the grant",
        "Quyền truy cập chỉ cho phép một số trường dữ liệu. Câu trả lời không phải JSON hoặc XML, quá lớn hoặc bị nén[[ ({why})]], nên không tách được các trường đó và không được chuyển đi.",
        "The grant releases certain fields only. The answer is neither JSON nor XML, too large, or compressed[[ ({why})]], so these cannot be told apart and it is not passed on.",
    ),
    Reason.REPLY_NOT_TRANSFORMED: text(
        "Không biến đổi được câu trả lời của bên cung cấp",
        "The provider's answer cannot be transformed",
        "Bên cung cấp đã trả lời, nhưng câu trả lời không theo đúng dạng mà dịch vụ khai báo[[ ({why})]] nên không được chuyển đi. Đơn vị công bố dịch vụ cần xem lại phép biến đổi.",
        "The provider has answered, but not in the form that the service declares[[ ({why})]], so the answer is not passed on. Whoever publishes the service has to look at its transforms.",
    ),
    Reason.REPLY_AGAINST_CONTRACT: text(
        "Câu trả lời không đúng hợp đồng dữ liệu của dịch vụ",
        "The answer breaks the service's contract",
        "Bên cung cấp đã trả lời, nhưng câu trả lời không đúng mô tả mà chính dịch vụ đã công bố[[ ({why})]] nên không được chuyển đi. Bên cung cấp cần sửa câu trả lời hoặc mô tả.",
        "The provider has answered, but not as its service has published[[ ({why})]], so the answer is not passed on. The provider has to mend the answer or the description.",
    ),
    # --- unknown: sent, no whole answer ---
    Reason.PROVIDER_TIMEOUT: text(
        "Bên cung cấp không trả lời kịp",
        "The provider did not answer in time",
        "Yêu cầu đã được gửi nhưng hết thời gian chờ trả lời. Nếu thao tác làm thay đổi dữ liệu, hãy kiểm tra kết quả trước khi gửi lại.",
        "The request was sent, but no answer came in time. If the operation changes data, check the result before repeating it.",
    ),
    Reason.PROVIDER_CUT: text(
        "Câu trả lời bị ngắt giữa chừng",
        "The provider's answer broke off",
        "Yêu cầu đã được gửi nhưng kết nối bị ngắt trước khi nhận đủ trả lời. Nếu thao tác làm thay đổi dữ liệu, hãy kiểm tra kết quả trước khi gửi lại.",
        "The request was sent, but the connection broke before the whole answer had come. If the operation changes data, check the result before repeating it.",
    ),
    Reason.CUT_BY_REVOCATION: text(
        "Bị ngắt do quyền bị thu hồi",
        "Cut because leave was withdrawn",
        "Quyền hoặc ứng dụng bị thu hồi trong khi đang truyền dữ liệu nên việc truyền bị dừng.",
        "The grant or the client was revoked while data was being transferred, so the transfer was stopped.",
    ),
    Reason.CALLER_GONE: text(
        "Bên gọi đã ngắt kết nối",
        "The caller went away",
        "Bên gọi ngắt kết nối trước khi nhận câu trả lời. Yêu cầu có thể đã được thực hiện.",
        "The caller closed the connection before the answer came. The request may have been carried out.",
    ),
    Reason.NODE_STOPPED: text(
        "Nút dừng khi đang xử lý",
        "The node stopped meanwhile",
        "Nút đã dừng trong khi yêu cầu đang được xử lý. Yêu cầu có thể đã được thực hiện.",
        "The node stopped while the request was under way. The request may have been carried out.",
    ),
    # --- ours ---
    Reason.LEDGER_UNAVAILABLE: text(
        "Không ghi được bằng chứng",
        "Evidence cannot be kept",
        "Nút không ghi được bằng chứng nên không thực hiện yêu cầu. Hãy gửi lại sau.",
        "The node cannot keep evidence at the moment and therefore carries nothing out. Repeat the request later.",
    ),
    Reason.LEDGER_LOST: text(
        "Không ghi được bằng chứng sau khi gọi",
        "Evidence could not be kept after the call",
        "Yêu cầu đã được gửi đến bên cung cấp, nhưng nút không ghi được bằng chứng nên không trả kết quả. Hãy kiểm tra kết quả trước khi gửi lại.",
        "The request was sent to the provider, but the node could not keep evidence of it and so gives no answer. Check the result before repeating it.",
    ),
    Reason.TRANSFORM_FAILED: text(
        "Phép biến đổi của dịch vụ không chạy được",
        "The service's transform failed",
        "Phép biến đổi yêu cầu dùng quá thời gian, bộ nhớ hoặc số bước cho phép[[ ({why})]]; chưa có gì được gửi đi. Đơn vị công bố dịch vụ cần sửa phép biến đổi.",
        "The transform of the request used more time, memory or steps than it may[[ ({why})]]; nothing was sent. Whoever publishes the service has to correct it.",
    ),
    Reason.CONTRACT_NOT_CHECKED: text(
        "Không kiểm tra được thông điệp theo hợp đồng dữ liệu",
        "The message could not be checked against the contract",
        "Dịch vụ chỉ nhận và trả thông điệp đã được kiểm tra, nhưng nút không kiểm tra xong thông điệp này trong thời gian cho phép. Có thể thử lại sau.",
        "The service passes on only messages that were checked, and the node did not finish checking this one in time. Trying again later may help.",
    ),
    Reason.SECRET_MISSING: text(
        "Nút thiếu thông tin xác thực để gọi",
        "The node lacks a secret for this call",
        "Thông tin xác thực mà dịch vụ cần chưa được gắn với đơn vị hoặc với máy chủ đích. Quản trị nút cần bổ sung.",
        "A secret that the service needs is not bound to its organisation or to the target host. The node's administrator has to add it.",
    ),
    Reason.INTERNAL: text(
        "Lỗi của nút",
        "The node failed",
        "Nút gặp lỗi ngoài dự kiến và đã ghi nhật ký. Hãy báo mã trao đổi cho quản trị nút.",
        "The node met an unexpected error and has logged it. Please tell its administrator the exchange id.",
    ),
    # --- the provider's own no ---
    Reason.PROVIDER_SAID_NO: text(
        "Bên cung cấp từ chối về nghiệp vụ",
        "The provider said no",
        "Bên cung cấp đã xử lý yêu cầu và trả lời là không thực hiện được; xem nội dung trả lời của họ.",
        "The provider dealt with the request and answered that it cannot be done; see its answer.",
    ),
}
