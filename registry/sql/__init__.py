"""The registry and the ledger in SQL, on SQLite and on PostgreSQL. Open `database.py` first."""
