"""Settings of a whole training: what the bundled models use, and what the paper used.

``paper`` follows Moeller et al. 2024 (doi 10.1007/s00330-024-11155-y) and nnU-Net v2's defaults
where the paper refers to them. It is meant for a GPU; ``compact`` trains in about two and a half
hours on one core (phase 1) and in about one and a half (phase 2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from app.research.training.augmentation import TileGrid
from app.research.training.cases import COMPACT_GRID_MM
from app.research.training.cutout_drawing import CutoutGrid, Spoiling

STEPS_PER_EPOCH = 250
"""nnU-Net's length of an epoch: that many batches, however large the data set is."""

Stride = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Shape of a PlainConvUNet, axes (R, I, P).

    Attributes
    ----------
    features : tuple of int
        Channels per stage.
    strides, kernels : tuple of (int, int, int)
        Per stage.
    encoder_convolutions, decoder_convolutions : tuple of int
        Per stage; the decoder has one stage less.
    """

    features: tuple[int, ...]
    strides: tuple[Stride, ...]
    kernels: tuple[Stride, ...]
    encoder_convolutions: tuple[int, ...]
    decoder_convolutions: tuple[int, ...]


def compact_design(features: tuple[int, ...] = (16, 32, 64, 96, 128)) -> Design:
    """Shape of the bundled model with its first so many stages."""
    stages = len(features)
    return Design(
        features=features,
        strides=((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2))[:stages],
        kernels=((1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))[:stages],
        encoder_convolutions=(1, *[2] * (stages - 1)),
        decoder_convolutions=(*[2] * (stages - 2), 1),
    )


def with_finer_stage(design: Design) -> Design:
    """Put a stage of twice the resolution in the plane before a design, with as many channels."""
    return Design(
        features=(design.features[0], *design.features),
        strides=((1, 1, 1), (1, 2, 2), *design.strides[1:]),
        kernels=((1, 3, 3), *design.kernels),
        encoder_convolutions=(1, *design.encoder_convolutions),
        decoder_convolutions=(*design.decoder_convolutions, 1),
    )


def without_finer_stage(design: Design) -> Design | None:
    """Take the stage of `with_finer_stage` away again; None if there is none."""
    if len(design.features) < 2:
        return None
    coarser = Design(
        features=design.features[1:],
        strides=((1, 1, 1), *design.strides[2:]),
        kernels=design.kernels[1:],
        encoder_convolutions=design.encoder_convolutions[1:],
        decoder_convolutions=design.decoder_convolutions[:-1],
    )
    return coarser if with_finer_stage(coarser) == design else None


PAPER_DESIGN = Design(
    features=(32, 64, 128, 256, 320, 320, 320),
    strides=((1, 1, 1), (1, 2, 2), *[(2, 2, 2)] * 4, (1, 2, 2)),
    kernels=((1, 3, 3), *[(3, 3, 3)] * 6),
    encoder_convolutions=(2,) * 7,
    decoder_convolutions=(2,) * 6,
)
"""What nnU-Net v2 plans for 256 x 256 x 64 at 0.75 x 0.75 x 1.65 mm (a test asks nnU-Net)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Learning rate by step.

    Attributes
    ----------
    peak : float
        Highest rate.
    shape : {"poly", "linear"}
        Decay: polynomial of power 0.9 (nnU-Net), or a straight line.
    floor : float
        The rate never falls below this share of the peak; the line ends there.
    warm_up : int
        Steps of linear increase at the beginning, at most a tenth of all.
    """

    peak: float
    shape: Literal["poly", "linear"] = "poly"
    floor: float = 0.01
    warm_up: int = 100

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0."""
        warm = 1.0
        if self.warm_up:
            warm = min(1.0, (step + 1) / min(self.warm_up, max(1, steps // 10)))
        if self.shape == "linear":
            return self.peak * warm * (1 - (1 - self.floor) * step / max(1, steps - 1))
        return self.peak * warm * max(float((1 - step / steps) ** 0.9), self.floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticPreset:
    """Phase 1.

    Attributes
    ----------
    name : str
        For the report.
    design : Design
        The network.
    grid : TileGrid
        Patch, spacing, mirroring.
    schedule : Schedule
        Learning rate.
    epochs, batch, folds : int
        An epoch is `STEPS_PER_EPOCH` batches.
    optimizer : {"adamw", "sgd"}
        SGD with Nesterov momentum .99 and weight decay 3e-5 is nnU-Net's.
    deep_supervision : bool
        Also judge the coarser outputs of the decoder, weights halving per level.
    correct_bias : bool
        N4 on the images of a data set, as the pipeline does before inference.
    margin_mm : float or None
        Crop the images of a data set to the annotated box and so much around it.
    class_weights : dict of int to float
        Weight of a label in the cross-entropy.
    map_mm : tuple of 3 floats or None
        Spacing of the label map along (R, I, P), to which the logits are interpolated; None = the
        grid's.
    largest_tile : int or None
        What the model's configuration says of whole images
        (`operators.networks.inference_config`).
    interleaves_thin_slices : bool
        Likewise, of a second run over images of thin slices.
    border_voxels : tuple of 3 int
        Likewise, of the black border around an image, along (P, I, R); images of a data set get
        the same.
    separate_slices : bool or None
        What the model's plans say of slices on the way to the grid and back
        (`operators.networks.training_grid`); None = nnU-Net's rule.
    averages_mirror : bool
        Whether a model of mirrored tiles is asked for the mirror image, too.
    """

    name: str
    design: Design
    grid: TileGrid
    schedule: Schedule
    epochs: int
    batch: int = 1
    folds: int = 1
    optimizer: Literal["adamw", "sgd"] = "adamw"
    deep_supervision: bool = False
    correct_bias: bool = True
    margin_mm: float | None = None
    class_weights: dict[int, float] = field(default_factory=dict)
    map_mm: tuple[float, float, float] | None = None
    largest_tile: int | None = None
    interleaves_thin_slices: bool = False
    border_voxels: tuple[int, int, int] = (4, 4, 4)
    separate_slices: bool | None = None
    averages_mirror: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancePreset:
    """Phase 2; fields as in `SemanticPreset`.

    Attributes
    ----------
    base : int
        Features of the first convolution.
    first_kernel : int
        Trained size of the first kernel (published shape 7; the rest of it stays 0).
    cutout : CutoutGrid
        Size and spacing.
    spoiling : Spoiling
        Augmentation of the label maps.
    """

    name: str
    base: int
    first_kernel: Literal[3, 7]
    cutout: CutoutGrid
    spoiling: Spoiling
    schedule: Schedule
    epochs: int
    batch: int = 1
    optimizer: Literal["adamw", "sgd"] = "adamw"


_COMPACT_WEIGHTS = {0: 0.8, 43: 1.6, 44: 1.6, 45: 1.3, 46: 1.3, 47: 1.3, 48: 1.3}

_COMPACT = SemanticPreset(
    name="compact",
    design=compact_design(),
    grid=TileGrid((16, 128, 96), COMPACT_GRID_MM, between=True),
    schedule=Schedule(peak=4e-3),
    epochs=72,
    class_weights=_COMPACT_WEIGHTS,
    map_mm=(1.65, 0.75, 0.75),
    border_voxels=(4, 4, 0),
)

_LARGEST_TILE = 2_500_000
"""Voxels: a lumbar field of 300 x 300 mm and 100 mm depth takes 1.8 million; a tile of this size
1.5 GB."""

_FINE_GRID_MM = (COMPACT_GRID_MM[0], COMPACT_GRID_MM[1] / 2, COMPACT_GRID_MM[2] / 2)

SEMANTIC_PRESETS: dict[str, SemanticPreset] = {
    "compact": _COMPACT,
    # The last stage of a compact model: fields of 260 x 180 x 79 mm, so that its norms know whole
    # images, which it then sees at once.
    "fields": replace(
        _COMPACT,
        name="fields",
        grid=replace(_COMPACT.grid, shape=(24, 208, 144)),
        epochs=2,
        largest_tile=_LARGEST_TILE,
    ),
    # A compact model with a stage more, on voxels of half the size in the plane: it begins with the
    # weights of `fields` (`app.research.training.finer_stage`).
    "fine": replace(
        _COMPACT,
        name="fine",
        design=with_finer_stage(compact_design()),
        grid=replace(_COMPACT.grid, shape=(24, 416, 288), spacing_mm=_FINE_GRID_MM),
        epochs=8,
        map_mm=(1.65, *_FINE_GRID_MM[1:]),
        largest_tile=4 * _LARGEST_TILE,
        interleaves_thin_slices=True,
        averages_mirror=False,
        # nnU-Net would pick slices at 3.3 mm beside 0.625 mm, where cases are interpolated.
        separate_slices=False,
    ),
    "paper": SemanticPreset(
        name="paper",
        design=PAPER_DESIGN,
        grid=TileGrid((64, 256, 256), (1.65, 0.75, 0.75), mirror=False),
        schedule=Schedule(peak=1e-2, floor=0.0, warm_up=0),
        epochs=1000,
        batch=2,
        folds=3,
        optimizer="sgd",
        deep_supervision=True,
        margin_mm=32.0,
    ),
}

INSTANCE_PRESETS: dict[str, InstancePreset] = {
    "compact": InstancePreset(
        name="compact",
        base=8,
        first_kernel=3,
        # 72 mm behind a body's centre, as far as the tip of a lumbar spinous process.
        cutout=CutoutGrid((144, 136, 24), (1.0, 1.0, 2.2)),
        spoiling=Spoiling(),
        schedule=Schedule(peak=3e-3),
        epochs=16,
    ),
    "paper": InstancePreset(
        name="paper",
        base=16,
        first_kernel=7,
        cutout=CutoutGrid((248, 304, 64), (0.75, 0.75, 1.65)),
        spoiling=Spoiling(
            network_errors=False, erosion=0.3, resampling=0.3, label_drop=0.1, vertical_crop=0.25
        ),
        schedule=Schedule(peak=1e-4, shape="linear", floor=0.01, warm_up=0),
        epochs=300,
        batch=2,
    ),
}
