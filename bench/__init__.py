"""What a request costs: CPU per request of `lgsp` against a direct call and against the naive build.

Open `__main__.py` for how it is run, `cases.py` for what is measured, `subjects.py` for what it is measured on.
"""
