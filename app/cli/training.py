"""``spine-node train semantic`` and ``spine-node train instance``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from app.console import emit_json
from app.registry import find_model
from app.settings import load_settings
from app.signals import stop_requests
from operators.errors import InterruptedRunError

if TYPE_CHECKING:
    from app.research.training.sources import DatasetSource

train_app = typer.Typer(help="Train the two phases.", no_args_is_help=True)

_SOURCE_NAME: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*)=(.+)")

_SHARE: Final = re.compile(r"(.+)=([0-9]*\.?[0-9]+)")

JsonOption = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
WorkOption = Annotated[Path, typer.Option("--work", help="Cases, states to resume from, reports.")]
ModelFolder = Annotated[Path, typer.Option("--output", "-o", help="Model folder to write.")]
PresetOption = Annotated[
    str,
    typer.Option(
        help="compact (hours on one core) or paper (days on a GPU); of phase 1 also fields: the "
        "last stage of a compact model, on whole fields, which makes it several times faster; and "
        "fine: one more network stage before that model's, on voxels of half the size in the plane."
    ),
]
DatasetOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]PATH",
        help="BIDS folder: sub-*/**/*_T2w.nii.gz with *_seg-spine_msk, *_seg-vert_msk. Several, "
        "each with a name for --mix, such as automatic=A and manual=B; 'real' if unnamed.",
    ),
]
SpiderOption = Annotated[
    Path | None,
    typer.Option(help="SPIDER folder: images/ and masks/; 'spider' for --mix."),
]
MixOption = Annotated[
    str | None,
    typer.Option(
        help="How often each source is drawn, for example real=1,synthetic=2 or "
        "automatic=1,manual=3; all data sets alike and nothing synthetic if absent."
    ),
]
CasesOption = Annotated[int, typer.Option(min=1, help="Synthetic spines to make.")]
FirstCaseOption = Annotated[
    int,
    typer.Option(min=0, help="Seed of the first of them: new ones for a model that saw others."),
]
StepsOption = Annotated[int | None, typer.Option(min=1, help="Length of the schedule.")]
StartOption = Annotated[
    Path | None, typer.Option(help="Model folder to begin with instead of random weights.")
]
PredictedByOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|PATH",
        help="Phase 1 model: half of the label maps are its predictions instead of true ones, as "
        "phase 2 gets them later. They are made first, one for every fifth synthetic spine.",
    ),
]
FoldOption = Annotated[int | None, typer.Option(min=0, help="Only this fold; all if absent.")]
FoldsOption = Annotated[
    int | None,
    typer.Option(min=1, max=10, help="Networks, each with other subjects held out; the preset's."),
]
HoldOutOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME,...",
        help="Subjects of the data sets to hold out; every fifth if absent.",
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of weights and samples.")]
DeviceOption = Annotated[str, typer.Option(help="A torch device, such as cpu or cuda.")]
MinutesOption = Annotated[
    float | None,
    typer.Option(min=0, help="Train so long, all folds together; the same command goes on."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Threads that draw samples ahead; changes no sample. One on a CPU, one per core but "
        "one (at most 8) beside a GPU if absent.",
    ),
]


EngineOption = Annotated[
    Literal["own", "nnunet"],
    typer.Option(
        help="own, or nnunet: nnU-Net v2's fingerprint, planning, preprocessing and trainer, with "
        "the preset's patch, network and epochs, without mirroring; on a CPU of little use."
    ),
]
GpusOption = Annotated[int, typer.Option(min=1, help="GPUs per fold, with --engine nnunet.")]


@train_app.command("semantic")
def train_semantic(  # noqa: PLR0913, PLR0917 - one parameter per documented option
    output: ModelFolder,
    work: WorkOption = Path("training"),
    preset: PresetOption = "compact",
    engine: EngineOption = "own",
    dataset: DatasetOption = None,
    spider: SpiderOption = None,
    mix: MixOption = None,
    cases: CasesOption = 1000,
    first_case: FirstCaseOption = 0,
    steps: StepsOption = None,
    start: StartOption = None,
    fold: FoldOption = None,
    folds: FoldsOption = None,
    hold_out: HoldOutOption = None,
    seed: SeedOption = 2026,
    device: DeviceOption = "cpu",
    minutes: MinutesOption = None,
    workers: WorkersOption = None,
    gpus: GpusOption = 1,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Train phase 1 on synthetic spines, on your own images, or on both; call again to resume."""
    asked = {
        "phase": "semantic",
        "preset": preset,
        "engine": engine,
        "gpus": gpus,
        "output": output,
        "work": work,
        "spines": cases,
        "first_spine": first_case,
        "steps": steps,
        "start": start,
        "fold": fold,
        "folds": folds,
        "hold_out": _subjects(hold_out),
        "seed": seed,
        "device": device,
        "stop_after_seconds": _seconds(minutes),
        "workers": workers,
    }
    _train(asked, _Data(dataset or [], spider, mix), as_json=as_json)


