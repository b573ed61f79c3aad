"""Comparing two versions of a service: what breaks, and for whom. Pure. Open `versions.py` first."""
