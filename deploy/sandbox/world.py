"""Whom the sandbox knows: the same invented people and enterprises in every database, made by the `mock` connector.

Numbers of people begin with 99999 and those of enterprises with 99, which no province and no tax office uses, so that none of
them can belong to anybody. Every record carries `sandbox: true` and the words "dữ liệu giả lập".
"""

from collections.abc import Mapping

from connectors.builtin.mock.people import Person, Register, person

SEED = "2026"
HOUSEHOLDS = 30
REGISTER = Register(SEED, HOUSEHOLDS)


def find(number: str) -> Person | None:
    """Return the person with a personal number."""
    return person(SEED, number) if REGISTER.has_person(number) else None


def examples() -> Mapping[str, str]:
    """Return arguments that find somebody, and such that find nobody, for all databases."""
    number = next(REGISTER.numbers())
    somebody = person(SEED, number)
    return {
        "soDinhDanh": number,
        "soCMND": number[3:],
        "maSoBhxh": number[2:],
        "hoVaTen": somebody.name,
        "ngaySinh": f"{somebody.born:%Y-%m-%d}",
        "gioiTinh": "2" if somebody.woman else "1",
        "msdn": REGISTER.enterprise_number(1),
        "msdn_other": REGISTER.enterprise_number(2),
        "soDinhDanh_missing": "999999999999",
        "maSoBhxh_missing": "9999999999",
        "msdn_missing": "9999999999",
    }
