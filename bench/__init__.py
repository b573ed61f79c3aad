"""What a request costs: CPU per request of `lgsp` against other proxies, a direct call and the naive build.

Open `__main__.py` for how it is run, `cases.py` for what is measured, `rounds.py` for how, `subjects.py` and `proxies.py` for whom.
"""
