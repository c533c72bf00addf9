"""Outages of the disk below SQLite: the work waits, and goes on with connections that can write.

SQLite opens a file, or its write-ahead log, for reading where the disk is read-only at that moment,
and says so at the first write: in a pool such a connection would refuse everything for ever. And
DBOS waits where a connection is lost, but gives a workflow up at any other error; if the end of the
workflow cannot be written either, it is neither at work nor over until the process starts again.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Final

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, DisconnectionError

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.engine import ExceptionContext

_PRIMARY_CODE: Final = 0xFF
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
    }
)
_IS_READ_ONLY: Final = "is_read_only"


def survive_outages() -> None:
    """Have every database engine of this process, also that of DBOS, survive them."""
    for name, listener in (("handle_error", _note), ("checkout", _renew)):
        if not event.contains(Engine, name, listener):
            event.listen(Engine, name, listener)


def primary_code(error: BaseException | None) -> int:
    """Give the result code of SQLite without its extension (https://www.sqlite.org/rescode.html).

    Parameters
    ----------
    error : BaseException or None
        As the driver raised it.

    Returns
    -------
    int
        0: it is not SQLite's.
    """
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY_CODE


def _note(context: ExceptionContext) -> None:
    code = primary_code(context.original_exception)
    if code in _PASSING and isinstance(context.sqlalchemy_exception, DBAPIError):
        # Not `is_disconnect`: that closes the connection without a rollback, and what still refers
        # to its last statement, such as the traceback, would keep the database locked.
        context.sqlalchemy_exception.connection_invalidated = True
    if code == sqlite3.SQLITE_READONLY and context.connection is not None:
        context.connection.info[_IS_READ_ONLY] = True


def _renew(connection: Any, record: Any, _proxy: Any) -> None:  # noqa: ANN401 - the pool's own
    # SQLite keeps the descriptors of closed connections while others hold a lock: on a disk that
    # is still read-only, one new connection after the other would use them up.
    if record.info.get(_IS_READ_ONLY) and os.access(_file_of(connection), os.W_OK):
        raise DisconnectionError  # the pool opens another one in its place


def _file_of(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA database_list").fetchone()[2])
