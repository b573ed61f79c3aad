"""Documents with their labels, links and fields; revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Key = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the registry's tables, with revision 0."""
    _objects()
    _derived()
    _revisions()


def _objects() -> None:
    op.create_table(
        "objects",
        sa.Column("id", Key, primary_key=True),
        sa.Column("kind", Key, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("label_folded", Key, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("home_node", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("search_text", sa.Text, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
    )
    op.create_index("ix_objects_label", "objects", ["kind", "removed", "label_folded", "id"])
    op.create_index("ix_objects_changed_at", "objects", ["kind", "removed", "changed_at", "id"])
    op.create_index("ix_objects_revision", "objects", ["revision"])


def _derived() -> None:
    op.create_table(
        "labels",
        sa.Column("object_id", Key, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", Key, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("code_folded", Key, nullable=False),
        sa.Column("valid_from", sa.String(10)),
        sa.Column("valid_to", sa.String(10)),
    )
    op.create_index("ix_labels_code", "labels", ["kind", "code_folded"])
    op.create_table(
        "links",
        sa.Column("source_id", Key, primary_key=True),
        sa.Column("pointer", Key, primary_key=True),
        sa.Column("target_id", Key, nullable=False),
    )
    op.create_index("ix_links_target", "links", ["target_id"])
    op.create_table(
        "fields",
        sa.Column("object_id", Key, primary_key=True),
        sa.Column("name", Key, primary_key=True),
        sa.Column("kind", Key, nullable=False),
        sa.Column("value", Key, nullable=False),
    )
    op.create_index("ix_fields_value", "fields", ["kind", "name", "value"])


def _revisions() -> None:
    op.create_table(
        "revisions",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("author_name", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("changes", sa.Text, nullable=False),
    )
    op.create_table(
        "revision_objects",
        sa.Column("object_id", Key, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    head = op.create_table(
        "head",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "number": 0}])
