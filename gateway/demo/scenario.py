"""What the two one-stop-shop systems of the demonstration do, call by call."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.demo.sandboxes import Sandbox

PROVINCE = "DEMO.H99"
TOWN = "DEMO.H99.01:mot-cua"
COMMUNE = "DEMO.H99.31:mot-cua-xa"
PORTAL = "DEMO.H99.01:cong-dich-vu-cong"
CALLERS: Mapping[str, tuple[str, str]] = {
    TOWN: ("Một cửa tỉnh", "provincial one-stop shop"),
    COMMUNE: ("Một cửa xã", "commune's one-stop shop"),
}
# The provincial system calls for the portal as well: it says in each call for whom, or the call counts for neither.
SYSTEM = {"Lgsp-System": TOWN}
OFFICER = {"Lgsp-Officer": "cb-may-01", "Lgsp-Procedure": "1.009901"}

ENTERPRISE = "/apiCSDLDKDN/1.0/chiTietDoanhNghiep"
DOSSIERS = "/apiCSDLDKDN/1.0/danhSachHoSo"
HOUSEHOLD = "/apiBHXH/1.0/getTraCuuTtHgdByMaSoBhxh"
CATEGORY = "/dmdc/1.0/Category"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call: who, what, and how the node should end it. `prepare` brings about what it shows."""

    vi: str
    en: str
    caller: str
    path: str
    expected: str
    query: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None
    expired: bool = False


def steps(sandboxes: Mapping[str, Sandbox]) -> Iterator[Step]:
    """Yield the calls in order; what a step prepares is put right by the next ones."""
    dkdn, bhxh, dmdc = (sandboxes[name] for name in ("dkdn", "bhxh", "dmdc"))
    enterprise = {"msdn": dkdn.examples["msdn"]}
    yield from _lookups(dkdn.examples, dmdc.examples)
    yield from _personal_data(bhxh.examples)
    yield Step(
        vi="tra cứu danh mục khi chưa được cấp quyền",
        en="asks for a code list without a grant",
        caller=COMMUNE, path=f"{CATEGORY}/{dmdc.examples['category']}", expected="refused",
    )  # fmt: skip
    yield from _spent_quota(enterprise)
    yield Step(
        vi="tra cứu doanh nghiệp; CSDL ngừng giữa chừng khi trả lời",
        en="looks up an enterprise; the database stops half-way in its answer",
        caller=TOWN, headers=SYSTEM, path=ENTERPRISE, query=enterprise, expected="unknown", prepare=lambda: dkdn.spoil("cut"),
    )  # fmt: skip
    yield Step(
        vi="tra cứu danh mục; CSDL không hoạt động",
        en="asks for a code list; the database is down",
        caller=TOWN, headers=SYSTEM, path=f"{CATEGORY}/{dmdc.examples['category']}", expected="unreachable", prepare=dmdc.kill,
    )  # fmt: skip
    yield Step(
        vi="gọi bằng token đã hết hạn",
        en="calls with a token that has expired",
        caller=COMMUNE, path=ENTERPRISE, query=enterprise, expected="refused", expired=True,
    )  # fmt: skip


def _lookups(dkdn: Mapping[str, str], dmdc: Mapping[str, str]) -> Iterator[Step]:
    yield Step(
        vi="tra cứu một doanh nghiệp",
        en="looks up an enterprise",
        caller=TOWN, headers=SYSTEM, path=ENTERPRISE, query={"msdn": dkdn["msdn"]}, expected="success",
    )  # fmt: skip
    yield Step(
        vi="tra cứu một mã số không có trong CSDL (không tìm thấy vẫn là một câu trả lời)",
        en="looks up a number that nobody has (not found is an answer, too)",
        caller=TOWN, headers=SYSTEM, path=ENTERPRISE, query={"msdn": dkdn["msdn_missing"]}, expected="success",
    )  # fmt: skip
    yield Step(
        vi="hỏi hồ sơ của 30 ngày; CSDL chỉ cho 5 ngày và từ chối trong một HTTP 200",
        en="asks for the dossiers of 30 days; the database allows 5 and refuses inside an HTTP 200",
        caller=TOWN, headers=SYSTEM, path=DOSSIERS, query={"from_date": "01/01/2026", "to_date": "31/01/2026"},
        expected="business_failure",
    )  # fmt: skip
    yield Step(
        vi="tra cứu doanh nghiệp thay cho Cổng dịch vụ công (Lgsp-System)",
        en="looks up an enterprise for the public service portal (Lgsp-System)",
        caller=TOWN, path=ENTERPRISE, query={"msdn": dkdn["msdn_other"]}, headers={"Lgsp-System": PORTAL},
        expected="success",
    )  # fmt: skip
    yield Step(
        vi="lấy danh mục trạng thái hồ sơ",
        en="fetches the list of dossier statuses",
        caller=TOWN, headers=SYSTEM, path=f"{CATEGORY}/{dmdc['category']}", expected="success",
    )  # fmt: skip
    yield Step(
        vi="lấy một danh mục không có; lỗi chỉ nằm trong chữ MSG",
        en="asks for a list that does not exist; the error stands only in the text of MSG",
        caller=TOWN, headers=SYSTEM, path=f"{CATEGORY}/{dmdc['category_missing']}", expected="business_failure",
    )  # fmt: skip


def _personal_data(bhxh: Mapping[str, str]) -> Iterator[Step]:
    yield Step(
        vi="tra cứu hộ gia đình tham gia BHXH, có cán bộ và thủ tục",
        en="looks up an insured household, with officer and procedure",
        caller=COMMUNE, path=HOUSEHOLD, document={"maSoBhxh": bhxh["maSoBhxh"]}, headers=OFFICER, expected="success",
    )  # fmt: skip
    yield Step(
        vi="tra cứu một mã số BHXH không có",
        en="looks up an insurance number that nobody has",
        caller=COMMUNE, path=HOUSEHOLD, document={"maSoBhxh": bhxh["maSoBhxh_missing"]}, headers=OFFICER,
        expected="success",
    )  # fmt: skip
    yield Step(
        vi="tra cứu BHXH mà không nêu cán bộ",
        en="looks up insurance data without naming an officer",
        caller=COMMUNE, path=HOUSEHOLD, document={"maSoBhxh": bhxh["maSoBhxh"]},
        headers={"Lgsp-Procedure": OFFICER["Lgsp-Procedure"]}, expected="refused",
    )  # fmt: skip


def _spent_quota(enterprise: Mapping[str, str]) -> Iterator[Step]:
    for number in (1, 2, 3):
        yield Step(
            vi=f"tra cứu doanh nghiệp, lần {number} trong hạn mức 3 lần một ngày",
            en=f"looks up an enterprise, {number} of the 3 calls a day that it may make",
            caller=COMMUNE, path=ENTERPRISE, query=enterprise, expected="success",
        )  # fmt: skip
    yield Step(
        vi="tra cứu doanh nghiệp, lần thứ 4: hết hạn mức",
        en="looks up an enterprise a fourth time: the quota is spent",
        caller=COMMUNE, path=ENTERPRISE, query=enterprise, expected="refused",
    )  # fmt: skip
