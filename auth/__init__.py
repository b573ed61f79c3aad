"""Who is calling, and may they: clients, tokens, keys, decisions. Rules only; open `decide.py` first."""
