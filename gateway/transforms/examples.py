"""Whether a version's transforms can be made, and do what its examples say: asked before the version is taken in."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from time import monotonic

from anyio import CapacityLimiter, to_thread

from gateway.transforms.chain import Chain, chain_of
from gateway.transforms.code_tables import CodeTable, OrganisationCodes, Tables
from gateway.transforms.contract import BadSettings, Document, Unfit
from gateway.transforms.golden import is_same
from gateway.transforms.guests import Guests
from gateway.transforms.trial import Trial, try_transforms
from registry.documents import pointer_of
from registry.entities import CodeList, Example, Transforms, TransformSpec, Version
from registry.errors import Flaw

MOST_SECONDS = 20.0
AT_ONCE = 2
FindList = Callable[[str], Awaitable[CodeList | None]]


class TransformChecks:
    """Checks and tries transforms, off the event loop."""

    def __init__(self, guests: Guests, organisations: Callable[[], OrganisationCodes] | None = None) -> None:
        self._guests = guests
        self._organisations = organisations
        self._threads = CapacityLimiter(AT_ONCE)

    async def __call__(self, version: Version, find_list: FindList) -> Sequence[Flaw]:
        """Return what is wrong with a version's transforms and examples."""
        if not any(has_transforms(operation.transforms) for operation in version.operations):
            return ()
        tables = await self._tables(lists_of(version), find_list)
        return await to_thread.run_sync(self._flaws, version, tables, limiter=self._threads)

    async def run_trial(self, specs: Sequence[TransformSpec], sample: bytes, find_list: FindList) -> Trial:
        """Run transforms on a sample, for their author."""
        tables = await self._tables({slug for spec in specs for slug in _named(spec)}, find_list)
        return await to_thread.run_sync(
            try_transforms, specs, sample, tables, self._guests, limiter=self._threads
        )

    async def _tables(self, slugs: set[str], find_list: FindList) -> Tables:
        found = {slug: await find_list(slug) for slug in sorted(slugs)}
        lists = {slug: CodeTable(entity) for slug, entity in found.items() if entity is not None}
        return Tables(lists, self._organisations)

    def _flaws(self, version: Version, tables: Tables) -> list[Flaw]:
        deadline = monotonic() + MOST_SECONDS
        return [
            flaw
            for number, operation in enumerate(version.operations)
            for flaw in _flaws_of(
                operation.transforms,
                pointer_of(["operations", number, "transforms"]),
                tables,
                self._guests,
                deadline,
            )
        ]


def has_transforms(transforms: Transforms) -> bool:
    """Say whether anything is declared."""
    return bool(transforms.request or transforms.reply or transforms.examples)


def lists_of(version: Version) -> set[str]:
    """Return the code lists that a version's transforms name."""
    return {
        slug
        for operation in version.operations
        for spec in (*operation.transforms.request, *operation.transforms.reply)
        for slug in _named(spec)
    }


def _named(spec: TransformSpec) -> Iterator[str]:
    named = spec.settings.get("code_lists", ())
    if isinstance(named, (list, tuple)):
        yield from (slug for slug in named if isinstance(slug, str))


def _flaws_of(
    transforms: Transforms, at: str, tables: Tables, guests: Guests, deadline: float
) -> Iterator[Flaw]:
    chains: dict[str, Chain] = {}
    for direction, specs in (("request", transforms.request), ("reply", transforms.reply)):
        try:
            chains[direction] = chain_of(specs, tables, guests)
        except BadSettings as error:
            where = f" (line {error.place.line}, column {error.place.column})" if error.place else ""
            yield Flaw(f"{at}/{direction}{error.pointer}", "transform-refused", f"{error.message}{where}")
    for number, example in enumerate(transforms.examples):
        if example.direction not in chains:
            continue
        if monotonic() > deadline:
            yield Flaw(
                f"{at}/examples", "examples-slow", f"The examples take longer than {MOST_SECONDS:.0f} s."
            )
            return
        wrong = _wrong(example, chains[example.direction])
        if wrong is not None:
            yield Flaw(f"{at}/examples/{number}", "example-differs", wrong)


def _wrong(example: Example, chain: Chain) -> str | None:
    try:
        got = chain(Document(example.given.encode())).body
    except Unfit as error:
        where = f" (line {error.place.line}, column {error.place.column})" if error.place else ""
        return f"The example fails: {error.message}{where}"[:500]
    except UnicodeEncodeError:
        return "The example holds half of a surrogate pair."
    if is_same(example.expected.encode(errors="replace"), got):
        return None
    return f"The example gives something else: {got.decode(errors='replace')}"[:500]
