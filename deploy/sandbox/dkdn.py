"""The national enterprise registration database (ĐKDN), as its clients in the field see it.

Everything but a missing token is answered with HTTP 200: whether it went well stands in `Status` ("1" or "0") and
`Message`. Dates are dd/MM/yyyy, `HOAdress` is spelt that way, and a list of dossiers spans at most five days.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.credentials import Credentials, OAuthTokens
from deploy.sandbox.invented import MARK, Enterprise, enterprises

BASE = "/apiCSDLDKDN/1.0"
MAX_SPAN = timedelta(days=5)
NUMBER = re.compile(r"\d{10}(\d{3})?")
PAGE = 100


def create_app(secret: str) -> Starlette:
    """Return the database; `secret` is that of the client `lgsp` at its `/token`."""
    tokens = OAuthTokens(secret)
    database = EnterpriseDatabase(tokens)
    return Starlette(
        routes=[
            Route("/token", tokens.answer_token, methods=["POST"]),
            Route(f"{BASE}/chiTietDoanhNghiep", database.enterprise),
            Route(f"{BASE}/danhSachHoSo", database.dossiers),
            Route(f"{BASE}/danhSachHoSoTrongNgay", database.dossiers_of_the_day),
        ]
    )


def examples() -> Mapping[str, str]:
    """Return arguments that work, and one that finds nothing."""
    numbers = list(enterprises())
    return {"msdn": numbers[0], "msdn_other": numbers[1], "msdn_missing": "9999999999"}


class EnterpriseDatabase:
    """Answers look-ups in the invented enterprises."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._enterprises = enterprises()

    async def enterprise(self, request: Request) -> Response:
        """`chiTietDoanhNghiep?msdn=`: one enterprise."""
        if not self._credentials.hold_for(request):
            return _unauthorised()
        number = request.query_params.get("msdn", "")
        if not NUMBER.fullmatch(number):
            return _failed("Mã số doanh nghiệp không hợp lệ")
        found = self._enterprises.get(number)
        return _done([], "Không tìm thấy doanh nghiệp") if found is None else _done(_details(found))

    async def dossiers(self, request: Request) -> Response:
        """`danhSachHoSo?from_date=&to_date=`: dossiers filed within at most five days."""
        if not self._credentials.hold_for(request):
            return _unauthorised()
        try:
            first, last = _day(request.query_params["from_date"]), _day(request.query_params["to_date"])
        except (KeyError, ValueError):
            return _failed("from_date, to_date phải theo định dạng dd/MM/yyyy")
        if first > last:
            return _failed("from_date phải trước to_date")
        if last - first > MAX_SPAN:
            return _failed("Khoảng thời gian tra cứu không được vượt quá 5 ngày")
        return self._filed_between(first, last, 0, PAGE)

    async def dossiers_of_the_day(self, request: Request) -> Response:
        """`danhSachHoSoTrongNgay?from_ts=&to_ts=&offset=&limit=`: times in seconds, within one day."""
        if not self._credentials.hold_for(request):
            return _unauthorised()
        asked = request.query_params
        try:
            first, last = (datetime.fromtimestamp(int(asked[name]), UTC) for name in ("from_ts", "to_ts"))
            offset, limit = int(asked.get("offset", "0")), int(asked.get("limit", str(PAGE)))
        except (KeyError, ValueError, OverflowError, OSError):
            return _failed("from_ts, to_ts, offset, limit phải là số")
        if last < first or last - first > timedelta(days=1) or offset < 0 or not 0 < limit <= PAGE:
            return _failed("Chỉ tra cứu hồ sơ trong một ngày, tối đa 100 bản ghi một lần")
        return self._filed_between(first.date(), last.date(), offset, limit)

    def _filed_between(self, first: date, last: date, offset: int, limit: int) -> Response:
        found = [_dossier(e) for e in self._enterprises.values() if first <= e.filed <= last]
        return _done(found[offset : offset + limit], "" if found else "Không có hồ sơ")


def _details(enterprise: Enterprise) -> dict[str, object]:
    code, trade = enterprise.trade
    return {
        "MainInformation": {
            "NAME": enterprise.name,
            "SHORT_NAME": None,
            "ENTERPRISE_GDT_CODE": enterprise.number,
            "ENTERPRISE_TYPE_NAME": "Công ty trách nhiệm hữu hạn một thành viên",
            "ENTERPRISE_STATUS": 3 if enterprise.dissolved else 1,
            "ENTERPRISE_STATUS_NAME": "Đã giải thể" if enterprise.dissolved else "Đang hoạt động",
            "LEGAL_NAMES": enterprise.representative,
            "CAPITAL_AMOUNT": enterprise.capital,
            "FOUNDING_DATE": _vietnamese(enterprise.founded),
            "LAST_AMEND_DATE": _vietnamese(enterprise.filed),
            "NUMBER_CHANGES": 1,
            **MARK,
        },
        "HOAdress": {"AddressFullText": enterprise.address},
        "Representatives": [{"FULL_NAME": enterprise.representative, "POSITION_NAME": "Giám đốc"}],
        "BusinessActivity": [{"BUSINESS_CODE": code, "BUSINESS_NAME": trade, "IS_MAIN": "Y"}],
        "Member": [],
    }


def _dossier(enterprise: Enterprise) -> dict[str, object]:
    return {
        "IN_JOURNAL_NO": f"99{enterprise.number[2:8]}/26",
        "ENTERPRISE_GDT_CODE": enterprise.number,
        "NAME": enterprise.name,
        "FILED_DATE": _vietnamese(enterprise.filed),
        "PROCESS_STATUS": "Đã cấp đăng ký",
        **MARK,
    }


def _day(text: str) -> date:
    return datetime.strptime(text, "%d/%m/%Y").replace(tzinfo=UTC).date()


def _vietnamese(day: date) -> str:
    return day.strftime("%d/%m/%Y")


def _done(data: dict[str, object] | list[dict[str, object]], message: str = "Thành công") -> Response:
    count = len(data) if isinstance(data, list) else 1
    return JSONResponse({"Status": "1", "Message": message, "DataCount": count, "Data": data, **MARK})


def _failed(message: str) -> Response:
    return JSONResponse({"Status": "0", "Message": message, **MARK})


def _unauthorised() -> Response:
    return JSONResponse({"Status": "0", "Message": "Invalid Credentials"}, 401)
