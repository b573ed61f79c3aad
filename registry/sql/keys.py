"""Where the node's signing keys are kept, sealed under the node key, and which assertions have been used."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from os import urandom
from time import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from registry.errors import KeysUnreadable
from registry.sql.database import translated, writing

LONGEST_TOKEN_SECONDS = 86_400
"""The longest life that the settings allow a token."""
LEAD_SECONDS = 10
"""A new key is known to every worker this long before it signs, so that none meets a token it cannot verify."""
MARGIN_SECONDS = 60
"""What clocks of different machines may differ by."""
PRUNE_SECONDS = 60
NONCE_BYTES = 12

metadata = MetaData()

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kid", String(64), nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("active_from", BigInteger, nullable=False),
    Column("verifies_until", BigInteger, nullable=True),
)

used_assertions = Table(
    "used_assertions",
    metadata,
    Column("client", String(64), primary_key=True),
    Column("jti", String(255), primary_key=True),
    Column("expires", BigInteger, nullable=False, index=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A signing key: `private` is PKCS #8 in DER; times are epoch seconds, no end means "until replaced"."""

    number: int
    kid: str
    private: bytes = field(repr=False)
    active_from: int
    verifies_until: int | None


class KeyStore:
    """Keeps the node's ES256 keys. Private keys are AES-GCM-sealed under a key derived from the node key.

    Every key has the next number, so of two rotations at the same moment one wins and the other sees its result.
    """

    def __init__(
        self, engine: AsyncEngine, node_key: bytes, *, token_seconds: int = LONGEST_TOKEN_SECONDS
    ) -> None:
        self._engine = engine
        self._overlap = token_seconds + MARGIN_SECONDS
        derived = HKDF(SHA256(), 32, salt=None, info=b"lgsp signing keys v1").derive(node_key)
        self._cipher = AESGCM(derived)

    async def search(self, now: float) -> Sequence[StoredKey]:
        """Return the keys that verify now or later, the newest first. Raises StoreUnavailable, KeysUnreadable."""
        with translated():
            async with self._engine.connect() as connection:
                rows = await connection.execute(
                    select(signing_keys).where(_living(now)).order_by(signing_keys.c.number.desc())
                )
                return [self._open(row) for row in rows]

    async def ensure(self, now: float) -> Sequence[StoredKey]:
        """Make the first key if there is none; return the keys as `search` does. Safe from many processes."""
        made = self._seal(active_from=0)
        await self._insert(made, where=~exists().where(_living(now)))
        return await self.search(now)

    async def rotate(
        self, now: float, *, lead_seconds: int = LEAD_SECONDS, overlap_seconds: int | None = None
    ) -> StoredKey:
        """Add a key that signs from `lead_seconds` on; the others verify until their last token has expired.

        When a key has leaked, rotate with neither lead nor overlap: every token of the old keys ends at once.
        Keys that verify nothing any more are deleted.
        """
        overlap = self._overlap if overlap_seconds is None else overlap_seconds
        starts = int(now) + lead_seconds
        await self._insert(self._seal(active_from=starts), ends=starts + overlap, now=now)
        return (await self.search(now))[0]

    async def _insert(
        self,
        values: dict[str, object],
        *,
        where: ColumnElement[bool] | None = None,
        ends: int | None = None,
        now: float = 0.0,
    ) -> None:
        """Insert a key under the next number; give the ones before it an end, and drop those past theirs.

        On PostgreSQL two processes may find the same number; the primary key then lets one through.
        """
        number = select(
            func.coalesce(func.max(signing_keys.c.number), 0) + 1,
            *(literal(value, signing_keys.c[name].type) for name, value in values.items()),
        )
        if where is not None:
            number = select(*number.subquery().c).where(where)
        with suppress(IntegrityError), translated():
            async with writing(self._engine).begin() as connection:
                await connection.execute(insert(signing_keys).from_select(["number", *values], number))
                if ends is not None:
                    await self._end_others(connection, str(values["kid"]), ends, now)

    @staticmethod
    async def _end_others(connection: AsyncConnection, kid: str, ends: int, now: float) -> None:
        until = signing_keys.c.verifies_until
        await connection.execute(
            update(signing_keys)
            .where(signing_keys.c.kid != kid, or_(until.is_(None), until > ends))
            .values(verifies_until=ends)
        )
        await connection.execute(delete(signing_keys).where(until <= int(now) - MARGIN_SECONDS))

    def _seal(self, *, active_from: int) -> dict[str, object]:
        """Make a key and return its row, private half sealed."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        kid = urlsafe_b64encode(sha256(public).digest()[:15]).decode("ascii")
        private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        nonce = urandom(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, private, kid.encode("ascii"))
        return {"kid": kid, "sealed": sealed, "active_from": active_from, "verifies_until": None}

    def _open(self, row: Row[int, str, bytes, int, int | None]) -> StoredKey:
        number, kid, sealed, active_from, verifies_until = row
        try:
            private = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], kid.encode("ascii"))
        except InvalidTag as error:
            raise KeysUnreadable(f"signing key {kid} was not sealed under this node key") from error
        return StoredKey(
            number=number,
            kid=kid,
            private=private,
            active_from=active_from,
            verifies_until=verifies_until,
        )


class AssertionStore:
    """Remembers which assertions have been used, until they have expired."""

    def __init__(self, engine: AsyncEngine, *, now: Callable[[], float] = time) -> None:
        self._engine = engine
        self._now = now
        self._pruned_at = 0.0

    async def use_once(self, jti: str, client: str, expires: float) -> bool:
        """Use up a client's `jti`; False when it has been used before. Of many at once exactly one gets True.

        Raises StoreUnavailable: then nothing is known, and no token may be given.
        """
        row = {"client": client, "jti": jti, "expires": int(expires) + MARGIN_SECONDS}
        try:
            with translated():
                async with writing(self._engine).begin() as connection:
                    await connection.execute(insert(used_assertions).values(row))
                    await self._prune(connection)
        except IntegrityError:
            return False
        return True

    async def _prune(self, connection: AsyncConnection) -> None:
        now = self._now()
        if now - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = now
            await connection.execute(delete(used_assertions).where(used_assertions.c.expires < int(now)))


def _living(now: float) -> ColumnElement[bool]:
    until = signing_keys.c.verifies_until
    return or_(until.is_(None), until > int(now))
