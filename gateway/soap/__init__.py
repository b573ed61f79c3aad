"""Versions offered as SOAP, compiled: open `offer.py` for what an offer is, `nodes.py` for JSON and XML both ways."""
