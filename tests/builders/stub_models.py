"""Stand-in networks with analytic answers, so that the graph can run without weights.

The semantic stand-in paints a straight spine of box-shaped vertebrae into the middle of any
volume; the instance stand-in tells them apart by the nearest centre.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.run.models import ModelBundle
from operators.dicom.identity.provenance import ModelIdentity
from operators.errors import SegmentationError
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap, SparseMask, Volume
from operators.networks.inference_config import InferenceConfig
from operators.spine.confidence import ALL_AGREE
from tests.builders.mr_series import MadeSeries, make_series
from tests.builders.shown_spine import paint_spine, spine_of


@dataclass(frozen=True)
class StubResult:
    labels: LabelMap
    facts: tuple[str, ...] = ("stub_network",)
    certainty: LabelMap | None = None
    agreement: LabelMap | None = None


def config_of(kind: str) -> InferenceConfig:
    return InferenceConfig(
        log_name=f"stub_{kind}",
        modality=("T2w",) if kind == "semantic" else ("SEG",),
        modeltype="nnunet" if kind == "semantic" else "unet",
        model_expected_orientation=("P", "I", "R"),
        available_folds=("0",),
        inference_augmentation=False,
        resolution_range=((1.5, 1.5, 3.3), (1.5, 1.5, 3.3)),
        default_step_size=0.5,
        labels={1: 49},
        corpus_size_cleaning=10,
        vert_size_threshold=20,
    )


@dataclass
class StubSemanticModel:
    """Paints bodies 49, discs 100, canal 61 and arches 41; `empty` paints nothing.

    `contested` is a label that half of its folds call something else; None: it has but one.
    """

    empty: bool = False
    contested: int | None = None
    fails_on: Callable[[Volume], bool] = lambda _: False
    config: InferenceConfig = field(default_factory=lambda: config_of("semantic"))
    profile: str = "stub"

    def segment(
        self,
        volume: Volume,
        progress: Callable[[int, int], None] | None = None,
        *,
        needs_body: bool = False,
    ) -> StubResult:
        if self.fails_on(volume):
            raise SegmentationError("the stub was told to fail")
        turned = reorient(volume, ("P", "I", "R"))
        labels = np.zeros(turned.voxels_zyx.shape, np.uint8)
        if progress is not None:
            progress(1, 2)
        if not self.empty:
            paint_spine(labels, turned.spacing_zyx_mm)
        if progress is not None:
            progress(2, 2)
        agreement = None
        if self.contested is not None:
            share = np.where(labels == self.contested, ALL_AGREE // 2, ALL_AGREE)
            agreement = LabelMap(share.astype(np.uint8), turned.affine_lps)
        return StubResult(LabelMap(labels, turned.affine_lps), agreement=agreement)


@dataclass
class StubInstanceModel:
    """Gives every vertebra voxel to the nearest centre on the I axis."""

    config: InferenceConfig = field(default_factory=lambda: config_of("instance"))
    profile: str = "stub"

    def predict(
        self,
        labels: LabelMap,
        centres_zyx: Sequence[tuple[float, float, float]],
        progress: Callable[[int, int], None] | None = None,
    ) -> list[tuple[SparseMask | None, SparseMask | None, SparseMask | None]]:
        vertebra = (labels.labels_zyx >= 41) & (labels.labels_zyx <= 49)
        heights = np.array([centre[1] for centre in centres_zyx])
        nearest = np.abs(np.arange(vertebra.shape[1])[:, None] - heights[None]).argmin(axis=1)
        order = list(np.argsort(heights))

        def mask_of(rank: int) -> SparseMask | None:
            if not 0 <= rank < len(order):
                return None
            mask = vertebra & (nearest == order[rank])[None, :, None]
            box = tuple(slice(0, n) for n in mask.shape)
            return SparseMask(box, mask) if mask.any() else None

        answers = []
        for index in range(len(centres_zyx)):
            rank = order.index(index)
            answers.append((mask_of(rank - 1), mask_of(rank), mask_of(rank + 1)))
            if progress is not None:
                progress(index + 1, len(centres_zyx))
        return answers


def stub_bundle(semantic: StubSemanticModel | None = None) -> ModelBundle:
    """Both stand-ins as the house expects them."""
    return ModelBundle(
        semantic=semantic or StubSemanticModel(),
        instance=StubInstanceModel(),
        semantic_identity=ModelIdentity("stub_semantic", "0", "00" * 32),
        instance_identity=ModelIdentity("stub_instance", "0", "11" * 32),
        profile="stub",
    )


def spine_series(folder: Path, **changes: object) -> MadeSeries:
    """A sagittal T2w series that shows four vertebrae: 150 x 96 x 53 mm."""
    size = {"rows": 100, "columns": 64, "pixel_spacing": (1.5, 1.5)}
    options = {**size, "shows": spine_of, **changes}
    return make_series(folder, **options)
