"""The registry's use cases, with the rules of each object's life.

Open `use_cases.py` first, then `changes.py`; the rules are pure and stand in `rules.py`, `contracts.py`,
`lives.py` and `steps.py`.
"""

from registry.register.rules import RESERVED, is_reserved
from registry.register.steps import INTERNAL_STEPS, STEPS
from registry.register.use_cases import Register

__all__ = ["INTERNAL_STEPS", "RESERVED", "STEPS", "Register", "is_reserved"]
