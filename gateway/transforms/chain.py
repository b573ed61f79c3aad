"""Several transforms in a row, and where they run: on the event loop when small and quick, else in a thread."""

from collections.abc import Sequence

from anyio import CapacityLimiter, to_thread

from gateway.transforms.code_tables import Tables
from gateway.transforms.contract import BadSettings, Document, OutOfTime, Transform
from gateway.transforms.guests import Guests
from gateway.transforms.json_text import LARGE_BYTES
from gateway.transforms.kinds import build
from registry.documents import pointer_of
from registry.entities import TransformSpec


class Chain:
    """Transforms in order. A chain that was once too slow for the event loop is not tried there again."""

    def __init__(self, steps: Sequence[Transform]) -> None:
        self.steps = tuple(steps)
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
        return await to_thread.run_sync(self, document, limiter=threads)


def chain_of(specs: Sequence[TransformSpec], tables: Tables, guests: Guests) -> Chain:
    """Make a chain from what is declared. Raises BadSettings with the pointer into the list."""
    steps: list[Transform] = []
    for number, spec in enumerate(specs):
        try:
            steps.append(build(spec.kind, spec.settings, tables, guests))
        except BadSettings as error:
            inner = error.pointer if error.pointer == "/kind" else f"/settings{error.pointer}"
            raise BadSettings(error.message, pointer_of([number]) + inner, error.place) from error
    return Chain(steps)
