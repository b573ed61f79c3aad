"""What the systems of the demonstration do, call by call."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.demo.sandboxes import Sandbox, SandboxProcess

PROVINCE = "DEMO.H99"
TOWN = "DEMO.H99.01:mot-cua"
COMMUNE = "DEMO.H99.31:mot-cua-xa"
PORTAL = "DEMO.H99.01:cong-dich-vu-cong"
LAND = "DEMO.H99.03:quan-ly-dat-dai"
CALLERS: Mapping[str, tuple[str, str]] = {
    TOWN: ("Một cửa tỉnh", "provincial one-stop shop"),
    COMMUNE: ("Một cửa xã", "commune's one-stop shop"),
    LAND: ("Hệ thống đất đai", "land information system"),
}
# The provincial system calls for the portal as well: it says in each call for whom, or the call counts for neither.
SYSTEM = {"Lgsp-System": TOWN}
OFFICER = {"Lgsp-Officer": "cb-may-01", "Lgsp-Procedure": "1.009901"}

ENTERPRISE = "/apiCSDLDKDN/1.0/chiTietDoanhNghiep"
DOSSIERS = "/apiCSDLDKDN/1.0/danhSachHoSo"
HOUSEHOLD = "/apiBHXH/1.0/getTraCuuTtHgdByMaSoBhxh"
CATEGORY = "/dmdc/1.0/Category"
CITIZEN = "/apiDanCu/1.0/TraCuuThongTinCongDan"
REGISTRATION = "/apiHoTichTuPhap/1.0/dangKyHoTich"
EXTRACT = "/apiHoTichTuPhap/1.0/traHoSo"
CRIMINAL_RECORD = "/apiLyLichTuPhap/1.0/nhanHoSoDangKy"
LAND_DOSSIER = "/apiDatDai/1.0/TiepNhanHoSo"
PARCELS = "/apiDatDai/1.0/TraCuuThuaDat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call: who, what, and how the node should end it. `prepare` brings about what it shows.

    The answer is printed where it `shows` something: all the people in it are invented.
    """

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
    shows: bool = False


def steps(sandboxes: Mapping[str, Sandbox], processes: Mapping[str, SandboxProcess]) -> Iterator[Step]:
    """Yield the calls in order; what a step prepares is put right by the next ones."""
    dkdn, dmdc = sandboxes["dkdn"], sandboxes["dmdc"]
    known = {**sandboxes["dancu"].examples, **dkdn.examples}
    enterprise = {"msdn": dkdn.examples["msdn"]}
    yield from _lookups(dkdn.examples, dmdc.examples)
    yield from _personal_data(known)
    yield from _population(known)
    yield from _civil_status(known)
    yield from _dossiers_of_others(known)
    yield from _sandbox(known)
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
        caller=TOWN, headers=SYSTEM, path=f"{CATEGORY}/{dmdc.examples['category']}", expected="unreachable",
        prepare=processes["dmdc"].kill,
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


def _population(known: Mapping[str, str]) -> Iterator[Step]:
    person = {
        "SoDinhDanh": known["soDinhDanh"],
        "HoVaTen": known["hoVaTen"],
        "NgayThangNamSinh": known["ngaySinh"],
    }
    yield Step(
        vi="tra cứu công dân trong CSDL dân cư (SOAP); chỉ nhận các trường được cấp",
        en="looks a citizen up in the population database (SOAP), and gets the granted fields only",
        caller=COMMUNE, path=CITIZEN, document=person, headers=OFFICER, expected="success", shows=True,
    )  # fmt: skip
    yield Step(
        vi="tra cứu một số định danh không có: CSDL dân cư trả lời rỗng, đó không phải là sự cố",
        en="looks up a number that nobody has: the database answers with nothing, which is no outage",
        caller=COMMUNE, path=CITIZEN, document=person | {"SoDinhDanh": known["soDinhDanh_missing"]}, headers=OFFICER,
        expected="success",
    )  # fmt: skip
    yield Step(
        vi="tra cứu công dân cho một thủ tục mà CSDL dân cư chưa cấp phép (lỗi 004)",
        en="looks a citizen up for a procedure that the database has not licensed (error 004)",
        caller=COMMUNE, path=CITIZEN, document=person,
        headers=OFFICER | {"Lgsp-Procedure": known["maDVC_forbidden"]}, expected="business_failure", shows=True,
    )  # fmt: skip


def _civil_status(known: Mapping[str, str]) -> Iterator[Step]:
    child = {"hoTen": "Nguyễn Thị Giả Lập", "ngaySinh": "01/2026", "gioiTinh": "Nữ"}
    yield Step(
        vi="gửi hồ sơ khai sinh bằng JSON; nút đổi thành XML trong JSON cho CSDL hộ tịch",
        en="hands over a birth as JSON; the node makes XML inside JSON of it for the civil status database",
        caller=COMMUNE, path=REGISTRATION, headers=OFFICER, expected="success",
        document={"donVi": "H99.31", "maHoSo": "H99.31-260115-0001", "ngay": "2026-01-15", "tre": child},
    )  # fmt: skip
    yield Step(
        vi="lấy trích lục hộ tịch của chính công dân đó",
        en="fetches an extract about the same citizen",
        caller=COMMUNE, path=EXTRACT, headers=OFFICER, document={"soDinhDanh": known["soDinhDanh"]}, expected="success", shows=True,
    )  # fmt: skip


def _dossiers_of_others(known: Mapping[str, str]) -> Iterator[Step]:
    applicant = {
        "hoTen": known["hoVaTen"],
        "ngaySinh": known["ngaySinh"],
        "gioiTinh": known["gioiTinh"],
        "soDinhDanh": known["soDinhDanh"],
    }
    yield Step(
        vi="nộp hồ sơ lý lịch tư pháp; nút đổi ngày sinh, giới tính và loại giấy tờ",
        en="applies for a criminal record certificate; the node translates dates, genders and kinds of paper",
        caller=TOWN, path=CRIMINAL_RECORD, headers=SYSTEM, document=applicant, expected="success",
    )  # fmt: skip
    yield Step(
        vi="chuyển hồ sơ đất đai",
        en="hands over a land dossier",
        caller=TOWN, path=LAND_DOSSIER, headers=SYSTEM, expected="success",
        document={"SoBienNhan": "BN-990001", "MaHoSoMotCua": "H99.01-260115-0002"},
    )  # fmt: skip


def _sandbox(known: Mapping[str, str]) -> Iterator[Step]:
    query = {"soDinhDanh": known["soDinhDanh"]}
    yield Step(
        vi="thử tra cứu thửa đất trong môi trường thử nghiệm (không tính vào số liệu)",
        en="tries to look up land in the sandbox environment (which no figure counts)",
        caller=LAND, path=PARCELS, query=query, expected="success", shows=True,
    )  # fmt: skip
    yield Step(
        vi="thử nghiệm: tự đặt lỗi 503 bằng tiêu đề mock-fault",
        en="tries, still in the sandbox: orders an error 503 with the header mock-fault",
        caller=LAND, path=PARCELS, query=query, headers={"mock-fault": "503"}, expected="provider_failure",
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
