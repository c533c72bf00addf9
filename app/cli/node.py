"""Commands of the PACS node: ``serve``, ``worker`` and the processes that ``serve`` starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.groups import NODE
from app.extras import require_extra
from app.node.lifeline import beats_into, end_into
from app.node.reload import Reload
from app.node.roles import READING_ANEW, ROLES, Parent, prepare_data_folder, run_role
from app.node.serve import Child, Limits, role_command, supervise
from app.node.telemetry.logs import EventLog, quiet_foreign_logs
from app.node.tls import check_certificates
from app.settings import Settings, load_settings, service_manager
from app.signals import reload_requests, stop_requests

if TYPE_CHECKING:
    from collections.abc import Callable

ConfigOption = Annotated[Path | None, typer.Option("--config", help="app.yaml to use.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder of spool, journal and results.")
]
ChildOption = Annotated[bool, typer.Option("--child", hidden=True)]
LifelineOption = Annotated[int | None, typer.Option("--lifeline", hidden=True)]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(rich_help_panel=NODE)(serve)
    app.command(rich_help_panel=NODE)(worker)
    app.command(hidden=True)(listener)
    app.command(hidden=True)(web)


def serve(
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Ready lines as JSON.")] = False,  # noqa: FBT002
) -> None:
    """Run the PACS node until SIGTERM or Ctrl-C; SIGHUP: read app.yaml anew."""
    settings = _usable(config, data)
    prepare_data_folder(settings)
    quiet_foreign_logs()
    options = _options(config, data)
    on_ready = _tell_json if as_json else _teller(settings)
    with stop_requests() as stop, reload_requests() as wanted:
        children = [
            Child(role, role_command(role, options), on_ready, reads_anew=role in READING_ANEW)
            for role in ROLES
        ]
        code = supervise(
            children,
            stop=stop,
            emit=EventLog("serve", settings.node.log_level),
            limits=Limits.of(settings),
            manager=service_manager(),
            reload=Reload(settings, wanted, lambda: _usable(config, data)),
        )
    raise typer.Exit(code)


def worker(
    config: ConfigOption = None,
    data: DataOption = None,
    child: ChildOption = False,  # noqa: FBT002
    lifeline: LifelineOption = None,
) -> None:
    """Run one more worker: same database URL, spool on shared storage."""
    raise typer.Exit(_run("worker", config, data, _parent(child, lifeline)))


def listener(
    config: ConfigOption = None,
    data: DataOption = None,
    child: ChildOption = False,  # noqa: FBT002
    lifeline: LifelineOption = None,
) -> None:
    """Run the DICOM listener alone; SIGHUP: read app.yaml anew."""
    raise typer.Exit(_run("listener", config, data, _parent(child, lifeline)))


def web(
    config: ConfigOption = None,
    data: DataOption = None,
    child: ChildOption = False,  # noqa: FBT002
    lifeline: LifelineOption = None,
) -> None:
    """Run the web page alone."""
    raise typer.Exit(_run("web", config, data, _parent(child, lifeline)))


def _run(role: str, config: Path | None, data: Path | None, parent: Parent | None) -> int:
    return run_role(role, lambda: _usable(config, data, of_listener=role == "listener"), parent)


def _usable(config: Path | None, data: Path | None, *, of_listener: bool = True) -> Settings:
    require_extra("node")
    settings = node_settings(config, data)
    check_certificates(settings.node, of_listener=of_listener)
    return settings


def _parent(child: bool, lifeline: int | None) -> Parent | None:  # noqa: FBT001 - an option
    return Parent(beats_into(lifeline), end_into(lifeline)) if child else None


def node_settings(config: Path | None, data: Path | None) -> Settings:
    """Read the settings; a data folder that was given wins."""
    settings = load_settings(config)
    if data is None:
        return settings
    node = settings.node.model_copy(update={"data": data.absolute()})
    return settings.model_copy(update={"node": node})


def _options(config: Path | None, data: Path | None) -> list[str]:
    given = {"--config": config, "--data": data}
    return [part for name, value in given.items() if value for part in (name, str(value))]


def _tell_json(role: str, port: int) -> None:
    sys.stdout.write(json.dumps({"event": "ready", "role": role, "port": port}) + "\n")
    sys.stdout.flush()


def _teller(settings: Settings) -> Callable[[str, int], None]:
    node = settings.node
    scheme = "http" if node.web.tls is None else "https"
    addresses = {
        "listener": f"DICOM: {node.listener.ae_title}@{node.listener.host}:{{port}}",
        "web": f"web page: {scheme}://{node.web.host}:{{port}}/",
        "worker": "worker: ready",
    }

    def tell(role: str, port: int) -> None:
        typer.echo(addresses[role].format(port=port))

    return tell
