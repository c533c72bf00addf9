"""The networks of phase 1 on one normalised image: its grid, its tiles, what is decided of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from operators.anatomy.labels import Structure
from operators.imaging.components import fill_holes
from operators.networks.interleaved import RUNS, decide_between, part_of
from operators.networks.label_decision import decision_of
from operators.networks.normalisation import normalise
from operators.networks.slab_decision import Head
from operators.networks.sliding_window import Tiling, Tour, mean_logits, predict, whole_tile
from operators.networks.training_grid import in_axis_order, training_grid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from operators.networks.fold_votes import Answer
    from operators.networks.inference_config import InferenceConfig
    from operators.networks.nnunet_network import Ensemble
    from operators.networks.nnunet_plans import Plans
    from operators.networks.slab_decision import Prediction
    from operators.networks.training_grid import Spacing

    Progress = Callable[[int, int], None]
    Sizes = tuple[int, int, int]

BODY_MM3 = 800.0
"""Vertebral body in one tile, mm^3: the smallest body that counts as one, of which the shortest
spine has two (`operators.spine.quality.presence`)."""

_ROUNDING_MM = 0.01
"""Of a spacing in a header."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How to go through an image.

    Attributes
    ----------
    progress : callable or None
        Called with (done, total) tiles; may raise to cancel.
    needs_body : bool
        Give up where a first look shows no vertebral body (`first_look`).
    native_mm : tuple of 3 float or None
        Spacing of the image before it was resampled, along its axes; None = not known, and slices
        between the network's are not looked at (`interleaved`).
    """

    progress: Progress | None = None
    needs_body: bool = False
    native_mm: Spacing | None = None


@dataclass(frozen=True)
class TiledNetwork:
    """A model's networks with what its plans and its configuration say about their input.

    Attributes
    ----------
    config : InferenceConfig
        The folder's configuration.
    plans : Plans
        The folder's nnU-Net plans.
    ensemble : Ensemble
        The networks.
    label_of_class : (N,) ndarray
        Label of every answer (`label_table`).
    """

    config: InferenceConfig
    plans: Plans
    ensemble: Ensemble
    label_of_class: NDArray[np.unsignedinteger]

    def normalised(
        self, voxels: NDArray[np.float32], seen: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Bring the intensities of an image to where the networks expect them.

        Parameters
        ----------
        voxels, seen : (Z, Y, X) ndarray
            The image, and where it is not black.
        """
        plans = self.plans
        return normalise(
            voxels,
            plans.normalization_schemes[0],
            mask=fill_holes(seen) if plans.use_mask_for_norm[0] else None,
            properties=plans.intensity_properties[0],
        )

    def decide(self, normal: NDArray[np.float32], spacing_mm: Spacing, ways: Ways) -> Prediction:
        """Run all tiles and decide every voxel.

        Parameters
        ----------
        normal : (Z, Y, X) ndarray of float32
            Normalised image.
        spacing_mm : tuple of 3 float
            Its own.
        ways : Ways
            How to go through it.

        Returns
        -------
        Prediction
            On the grid of the image.

        Raises
        ------
        NoSpineFoundError
            ``no_vertebral_body``: where one is needed.
        SegmentationError
            ``non_finite_logits``.
        """
        order = self.plans.transpose_forward
        ordered = np.ascontiguousarray(normal.transpose(order))
        spacing = in_axis_order(spacing_mm, order)
        try:
            with torch.inference_mode():
                if self._sees_slices_between(ordered.shape, ways):
                    found = self._decide_between(ordered, spacing, ways)
                else:
                    found = self._decide_once(ordered, spacing, ways)
        finally:
            self.ensemble.networks.release_memory()
        return found.transpose(self.plans.transpose_backward)

    def _decide_once(
        self, ordered: NDArray[np.float32], spacing_mm: Spacing, ways: Ways
    ) -> Prediction:
        plans, head = self.plans, self._head()
        grid = training_grid(ordered.shape, spacing_mm, plans.spacing_mm, plans.separate_slices)
        image = self._on_device(grid.of(ordered))
        tour = self._tour(ways, head)
        return predict(
            image, self._tiling(image), head, tour.progress, finer=grid.image, wanted=tour.wanted
        )

    def _decide_between(
        self, ordered: NDArray[np.float32], spacing_mm: Spacing, ways: Ways
    ) -> Prediction:
        """Run over every second slice of a grid of twice as many, and over those between."""
        plans, head = self.plans, self._head()
        axis = self._slice_axis
        dense_mm = [mm / RUNS if n == axis else mm for n, mm in enumerate(plans.spacing_mm)]
        k, j, i = dense_mm
        grid = training_grid(ordered.shape, spacing_mm, (k, j, i), plans.separate_slices)
        image = self._on_device(grid.of(ordered))
        tour = self._tour(ways, head)
        # One size of tile for both, so that no second graph takes memory beside the first one's.
        tiling = self._tiling(image[_every_second(0, axis)])
        runs = []
        for run in range(RUNS):
            seen = image[_every_second(run, axis)].contiguous()
            wanted = None if run else tour.wanted  # one look is enough
            both = Tour(part_of(tour.progress, run), wanted)
            runs.append(mean_logits(seen, tiling, head, both))
        first, second = runs
        return decide_between((first, second), head, axis, grid.image)

    @property
    def _slice_axis(self) -> int:
        """Axis of the largest spacing of the training."""
        return int(np.argmax(self.plans.spacing_mm))

    def _sees_slices_between(self, shape: Sizes, ways: Ways) -> bool:
        """Tell whether two runs see slices of their own."""
        axis = self._slice_axis
        if not self.config.interleaves_thin_slices or ways.native_mm is None or shape[axis] < RUNS:
            return False
        native_mm = in_axis_order(ways.native_mm, self.plans.transpose_forward)[axis]
        return native_mm <= self.plans.spacing_mm[axis] / RUNS + _ROUNDING_MM

    def _head(self) -> Head:
        temperature = self.config.confidence_temperature
        return Head(
            self.ensemble.ask,
            self.plans.heads,
            decision_of(self.plans),
            temperature if self.plans.regions_class_order is None else None,
        )

    def _tour(self, ways: Ways, head: Head) -> Tour:
        return Tour(ways.progress, self._shows_body(head) if ways.needs_body else None)

    def _on_device(self, voxels: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(voxels[None]).to(self.ensemble.networks.runtime.device)

    def _tiling(self, image: Tensor) -> Tiling:
        return Tiling(self._tile(image.shape[1:]), self.config.default_step_size)

    def _tile(self, image: Sequence[int]) -> Sizes:
        """Tile for an image of so many voxels: the plans' own, or the whole image."""
        if self.config.largest_tile is None:
            return self.plans.patch_size
        return whole_tile(
            image, self.plans.patch_size, self.plans.divisor, self.config.largest_tile
        )

    def _shows_body(self, head: Head) -> Callable[[Answer], bool]:
        """Tell whether a tile's answer has as much of a vertebral body as the smallest one."""
        least = BODY_MM3 / float(np.prod(self.plans.spacing_mm))

        def shows(answer: Answer) -> bool:
            classes = head.decide(answer.logits[0].movedim(0, -1)).cpu().numpy()
            bodies = self.label_of_class[classes] == Structure.CORPUS
            return int(np.count_nonzero(bodies)) >= least

        return shows


def _every_second(first: int, axis: int) -> tuple[slice, ...]:
    """Every second slice of a (C, Z, Y, X) array along one of its last axes."""
    places = [slice(None)] * 4
    places[1 + axis] = slice(first, None, RUNS)
    return tuple(places)
