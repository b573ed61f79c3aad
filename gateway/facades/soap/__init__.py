"""SOAP 1.1 and 1.2 for versions that are offered so: open `door.py` for what happens with a message."""
