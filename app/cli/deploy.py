"""``spine-node manifests``: what the image build asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.groups import INSTALLATION
from app.deploy.manifests import write_manifests
from app.registry import read_registry
from app.settings import load_settings

OutputOption = Annotated[Path, typer.Option("--output", "-o", help="Folder for the two files.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="app.yaml to use.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(rich_help_panel=INSTALLATION)(manifests)


def manifests(
    output: OutputOption = Path("map"),
    config: ConfigOption = None,
) -> None:
    """Write the MAP manifests app.json and pkg.json, made from app.yaml and the model registry."""
    settings = load_settings(config)
    models = read_registry(settings.models.directory).models
    for file in write_manifests(settings, models, output):
        typer.echo(str(file))
