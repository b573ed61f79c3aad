"""The registry's code lists and organisation codes, made ready to look codes up in. Immutable once built."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from pydantic import TypeAdapter

from gateway.transforms.people import NoSuchCode
from registry.documents import render
from registry.entities import Code, CodeList, Organisation
from registry.labels import key, new_form, old_form

ORGANISATIONS = "organisations"
_FIRST, _LAST = date.min, date.max


class ListUnknown(LookupError):
    """A code list that the registry does not hold."""


class CodeTable:
    """One edition of a code list. The same code may stand in it several times, for different days."""

    def __init__(self, list_: CodeList) -> None:
        self.list = list_
        self.slug = list_.code
        self.edition = list_.edition
        self._codes: defaultdict[str, list[Code]] = defaultdict(list)
        self._sources: defaultdict[tuple[str, str], list[Code]] = defaultdict(list)
        for code in list_.codes:
            self._codes[code.code].append(code)
            for slug, target in code.same_as.items():
                self._sources[slug, target].append(code)

    def find(self, code: str, on: date | None) -> Code | None:
        """Return the code as it was on a day; without a day, as it was last."""
        return _chosen(self._codes.get(code, ()), on)

    def get(self, code: str, on: date | None) -> Code:
        """Return the code as it was on a day. Raises NoSuchCode."""
        found = self.find(code, on)
        if found is None:
            raise NoSuchCode(f"The list {self.slug} ({self.edition}) holds no such code{_on(on)}.")
        return found

    def sources(self, slug: str, target: str, on: date | None) -> list[Code]:
        """Return the codes that say they are the same as `target` in the list `slug`."""
        return [code for code in self._sources.get((slug, target), ()) if on is None or _holds(code, on)]


def _holds(code: Code, on: date) -> bool:
    return (code.valid_from or _FIRST) <= on and (code.valid_to is None or on < code.valid_to)


def _chosen(codes: Iterable[Code], on: date | None) -> Code | None:
    if on is None:
        return max(codes, key=lambda code: code.valid_to or _LAST, default=None)
    return next((code for code in codes if _holds(code, on)), None)


def _on(day: date | None) -> str:
    return f" on {day.isoformat()}" if day else ""


def translate_code(code: str, source: CodeTable, target: CodeTable, on: date | None) -> str:
    """Turn a code of one list into the code of another list that means the same.

    Either list may say so (`same_as`). Raises NoSuchCode, also when more than one code would do.
    """
    said = source.get(code, on).same_as.get(target.slug)
    if said is not None:
        return said
    found = {other.code for other in target.sources(source.slug, code, on)}
    if len(found) != 1:
        many = "more than one code" if found else "no code"
        raise NoSuchCode(
            f"The list {target.slug} ({target.edition}) has {many} for this one of {source.slug}{_on(on)}."
        )
    return found.pop()


class OrganisationCodes:
    """The codes that organisations have in the two forms, as the registry knows them."""

    def __init__(self, organisations: Iterable[Organisation]) -> None:
        self.all = tuple(organisations)
        self._known: dict[str, Organisation] = {}
        for organisation in self.all:
            aliases = (alias.code for alias in organisation.aliases)
            for code in (organisation.code, organisation.old_code, *aliases):
                if code:
                    self._known.setdefault(key(code), organisation)

    def translate(self, code: str, form: str) -> str:
        """Return an organisation's code in the form `new` (Decision 20/2020) or `old` (QCVN 102:2016).

        What the registry says goes before the rule of thumb. Raises NoSuchCode.
        """
        known = self._known.get(key(code))
        if known is not None:
            said = known.code if form == "new" else known.old_code
            if said:
                return said
            code = known.code
        turn, other = (new_form, old_form) if form == "new" else (old_form, new_form)
        turned = turn(code)
        if turned is None and other(code) is None:
            raise NoSuchCode(f"The code has no {form} form.")
        return code if turned is None else turned


class Tables:
    """What transforms may look codes up in; notes which parts were used while they were built."""

    def __init__(
        self,
        code_lists: Mapping[str, CodeTable] | None = None,
        organisations: Callable[[], OrganisationCodes] | None = None,
    ) -> None:
        self._code_lists = code_lists or {}
        self._organisations = organisations or (lambda: OrganisationCodes(()))
        self.used: set[str] = set()

    def render(self) -> dict[str, Any]:  # Any: JSON
        """Return the parts that were used, as documents."""
        lists = [self._code_lists[slug].list for slug in sorted(self.used & set(self._code_lists))]
        known = self._organisations().all if ORGANISATIONS in self.used else ()
        return {
            "code_lists": [render(item) for item in lists],
            "organisations": [render(item) for item in known],
        }

    @classmethod
    def parse(cls, documents: Mapping[str, Any]) -> "Tables":
        """Read what `render` returned."""
        lists = [TypeAdapter(CodeList).validate_python(item) for item in documents["code_lists"]]
        known = [TypeAdapter(Organisation).validate_python(item) for item in documents["organisations"]]
        codes = OrganisationCodes(known)
        return cls({item.code: CodeTable(item) for item in lists}, lambda: codes)

    def code_list(self, slug: str) -> CodeTable:
        """Return a code list. Raises ListUnknown."""
        self.used.add(slug)
        try:
            return self._code_lists[slug]
        except KeyError:
            raise ListUnknown(slug) from None

    def organisations(self) -> OrganisationCodes:
        """Return the codes of organisations."""
        self.used.add(ORGANISATIONS)
        return self._organisations()
