"""How a command fails; imported with every command, so it imports next to nothing."""

from typing import Literal

Language = Literal["vi", "en"]


class Failed(Exception):
    """A command was refused or failed: what to tell, in Vietnamese and English. Exit code 1."""

    def __init__(self, vi: str, en: str) -> None:
        super().__init__(en)
        self.vi = vi
        self.en = en
        self.language: Language | None = None

    def told(self, language: Language) -> str:
        """Return the text in a language."""
        return self.vi if language == "vi" else self.en


class WrongUsage(Failed):
    """What was given on the command line does not go together. Exit code 2."""
