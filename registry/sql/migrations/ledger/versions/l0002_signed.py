"""Signed batches, the keys that sign, checkpoints, and months that were archived."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Key = sa.String().with_variant(sa.String(collation="C"), "postgresql")
BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, "slower")


def upgrade() -> None:
    """Add two columns and four tables; what is there stays as it is, unsigned."""
    with op.batch_alter_table("batches") as batches:
        batches.add_column(sa.Column("key", sa.LargeBinary, nullable=False, server_default=""))
        batches.add_column(sa.Column("signature", sa.LargeBinary, nullable=False, server_default=""))
    _keys()
    _checkpoints()
    _segments()
    _archived_usage()


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("node", Key, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *_bytes("statement", "signature", "endorsement", "sealed"),
    )


def _checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("node", Key, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        *_bytes("head", "body", "signature"),
    )
    op.create_index("ix_checkpoints_at", "checkpoints", ["node", "at"])


def _segments() -> None:
    op.create_table(
        "segments",
        sa.Column("chain", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("month", Key, nullable=False),
        *_bytes("body", "signature", "header", "header_signature"),
    )


def _archived_usage() -> None:
    op.create_table(
        "archived_usage",
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("chain", sa.Integer, primary_key=True, autoincrement=False),
        *_key("environment", "consumer", "provider", "service", "version", "operation"),
        sa.Column("counts", sa.Boolean, primary_key=True),
        *_key("national_database", "mode", "grant", "outcome"),
        *_numbers("count", "request_bytes", "reply_bytes", *(f"latency_{bucket}" for bucket in BUCKETS)),
        sqlite_with_rowid=False,
    )


def _key(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, Key, primary_key=True) for name in names]


def _bytes(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary, nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]
