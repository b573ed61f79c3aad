"""How callers speak to us: each facade translates its dialect to one Request, and the Reply back."""
