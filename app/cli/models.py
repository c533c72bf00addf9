"""Commands about models: ``spine-node models ...``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.errors import ExitCode
from app.registry import (
    RegisteredModel,
    install_zip,
    kind_of,
    read_registry,
    register_model,
    remove_model,
    require_plain_name,
    verify_model,
)
from app.settings import load_settings
from operators.errors import ModelUnusableError, SpineError

if TYPE_CHECKING:
    from collections.abc import Callable


models_app = typer.Typer(help="The model folders: list, install, verify.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
ModelsOption = Annotated[Path | None, typer.Option("--models", "-m", help="Models folder.")]


@models_app.command("list")
def list_models(models: ModelsOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """List the registered models with licence and provenance."""
    registry = read_registry(_existing_folder(models)).models
    if as_json:
        document = {name: entry.model_dump() for name, entry in registry.items()}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    for name, entry in registry.items():
        typer.echo(f"{name} ({entry.kind}, {entry.version}, {entry.licence}): {entry.provenance}")


@models_app.command("install")
def install_model(
    archive: Annotated[Path, typer.Argument(help="Published SPINEPS model zip.")],
    name: Annotated[str | None, typer.Option(help="Name in the registry.")] = None,
    models: ModelsOption = None,
) -> None:
    """Unpack, load once and register a published model; one that does not load is refused."""
    from operators.networks.instances import load_instance_model
    from operators.networks.semantic import load_semantic_model

    folder = _models_folder(models)
    installed = install_zip(archive, folder, name)
    entry = read_registry(folder).models[installed]
    loader: Callable[[Path], Any] = (
        load_instance_model if entry.kind == "instance" else load_semantic_model
    )
    try:
        loader(folder / installed)
    except SpineError:
        remove_model(folder, installed)
        raise
    typer.echo(f"{installed}: {entry.kind} model installed; licence: {entry.licence}")


@models_app.command("register")
def register(  # noqa: PLR0917 - one parameter per documented option
    name: Annotated[str, typer.Argument(help="Folder in the models folder.")],
    version: Annotated[str, typer.Option(help="Version of the model.")],
    licence: Annotated[str, typer.Option(help="SPDX name, or a sentence.")],
    provenance: Annotated[str, typer.Option(help="Who made it, from what, with which command.")],
    models: ModelsOption = None,
) -> None:
    """Register a model folder, for example one just trained, with the digests of its files."""
    folder = _models_folder(models)
    require_plain_name(name)
    if not (folder / name).is_dir():
        raise ModelUnusableError(f"no folder '{name}' in the models folder")
    entry = RegisteredModel(
        kind=kind_of(folder / name),
        version=version,
        licence=licence,
        provenance=provenance,
        files={},
    )
    register_model(folder, name, entry)
    typer.echo(f"{name}: registered as {entry.kind} model")


@models_app.command("verify")
def verify_models(models: ModelsOption = None) -> None:
    """Compare every registered file with its digest."""
    folder = _existing_folder(models)
    problems = {name: verify_model(folder, name) for name in read_registry(folder).models}
    for name, found in problems.items():
        typer.echo(f"{name}: {'; '.join(found) or 'as registered'}")
    if any(problems.values()):
        raise typer.Exit(int(ExitCode.MODEL))


def _models_folder(models: Path | None) -> Path:
    return models or load_settings().models.directory


def _existing_folder(models: Path | None) -> Path:
    folder = _models_folder(models)
    if not folder.is_dir():
        raise ModelUnusableError("the models folder does not exist", reasons=("no_models_folder",))
    return folder
