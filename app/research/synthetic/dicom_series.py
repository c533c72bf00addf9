"""A synthetic DICOM study: a sagittal T2w lumbar series and the series that come with it.

All series show one phantom in one frame of reference, a few degrees oblique. Everything follows
from the seed: pixels, UIDs, file names. The patient does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from app.research.synthetic.acquisition import Scanner
from app.research.synthetic.dicom_images import Protocol, Stack, series_uid_of, write_stack
from app.research.synthetic.enhanced_images import write_enhanced
from app.research.synthetic.phantom import PhantomSettings, SyntheticCase, generate
from app.research.synthetic.stations import person_from_image
from operators.imaging.nifti import write_label_map
from operators.imaging.volume import LabelMap, Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_CLEAN = Scanner(noise=(0.01, 0.015), blur_voxels=(0.3, 0.4), artefacts=0.0)

STUDY_PHANTOM = PhantomSettings(
    slices=15,
    in_plane=(300, 240),
    spacing=(4.4, 0.9, 0.9),
    weightings=("t2_plain", "t1", "stir"),
    no_spine=0.0,
    region_odds=(0.0, 0.0, 1.0, 0.0),
    centred_on="L2",
    scanner=_CLEAN,
)
"""15 slices of 4.4 mm, 270 x 216 mm in plane: a usual lumbar protocol."""

_TILT_DEGREES = (2.0, -3.0, 1.5)
_TABLE_POSITION_MM = (6.0, -14.0, -35.0)

_T2 = Protocol("t2_tse_sag", 2, ("SE",), ("SK", "OSP"), 3500.0, 100.0, 17, None)
_T1 = Protocol("t1_tse_sag", 3, ("SE",), ("SK", "OSP"), 500.0, 10.0, 3, None)
_STIR = Protocol("stir_tse_sag", 4, ("SE", "IR"), ("SK", "OSP"), 4000.0, 50.0, 13, 160.0)
_AXIAL = Protocol("t2_tse_tra", 5, ("SE",), ("SK", "OSP"), 3800.0, 105.0, 17, None)
_STATIONS = {
    "cervical": (replace(_T2, description="t2_tse_sag_cerv", number=6, body_part="CSPINE"), "C6"),
    "thoracic": (replace(_T2, description="t2_tse_sag_thor", number=7, body_part="TSPINE"), "T8"),
}
"""Further T2w stations: protocol, level that the field is centred on. Neighbouring fields of 270 mm
show at least two whole vertebrae in common (tests look)."""

_SCOUT = Protocol("localizer", 1, ("GR",), ("SP",), 8.0, 4.0, 1, None, ("LOCALIZER",))


@dataclass(frozen=True, slots=True)
class AnnotatedSeries:
    """A T2w series with its truth.

    Attributes
    ----------
    name : str
        Station, such as ``lumbar``.
    uid : str
        Series Instance UID.
    image : Volume
        Its image.
    semantic, instances : LabelMap
        Truth on the grid of the series.
    """

    name: str
    uid: str
    image: Volume
    semantic: LabelMap
    instances: LabelMap


@dataclass(frozen=True, slots=True)
class WrittenStudy:
    """What `write_study` made.

    Attributes
    ----------
    files : tuple of Path
        All instances.
    lumbar : AnnotatedSeries
        The series that a spine segmentation should take.
    stations : tuple of AnnotatedSeries
        Further series that it should take.
    """

    files: tuple[Path, ...]
    lumbar: AnnotatedSeries
    stations: tuple[AnnotatedSeries, ...] = ()


@dataclass(frozen=True, slots=True)
class StudyOptions:
    """What a study holds beside its lumbar T2w series and the siblings to be rejected.

    Attributes
    ----------
    phantom : PhantomSettings
        Size of the phantom; three weightings in the order T2w, T1w, STIR.
    stations : tuple of {"cervical", "thoracic"}
        Further sagittal T2w series of the same patient, higher up.
    is_enhanced : bool
        T2w series as one Enhanced MR object each instead of one object per slice.
    device : str
        The torch device that computes the phantom's voxels.
    """

    phantom: PhantomSettings = STUDY_PHANTOM
    stations: tuple[str, ...] = ()
    is_enhanced: bool = False
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class _Scene:
    """The phantom in the patient's frame."""

    case: SyntheticCase
    pose: NDArray[np.float64]

    def volume(self, index: int) -> Volume:
        """Place one weighting's volume in patient coordinates."""
        volume = self.case.images[index]
        return replace(volume, affine_lps=self.pose @ volume.affine_lps)

    def truth(self, labels: LabelMap) -> LabelMap:
        """Place a truth map in patient coordinates."""
        return replace(labels, affine_lps=self.pose @ labels.affine_lps)


def _pose() -> NDArray[np.float64]:
    """Rotate about z, x and y and shift: planned along the spine, never along the magnet."""
    pose = np.eye(4)
    for degrees, (a, b) in zip(_TILT_DEGREES, ((0, 1), (1, 2), (0, 2)), strict=True):
        turn = np.eye(4)
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = cos, -sin, sin, cos
        pose = turn @ pose
    pose[:3, 3] = _TABLE_POSITION_MM
    return pose


def _coarse(volume: Volume, step: int) -> Volume:
    """Every so many rows and columns only: a small sibling series."""
    affine = volume.affine_lps.copy()
    affine[:, 1:3] *= step
    return Volume(volume.voxels_zyx[:, ::step, ::step], affine)


