"""Migrations: one Alembic script folder for the registry, one for the ledger."""
