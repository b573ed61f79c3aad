"""Sandbox national databases: small servers with the real shapes and traps, and invented data only.

Open `dkdn.py`, `bhxh.py`, `dmdc.py` or `dancu.py` for a database, `__main__.py` for how one is started.
"""
