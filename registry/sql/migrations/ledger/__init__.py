"""The Alembic script folder of the ledger."""
