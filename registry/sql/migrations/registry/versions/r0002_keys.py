"""The node's signing keys (private halves sealed), and the assertions that have been used."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables of `registry.sql.keys`."""
    op.create_table(
        "signing_keys",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kid", sa.String(64), nullable=False, unique=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("active_from", sa.BigInteger, nullable=False),
        sa.Column("verifies_until", sa.BigInteger),
    )
    op.create_table(
        "used_assertions",
        sa.Column("client", sa.String(64), primary_key=True),
        sa.Column("jti", sa.String(255), primary_key=True),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_used_assertions_expires", "used_assertions", ["expires"])
