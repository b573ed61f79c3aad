"""The reference pages that are made from the code. Open `pages.py` first: it lists them with what makes each."""
