"""Final records by the data subject that they are about; only records with one stand in the index."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Key = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a column and its partial index; no record that is there has a data subject."""
    op.add_column("records", sa.Column("subject", Key, nullable=True))
    there = sa.text("subject IS NOT NULL")
    op.create_index(
        "ix_records_subject",
        "records",
        ["subject", "at", "exchange"],
        sqlite_where=there,
        postgresql_where=there,
    )
