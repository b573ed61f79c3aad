"""The `lgsp` command. Everything but the list of commands is imported when it is needed."""

import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from gateway.commands.failures import Failed, Language, WrongUsage
from gateway.commands.table import make_app

DONE, REFUSED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when it was done, 1 when it was refused or failed, 2 for wrong usage."""
    try:
        code = make_app()(
            sys.argv[1:] if arguments is None else list(arguments),
            exit_on_error=False,
            print_error=True,
            result_action="return_value",
        )
    except CycloptsError:
        return WRONG_USAGE
    except Failed as error:
        sys.stderr.write(error.told(error.language or _language()) + "\n")
        return WRONG_USAGE if isinstance(error, WrongUsage) else REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone, as `lgsp … | head` does.
        sys.stderr.close()
        return REFUSED
    return code if isinstance(code, int) else DONE


def _language() -> Language:
    from gateway.settings import SettingsWrong, read_client_settings  # noqa: PLC0415  (only to say an error)

    try:
        return read_client_settings().language
    except SettingsWrong:
        return "en"


if __name__ == "__main__":
    sys.exit(main())
