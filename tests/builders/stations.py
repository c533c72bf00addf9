"""Series that hold several stacks of slices: stations of a spine, tilted ones, locators."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from tests.builders.mr_series import SAGITTAL, MadeSeries, make_series, turned
from tests.builders.shown_spine import spine_of

UPPER = (31.5, -84.25, 417.75)
LOWER = (29.8, -84.25, 117.75)
"""First voxels: 300 mm apart, and 1.7 mm to the side, as technologists place them."""

TILTED = turned(SAGITTAL, 12.0, 7.0)
SIZE: dict[str, object] = {
    "rows": 100,
    "columns": 64,
    "pixel_spacing": (1.5, 1.5),
    "shows": spine_of,
}
"""Big enough for the stand-in network's spine, which they show."""


def two_stations(
    folder: Path, *, tilt: bool = False, name: str = "S", **lower: object
) -> tuple[MadeSeries, MadeSeries]:
    """One classic series of 12 + 12 slices, the upper station first; changes to the lower one."""
    upper = make_series(
        folder / "upper", name=f"{name} upper", orientation=SAGITTAL, origin=UPPER, **SIZE
    )
    own = {
        "name": f"{name} lower",
        "orientation": TILTED if tilt else SAGITTAL,
        "origin": LOWER,
        "tags": {"SeriesInstanceUID": upper.series_uid, "AcquisitionNumber": 2},
        **SIZE,
    }
    return upper, make_series(folder / "lower", **(own | lower))


def two_stacks_in_one_object(folder: Path, *, stack_ids: tuple[str, str] = ("1", "2")) -> Path:
    """One Enhanced MR object of 12 + 12 frames: the stations, the lower one tilted."""
    options = {"sop_class": EnhancedMRImageStorage, **SIZE}
    first = make_series(folder / "a", orientation=SAGITTAL, origin=UPPER, **options)
    second = make_series(folder / "b", orientation=TILTED, origin=LOWER, **options)
    datasets = [dcmread(made.paths[0]) for made in (first, second)]
    for dataset, stack_id in zip(datasets, stack_ids, strict=True):
        _describe_frames(dataset, stack_id)
    joined, other = datasets
    joined.PerFrameFunctionalGroupsSequence.extend(other.PerFrameFunctionalGroupsSequence)
    joined.NumberOfFrames = len(joined.PerFrameFunctionalGroupsSequence)
    joined.PixelData += other.PixelData
    path = folder / "two_stacks.dcm"
    joined.save_as(path)
    for made in (first, second):
        made.paths[0].unlink()
    return path


def _describe_frames(dataset: Dataset, stack_id: str) -> None:
    """Move the orientation from the shared groups into each frame's, and name its stack."""
    orientation = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    del dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.PlaneOrientationSequence = orientation
        frame.FrameContentSequence[0].StackID = stack_id
