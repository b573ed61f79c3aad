"""What is no Exception and yet must not end the node: faults of other people's code."""

from typing import Final

ENDINGS: Final = (SystemExit, KeyboardInterrupt, GeneratorExit)
"""What ends a process or a coroutine. Raised by a connector it ends neither: the node's own signals are handled elsewhere."""


def is_panic(error: BaseException) -> bool:
    """Say whether this is a panic of a library that is written in Rust, which is no Exception."""
    return type(error).__name__ == "PanicException"
