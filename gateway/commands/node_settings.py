"""The node's own settings, for commands that work on its machine."""

from gateway.commands.failures import Failed
from gateway.settings import Settings, SettingsWrong, read_settings


def node_settings(**given: str | int | None) -> Settings:
    """Return the node's settings: what is given before the environment and the settings file. Raises Failed."""
    try:
        return read_settings(None, **given)
    except SettingsWrong as error:
        raise Failed(f"Cấu hình chưa đúng:\n{error.vi}", f"The settings are not usable:\n{error}") from error
