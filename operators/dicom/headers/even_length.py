"""Pixel data of even length without a padding byte, by one empty frame.

Archives without RLE get, and others make, the uncompressed form of a segmentation, which DICOM pads
to an even length (PS3.5 8.1.1). OHIF 3.13.2 (dcmjs 0.52) divides the padded
length by the number of frames, refuses the object, and fetches hundreds of frames one by one
instead, which does not end in time. An empty frame says nothing and is read everywhere.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def without_padding(segmentation: Dataset) -> None:
    """Append one empty frame where one byte per voxel adds up to an odd length.

    Parameters
    ----------
    segmentation : Dataset
        FRACTIONAL, one byte per voxel; changed in place. Left alone where the length is even or
        every segment has a frame on every slice.
    """
    frame_bytes = segmentation.Rows * segmentation.Columns
    count = int(segmentation.NumberOfFrames)
    if frame_bytes * count % 2 == 0:
        return
    frames = segmentation.PerFrameFunctionalGroupsSequence
    present = {tuple(f.FrameContentSequence[0].DimensionIndexValues) for f in frames}
    numbers = sorted({segment for segment, *_ in present})
    for frame in frames:
        _, *place = frame.FrameContentSequence[0].DimensionIndexValues
        free = next((n for n in numbers if (n, *place) not in present), None)
        if free is None:
            continue
        empty = deepcopy(frame)
        empty.FrameContentSequence[0].DimensionIndexValues = [free, *place]
        empty.SegmentIdentificationSequence[0].ReferencedSegmentNumber = free
        frames.append(empty)
        voxels = bytes(segmentation.PixelData)[: frame_bytes * count]
        segmentation.PixelData = voxels + bytes(frame_bytes)
        segmentation.NumberOfFrames = count + 1
        return
