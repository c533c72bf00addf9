"""What the rules measure in the image under the masks, by the place it is measured at.

Brightness is compared within one image only; its unit is the scanner's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure
from operators.imaging.components import components
from operators.imaging.volume import voxel_volume_mm3
from operators.spine.label_statistics import is_one_of
from operators.spine.quality.mask_measures import SPINE, Values, place_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.spine.quality.evidence import Evidence

    Numbers = NDArray[np.float64]

_BRIGHT: Final = 75.0
"""Percentile of the canal that is its fluid: roots of the cauda equina and the canal's wall are
dark."""

_MAD: Final = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

_DARK: Final = 0.2
"""Of the marrow's median: metal and cement give no signal at all, sclerotic bone some."""

_VERTEBRA: Final = (*POSTERIOR_ELEMENTS, Structure.CORPUS, Structure.CORPUS_DENSE)

_VOID_MM: Final = 1.5
"""Standard deviation of the smoothing under which a void must stay dark."""

_LEAST_VOXELS: Final = 30
_SLICES: Final = 3
"""In the middle of the spine, in which structures of the whole image are looked for."""

_NEAR_MM, _FAR_MM = 3.0, 15.0
"""A displacement up to the first is the masks' own error; beyond the second the next vertebra
fits."""

_STEEP: Final = 90.0
"""Percentile of the slopes within the spine that counts as steep as it gets."""

_SMOOTH_MM: Final = 1.0
_COARSE_VOXELS: Final = 4.0
"""Standard deviation of what is smooth, such as the coil's sensitivity: it echoes nowhere."""

_TINY: Final = 1e-12
_LEAST_LAG_MM: Final = 20.0
"""A ghost nearer than this lies on the structure it comes from."""


def fluid_ratios(evidence: Evidence) -> Values:
    """Brightness of the canal's fluid over that of the vertebral marrow."""
    fluid, marrow = _brightness(evidence)
    return {SPINE: fluid / marrow} if np.isfinite(fluid) and marrow > 0 else {}


def roughness(evidence: Evidence) -> Values:
    """Spread of the marrow within bodies, over the contrast of fluid to marrow."""
    image = evidence.sampled
    fluid, marrow = _brightness(evidence)
    if image is None or not fluid > marrow:
        return {}
    spreads = []
    for body in evidence.bodies:
        values = image[tuple(body.index.T)]
        spreads.append(_MAD * float(np.median(np.abs(values - np.median(values)))))
    return {SPINE: float(np.median(spreads)) / (fluid - marrow)} if spreads else {}


def noise(evidence: Evidence) -> Values:
    """Noise (standard deviation) in and about the spine over the contrast of fluid to marrow."""
    fluid, marrow = _brightness(evidence)
    slices = _middle_slices(evidence)
    if evidence.image is None or not slices or not fluid > marrow:
        return {}
    image = np.asarray(evidence.image[slices], np.float32)
    where = evidence.fine.labels_zyx[slices][:, 1:-1, 1:-1] > 0
    across = image[:, 2:] - 2 * image[:, 1:-1] + image[:, :-2]
    both = across[:, :, 2:] - 2 * across[:, :, 1:-1] + across[:, :, :-2]
    # Immerkaer 1996, Comput Vis Image Underst 64:300: the mask sums to 36 squared.
    sd = _MAD * float(np.median(np.abs(both[where]))) / 6.0
    return {SPINE: sd / (fluid - marrow)}


def voids_mm3(evidence: Evidence) -> Values:
    """Largest connected part without signal of a vertebra, from its body on.

    Thin dark layers such as cortical bone do not count, and nothing that stays within the arch: a
    spinous process in the middle slice may be as dark. A screw crosses arch and body.
    """
    image = evidence.sampled
    _, marrow = _brightness(evidence)
    if image is None or not marrow > 0:
        return {}
    _, row, column = evidence.parts.spacing_zyx_mm
    smooth = gaussian_filter(image, [0.0, _VOID_MM / row, _VOID_MM / column])
    is_bone = is_one_of(evidence.parts.labels_zyx, _VERTEBRA)
    voids = components(is_bone & (smooth < _DARK * marrow), 26).labels_zyx
    voxel = voxel_volume_mm3(evidence.parts.affine_lps)
    largest = {}
    for body in evidence.bodies:
        sizes = np.bincount(voids[evidence.numbers.labels_zyx == body.number])
        reached = np.unique(voids[tuple(body.index.T)])
        largest[place_of(body)] = float(sizes[reached[reached > 0]].max(initial=0)) * voxel
    return largest


