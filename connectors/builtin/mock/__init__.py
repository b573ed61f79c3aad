"""A provider made from an OpenAPI description. Start at `connector.py`."""
