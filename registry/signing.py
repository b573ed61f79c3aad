"""Who vouches for the ledger: Ed25519 keys, and the list of statements that says which key signs when.

Every key has a statement: who made it, its public half, from when it signs, when the one before it ends, and the
hash of the statement before. The new key and the one before sign it both. So whoever knows the hash of one
statement, a key's id, knows the whole list before it, and whom to believe after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from registry.canonical import parse, render, unhex
from registry.errors import ChainBroken, LedgerUnavailable
from registry.ledger import Batch

NO_STATEMENT = bytes(32)
"""What the first statement names as the one before it."""
PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64

_TYPES: Mapping[str, type] = {
    "from": int,
    "node": str,
    "number": int,
    "previous": str,
    "public": str,
    "retires": int,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatement:
    """What a key is introduced by. `start` and `retires` are microseconds since the epoch.

    The key signs what is dated `start` or later; the key before it signs what is dated before `retires`.
    """

    node: str
    number: int
    public: bytes
    start: int
    retires: int
    previous: bytes

    def body(self) -> bytes:
        """Return the canonical bytes, of which the key's id is the hash."""
        return render(
            {
                "from": self.start,
                "kind": "key",
                "node": self.node,
                "number": self.number,
                "previous": self.previous.hex(),
                "public": self.public.hex(),
                "retires": self.retires,
                "v": 1,
            }
        )

    @property
    def id(self) -> bytes:
        """Return SHA-256 over the canonical bytes."""
        return sha256(self.body()).digest()

    @classmethod
    def parse(cls, body: bytes) -> "KeyStatement":
        """Return what these bytes state. Raises ValueError."""
        values = parse(body, _TYPES, kind="key")
        return cls(
            node=values["node"],
            number=values["number"],
            public=unhex(values["public"], PUBLIC_BYTES),
            start=values["from"],
            retires=values["retires"],
            previous=unhex(values["previous"], len(NO_STATEMENT)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """A statement with the signatures of the key itself and of the one before (none for the first)."""

    statement: KeyStatement
    signature: bytes
    endorsement: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingKey:
    """A key with its private half."""

    statement: KeyStatement
    private: Ed25519PrivateKey = field(repr=False)
    id: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.statement.id)

    def sign(self, message: bytes) -> bytes:
        """Return the signature (RFC 8032), 64 bytes."""
        return self.private.sign(message)


def introduce(
    private: Ed25519PrivateKey, *, node: str, start: int, retires: int = 0, before: SealingKey | None = None
) -> Introduction:
    """Return the introduction of a new key, endorsed by the one before it."""
    statement = KeyStatement(
        node=node,
        number=before.statement.number + 1 if before else 1,
        public=private.public_key().public_bytes_raw(),
        start=start,
        retires=retires,
        previous=before.id if before else NO_STATEMENT,
    )
    body = statement.body()
    return Introduction(
        statement=statement,
        signature=private.sign(body),
        endorsement=before.sign(body) if before else b"",
    )


class Signer:
    """A node's keys with their private halves: says which one signs at a time.

    `replace` swaps all keys by one reference, so a writer's thread sees either the old or the new ones.
    """

    def __init__(self, keys: Iterable[SealingKey]) -> None:
        self._keys: tuple[SealingKey, ...] = ()
        self.replace(keys)

    def replace(self, keys: Iterable[SealingKey]) -> None:
        """Use these keys from now on."""
        self._keys = tuple(sorted(keys, key=lambda key: key.statement.number, reverse=True))

    def key_at(self, at: int) -> SealingKey:
        """Return the newest key that may sign what is dated `at`; before all of them the oldest one.

        What it signs is then dated `start` at the earliest: a clock that was moved back stops nobody.
        Raises LedgerUnavailable when there is no key.
        """
        for key in self._keys:
            if key.statement.start <= at:
                return key
        if not self._keys:
            raise LedgerUnavailable("the ledger has no key to sign with")
        return self._keys[-1]


class KeyList:
    """The statements of one node's keys, checked from the first to the last."""

    def __init__(self, introductions: Iterable[Introduction] = ()) -> None:
        self._by_id: dict[bytes, tuple[KeyStatement, Ed25519PublicKey]] = {}
        self._list: list[KeyStatement] = []
        for each in introductions:
            self.add(each)

    def __len__(self) -> int:
        return len(self._list)

    @property
    def statements(self) -> Sequence[KeyStatement]:
        """Return the statements in order."""
        return tuple(self._list)

    def __contains__(self, key: bytes) -> bool:
        return key in self._by_id

    def number(self, key: bytes) -> int:
        """Return the number of the key with this id. Raises KeyError."""
        return self._by_id[key][0].number

    def add(self, introduction: Introduction) -> None:
        """Take the next key. Raises ChainBroken."""
        statement, body = introduction.statement, introduction.statement.body()
        name, before = f"key {statement.number} of {statement.node}", self._list[-1] if self._list else None
        if statement.number != len(self._list) + 1 or (before and before.node != statement.node):
            raise ChainBroken(f"{name}: its number does not follow")
        if statement.previous != (before.id if before else NO_STATEMENT):
            raise ChainBroken(f"{name}: it does not follow the key before it")
        if before and not before.start <= statement.start <= statement.retires:
            raise ChainBroken(f"{name}: its times do not follow those of the key before it")
        public = _public(statement)
        if not _is_signed(public, introduction.signature, body):
            raise ChainBroken(f"{name}: it has not signed its own statement")
        if before and not _is_signed(_public(before), introduction.endorsement, body):
            raise ChainBroken(f"{name}: the key before it has not signed its statement")
        self._list.append(statement)
        self._by_id[statement.id] = statement, public

    def check(self, key: bytes, at: int, signature: bytes, message: bytes, what: str) -> None:
        """Check that `key` signed this, and was allowed to at that time. Raises ChainBroken, naming `what`."""
        if key not in self._by_id:
            raise ChainBroken(f"{what}: it is signed by a key that is not in the list ({key.hex()[:16]}…)")
        statement, public = self._by_id[key]
        after = self._list[statement.number] if statement.number < len(self._list) else None
        if at < statement.start or (after and at >= after.retires):
            raise ChainBroken(f"{what}: key {statement.number} signed it outside its time")
        if not _is_signed(public, signature, message):
            raise ChainBroken(f"{what}: its signature is wrong")


def check_signed(keys: KeyList, batch: Batch, signature: bytes, *, after: Batch | None) -> None:
    """Check a batch's signature, and that its chain has not gone back to an older key. Raises ChainBroken.

    A batch without a key is held by the heads after it alone.
    """
    what = f"batch {batch.number} of {batch.node}/{batch.slot}"
    if not batch.key:
        if signature:
            raise ChainBroken(f"{what}: it has a signature but names no key")
        return
    keys.check(batch.key, batch.at, signature, batch.header(), what)
    if after and after.key in keys and keys.number(after.key) > keys.number(batch.key):
        raise ChainBroken(f"{what}: it is signed with an older key than the one before it")


def _public(statement: KeyStatement) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(statement.public)
    except ValueError as error:
        raise ChainBroken(f"key {statement.number} of {statement.node}: it is no public key") from error


def _is_signed(public: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True
