"""Keeps the ring of signing keys the same as the database's, so that every worker sees a new key before it signs."""

import asyncio
from collections.abc import Callable, Iterable
from time import time

from auth.keys import KeyRing, SigningKey
from registry.errors import RegistryError
from registry.sql.keys import KeyStore, StoredKey

POLL_SECONDS = 1.0


class KeyWatch:
    """Fills `ring` from the store. Call `open` before the first token, and run `run` beside the server."""

    def __init__(self, store: KeyStore, ring: KeyRing, *, now: Callable[[], float] = time) -> None:
        self._store = store
        self._ring = ring
        self._now = now

    async def open(self) -> None:
        """Fill the ring, making the first key of the node if need be. Raises StoreUnavailable, KeysUnreadable."""
        self._take(await self._store.ensure(self._now()))

    async def refresh(self) -> None:
        """Bring the ring up to date. Raises as `open` does; the keys in use then stay."""
        self._take(await self._store.search(self._now()))

    async def rotate(self, *, at_once: bool = False) -> str:
        """Add a key and return its id; the old ones verify until the last token made with them has expired.

        With `at_once` (a key has leaked) the new one signs now and every older token ends.
        """
        if at_once:
            made = await self._store.rotate(self._now(), lead_seconds=0, overlap_seconds=0)
        else:
            made = await self._store.rotate(self._now())
        await self.refresh()
        return made.kid

    async def run(
        self, failed: Callable[[RegistryError], None], *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        """Keep the ring up to date for ever; `failed` hears of each time that the store could not be read."""
        while True:
            await asyncio.sleep(poll_seconds)
            try:
                await self.refresh()
            except RegistryError as error:
                failed(error)

    def _take(self, stored: Iterable[StoredKey]) -> None:
        self._ring.replace(SigningKey.parse(key) for key in stored)
