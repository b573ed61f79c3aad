"""How often messages broke the contracts of services."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Key = sa.String().with_variant(sa.String(collation="C"), "postgresql")
NAMES = (
    "environment", "consumer", "provider", "service", "version", "operation", "direction", "mode", "place", "pointer",
    "rule",
)  # fmt: skip


def upgrade() -> None:
    """Make the table of counts, by day and by what is counted apart."""
    op.create_table(
        "violations",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, Key, primary_key=True) for name in NAMES),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_violations_service", "violations", ["service", "day"])
