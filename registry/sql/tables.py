"""The registry's tables: a uniform store of typed, versioned documents and what is looked up in them.

`labels`, `links` and `fields` are derived from the documents and rewritten with them. Text is compared byte
by byte on both databases, so that both sort alike. Times are microseconds since the epoch.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData()

Key = String().with_variant(String(collation="C"), "postgresql")
"""Text that is compared and sorted."""

objects = Table(
    "objects",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", Key, nullable=False),
    Column("label", Text, nullable=False),
    Column("label_folded", Key, nullable=False),
    Column("version", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("home_node", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("search_text", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("removed", Boolean, nullable=False),
    Index("ix_objects_label", "kind", "removed", "label_folded", "id"),
    Index("ix_objects_changed_at", "kind", "removed", "changed_at", "id"),
    Index("ix_objects_revision", "revision"),
)

labels = Table(
    "labels",
    metadata,
    Column("object_id", Key, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", Key, nullable=False),
    Column("code", Text, nullable=False),
    Column("code_folded", Key, nullable=False),
    Column("valid_from", String(10)),
    Column("valid_to", String(10)),
    Index("ix_labels_code", "kind", "code_folded"),
)

links = Table(
    "links",
    metadata,
    Column("source_id", Key, primary_key=True),
    Column("pointer", Key, primary_key=True),
    Column("target_id", Key, nullable=False),
    Index("ix_links_target", "target_id"),
)

fields = Table(
    "fields",
    metadata,
    Column("object_id", Key, primary_key=True),
    Column("name", Key, primary_key=True),
    Column("kind", Key, nullable=False),
    Column("value", Key, nullable=False),
    Index("ix_fields_value", "kind", "name", "value"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("author_name", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("changes", Text, nullable=False),
)

revision_objects = Table(
    "revision_objects",
    metadata,
    Column("object_id", Key, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
)

head = Table(
    "head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)
"""One row: the latest revision. On PostgreSQL its row lock puts commits in line."""
