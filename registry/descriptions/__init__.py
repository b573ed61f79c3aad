"""Descriptions of services (OpenAPI) as operations of ours: pure, nothing fetched. Open `openapi.py` first.

What cannot be taken is said item by item (`notes.py`), and the rest is usable.
"""