def displaced_fits(evidence: Evidence) -> Values:
    """How much better the edges of the masks fit the image some millimetres away from their place.

    Best sum of gradients under the edges of displaced masks over the best one near their place.
    """
    image, steps = evidence.sampled, evidence.parts.spacing_zyx_mm[1:]
    slices = _middle_slices(evidence)
    if image is None or not slices:
        return {}
    shape = image.shape[1:]
    fits = np.sum([_fits(image[k], evidence.parts.labels_zyx[k], steps) for k in slices], axis=0)
    rows, columns = (
        np.minimum(np.arange(n), n - np.arange(n)) * step
        for n, step in zip(shape, steps, strict=True)
    )
    far = np.hypot(rows[:, None], columns)
    near = fits[far <= _NEAR_MM].max()
    away = fits[(far > _NEAR_MM) & (far <= _FAR_MM)].max()
    return {SPINE: float(away / near)} if near > 0 else {}


def _fits(
    plane: NDArray[np.float32], labels: NDArray[np.unsignedinteger], steps: tuple[float, ...]
) -> Numbers:
    """Sum of the image's slopes under the edges of the labels, for every displacement."""
    image = np.asarray(plane, np.float64)
    slopes = gaussian_gradient_magnitude(image, [_SMOOTH_MM / step for step in steps])
    # Skin and vessels are far steeper than anything in the spine.
    slopes = np.minimum(slopes, np.percentile(slopes[labels > 0], _STEEP))
    product = np.conj(rfft2(_edges(labels))) * rfft2(slopes)
    return np.asarray(irfft2(product, s=labels.shape))


def ghosts(evidence: Evidence) -> Values:
    """Strongest echo of the whole image along rows or columns, by its cepstrum."""
    image, slices = evidence.sampled, _middle_slices(evidence)
    if image is None or not slices:
        return {}
    spectra, shape = [], image.shape[1:]
    for k in slices:
        plane = np.asarray(image[k], np.float64)
        details = plane - gaussian_filter(plane, _COARSE_VOXELS)
        spectra.append(np.log(np.abs(rfft2(details)) ** 2 + _TINY))
    cepstrum = irfft2(np.mean(spectra, axis=0), s=shape)
    echoes = []
    for axis, (n, step) in enumerate(zip(shape, evidence.parts.spacing_zyx_mm[1:], strict=True)):
        first = int(np.ceil(_LEAST_LAG_MM / step))
        line = cepstrum[:, 0] if axis == 0 else cepstrum[0]
        echoes.append(line[first : n // 2 + 1].max(initial=0.0))
    return {SPINE: float(max(echoes))}


def _brightness(evidence: Evidence) -> tuple[float, float]:
    """Fluid and marrow; NaN where there is none to see."""
    image = evidence.sampled
    if image is None:
        return float("nan"), float("nan")
    labels = evidence.parts.labels_zyx
    fluid = image[labels == Structure.CANAL]
    marrow = image[is_one_of(labels, (Structure.CORPUS, Structure.CORPUS_DENSE))]
    if min(len(fluid), len(marrow)) < _LEAST_VOXELS:
        return float("nan"), float("nan")
    return float(np.percentile(fluid, _BRIGHT)), float(np.percentile(marrow, 50.0))


def _middle_slices(evidence: Evidence) -> list[int]:
    """Slices that show most of the bodies, at most three."""
    if not evidence.bodies:
        return []
    slices = np.concatenate([body.index[:, 0] for body in evidence.bodies])
    areas = np.bincount(slices)
    return sorted(int(k) for k in np.argsort(-areas, kind="stable")[:_SLICES] if areas[k])


def _edges(labels: NDArray[np.unsignedinteger]) -> Numbers:
    """1 on the inner side of every border between bodies, canal, discs and the rest."""
    kinds = np.zeros(labels.shape, np.uint8)
    for kind, parts in enumerate(
        ((Structure.CORPUS,), (Structure.CANAL, Structure.CORD), (Structure.DISC,)), start=1
    ):
        kinds[is_one_of(labels, parts)] = kind
    edges = np.zeros(labels.shape)
    edges[:, 1:] += kinds[:, 1:] != kinds[:, :-1]
    edges[1:] += kinds[1:] != kinds[:-1]
    return np.minimum(edges, 1.0)
