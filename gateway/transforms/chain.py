"""Several transforms in a row, and where they run.

What is small and quick is done on the event loop; what is small and slow in a thread. A large document goes to a guest
process: reading, building and freeing its millions of parts would keep all threads of the node waiting.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from anyio import CapacityLimiter, to_thread

from gateway.transforms.code_tables import Tables
from gateway.transforms.contract import BadSettings, Bounded, Document, OutOfTime, Transform
from gateway.transforms.guests import Guests, Work
from gateway.transforms.json_text import LARGE_BYTES
from gateway.transforms.kinds import build
from registry.documents import pointer_of
from registry.entities import TransformSpec

LARGE_SECONDS: Final = 20.0
Done = tuple[dict[str, Any], bytes]  # Any: JSON


class Chain:
    """Transforms in order. A chain that was once too slow for the event loop is not tried there again."""

    def __init__(
        self,
        steps: Sequence[Transform],
        specs: Sequence[TransformSpec],
        tables: Tables,
        guests: Guests | None,
    ) -> None:
        self.steps = tuple(steps)
        self._specs = specs
        self._tables = tables
        self._guests = guests
        self._is_slow = False

    def __bool__(self) -> bool:
        return bool(self.steps)

    def __call__(self, document: Document, *, hurry: bool = False) -> Document:
        """Return the document after all transforms. Raises Unfit."""
        for step in self.steps:
            document = step(document, hurry=hurry)
        return document

    async def apply(self, document: Document, threads: CapacityLimiter) -> Document:
        """Return the document after all transforms, without holding up the event loop. Raises Unfit.

        `threads` says how many may be at work beside it.
        """
        if len(document.body) < LARGE_BYTES and not self._is_slow:
            try:
                return self(document, hurry=True)
            except OutOfTime:
                self._is_slow = True
        work = self if self._guests is None or len(document.body) < LARGE_BYTES else self._far
        return await to_thread.run_sync(work, document, limiter=threads)

    def _far(self, document: Document) -> Document:
        """Do it in a guest process."""
        if self._guests is None:
            return self(document)
        about, body = self._guests.run(
            self._work, document.body, self._seconds(len(document.body)), media_type=document.media_type
        )
        return Document(body, about["media_type"], document.headers)

    def _seconds(self, size: int) -> float:
        """Return how long all transforms may take together: as long as each says, and a second a megabyte to read it."""
        allowed = (
            step.seconds(size) + size * 1e-6 if isinstance(step, Bounded) else LARGE_SECONDS
            for step in self.steps
        )
        return min(LARGE_SECONDS, sum(allowed))

    @cached_property
    def _work(self) -> Work:
        """The same for guests. When a code list changes there is a new chain."""
        specs = [{"kind": spec.kind, "settings": dict(spec.settings)} for spec in self._specs]
        return Work("chain", {"specs": specs, "tables": self._tables.render()})


def chain_of(specs: Sequence[TransformSpec], tables: Tables, guests: Guests | None) -> Chain:
    """Make a chain from what is declared; without guests all of it runs where it is made.

    Raises BadSettings with the pointer into the list.
    """
    steps: list[Transform] = []
    for number, spec in enumerate(specs):
        try:
            steps.append(build(spec.kind, spec.settings, tables, guests))
        except BadSettings as error:
            inner = error.pointer if error.pointer == "/kind" else f"/settings{error.pointer}"
            raise BadSettings(error.message, pointer_of([number]) + inner, error.place) from error
    return Chain(steps, specs, tables, guests)


def make_work(make: Mapping[str, Any]) -> Callable[[Mapping[str, Any], bytes], Done]:  # Any: JSON
    """Return what runs a chain in a guest process."""
    specs = [TransformSpec(kind=spec["kind"], settings=spec["settings"]) for spec in make["specs"]]
    chain = chain_of(specs, Tables.parse(make["tables"]), None)

    def work(header: Mapping[str, Any], body: bytes) -> Done:  # Any: as above
        made = chain(Document(body, header["media_type"]))
        return {"media_type": made.media_type}, made.body

    return work
