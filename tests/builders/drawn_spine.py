"""Stand-in networks that answer with a drawn spine, C1 included where it is drawn.

Other than `stub_models`, whose instance network knows no vertebra without a body.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from app.run.models import ModelBundle
from operators.anatomy.labels import Structure
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import LabelMap
from tests.builders.spine_phantom import LEVEL, Spine, TruthPredictor, body_rows, pir_map, spine_of
from tests.builders.stub_models import StubResult, config_of, stub_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from operators.imaging.volume import Volume
    from operators.networks.inference_config import InferenceConfig

SURE, DOUBTFUL = 255, 100
"""Certainties of 1 and 0.39."""


def neck_of(count: int) -> Spine:
    """C1 and ``count - 1`` vertebrae below it, with bodies 19.5 mm deep and C2's dens."""
    parts, vertebrae = (spine_of(count).parts, spine_of(count).vertebrae)
    front = parts[:, :, 4:11]
    front[...], vertebrae[:, :, 4:11] = 0, 0
    atlas, axis = body_rows(0), body_rows(1)
    between = slice(atlas.start, axis.start)
    in_front = parts[:, between, 4:24]
    vertebrae[:, between, 4:24] = 0
    in_front[...] = 0
    dens = (slice(13, 19), slice(axis.start - LEVEL + 2, axis.start), slice(14, 20))
    parts[dens], vertebrae[dens] = Structure.CORPUS, 2
    for level in range(count):
        rows = slice(body_rows(level).start + 4, body_rows(level).start + 10)
        for side, across in (
            (Structure.COSTAL_PROCESS_LEFT, slice(2, 6)),
            (Structure.COSTAL_PROCESS_RIGHT, slice(26, 30)),
        ):
            parts[across, rows, 24:30], vertebrae[across, rows, 24:30] = side, level + 1
    return Spine(pir_map(parts), pir_map(vertebrae))


def centred(spine: Spine, image: Volume) -> Spine:
    """The same spine with its middle in the middle of an image."""

    def middle(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return affine[:3, :3] @ ((np.array(shape) - 1) / 2) + affine[:3, 3]

    affine = spine.semantic.affine_lps.copy()
    affine[:3, 3] += middle(image.affine_lps, image.voxels_zyx.shape) - middle(
        affine, spine.semantic.labels_zyx.shape
    )
    return Spine(
        replace(spine.semantic, affine_lps=affine), replace(spine.instances, affine_lps=affine)
    )


@dataclass
class DrawnModels:
    """Both networks; doubtful about one vertebra, by its place from the top."""

    spine: Spine
    has_c1: bool
    doubtful: int
    profile: str = "stub"
    config: InferenceConfig = field(default_factory=lambda: config_of("semantic"))

    def __post_init__(self) -> None:
        """Say in the configuration whether C1 is drawn."""
        self.config = replace(self.config, has_c1=self.has_c1)

    def segment(
        self,
        volume: Volume,
        progress: Callable[[int, int], None] | None = None,
        *,
        needs_body: bool = False,
    ) -> StubResult:
        turned = reorient(volume, ("P", "I", "R"))
        drawn = centred(self.spine, turned)
        labels = resample_labels_to_grid(drawn.semantic, turned.grid)
        owners = resample_labels_to_grid(drawn.instances, turned.grid).labels_zyx
        certainty = np.where(owners == self.doubtful, DOUBTFUL, SURE).astype(np.uint8)
        if progress is not None:
            progress(1, 1)
        return StubResult(labels, certainty=LabelMap(certainty, labels.affine_lps))

    def bundle(self, image: Volume) -> ModelBundle:
        """Both stand-ins, for images that lie where this one lies."""
        return replace(
            stub_bundle(self), instance=DrawnInstanceModel(centred(self.spine, image).instances)
        )


class DrawnInstanceModel(TruthPredictor):
    """Tells the drawn vertebrae apart."""

    profile = "stub"

    def __init__(self, truth: LabelMap) -> None:
        super().__init__(truth)
        self.config = config_of("instance")
