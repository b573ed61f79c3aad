"""Records, batches, chains, salts, open exchanges and usage."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Key = sa.String().with_variant(sa.String(collation="C"), "postgresql")
BUCKETS = (
    "1",
    "2",
    "5",
    "10",
    "20",
    "50",
    "100",
    "200",
    "500",
    "1000",
    "2000",
    "5000",
    "10000",
    "30000",
    "slower",
)


def upgrade() -> None:
    """Make the ledger's tables."""
    _chains()
    _records()
    _beside()
    _usage()


def _chains() -> None:
    op.create_table(
        "chains",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("node", Key, nullable=False),
        sa.Column("slot", sa.SmallInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("holder", Key, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("probed", sa.BigInteger, nullable=False),
    )
    op.create_index("ux_chains_slot", "chains", ["node", "slot"], unique=True)
    op.create_table(
        "batches",
        *_place("chain", "number"),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def _records() -> None:
    op.create_table(
        "records",
        *_place("chain", "batch", "position"),
        sa.Column("kind", Key, nullable=False),
        sa.Column("exchange", Key, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("consumer", Key, nullable=False),
        sa.Column("provider", Key, nullable=False),
        sa.Column("service", Key, nullable=False),
        sa.Column("outcome", Key, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_records_exchange", "records", ["exchange"])
    final = sa.text("kind = 'final'")
    op.create_index(
        "ix_records_final", "records", ["at", "exchange"], sqlite_where=final, postgresql_where=final
    )


def _beside() -> None:
    op.create_table(
        "salts",
        *_place("chain", "batch", "position"),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "opens",
        sa.Column("exchange", Key, primary_key=True),
        *_place("chain"),
        sa.Column("batch", sa.BigInteger, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )


def _usage() -> None:
    op.create_table(
        "usage",
        *_place("hour", "chain"),
        *(sa.Column(name, Key, primary_key=True) for name in ("environment", "consumer", "provider")),
        *(sa.Column(name, Key, primary_key=True) for name in ("service", "version", "operation")),
        sa.Column("counts", sa.Boolean, primary_key=True),
        *(
            sa.Column(name, Key, primary_key=True)
            for name in ("national_database", "mode", "grant", "outcome")
        ),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("count", "request_bytes", "reply_bytes")
        ),
        *(sa.Column(f"latency_{bucket}", sa.BigInteger, nullable=False) for bucket in BUCKETS),
        sqlite_with_rowid=False,
    )


def _place(*names: str) -> list[sa.Column[int]]:
    types = {"chain": sa.Integer, "position": sa.Integer}
    return [
        sa.Column(name, types.get(name, sa.BigInteger), primary_key=True, autoincrement=False)
        for name in names
    ]
