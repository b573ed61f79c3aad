"""The ledger's tables: records in batches in chains, salts beside them, and the usage counted from them.

Text is compared byte by byte on both databases. Times are microseconds since the epoch, hours are the epoch
seconds at which they begin. There are few indexes, and all but one grow at their end: each is paid for by every
request. Records of one consumer are found through the hours in which it has usage.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    text,
)

from registry.usage import BUCKET_NAMES

metadata = MetaData()

Key = String().with_variant(String(collation="C"), "postgresql")

chains = Table(
    "chains",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("node", Key, nullable=False),
    Column("slot", SmallInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Key, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("probed", BigInteger, nullable=False),
    Index("ux_chains_slot", "node", "slot", unique=True),
)
"""One chain per writer slot: who writes it, under which epoch, and its last batch."""

batches = Table(
    "batches",
    metadata,
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("key", LargeBinary, nullable=False, server_default=""),
    Column("signature", LargeBinary, nullable=False, server_default=""),
)
"""`key` is the id of the key that made `signature` over the header; both are empty in a ledger without keys."""

keys = Table(
    "keys",
    metadata,
    Column("node", Key, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("endorsement", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""The keys that sign. `sealed` is the private half under the node's key, empty once the key signs no more."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("node", Key, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Index("ix_checkpoints_at", "node", "at"),
)
"""The heads of all chains, once a minute; `head` is the hash of `body`."""

segments = Table(
    "segments",
    metadata,
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("month", Key, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("header_signature", LargeBinary, nullable=False),
)
"""Months that were archived and dropped: a signed statement of what was there, and the header of the last batch."""

records = Table(
    "records",
    metadata,
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("batch", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", Key, nullable=False),
    Column("exchange", Key, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("consumer", Key, nullable=False),
    Column("provider", Key, nullable=False),
    Column("service", Key, nullable=False),
    Column("outcome", Key, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("subject", Key, nullable=True),
    Index("ix_records_exchange", "exchange"),
    Index(
        "ix_records_final",
        "at",
        "exchange",
        sqlite_where=text("kind = 'final'"),
        postgresql_where=text("kind = 'final'"),
    ),
    Index(
        "ix_records_subject",
        "subject",
        "at",
        "exchange",
        sqlite_where=text("subject IS NOT NULL"),
        postgresql_where=text("subject IS NOT NULL"),
    ),
)
"""`body` holds the canonical bytes; the other columns repeat what is searched for. `subject`: final records only."""

salts = Table(
    "salts",
    metadata,
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("batch", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Salts of commitments, beside the records, so that they can be destroyed and proofs still verify."""

opens = Table(
    "opens",
    metadata,
    Column("exchange", Key, primary_key=True),
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("batch", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""Where the `open` records without a `final` are; a node closes its own when it starts."""


def _usage(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("hour", BigInteger, primary_key=True, autoincrement=False),
        Column("chain", Integer, primary_key=True, autoincrement=False),
        Column("environment", Key, primary_key=True),
        Column("consumer", Key, primary_key=True),
        Column("provider", Key, primary_key=True),
        Column("service", Key, primary_key=True),
        Column("version", Key, primary_key=True),
        Column("operation", Key, primary_key=True),
        Column("counts", Boolean, primary_key=True),
        Column("national_database", Key, primary_key=True),
        Column("mode", Key, primary_key=True),
        Column("grant", Key, primary_key=True),
        Column("outcome", Key, primary_key=True),
        Column("count", BigInteger, nullable=False),
        Column("request_bytes", BigInteger, nullable=False),
        Column("reply_bytes", BigInteger, nullable=False),
        *(Column(each, BigInteger, nullable=False) for each in BUCKET_NAMES),
        sqlite_with_rowid=False,
    )


usage = _usage("usage")

archived_usage = _usage("archived_usage")
"""How much of `usage` comes from records that were archived and dropped: what a rebuild cannot count any more."""
