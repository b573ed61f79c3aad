"""Builders with defaults, so that a test states only what matters to it. Everybody in them is invented."""

from datetime import UTC, datetime
from typing import Any

from registry.entities import Kind
from registry.register import Register
from registry.stores import Author, Document, Registry, Stored

NODE = "H99"
NOON = datetime(2026, 11, 25, 5, 0, tzinfo=UTC)
"""Noon in Vietnam."""

ADMIN = Author(id="01900000-0000-7000-8000-000000000001", name="Quản trị nút (ví dụ)")
PROVIDER_ADMIN = Author(id="01900000-0000-7000-8000-000000000002", name="Bên cung cấp (ví dụ)")
LOCAL = Author(id="local", name="On the node's machine", via="local")


def an_organisation(code: str = "H99", **given: Any) -> Document:
    return {"code": code, "name_vi": f"Cơ quan {code} (ví dụ)", "name_en": f"Body {code} (example)"} | given


def a_database(code: str = "CSDLDN", **given: Any) -> Document:
    return {"code": code, "name_vi": f"Cơ sở dữ liệu {code} (ví dụ)", "owner": "G99"} | given


def a_system(code: str = "H99:mot-cua", **given: Any) -> Document:
    organisation = code.partition(":")[0]
    return {
        "code": code,
        "name_vi": f"Hệ thống {code} (ví dụ)",
        "organisation": organisation,
        "kind": "one-stop-shop",
        "security_level": 3,
    } | given


def a_need(system: str = "H99:mot-cua", database: str = "CSDLDN", **given: Any) -> Document:
    return {"system": system, "national_database": database, "legal_basis": "Văn bản ví dụ"} | given


def a_service(name: str = "DoanhNghiep", **given: Any) -> Document:
    return {
        "name": name,
        "title_vi": f"Tra cứu {name} (ví dụ)",
        "title_en": f"Look up {name} (example)",
        "provider": "G99:csdl",
    } | given


def an_operation(name: str = "chiTiet", path: str = "/chiTietDoanhNghiep", **given: Any) -> Document:
    return {"name": name, "path": path} | given


def an_endpoint(**given: Any) -> Document:
    return {"connector": "echo", "settings": {}} | given


def a_version(service: str = "DoanhNghiep", version: str = "1.0", **given: Any) -> Document:
    return {
        "service": service,
        "version": version,
        "operations": [an_operation()],
        "endpoints": {"production": an_endpoint()},
    } | given


def a_grant(consumer: str = "H99:mot-cua", service: str = "DoanhNghiep", **given: Any) -> Document:
    return {"consumer": consumer, "service": service, "legal_basis": "Văn bản ví dụ"} | given


def a_client(name: str = "Một cửa (ví dụ)", **given: Any) -> Document:
    given.setdefault("system", None if given.get("role") else "H99:mot-cua")
    return {"name": name} | given


def an_officer(code: str = "CB-01", **given: Any) -> Document:
    return {"code": code, "organisation": "H99"} | given


def a_delegation(organisation: str = "G99", **given: Any) -> Document:
    return {"organisation": organisation, "legal_basis": "Văn bản uỷ quyền ví dụ"} | given


def a_code_list(code: str = "gioi-tinh", **given: Any) -> Document:
    codes = [{"code": "1", "name_vi": "Nam"}, {"code": "2", "name_vi": "Nữ"}]
    return {"code": code, "name_vi": "Giới tính", "codes": codes} | given


def a_register(registry: Registry, **given: Any) -> Register:
    return Register(registry, node=NODE, **given)


async def a_small_province(register: Register) -> dict[str, Stored]:
    """A province with one one-stop shop, a ministry with one database and its published service, and a grant."""
    add = register.add
    made = {
        "province": await add(Kind.ORGANISATION, an_organisation("H99", kind="province"), ADMIN),
        "ministry": await add(Kind.ORGANISATION, an_organisation("G99", kind="ministry"), ADMIN),
        "database": await add(Kind.NATIONAL_DATABASE, a_database(), ADMIN),
        "consumer": await add(Kind.SYSTEM, a_system(), ADMIN),
        "provider": await add(Kind.SYSTEM, a_system("G99:csdl", kind="database"), ADMIN),
        "need": await add(Kind.NEED, a_need(), ADMIN),
        "service": await add(Kind.SERVICE, a_service(), ADMIN),
    }
    draft = await add(Kind.VERSION, a_version(national_database="CSDLDN"), ADMIN)
    made["version"] = await register.step(
        Kind.VERSION, draft.id, "publish", {}, expected_version=1, author=ADMIN
    )
    request = await add(Kind.GRANT, a_grant(), ADMIN)
    made["grant"] = await register.step(
        Kind.GRANT, request.id, "approve", {}, expected_version=1, author=PROVIDER_ADMIN
    )
    made["client"] = await add(Kind.CLIENT, a_client(), ADMIN)
    return made
