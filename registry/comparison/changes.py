"""What a change is: how bad, where, by which rule. The only place of the rules' words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Verdict = Literal["breaking", "unknown", "compatible"]
Way = Literal["request", "reply"]
Relation = Literal["wider", "narrower", "other", "unknown"]
"""What is allowed now against what was: more, less, something else, or nobody can say."""


class Words(NamedTuple):
    """What has changed, in Vietnamese and in English."""

    vi: str
    en: str


RULES: Final[Mapping[str, Words]] = {
    # operations
    "operation-removed": Words("thao tác không còn", "the operation is gone"),
    "operation-added": Words("có thao tác mới", "there is a new operation"),
    "operation-renamed": Words("thao tác đổi tên", "the operation has another name"),
    "method-changed": Words("phương thức khác", "the method is another one"),
    "path-changed": Words("đường dẫn khác", "the path is another one"),
    "effect-changed": Words("tác động (đọc, ghi) khác", "the effect (read, write) is another one"),
    "success-rule": Words("quy tắc thành công khác", "success is told by another rule"),
    # parameters
    "parameter-added": Words("có tham số mới", "there is a new parameter"),
    "parameter-removed": Words("tham số không còn", "the parameter is gone"),
    "parameter-required": Words("tham số nay bắt buộc", "the parameter is required now"),
    "parameter-optional": Words("tham số nay không bắt buộc", "the parameter is optional now"),
    # bodies
    "body-added": Words("nay có nội dung", "there is a body now"),
    "body-removed": Words("không còn nội dung", "there is no body any more"),
    "body-required": Words("nội dung nay bắt buộc", "the body is required now"),
    "body-optional": Words("nội dung nay không bắt buộc", "the body is optional now"),
    "media-type": Words("kiểu nội dung khác", "the media type is another one"),
    "described": Words("nội dung nay được mô tả", "the body is described now"),
    "not-described": Words("nội dung không còn được mô tả", "the body is described no more"),
    "xsd": Words("lược đồ XML khác", "the XML Schema is another one"),
    # schemas
    "required-added": Words("trường nay bắt buộc", "the field is required now"),
    "required-removed": Words("trường nay có thể vắng", "the field may be missing now"),
    "property-added": Words("có trường mới", "there is a new field"),
    "property-removed": Words("trường không còn", "the field is gone"),
    "properties-closed": Words("không còn nhận trường khác", "no other fields are allowed any more"),
    "properties-opened": Words("nay có thể có trường khác", "other fields are possible now"),
    "type": Words("kiểu khác", "the type is another one"),
    "enum": Words("danh sách giá trị khác", "the list of values is another one"),
    "limit": Words("giới hạn khác", "a limit is another one"),
    "pattern": Words("mẫu khác", "the pattern is another one"),
    "format": Words("định dạng khác", "the format is another one"),
    "variants": Words("các dạng khác", "the forms that are possible are others"),
    "constraint": Words("ràng buộc khác", "a constraint is another one"),
    "too-large": Words("quá lớn để so sánh hết", "it is too large to be compared to its end"),
    # the version
    "environment-removed": Words("môi trường không còn", "the environment is gone"),
    "body-limit": Words("giới hạn kích thước nhỏ hơn", "the limit of bodies is lower"),
    "envelope": Words("trường bao ngoài không còn được trả", "a field of the envelope is released no more"),
    "place": Words(
        "chỗ ghi cán bộ, thủ tục hoặc đối tượng khác", "officer, procedure or subject stand elsewhere"
    ),
    "checks": Words("kiểm tra hợp đồng chặt hơn", "the contract is checked more strictly"),
    "soap-removed": Words("không còn cung cấp qua SOAP", "it is offered as SOAP no more"),
}
"""By rule; rules are stable names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is no longer as it was.

    `pointer` leads into the old version, or into the new one for what is new. `field` names the field of the answer by
    the names on the way to it, lists walked through; None where no single field is meant.
    """

    verdict: Verdict
    rule: str
    way: Way
    pointer: str
    operation: str = ""
    field: tuple[str, ...] | None = None
    detail: str = ""
    environment: str = ""
    """Only consumers in this environment are concerned, when one is named."""


def judged(relation: Relation, way: Way) -> Verdict:
    """Return how bad it is: requests may be allowed more, answers less."""
    if relation == "unknown":
        return "unknown"
    good: Relation = "wider" if way == "request" else "narrower"
    return "compatible" if relation == good else "breaking"
