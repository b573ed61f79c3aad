"""The system of record: who offers what, who may use it, what happened.

Open `entities.py` first (what is kept), then `stores.py` (how it is reached), then `evidence.py`.
"""
