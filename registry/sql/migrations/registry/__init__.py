"""The Alembic script folder of the registry."""
