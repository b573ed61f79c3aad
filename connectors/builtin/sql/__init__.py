"""A database as a provider. Start at `connector.py`; `settings.py` says what can be declared."""
