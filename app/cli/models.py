"""Commands about models: ``spine-node models ...``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.errors import ExitCode
from app.model_install import install_model, remove_model
from app.registry import (
    ModelKind,
    RegisteredModel,
    kind_of,
    models_in,
    read_registry,
    register_model,
    require_plain_name,
    verify_model,
)
from app.run.bootstrap import prepare_process
from app.settings import BUNDLED_MODELS, load_settings, model_places, user_models
from operators.errors import ModelUnusableError

if TYPE_CHECKING:
    from collections.abc import Callable


models_app = typer.Typer(help="The model folders: list, install, verify.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
ModelsOption = Annotated[Path | None, typer.Option("--models", "-m", help="Models folder.")]


@models_app.command("list")
def list_models(models: ModelsOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """List the registered models with licence and provenance."""
    places = _existing_folders(models)
    registry = models_in(places)
    if as_json:
        document = {name: entry.model_dump() for name, entry in registry.items()}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    for name, entry in registry.items():
        typer.echo(f"{name} ({entry.kind}, {entry.version}, {entry.licence}): {entry.provenance}")
    typer.echo(f"looked in {', '.join(map(str, places))}", err=True)


@models_app.command("install")
def install(
    source: Annotated[
        Path, typer.Argument(help="Published SPINEPS model zip, or a model folder just trained.")
    ],
    name: Annotated[str | None, typer.Option(help="Name in the registry.")] = None,
    models: ModelsOption = None,
) -> None:
    """Copy or unpack, load once and register a model; one that does not load is refused."""
    from operators.networks.instances import load_instance_model
    from operators.networks.labelling import load_labelling_model
    from operators.networks.semantic import load_semantic_model

    folder = _models_folder(models)
    installed = install_model(source, folder, name)
    entry = read_registry(folder).models[installed]
    loaders: dict[ModelKind, Callable[[Path], Any]] = {
        "semantic": load_semantic_model,
        "instance": load_instance_model,
        "labelling": load_labelling_model,
    }
    if entry.kind == "labelling":
        prepare_process()  # MONAI imports holoscan
    try:
        loaders[entry.kind](folder / installed)
    except BaseException:
        remove_model(folder, installed)
        raise
    typer.echo(f"{installed}: {entry.kind} model installed in {folder}; licence: {entry.licence}")


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
        raise ModelUnusableError(f"no folder '{name}' in the models folder {folder}")
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
    problems: dict[str, list[str]] = {}
    for place in _existing_folders(models):
        known = read_registry(place).models
        problems = {name: verify_model(place, name) for name in known} | problems
    for name, found in problems.items():
        typer.echo(f"{name}: {'; '.join(found) or 'as registered'}")
    if any(problems.values()):
        raise typer.Exit(int(ExitCode.MODEL))


def _models_folder(models: Path | None) -> Path:
    """Folder that is written to; what an installed wheel brought is left to the next upgrade."""
    folder = models or load_settings().models.directory
    return user_models() if folder == BUNDLED_MODELS else folder


def _existing_folders(models: Path | None) -> tuple[Path, ...]:
    """Folders that are read: the one that was named alone, else all in which names are found."""
    if models is not None and not models.is_dir():
        message = f"the models folder {models} does not exist"
        raise ModelUnusableError(message, reasons=("no_models_folder",))
    return (models,) if models is not None else model_places(load_settings().models.directory)