@train_app.command("instance")
def train_instance(  # noqa: PLR0913, PLR0917 - one parameter per documented option
    output: ModelFolder,
    work: WorkOption = Path("training"),
    preset: PresetOption = "compact",
    dataset: DatasetOption = None,
    mix: MixOption = None,
    cases: CasesOption = 1000,
    first_case: FirstCaseOption = 0,
    steps: StepsOption = None,
    start: StartOption = None,
    predicted_by: PredictedByOption = None,
    hold_out: HoldOutOption = None,
    seed: SeedOption = 2027,
    device: DeviceOption = "cpu",
    minutes: MinutesOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Train phase 2 on label maps of synthetic spines or of your own; call again to resume."""
    asked = {
        "phase": "instance",
        "preset": preset,
        "output": output,
        "work": work,
        "spines": cases,
        "first_spine": first_case,
        "steps": steps,
        "start": start,
        "predicted_by": None if predicted_by is None else _model_folder(predicted_by),
        "hold_out": _subjects(hold_out),
        "seed": seed,
        "device": device,
        "stop_after_seconds": _seconds(minutes),
        "workers": workers,
    }
    _train(asked, _Data(dataset or [], None, mix), as_json=as_json)


@train_app.command("average")
def train_average(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL[=SHARE]...", help="Phase 1 models: names or folders."),
    ],
    output: ModelFolder,
) -> None:
    """Write the mean of phase 1 models, such as the stages of one training."""
    from app.research.training.averaging import average_models

    parted = [_SHARE.fullmatch(text) for text in models]
    shares = {
        _model_folder(match[1] if match else text): float(match[2]) if match else 1.0
        for text, match in zip(models, parted, strict=True)
    }
    average_models(shares, output)
    typer.echo(f"model: {output}; try it: spine-node run --semantic {output} ...")


@dataclass(frozen=True, slots=True)
class _Data:
    """The options about data, as they were typed."""

    datasets: list[str]
    spider: Path | None
    mix: str | None


def _train(asked: dict[str, Any], data: _Data, *, as_json: bool) -> None:
    """Train, until it is done or somebody asks the process to end."""
    # Nothing that starts threads (numpy, torch) is imported before: see `app.signals`.
    with stop_requests() as stop:
        from app.research.training.progress import telling
        from app.research.training.request import Request
        from app.research.training.runs import train

        _require_known(asked["phase"], asked["preset"])
        sources = _sources(data.datasets, data.spider)
        request = Request(**asked, datasets=sources, mix=_weights(data.mix, sources))
        with telling(as_json=as_json) as listener:
            reports = train(request, listener, stop.is_set)
        was_asked = stop.is_set()
    for report in reports:
        if as_json:
            emit_json({"event": "result", "report": str(report), "model": str(request.output)})
        else:
            typer.echo(f"report: {report} (with pictures beside it)")
    if reports and not as_json:
        typer.echo(f"model: {request.output}; try it: spine-node run --{request.phase} ...")
    if was_asked:
        raise InterruptedRunError("stopped; the same command goes on from here")


def _model_folder(name_or_path: str) -> Path:
    return find_model(load_settings().models.directory, name_or_path)


def _subjects(text: str | None) -> frozenset[str]:
    return frozenset(part.strip() for part in (text or "").split(",") if part.strip())


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else 60 * minutes


def _require_known(phase: str, name: str) -> None:
    from app.research.training.presets import INSTANCE_PRESETS, SEMANTIC_PRESETS

    known = INSTANCE_PRESETS if phase == "instance" else SEMANTIC_PRESETS
    if name not in known:
        message = f"one of {', '.join(known)}"
        raise typer.BadParameter(message, param_hint="--preset")


def _sources(bids: list[str], spider: Path | None) -> tuple[DatasetSource, ...]:
    """Name the data sets, from ``PATH`` and ``NAME=PATH``."""
    from app.research.training.sources import SYNTHETIC, DatasetSource

    found = []
    for text in bids:
        named = None if Path(text).exists() else _SOURCE_NAME.fullmatch(text)
        name, path = named.groups() if named else ("real", text)
        found.append(DatasetSource(folder=Path(path), kind="bids", name=name))
    if spider is not None:
        found.append(DatasetSource(folder=spider, kind="spider", name="spider"))
    names = [source.name for source in found]
    if len(set(names)) < len(names) or SYNTHETIC in names:
        message = "several data sets need a name each: --dataset automatic=A --dataset manual=B"
        raise typer.BadParameter(message, param_hint="--dataset")
    return tuple(found)


def _weights(text: str | None, sources: tuple[DatasetSource, ...]) -> dict[str, float]:
    """Weights of the sources, from ``real=1,synthetic=2``; a single data set is also "real"."""
    from app.research.training.sources import SYNTHETIC

    names = [source.name for source in sources]
    if text is None:
        return dict.fromkeys(names, 1.0) or {SYNTHETIC: 1.0}
    weights = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        name = names[0] if name == "real" and len(names) == 1 else name
        try:
            weights[name] = float(value)
        except ValueError:
            weights[name] = -1.0
    known = {*names, SYNTHETIC} if names else {"real", SYNTHETIC}
    usable = all(math.isfinite(weight) and weight >= 0 for weight in weights.values())
    if set(weights) - known or not usable or not any(weights.values()):
        message = f"weights of {', '.join(sorted(known))}, for example real=1,synthetic=2"
        raise typer.BadParameter(message, param_hint="--mix")
    return weights
