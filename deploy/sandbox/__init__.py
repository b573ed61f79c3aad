"""Sandbox national databases: small servers with the real shapes and traps, and invented data only.

Most are nothing but a description in `descriptions/`, served by `described.py`; `dancu.py` (SOAP with a log-in of its own) and `dmdc.py`
(real code lists that can be written to) are programs. `world.py` says who is known, `__main__.py` how one is started.
"""
