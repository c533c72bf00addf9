"""``spine-node users``: accounts of the page. A password never stands on the command line."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.groups import NODE
from app.cli.node import ConfigOption, DataOption, node_settings
from app.errors import AccountError, ConfigurationError
from app.settings.people import RoleName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from app.node.people.accounts import Hand

NameArgument = Annotated[str, typer.Argument(help="Letters, digits and ._@-")]
RoleOption = Annotated[
    RoleName, typer.Option(help="viewer looks, operator acts, administrator sees who did what.")
]
FileOption = Annotated[
    Path | None, typer.Option("--password-file", help="File that holds the password.")
]
StdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    users = typer.Typer(help="Accounts of the page and its API.", no_args_is_help=True)
    users.command("add")(add)
    users.command("list")(list_users)
    users.command("password")(password)
    users.command("token")(token)
    users.command("role")(role)
    users.command("disable")(disable)
    users.command("enable")(enable)
    app.add_typer(users, name="users", rich_help_panel=NODE)


def add(  # noqa: PLR0913, PLR0917 - one parameter per documented option
    name: NameArgument,
    role: RoleOption = "viewer",
    program: Annotated[  # noqa: FBT002
        bool, typer.Option("--program", help="A program: prints a token, once.")
    ] = False,
    if_missing: Annotated[  # noqa: FBT002
        bool, typer.Option("--if-missing", help="Do nothing where there is such an account.")
    ] = False,
    password_file: FileOption = None,
    password_stdin: StdinOption = False,  # noqa: FBT002
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Make an account for a person (asks for the password) or a program (prints a token)."""
    from app.node.people import accounts
    from app.node.people.roles import Role

    with _journal(config, data) as (connection, hand):
        if if_missing and _is_there(connection, name):
            typer.echo(f"{name}: is there")
            return
    if program:
        account, shown = accounts.new_program(name, Role(role))
    else:
        typed = _password(password_file, from_stdin=password_stdin)
        account, shown = accounts.new_person(name, Role(role), typed), ""
    with _journal(config, data) as (connection, hand):
        accounts.add(connection, account, hand)
    typer.echo(shown or f"{name}: {role}")


def list_users(
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,  # noqa: FBT002
) -> None:
    """Every account: kind, role, whether it may enter."""
    from app.node.journal.accounts import list_accounts

    with _journal(config, data) as (connection, _):
        found = list_accounts(connection)
    rows = [
        {
            "name": one.name,
            "kind": str(one.kind),
            "role": one.role,
            "disabled": one.is_disabled,
            "seen_at": one.seen_at,
        }
        for one in found
    ]
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    for one in found:
        state = "disabled" if one.is_disabled else "may enter"
        typer.echo(f"{one.name:24} {one.kind:8} {one.role:14} {state}")


def password(  # noqa: PLR0917 - one parameter per documented option
    name: NameArgument,
    password_file: FileOption = None,
    password_stdin: StdinOption = False,  # noqa: FBT002
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Give a person another password; every log-in of theirs ends."""
    from app.node.people import accounts

    typed = _password(password_file, from_stdin=password_stdin)
    secret = accounts.password_hash(name, typed)
    with _journal(config, data) as (connection, hand):
        accounts.set_password(connection, name, secret, hand)
    typer.echo(f"{name}: password changed")


def token(name: NameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Give a program another token and print it, once; the old one ends."""
    from app.node.people import accounts

    with _journal(config, data) as (connection, hand):
        shown = accounts.renew_token(connection, name, hand)
    typer.echo(shown)


def role(
    name: NameArgument,
    role: Annotated[RoleName, typer.Argument()],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Give an account another role, which counts at once."""
    from app.node.people import accounts
    from app.node.people.roles import Role

    with _journal(config, data) as (connection, hand):
        accounts.set_role(connection, name, Role(role), hand)
    typer.echo(f"{name}: {role}")


def disable(name: NameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Shut an account out at once; it stays in the list, and its deeds in the audit trail."""
    _set_disabled(name, config, data, is_disabled=True)


def enable(name: NameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Let a disabled account in again."""
    _set_disabled(name, config, data, is_disabled=False)


def _set_disabled(name: str, config: Path | None, data: Path | None, *, is_disabled: bool) -> None:
    from app.node.people import accounts

    with _journal(config, data) as (connection, hand):
        accounts.set_disabled(connection, name, hand, is_disabled=is_disabled)
    typer.echo(f"{name}: {'disabled' if is_disabled else 'may enter'}")


def _is_there(connection: Connection, name: str) -> bool:
    from app.node.journal.accounts import find_account

    return find_account(connection, name) is not None


@contextmanager
def _journal(config: Path | None, data: Path | None) -> Iterator[tuple[Connection, Hand]]:
    """Journal of the site, and whoever sits at the command line; the node may run meanwhile."""
    from app.node.journal.audit import Actor
    from app.node.journal.engine import journal_url, open_journal, transaction
    from app.node.people.accounts import Hand
    from app.node.roles import prepare_data_folder

    settings = node_settings(config, data)
    prepare_data_folder(settings)
    node = settings.node
    engine = open_journal(journal_url(node.data, node.database_url))
    actor = Actor(name=f"command line, uid {os.getuid()}", role="administrator")
    try:
        with transaction(engine) as connection:
            yield connection, Hand(actor=actor, now=time.time())
    finally:
        engine.dispose()


def _password(file: Path | None, *, from_stdin: bool) -> str:
    """Password from a file, standard input, or the person at the terminal, who types it twice."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError("the file with the password cannot be read") from error
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not _is_terminal():
        message = "there is no terminal to ask: give --password-stdin or --password-file"
        raise AccountError(message, reasons=("no_terminal",))
    typed = getpass("Password: ")
    if typed != getpass("Once more: "):
        message = "the password was typed in two ways"
        raise AccountError(message, reasons=("passwords_differ",))
    return typed


def _is_terminal() -> bool:
    return sys.stdin.isatty()
