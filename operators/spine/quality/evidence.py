"""What the rules look at: two final maps, their image and the networks' doubt, turned alike.

Masks are looked at on voxels of about a millimetre, the image at full resolution about the spine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import Structure
from operators.anatomy.vertebrae import vertebrae_among
from operators.imaging.components import components
from operators.imaging.orientation import reorient
from operators.imaging.volume import voxel_volume_mm3
from operators.spine.atlas import CERVICAL_DEPTH_MM
from operators.spine.cut_above import EDGE_MM
from operators.spine.label_statistics import boxes_of, is_one_of
from operators.spine.levels.measures import coarser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from operators.anatomy.levels import LevelName
    from operators.imaging.volume import LabelMap, Volume
    from operators.spine.confidence import Agreement, Confidence

    Points = NDArray[np.float64]

LEAST_BODY_MM3: Final = 200.0
"""Less of a body in view is not judged (`operators.spine.bodiless.LEAST_BODY_MM3`)."""

_UNLIKE: Final = 2
"""Topmost vertebrae that may be C1 and C2."""

_CORPUS: Final = (Structure.CORPUS, Structure.CORPUS_DENSE)
_TUBE: Final = (Structure.CANAL, Structure.CORD)
_EVEN: Final = float(np.sqrt(12.0))
"""Length of an even bar over the standard deviation of its points."""


@dataclass(frozen=True, slots=True)
class Body:
    """One vertebral body of the masks.

    Attributes
    ----------
    number : int
        Of its vertebra.
    index : (N, 3) ndarray
        Its voxels [R, I, P].
    lps : (N, 3) ndarray
        Where they lie, mm.
    volume_mm3 : float
        All of it.
    second_piece : float
        Share of its second largest connected part.
    is_cut : bool
        The upper or lower border of the image cuts it: neither height nor centre is known.
    """

    number: int
    index: NDArray[np.intp]
    lps: Points
    volume_mm3: float
    second_piece: float
    is_cut: bool

    @property
    def centre_lps(self) -> Points:
        """Middle, mm."""
        return np.asarray(self.lps.mean(axis=0))

    def length_mm(self, direction: Points) -> float:
        """Extent of its middle along a unit vector, mm."""
        slices = self.index[:, 0]
        areas = np.bincount(slices)
        middle = self.lps[areas[slices] >= areas.max() / 2]
        return max(float((middle @ direction).std()) * _EVEN, 1.0)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that is judged.

    Attributes
    ----------
    parts, numbers : LabelMap
        Semantic and instance labels [R, I, P] on voxels of about a millimetre.
    fine : LabelMap
        Semantic labels [R, I, P] on the image's grid.
    image : (R, I, P) ndarray or None
        Intensities on the grid of ``fine``; None: nobody asks about them.
    confidence, agreement : Confidence, Agreement or None
        Of the networks, where known.
    levels : mapping of int to LevelName
        What is known of the levels, by vertebra id.
    """

    parts: LabelMap
    numbers: LabelMap
    fine: LabelMap
    image: NDArray[np.generic] | None = None
    confidence: Confidence | None = None
    agreement: Agreement | None = None
    levels: Mapping[int, LevelName] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        semantic: LabelMap,
        instances: LabelMap,
        volume: Volume | None = None,
        *,
        confidence: Confidence | None = None,
        agreement: Agreement | None = None,
        levels: Mapping[int, LevelName] | None = None,
    ) -> Evidence:
        """Turn what is on one grid, in any orientation."""
        image = None if volume is None else reorient(volume, ("P", "I", "R")).voxels_zyx
        return cls(
            parts=coarser(semantic),
            numbers=coarser(instances),
            fine=reorient(semantic, ("P", "I", "R")),
            image=image,
            confidence=confidence,
            agreement=agreement,
            levels=levels or {},
        )

    def places_lps(self, index: NDArray[np.intp]) -> Points:
        """Where voxels of the masks lie, mm."""
        affine = self.parts.affine_lps
        return np.asarray(index @ affine[:3, :3].T + affine[:3, 3])

    @cached_property
    def sampled(self) -> NDArray[np.float32] | None:
        """The image where the voxels of the masks lie."""
        if self.image is None:
            return None
        _, row, column = (
            round(coarse / fine)
            for coarse, fine in zip(
                self.parts.spacing_zyx_mm, self.fine.spacing_zyx_mm, strict=True
            )
        )
        return np.asarray(self.image[:, ::row, ::column], np.float32)

    @cached_property
    def bodies(self) -> tuple[Body, ...]:
        """All bodies by their numbers, head to foot; slivers are left out."""
        is_body = is_one_of(self.parts.labels_zyx, _CORPUS)
        owners = np.where(is_body, self.numbers.labels_zyx, 0)
        boxes = boxes_of(owners)
        found = (self._body(number, owners, boxes[number]) for number in vertebrae_among(boxes))
        return tuple(body for body in found if body.volume_mm3 >= LEAST_BODY_MM3)

    def _body(
        self, number: int, owners: NDArray[np.unsignedinteger], box: tuple[slice, slice, slice]
    ) -> Body:
        mask = owners[box] == number
        index = np.argwhere(mask) + [side.start for side in box]
        sizes = sorted(components(mask, 26).voxel_counts, reverse=True)
        edge = int(np.ceil(EDGE_MM / self.parts.spacing_zyx_mm[1]))
        rows = index[:, 1]
        return Body(
            number=number,
            index=index,
            lps=self.places_lps(index),
            volume_mm3=len(index) * voxel_volume_mm3(self.parts.affine_lps),
            second_piece=sizes[1] / len(index) if len(sizes) > 1 else 0.0,
            is_cut=bool(rows.min() < edge or rows.max() >= owners.shape[1] - edge),
        )

    @cached_property
    def tube_index(self) -> NDArray[np.intp]:
        """Voxels of canal and cord, (N, 3)."""
        return np.argwhere(is_one_of(self.parts.labels_zyx, _TUBE))

    @cached_property
    def tube_lps(self) -> Points:
        """Where they lie, mm."""
        return self.places_lps(self.tube_index)

    @cached_property
    def centres_lps(self) -> Points:
        """Centres of the bodies, (N, 3), mm."""
        return np.array([body.centre_lps for body in self.bodies]).reshape(-1, 3)

    @cached_property
    def down(self) -> Points:
        """Unit vector along the spine at every body, (N, 3)."""
        if len(self.bodies) < 2:  # noqa: PLR2004 - one body has no neighbour
            return np.tile([0.0, 0.0, -1.0], (len(self.bodies), 1))
        steps = np.gradient(self.centres_lps, axis=0)
        lengths = np.linalg.norm(steps, axis=1, keepdims=True)
        return np.where(lengths > 0, steps / np.maximum(lengths, 1e-6), [0.0, 0.0, -1.0])

    @cached_property
    def heights_mm(self) -> Points:
        """Height of every body along the spine, (N,); NaN where it is cut."""
        return np.array(
            [
                np.nan if body.is_cut else body.length_mm(down)
                for body, down in zip(self.bodies, self.down, strict=True)
            ]
        )

    @cached_property
    def is_alike(self) -> NDArray[np.bool_]:
        """Whether a body resembles its neighbours: all but what may be C1's arch, or C2's dens."""
        alike = np.ones(len(self.bodies), dtype=bool)
        for n, body in enumerate(self.bodies[:_UNLIKE]):
            across = np.cross([1.0, 0.0, 0.0], self.down[n])
            alike[n] = body.is_cut or body.length_mm(across) > CERVICAL_DEPTH_MM
        return alike
