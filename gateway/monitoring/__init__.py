"""What the ministry watches: figures computed from counted exchanges and from nothing else.

Open `rule.py` first: it holds the rule, in one pure function; `connectivity.py` asks for it and prints it.
"""
