"""Where the keys that sign the ledger are kept: in the ledger's own database, private halves under the node key."""

from collections.abc import Callable, Sequence
from os import urandom
from time import time_ns
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from registry.errors import KeysUnreadable
from registry.signing import Introduction, KeyList, KeyStatement, SealingKey, Signer, introduce
from registry.sql.database import dispose, open_engine, translated, writing
from registry.sql.ledger_tables import keys

LEAD_US = 10_000_000
"""A new key is known to every writer this long before it signs."""
GRACE_US = 300_000_000
"""How long the key before it may still sign, for a writer that has not heard of the new one."""
NONCE_BYTES = 12


def now_us() -> int:
    """Return the time in microseconds since the epoch."""
    return time_ns() // 1000


class LedgerKeys:
    """The keys of one node. Raises StoreUnavailable when the database is not there, KeysUnreadable for a foreign one.

    Every key has the next number, so of two rotations at the same moment one wins and the other sees its result.
    """

    def __init__(
        self, engine: AsyncEngine, node_key: bytes, *, node: str, now: Callable[[], int] = now_us
    ) -> None:
        self.node = node
        self._engine = engine
        self.now = now
        derived = HKDF(SHA256(), 32, salt=None, info=b"lgsp ledger keys v1").derive(node_key)
        self._cipher = AESGCM(derived)

    async def signer(self) -> Signer:
        """Return the node's signer; its first key is made when there is none. Safe from many processes."""
        if not await self.introductions():
            with translated():
                async with writing(self._engine).begin() as connection:
                    await self._insert(connection, start=self.now(), retires=0, before=None)
        return Signer(await self._living())

    async def refresh(self, signer: Signer) -> None:
        """Let a signer know of keys that were added since."""
        signer.replace(await self._living())

    async def introductions(self) -> Sequence[Introduction]:
        """Return all keys' statements, the first one first."""
        with translated():
            async with self._engine.connect() as connection:
                return [introduction(row) for row in await self._rows(connection)]

    async def rotate(self, *, leaked: bool = False) -> Introduction:
        """Add a key that signs from in ten seconds on, endorsed by the one before it.

        The old key may sign for five more minutes, or not a moment longer when it has leaked. Private halves
        that sign no more are destroyed.
        """
        with translated():
            async with writing(self._engine).begin() as connection:
                before = self._open((await self._rows(connection))[-1])
                start = max(self.now(), before.statement.start) + LEAD_US
                await self._insert(
                    connection, start=start, retires=start if leaked else start + GRACE_US, before=before
                )
                await self._destroy(connection, before.statement)
        return (await self.introductions())[-1]

    async def _rows(self, connection: AsyncConnection) -> Sequence[Row[Any]]:
        rows: Sequence[Row[Any]] = (await connection.execute(key_query(self.node))).all()
        return rows

    async def _living(self) -> list[SealingKey]:
        with translated():
            async with self._engine.connect() as connection:
                return [self._open(row) for row in await self._rows(connection) if row.sealed]

    async def _insert(
        self, connection: AsyncConnection, *, start: int, retires: int, before: SealingKey | None
    ) -> None:
        private = Ed25519PrivateKey.generate()
        made = introduce(private, node=self.node, start=start, retires=retires, before=before)
        row = {
            "node": self.node,
            "number": made.statement.number,
            "statement": made.statement.body(),
            "signature": made.signature,
            "endorsement": made.endorsement,
            "sealed": self._seal(private, made.statement),
        }
        try:
            async with connection.begin_nested():
                await connection.execute(insert(keys).values(row))
        except IntegrityError:
            return  # another process was faster, and its key is the one to use

    async def _destroy(self, connection: AsyncConnection, last: KeyStatement) -> None:
        """Destroy the keys before `last`, once it has retired them."""
        if last.retires <= self.now():
            await connection.execute(
                update(keys).where(keys.c.node == self.node, keys.c.number < last.number).values(sealed=b"")
            )

    def _seal(self, private: Ed25519PrivateKey, statement: KeyStatement) -> bytes:
        nonce = urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, private.private_bytes_raw(), statement.id)

    def _open(self, row: Row[Any]) -> SealingKey:
        statement = KeyStatement.parse(row.statement)
        try:
            private = self._cipher.decrypt(row.sealed[:NONCE_BYTES], row.sealed[NONCE_BYTES:], statement.id)
        except (InvalidTag, ValueError) as error:
            raise KeysUnreadable(
                f"ledger key {statement.number} was not sealed under this node key"
            ) from error
        return SealingKey(statement=statement, private=Ed25519PrivateKey.from_private_bytes(private))


def key_query(node: str) -> Select[Any]:
    """Return the query for a node's keys, the first one first."""
    return select(keys).where(keys.c.node == node).order_by(keys.c.number)


def introduction(row: Row[Any]) -> Introduction:
    """Return what a row of `key_query` says, unchecked."""
    return Introduction(
        statement=KeyStatement.parse(row.statement), signature=row.signature, endorsement=row.endorsement
    )


async def key_list(connection: AsyncConnection, node: str) -> KeyList:
    """Return a node's keys, checked. Raises ChainBroken."""
    return KeyList(introduction(row) for row in (await connection.execute(key_query(node))).all())


async def open_signer(url: str, node_key: bytes, *, node: str) -> Signer:
    """Return the signer of a node's ledger; its first key is made when there is none."""
    engine = open_engine(url)
    try:
        return await LedgerKeys(engine, node_key, node=node).signer()
    finally:
        await dispose(engine)
