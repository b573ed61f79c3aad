"""How to speak to a provider's backend. Open `contract.py` first: it is all that an author reads."""
