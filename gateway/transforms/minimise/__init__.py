"""Leaving in an answer only the fields that a grant names: the legal core. Pure.

`scopes` compiles a grant's rules to allow-trees, `json` and `xml` apply them, `documents` reads what providers send
safely, `values` masks and generalises. Open `scopes` first.
"""
