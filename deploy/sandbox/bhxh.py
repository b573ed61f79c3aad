"""The national social insurance database (BHXH), as its clients in the field see it.

Answers are wrapped as a provincial platform wraps them: `{code, status, correlationId, response}`, with the name of the
operation inside; how it went stands in `errorCode` deep in the answer. Dates are yyyyMMdd, of which `loaiNgaySinh` says
how much is known (0 all, 1 the year, 2 year and month); `gioiTinh` is 1 man, 2 woman, 3 other.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.credentials import Credentials, StaticHeader
from deploy.sandbox.invented import MARK, PROVINCE_CODE, Person, households

BASE = "/apiBHXH/1.0"
HEADER = "lgspaccesstoken"
NUMBER = re.compile(r"\d{10}")
OK, NOT_FOUND, BAD_INPUT = "0", "1", "2"
"""Values of `errorCode`; those of the real database are not public."""


def create_app(secret: str) -> Starlette:
    """Return the database; `secret` is the value of the header `lgspaccesstoken`."""
    database = InsuranceDatabase(StaticHeader(HEADER, secret))
    return Starlette(
        routes=[
            Route(f"{BASE}/getTraCuuTtHgdByMaSoBhxh", database.household_of, methods=["POST"]),
            Route(f"{BASE}/getMaSoBhxhTheoTieuChi", database.numbers_of, methods=["POST"]),
            Route(f"{BASE}/getTraCuuThongTinHgd", database.households_of_head, methods=["POST"]),
        ]
    )


def examples() -> Mapping[str, str]:
    """Return arguments that work, and one that finds nothing."""
    first = households()[0][0]
    return {"maSoBhxh": first.insurance, "maSoBhxh_missing": "9999999999", "hoTen": first.name}


class InsuranceDatabase:
    """Answers look-ups in the invented households."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._households = households()

    async def household_of(self, request: Request) -> Response:
        """Return the household of the person with `maSoBhxh`."""
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        number = asked.get("maSoBhxh")
        if not isinstance(number, str) or not NUMBER.fullmatch(number):
            return _answer("TST_GetTraCuuTtHgdByMaSoBhxhResponse", BAD_INPUT)
        found = [home for home in self._households if any(p.insurance == number for p in home)]
        return _answer("TST_GetTraCuuTtHgdByMaSoBhxhResponse", OK, found[0] if found else [])

    async def numbers_of(self, request: Request) -> Response:
        """Return the persons who fit `hoTen`, `ngaySinh` with `loaiNgaySinh`, and `gioiTinh`."""
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        if not isinstance(asked.get("hoTen"), str):
            return _answer("TST_GetMaSoBhxhTheoTieuChiResponse", BAD_INPUT)
        found = [p for home in self._households for p in home if _fits(p, asked)]
        return _answer("TST_GetMaSoBhxhTheoTieuChiResponse", OK, found)

    async def households_of_head(self, request: Request) -> Response:
        """Return the household whose head is called `hoTen`."""
        asked = await self._asked(request)
        if isinstance(asked, Response):
            return asked
        found = [home for home in self._households if home[0].name == asked.get("hoTen")]
        return _answer("TST_GetTraCuuThongTinHgdResponse", OK, found[0] if found else [])

    async def _asked(self, request: Request) -> dict[str, Any] | Response:  # Any: JSON, each field is checked
        if not self._credentials.hold_for(request):
            return JSONResponse({"code": 401, "status": "UNAUTHORIZED"}, 401)
        try:
            asked = await request.json()
        except ValueError:
            asked = None
        return asked if isinstance(asked, dict) else JSONResponse({"code": 400, "status": "BAD_REQUEST"}, 400)


def _fits(person: Person, asked: Mapping[str, Any]) -> bool:  # Any: JSON
    known = {0: 8, 1: 4, 2: 6}.get(asked.get("loaiNgaySinh", 0), 8)
    born = asked.get("ngaySinh")
    return (
        person.name == asked["hoTen"]
        and (born is None or person.born.strftime("%Y%m%d")[:known] == str(born)[:known])
        and asked.get("gioiTinh", _sex(person)) == _sex(person)
    )


def _sex(person: Person) -> int:
    return 2 if person.woman else 1


def _answer(operation: str, error_code: str, found: list[Person] | None = None) -> Response:
    if error_code == OK and not found:
        error_code = NOT_FOUND
    body = {
        "code": 200,
        "status": "OK" if error_code == OK else "FAIL",
        "correlationId": str(uuid.uuid4()),
        "response": {
            operation: {
                "successful": {"dataThongTinHgd": [_row(p) for p in found or []], "errorCode": error_code}
            }
        },
        **MARK,
    }
    return JSONResponse(body)


def _row(person: Person) -> dict[str, object]:
    return {
        "maSoBhxh": person.insurance,
        "hoTen": person.name,
        "soSoCu": None,
        "ngaySinh": person.born.strftime("%Y%m%d"),
        "loaiNgaySinh": 0,
        "gioiTinh": _sex(person),
        "maTinhKs": PROVINCE_CODE,
        "trangThai": 1,
        **MARK,
    }
