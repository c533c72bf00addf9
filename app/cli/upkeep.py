"""Commands of whoever keeps a node: try a peer, check or rebuild the journal, back up, restore."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - read at run time for the command line
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.groups import NODE
from app.cli.node import ConfigOption, DataOption, node_settings
from app.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from app.node.peers.checking import Finding

JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("check-peer", rich_help_panel=NODE)(check_peer)
    app.command(rich_help_panel=NODE)(backup)
    app.command(rich_help_panel=NODE)(restore)
    journal = typer.Typer(help="Check the journal, or make a new one of what is left.")
    journal.command("check")(check_journal)
    journal.command("rebuild")(rebuild_journal)
    app.add_typer(journal, name="journal", rich_help_panel=NODE)


def check_peer(
    name: Annotated[str, typer.Argument(help="Peer of app.yaml.")],
    stores: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--store", help="Also store a test object, which then stays there."),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Try a peer: connection, C-ECHO, the objects it takes, and whether it keeps them."""
    # Here, not above: every other command starts without the network library.
    from app.node.peers import checking
    from app.node.peers.kinds import destination_of
    from app.node.telemetry.logs import quiet_foreign_logs

    quiet_foreign_logs()
    node = node_settings(config, None).node
    peer = node.peer(name)
    if peer is None:
        known = ", ".join(sorted(one.name for one in node.peers)) or "none"
        raise ConfigurationError(f"app.yaml names no such peer; it names: {known}")
    findings = []
    destination = destination_of(peer, node.listener.ae_title)
    tried = checking.check_peer(
        destination, stores=stores, can_find=peer.can_find, needed=peer.required_objects
    )
    for finding in tried:
        findings.append(finding)
        if not as_json:
            typer.echo(_line(finding))
    is_good = all(one.is_good for one in findings if one.is_needed)
    if as_json:
        rows = [
            {"name": one.name, "ok": one.is_good, "needed": one.is_needed, "detail": one.detail}
            for one in findings
        ]
        sys.stdout.write(json.dumps({"peer": name, "ok": is_good, "findings": rows}) + "\n")
    raise typer.Exit(int(ExitCode.OK if is_good else ExitCode.INCOMPLETE))


def backup(
    target: Annotated[Path, typer.Argument(help="Folder for the backup; absent or empty.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Copy journal, queue, images and results; the node may run meanwhile."""
    from app.node.archive.backup import back_up

    made = back_up(_folder_of(config, data), target)
    typer.echo(f"{made.files} files and {len(made.digests)} databases and keys in {target}")
    if made.missing:
        typer.echo(f"{made.missing} files were deleted by policy meanwhile")


def restore(
    source: Annotated[Path, typer.Argument(help="Folder that `backup` made.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Make a data folder of a backup; the folder must be absent or empty."""
    from app.node.archive import backup as backups

    folder = _folder_of(config, data)
    made = backups.restore(source, folder)
    typer.echo(f"{made.files - made.missing} files of version {made.version} in {folder}")


def check_journal(config: ConfigOption = None, data: DataOption = None) -> None:
    """Read the whole journal and say what is wrong with it; the node may run meanwhile."""
    import sqlalchemy as sa

    from app.node.journal.engine import journal_url
    from app.node.journal.examination import problems_of

    node = node_settings(config, data).node
    url = journal_url(node.data, node.database_url)
    if node.database_url is None and not (node.data / "journal.db").is_file():
        raise ConfigurationError("there is no journal in the data folder")
    problems = problems_of(
        sa.create_engine(url), is_thorough=True
    )  # not opened, which would bring it up to date
    for problem in problems:
        typer.echo(problem, err=True)
    typer.echo("the journal is damaged" if problems else "the journal is sound")
    raise typer.Exit(int(ExitCode.JOURNAL if problems else ExitCode.OK))


def rebuild_journal(config: ConfigOption = None, data: DataOption = None) -> None:
    """Make a new journal of what is left of the old one and of the received files."""
    from app.node.archive.rebuilding import rebuild

    settings = node_settings(config, data)
    done = rebuild(
        _folder_of(config, data),
        settings.node.listener.ae_title,
        keeps_patients=settings.node.patients.keep,
    )
    for name, count in sorted(done.rows.items()):
        typer.echo(f"{name:14} {count} rows taken over")
    for name, count in sorted(done.objects.items()):
        typer.echo(f"{name:14} {count} objects taken in from the spool")
    if done.patients:
        typer.echo(f"{done.patients} studies have their patients from the spool again")
    if done.unreadable:
        typer.echo(f"{done.unreadable} files of the spool cannot be read and stay where they are")
    typer.echo(f"the old databases are kept in {done.kept_in}")


def _folder_of(config: Path | None, data: Path | None) -> Path:
    node = node_settings(config, data).node
    if node.database_url is not None:
        raise ConfigurationError(
            "the journal is in PostgreSQL: use its own tools for it, and copy the data folder"
        )
    return node.data


def _line(finding: Finding) -> str:
    sign = "ok" if finding.is_good else ("FAILS" if finding.is_needed else "not taken")
    return f"{finding.name:22} {sign:8} {finding.detail}"
