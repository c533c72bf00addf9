"""Commands about models: ``spine-node models ...`` and ``spine-node train ...``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.console import emit_json
from app.errors import ExitCode
from app.registry import (
    RegisteredModel,
    install_zip,
    kind_of,
    read_registry,
    register_model,
    remove_model,
    verify_model,
)
from app.settings import load_settings
from operators.errors import ModelUnusableError, SpineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.training.runs import DatasetSource, Request

models_app = typer.Typer(help="The model folders: list, install, verify.", no_args_is_help=True)
train_app = typer.Typer(help="Train the two phases.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
ModelsOption = Annotated[Path | None, typer.Option("--models", "-m", help="Models folder.")]


@models_app.command("list")
def list_models(models: ModelsOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """List the registered models with licence and provenance."""
    registry = read_registry(_models_folder(models)).models
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
    folder = _models_folder(models)
    problems = {name: verify_model(folder, name) for name in read_registry(folder).models}
    for name, found in problems.items():
        typer.echo(f"{name}: {'; '.join(found) or 'as registered'}")
    if any(problems.values()):
        raise typer.Exit(int(ExitCode.MODEL))


WorkOption = Annotated[Path, typer.Option("--work", help="Cases, states to resume from, reports.")]
ModelFolder = Annotated[Path, typer.Option("--output", "-o", help="Model folder to write.")]
PresetOption = Annotated[
    str, typer.Option(help="compact (an hour on one core) or paper (days on a GPU).")
]
DatasetOption = Annotated[
    Path | None,
    typer.Option(help="BIDS folder: sub-*/**/*_T2w.nii.gz with *_seg-spine_msk, *_seg-vert_msk."),
]
SpiderOption = Annotated[Path | None, typer.Option(help="SPIDER folder: images/ and masks/.")]
MixOption = Annotated[
    str | None, typer.Option(help="Weights, for example real=1,synthetic=2; real alone if absent.")
]
CasesOption = Annotated[int, typer.Option(min=1, help="Synthetic spines to make.")]
StepsOption = Annotated[int | None, typer.Option(min=1, help="Length of the schedule.")]
StartOption = Annotated[
    Path | None, typer.Option(help="Model folder to begin with instead of random weights.")
]
FoldOption = Annotated[int | None, typer.Option(min=0, help="Only this fold; all if absent.")]
SeedOption = Annotated[int, typer.Option(help="Of weights and samples.")]
DeviceOption = Annotated[str, typer.Option(help="A torch device, such as cpu or cuda.")]
MinutesOption = Annotated[
    float | None, typer.Option(help="Stop after so many minutes; the same command goes on.")
]


@train_app.command("semantic")
def train_semantic(  # noqa: PLR0913, PLR0917 - one parameter per documented option
    output: ModelFolder,
    work: WorkOption = Path("training"),
    preset: PresetOption = "compact",
    dataset: DatasetOption = None,
    spider: SpiderOption = None,
    mix: MixOption = None,
    cases: CasesOption = 400,
    steps: StepsOption = None,
    start: StartOption = None,
    fold: FoldOption = None,
    seed: SeedOption = 2026,
    device: DeviceOption = "cpu",
    minutes: MinutesOption = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Train phase 1 on synthetic spines, on your own images, or on both; call again to resume."""
    from app.training.runs import Request

    _train(
        Request(
            phase="semantic",
            preset=_known_preset(preset),
            output=output,
            work=work,
            spines=cases,
            dataset=_dataset(dataset, spider),
            mix=_weights(mix, given=dataset is not None or spider is not None),
            steps=steps,
            start=start,
            fold=fold,
            seed=seed,
            device=device,
            stop_after_seconds=None if minutes is None else 60 * minutes,
        ),
        as_json=as_json,
    )


@train_app.command("instance")
def train_instance(  # noqa: PLR0913, PLR0917 - one parameter per documented option
    output: ModelFolder,
    work: WorkOption = Path("training"),
    preset: PresetOption = "compact",
    dataset: DatasetOption = None,
    mix: MixOption = None,
    cases: CasesOption = 400,
    steps: StepsOption = None,
    seed: SeedOption = 2027,
    device: DeviceOption = "cpu",
    minutes: MinutesOption = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Train phase 2 on label maps of synthetic spines or of your own; call again to resume."""
    from app.training.runs import Request

    _train(
        Request(
            phase="instance",
            preset=_known_preset(preset),
            output=output,
            work=work,
            spines=cases,
            dataset=_dataset(dataset, None),
            mix=_weights(mix, given=dataset is not None),
            steps=steps,
            seed=seed,
            device=device,
            stop_after_seconds=None if minutes is None else 60 * minutes,
        ),
        as_json=as_json,
    )


def _train(request: Request, *, as_json: bool) -> None:
    from app.training.progress import telling
    from app.training.runs import train

    with telling(as_json=as_json) as listener:
        reports = train(request, listener)
    for report in reports:
        if as_json:
            emit_json({"event": "result", "report": str(report)})
        else:
            typer.echo(f"report: {report}")


def _known_preset(name: str) -> str:
    from app.training.presets import SEMANTIC_PRESETS

    if name not in SEMANTIC_PRESETS:
        message = f"one of {', '.join(SEMANTIC_PRESETS)}"
        raise typer.BadParameter(message, param_hint="--preset")
    return name


def _dataset(bids: Path | None, spider: Path | None) -> DatasetSource | None:
    from app.training.runs import DatasetSource

    if bids is not None and spider is not None:
        raise typer.BadParameter("one data set at a time", param_hint="--dataset, --spider")
    if bids is not None:
        return DatasetSource(folder=bids, kind="bids")
    return None if spider is None else DatasetSource(folder=spider, kind="spider")


def _weights(text: str | None, *, given: bool) -> dict[str, float]:
    """Weights of the sources, from ``real=1,synthetic=2``."""
    if text is None:
        return {"real": 1.0} if given else {"synthetic": 1.0}
    weights = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            weights[name.strip()] = float(value)
        except ValueError:
            weights[name.strip()] = -1.0
    if (
        set(weights) - {"real", "synthetic"}
        or min(weights.values()) < 0
        or not any(weights.values())
    ):
        raise typer.BadParameter("for example real=1,synthetic=2", param_hint="--mix")
    return weights


def _models_folder(models: Path | None) -> Path:
    return models or load_settings().models.directory
