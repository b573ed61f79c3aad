"""Telling what is wrong with a transform's settings: one sentence and where."""

from pydantic import ValidationError

from gateway.transforms.contract import BadSettings
from registry.documents import pointer_of


def first_flaw(error: ValidationError) -> BadSettings:
    """Return the first thing that a settings model refuses."""
    flaw = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return BadSettings(flaw["msg"], pointer_of(flaw["loc"]))
