"""Odd frames in odd number get an empty one."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from operators.dicom.headers.even_length import without_padding


def segmentation(indices: list[tuple[int, int]], rows: int = 3) -> Dataset:
    """One byte per voxel, 3 columns; padded as DICOM wants it."""
    made = Dataset()
    made.Rows, made.Columns, made.NumberOfFrames = rows, 3, len(indices)
    frames = []
    for segment, place in indices:
        content, identity, frame = Dataset(), Dataset(), Dataset()
        content.DimensionIndexValues = [segment, place]
        identity.ReferencedSegmentNumber = segment
        frame.FrameContentSequence = Sequence([content])
        frame.SegmentIdentificationSequence = Sequence([identity])
        frames.append(frame)
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    length = rows * 3 * len(indices)
    made.PixelData = b"\x01" * length + b"\x00" * (length % 2)
    return made


def test_3_frames_of_9_bytes_become_4_with_an_empty_one_where_no_frame_was() -> None:
    made = segmentation([(1, 1), (1, 2), (2, 2)])
    without_padding(made)
    assert made.NumberOfFrames == 4
    assert made.PixelData == b"\x01" * 27 + b"\x00" * 9
    added = made.PerFrameFunctionalGroupsSequence[-1]
    assert list(added.FrameContentSequence[0].DimensionIndexValues) == [2, 1]
    assert added.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 2
    first = made.PerFrameFunctionalGroupsSequence[0]
    assert list(first.FrameContentSequence[0].DimensionIndexValues) == [1, 1]


@pytest.mark.parametrize("rows", [3, 4])
def test_an_even_length_is_left_alone(rows: int) -> None:
    made = segmentation([(1, 1), (2, 2)], rows)
    before = made.PixelData
    without_padding(made)
    assert (made.NumberOfFrames, made.PixelData) == (2, before)


def test_full_segments_are_left_alone() -> None:
    made = segmentation([(1, 1), (1, 2), (1, 3)])
    without_padding(made)
    assert made.NumberOfFrames == 3