def _axial(volume: Volume, positions: NDArray[np.float64], pixel_mm: float) -> Volume:
    """Axial slices through a sagittal volume, at real-numbered rows of it; linear."""
    across = volume.spacing_zyx_mm[0] / pixel_mm
    r = np.arange(int((volume.voxels_zyx.shape[0] - 1) * across) + 1) / across
    # Seen from below, as axial images are: columns run from the patient's right to the left.
    r = r[::-1]
    down = pixel_mm / volume.spacing_zyx_mm[2]
    p = np.arange(0, volume.voxels_zyx.shape[2] - 1, down, dtype=np.float64)
    mesh = np.meshgrid(r, positions, p, indexing="ij")
    sampled = ndimage.map_coordinates(volume.voxels_zyx.astype(np.float32), mesh, order=1)
    affine = np.eye(4)
    affine[:, 0] = volume.affine_lps[:, 1] * (positions[1] - positions[0])
    affine[:, 1] = volume.affine_lps[:, 2] * down
    affine[:, 2] = -volume.affine_lps[:, 0] / across
    affine[:, 3] = volume.affine_lps @ np.array([r[0], positions[0], 0.0, 1.0])
    return Volume(sampled.transpose(1, 2, 0), affine)


def _stacks(scene: _Scene) -> tuple[Stack, ...]:
    t2, t1, stir = (scene.volume(n) for n in range(3))
    rows = t2.voxels_zyx.shape[1]
    step = 4.0 / t2.spacing_zyx_mm[1]
    positions = 0.62 * rows + step * np.arange(-4.0, 5.0)
    middle = t2.voxels_zyx.shape[0] // 2
    sagittal = replace(
        _coarse(t2, 3),
        voxels_zyx=t2.voxels_zyx[middle : middle + 1, ::3, ::3],
    )
    scout_affine = sagittal.affine_lps.copy()
    scout_affine[:, 3] = t2.affine_lps @ np.array([middle, 0, 0, 1])
    return (
        Stack(_T2, t2),
        Stack(_T1, _coarse(t1, 2)),
        Stack(_STIR, _coarse(stir, 2)),
        Stack(_AXIAL, _axial(t2, positions, 1.8)),
        Stack(_SCOUT, replace(sagittal, affine_lps=scout_affine)),
        Stack(_SCOUT, _axial(t2, np.array([0.5, 0.6]) * rows, 3.6)),
    )


def _station(
    name: str, seed: int, options: StudyOptions, pose_of_person: NDArray[np.float64]
) -> AnnotatedSeries:
    """Another T2w field of the same patient: the seed draws the same anatomy."""
    protocol, level = _STATIONS[name]
    weightings = options.phantom.weightings[:1]
    settings = replace(options.phantom, weightings=weightings, centred_on=level)
    case = generate(seed, settings, device=options.device)
    scene = _Scene(case, pose_of_person @ _placed(seed, case))
    return _annotated(name, series_uid_of(seed, protocol), scene)


def _placed(seed: int, case: SyntheticCase) -> NDArray[np.float64]:
    return person_from_image(seed, case.semantic, case.instances)


def _annotated(name: str, uid: str, scene: _Scene) -> AnnotatedSeries:
    truth = (scene.truth(x) for x in (scene.case.semantic, scene.case.instances))
    return AnnotatedSeries(name, uid, scene.volume(0), *truth)


def write_study(
    folder: Path,
    seed: int,
    *,
    truth: Path | None = None,
    options: StudyOptions | None = None,
) -> WrittenStudy:
    """Write a study of one synthetic patient.

    Parameters
    ----------
    folder : Path
        Created if needed; receives one folder per series with shuffled file names.
    seed : int
        Decides everything; the same seed writes the same bytes.
    truth : Path or None
        Folder for ``semantic.nii.gz`` and ``instances.nii.gz`` on the T2w series' grid.
    options : StudyOptions or None
        What the study holds; None = a lumbar protocol.

    Returns
    -------
    WrittenStudy
        Files and truth.
    """
    options = options or StudyOptions()
    scene = _Scene(generate(seed, options.phantom, device=options.device), _pose())
    rng = np.random.default_rng([seed, 3])
    files: list[Path] = []
    person = scene.pose @ np.linalg.inv(_placed(seed, scene.case))
    stations = tuple(_station(name, seed, options, person) for name in options.stations)
    further = (Stack(_STATIONS[station.name][0], station.image) for station in stations)
    for part, stack in enumerate((*_stacks(scene), *further)):
        protocol = stack.protocol
        target = folder / f"{protocol.number}_{protocol.description}"
        if options.is_enhanced and protocol.description.startswith(f"{_T2.description}"):
            files.append(write_enhanced(stack, target, seed=seed, part=part))
        else:
            files += write_stack(stack, target, seed=seed, part=part, rng=rng)
    lumbar = _annotated("lumbar", series_uid_of(seed, _T2), scene)
    if truth is not None:
        truth.mkdir(parents=True, exist_ok=True)
        write_label_map(lumbar.semantic, truth / "semantic.nii.gz")
        write_label_map(lumbar.instances, truth / "instances.nii.gz")
    return WrittenStudy(tuple(files), lumbar, stations)
