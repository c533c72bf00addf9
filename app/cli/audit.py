"""``spine-node audit``: whether the audit trail is as it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.groups import NODE
from app.cli.node import ConfigOption, DataOption, node_settings
from app.errors import AuditBrokenError, ConfigurationError

if TYPE_CHECKING:
    from app.node.journal.audit_chain import Link


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    audit = typer.Typer(help="The audit trail: who did and saw what.", no_args_is_help=True)
    audit.command("verify")(verify)
    audit.callback()(_group)
    app.add_typer(audit, name="audit", rich_help_panel=NODE)


def _group() -> None:
    """Be a group even with one command."""


def verify(
    known: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER:DIGEST",
            help="A row as the audit server has it, or as this command said it earlier.",
        ),
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Compute every digest again; names the first row that was changed or is missing."""
    from app.node.journal import audit_chain
    from app.node.journal.engine import journal_url, open_journal, reading

    node = node_settings(config, data).node
    if node.database_url is None and not (node.data / "journal.db").is_file():
        raise ConfigurationError("there is no journal in the data folder")
    link = None if known is None else _link_of(known)
    engine = open_journal(journal_url(node.data, node.database_url))
    try:
        with reading(engine) as connection:
            verdict = audit_chain.verify(connection)
            digest = None if link is None else audit_chain.digest_at(connection, link.number)
    finally:
        engine.dispose()
    broken_at = verdict.broken_at
    if link is not None and digest != link.digest:
        broken_at = link.number if broken_at is None else min(broken_at, link.number)
    if broken_at is not None:
        message = f"the audit trail does not hold from row {broken_at} on"
        raise AuditBrokenError(message, reasons=("audit_broken",))
    typer.echo(
        f"{verdict.end.number} rows hold; the end: {verdict.end.number}:{verdict.end.digest}"
    )


def _link_of(known: str) -> Link:
    from app.node.journal.audit_chain import Link

    number, _, digest = known.partition(":")
    if not number.isdecimal() or not digest:
        raise ConfigurationError("--known is the number of a row, a colon and its digest")
    return Link(int(number), digest)
