"""The `lgsp` command, one file per noun. Open `table.py` first: it lists all commands with what they do."""
