"""The shared code lists (DMDC), as their clients in the field see them.

The lists are real and public (`data/`). What goes wrong is said only in the text of `MSG`, with HTTP 200: "Done" is
the one word for success.
"""

import csv
from collections.abc import Mapping
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.credentials import Basic, Credentials

BASE = "/dmdc"
LISTS = {
    "TrangThaiHoSo": "dossier_status.csv",
    "TrangThaiVanBan": "document_status.csv",
    "TinhThanh": "provinces_34.csv",
    "TinhThanhCu": "provinces_63.csv",
}
MAX_RECORDS = 1000
Row = dict[str, str]


def create_app(secret: str) -> Starlette:
    """Return the database; `secret` is the password of the user `lgsp`."""
    database = CodeLists(Basic(secret))
    return Starlette(
        routes=[
            Route(f"{BASE}/Metadata/{{category}}", database.metadata),
            Route(f"{BASE}/Category/{{category}}", database.rows, methods=["GET"]),
            Route(f"{BASE}/Category/{{category}}", database.insert, methods=["POST"]),
        ]
    )


def examples() -> Mapping[str, str]:
    """Return the name of a list, and one that does not exist."""
    return {"category": "TrangThaiHoSo", "category_missing": "KhongCoDanhMuc"}


class CodeLists:
    """Answers from the lists; what is inserted lasts as long as the process."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lists = {name: _read(file) for name, file in LISTS.items()}

    async def metadata(self, request: Request) -> Response:
        """`Metadata/{category}`: the columns of a list."""
        if not self._credentials.hold_for(request):
            return _unauthorised()
        rows = self._lists.get(request.path_params["category"])
        if rows is None:
            return _said("Category not found")
        return JSONResponse(
            [{"PropertyCode": name, "PropertyName": name, "PropertyType": "String"} for name in rows[0]]
        )

    async def rows(self, request: Request) -> Response:
        """`GET Category/{category}`: the rows of a list."""
        if not self._credentials.hold_for(request):
            return _unauthorised()
        rows = self._lists.get(request.path_params["category"])
        return _said("Category not found") if rows is None else _said("Done", len(rows), rows)

    async def insert(self, request: Request) -> Response:
        """`POST Category/{category}`: add rows, all of them or none."""
        if not self._credentials.hold_for(request):
            return _unauthorised()
        rows = self._lists.get(request.path_params["category"])
        if rows is None:
            return _said("Category not found")
        try:
            records = await request.json()
        except ValueError:
            records = None
        wrong = _wrong(records, rows)
        if wrong:
            return _said(f"Data not insert: {wrong}")
        rows.extend(records)
        return _said("Done", len(records))


def _wrong(records: object, rows: list[Row]) -> str | None:
    """Say what is wrong with the first bad record."""
    if not isinstance(records, list) or not 0 < len(records) <= MAX_RECORDS:
        return "a list of records is expected"
    known = {row["code"] for row in rows}
    for number, record in enumerate(records, 1):
        code = record.get("code") if isinstance(record, dict) else None
        if not isinstance(code, str) or set(record) != set(rows[0]):
            return f"Record {number}: its columns are not those of the category"
        if code in known:
            return f"Record {number}: {code} is duplicate"
        known.add(code)
    return None


def _read(file: str) -> list[Row]:
    text = files("deploy.sandbox").joinpath("data", file).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _said(text: str, count: int = 0, rows: list[Row] | None = None) -> Response:
    body: dict[str, object] = {"MSG": text, "Count": count}
    return JSONResponse(body if rows is None else body | {"Data": rows})


def _unauthorised() -> Response:
    return JSONResponse({"MSG": "Unauthorized", "Count": 0}, 401, {"WWW-Authenticate": "Basic"})
