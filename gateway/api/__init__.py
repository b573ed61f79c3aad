"""The admin API under `/admin/v1`. Open `routes.py` first: every route stands in one table with its action."""

from gateway.api.app import create_admin

__all__ = ["create_admin"]
