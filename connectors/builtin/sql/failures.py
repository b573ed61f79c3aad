"""How a statement can fail, whatever the database; a driver's own errors do not get past its module."""

from typing import Literal

from connectors.errors import ConnectorError

Code = Literal[
    "conflict",  # a row that must be unique is there already
    "invalid",  # a constraint, a data type or the database's own rule does not take the values
    "parameter",  # a value cannot be given to the database at all
    "timeout",  # the time limit ran out, on the server or here
    "busy",  # locks, serialisation or too many connections: nothing was carried out
    "read-only",  # it tried to write and was not declared to
    "statement",  # the statement is not good, or the role may not run it
    "result",  # the result is not what was declared
    "credentials",  # the role or its password is not accepted
    "database",  # there is no such database, or the role may not use it
    "cut",  # the connection ended
]


class StatementFailed(ConnectorError):
    """A statement, or the way to it, failed. `code` is all that is said of it: the server's text may hold data."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code: Code = code
