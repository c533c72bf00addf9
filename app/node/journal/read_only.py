"""A connection that SQLite opened on a read-only disk stays read-only: it is not used again.

SQLite opens a file, or its write-ahead log, for reading where it cannot be opened for writing, and
says so at the first write. In a pool such a connection would refuse every transaction that is given
it, long after the disk can be written again.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DisconnectionError

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.engine import ExceptionContext

PRIMARY_CODE: Final = 0xFF
"""Of an extended result code of SQLite (https://www.sqlite.org/rescode.html)."""
_KEY: Final = "is_read_only"


def renew_read_only() -> None:
    """Have every database engine of this process, also DBOS's, replace such connections."""
    for name, listener in (("handle_error", _note), ("checkout", _renew)):
        if not event.contains(Engine, name, listener):
            event.listen(Engine, name, listener)


def _note(context: ExceptionContext) -> None:
    code = getattr(context.original_exception, "sqlite_errorcode", 0) & PRIMARY_CODE
    if code == sqlite3.SQLITE_READONLY and context.connection is not None:
        context.connection.info[_KEY] = True


def _renew(_connection: Any, record: Any, _proxy: Any) -> None:  # noqa: ANN401 - the pool's own
    if record.info.get(_KEY):
        # The pool opens another one in its place.
        raise DisconnectionError
