"""Measure a whole spine on its final label maps.

Every measure of every structure in the image is told: with a value, or with the reason why it has
none. Pure: two label maps in, plain rows out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import (
    DISC_OFFSET,
    ENDPLATE_OFFSET,
    SACRUM_INSTANCE,
    VERTEBRA_INSTANCES,
    Structure,
)
from operators.anatomy.vertebrae import cranial_to_caudal, vertebrae_among
from operators.imaging.cropping import bounding_box
from operators.imaging.orientation import reorient
from operators.imaging.volume import spacing_of
from operators.spine.cut_above import EDGE_MM
from operators.spine.label_statistics import boxes_of, is_one_of
from operators.spine.measurements.bodies import BODY, DISC, Build, Shape, sacral_surface, shape_of
from operators.spine.measurements.frames import UPRIGHT, starting_axes
from operators.spine.measurements.quantities import Reason
from operators.spine.measurements.sampling import Extent, PlacedMask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.cropping import Box
    from operators.imaging.volume import LabelMap
    from operators.spine.measurements.surfaces import EndSurface

    Numbers = NDArray[np.float64]

_CANAL_POINTS: Final = 15_000
"""Enough to know where the canal runs."""

_CORPUS = (Structure.CORPUS, Structure.CORPUS_DENSE)


@dataclass(frozen=True)
class MeasuredSpine:
    """The shapes of one spine, each found once.

    Attributes
    ----------
    parts, numbers : (R, I, P) ndarray
        Semantic and instance labels.
    extent : Extent
        Of the image.
    """

    parts: NDArray[np.unsignedinteger]
    numbers: NDArray[np.unsignedinteger]
    extent: Extent

    @classmethod
    def of(cls, semantic: LabelMap, instances: LabelMap) -> MeasuredSpine:
        """Look at final maps on one grid, in any orientation."""
        turned = reorient(semantic, ("P", "I", "R"))
        numbers = reorient(instances, ("P", "I", "R")).labels_zyx
        _, row, column = turned.spacing_zyx_mm
        margins = (1, int(np.ceil(EDGE_MM / row)), int(np.ceil(EDGE_MM / column)))
        k, j, i = turned.labels_zyx.shape
        return cls(turned.labels_zyx, numbers, Extent((k, j, i), turned.affine_lps, margins))

    @property
    def slice_distance_mm(self) -> float:
        """Distance of sagittal slices."""
        return spacing_of(self.extent.affine_lps)[0]

    @cached_property
    def _boxes(self) -> dict[int, Box]:
        return boxes_of(self.numbers)

    @cached_property
    def vertebrae(self) -> tuple[int, ...]:
        """Ids of the vertebrae, head to foot."""
        return vertebrae_among(self._boxes)

    def instance(self, number: int, parts: tuple[int, ...] = ()) -> PlacedMask | None:
        """One instance, or only these structures of it; None if it is not there."""
        box = self._boxes.get(number)
        if box is None:
            return None
        mask = self.numbers[box] == number
        if parts:
            mask &= is_one_of(self.parts[box], parts)
        return PlacedMask.of(mask, box, self.extent) if mask.any() else None

    def body(self, number: int) -> PlacedMask | None:
        """Body of a vertebra without its endplates."""
        return self.instance(number, _CORPUS)

    def body_with_plates(self, number: int) -> PlacedMask | None:
        """Body of a vertebra with its endplates; None where it has none."""
        boxes = [self._boxes.get(n) for n in (number, ENDPLATE_OFFSET + number)]
        if None in boxes:
            return None
        k, j, i = (
            slice(min(side.start for side in sides), max(side.stop for side in sides))
            for sides in zip(*(box for box in boxes if box is not None), strict=True)
        )
        numbers, parts = self.numbers[k, j, i], self.parts[k, j, i]
        mask = (numbers == number) & is_one_of(parts, _CORPUS)
        return PlacedMask.of(mask | (numbers == ENDPLATE_OFFSET + number), (k, j, i), self.extent)

    def structure(self, *labels: int) -> PlacedMask | None:
        """Structures of the semantic map as one mask."""
        mask = is_one_of(self.parts, labels)
        box = bounding_box(mask)
        return None if box is None else PlacedMask.of(mask[box], box, self.extent)

    @cached_property
    def canal(self) -> PlacedMask | None:
        """Canal with cord."""
        return self.structure(Structure.CANAL, Structure.CORD)

    @cached_property
    def cord(self) -> PlacedMask | None:
        """Cord."""
        return self.structure(Structure.CORD)

    @cached_property
    def canal_lps(self) -> Numbers:
        """Where the canal runs: some of its voxels, LPS mm."""
        if self.canal is None:
            return np.zeros((0, 3))
        voxels = self.canal.voxels_lps()
        return voxels[:: max(1, len(voxels) // _CANAL_POINTS)]

    @cached_property
    def _axes(self) -> dict[int, Numbers]:
        bodies = {number: self.body(number) for number in self.vertebrae}
        centres = {
            number: body.voxels_lps().mean(axis=0)
            for number, body in bodies.items()
            if body is not None and not any(body.cut_zyx[1:])  # else its centre is elsewhere
        }
        return starting_axes(centres)

    @cached_property
    def bodies(self) -> dict[int, Shape | Reason]:
        """Shape of every vertebra's body."""
        return {
            number: self._shape(
                self.body(number), number, BODY, with_plates=self.body_with_plates(number)
            )
            for number in self.vertebrae
        }

    @cached_property
    def discs(self) -> dict[int, Shape | Reason]:
        """Shape of every disc, by the vertebra above it, which need not be in the image."""
        owners = {
            label - DISC_OFFSET
            for label in self._boxes
            if label - DISC_OFFSET in VERTEBRA_INSTANCES
        }
        return {
            number: self._shape(self.instance(DISC_OFFSET + number), number, DISC)
            for number in cranial_to_caudal(owners)
        }

    def _shape(
        self,
        mask: PlacedMask | None,
        number: int,
        build: Build,
        *,
        with_plates: PlacedMask | None = None,
    ) -> Shape | Reason:
        if mask is None:
            return Reason.NOT_PRESENT
        candidates = (number, self.next_below(number), *self._axes)
        up = next((self._axes[n] for n in candidates if n in self._axes), UPRIGHT)
        return shape_of(mask, up, self.canal_lps, build, with_plates=with_plates)

    @cached_property
    def sacrum(self) -> EndSurface | Reason:
        """Upper end surface of the sacrum."""
        mask = self.instance(SACRUM_INSTANCE)
        lowest = self.bodies[self.vertebrae[-1]] if self.vertebrae else Reason.NOT_PRESENT
        if mask is None:
            return Reason.NOT_PRESENT
        if isinstance(lowest, Reason):
            return Reason.NO_NEIGHBOUR
        return sacral_surface(mask, lowest)

    def upper_end_below(self, number: int) -> EndSurface | Reason:
        """Upper end surface of the next vertebra below, or of the sacrum."""
        below = self.next_below(number)
        if below is None:
            return self.sacrum
        shape = self.bodies[below]
        return shape if isinstance(shape, Reason) else shape.superior

    def next_below(self, number: int) -> int | None:
        """Next vertebra below; None below the lowest one."""
        order = cranial_to_caudal({number, *self.vertebrae})
        return next(iter(order[order.index(number) + 1 :]), None)
