"""The migrations of the ledger, oldest first."""
