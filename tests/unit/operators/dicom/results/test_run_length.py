"""Rows encoded one by one make the frames that the library makes whole; pydicom reads them back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from operators.dicom.results.run_length import compress


def segmentation(frames: np.ndarray) -> Dataset:
    made = Dataset()
    made.NumberOfFrames, made.Rows, made.Columns = frames.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = frames.tobytes() + bytes(frames.size % 2)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def encoded_whole(frames: np.ndarray) -> list[bytes]:
    made = segmentation(frames)
    return [
        bytes(RLELosslessEncoder.encode(made, index=n, encoding_plugin="pylibjpeg"))
        for n in range(len(frames))
    ]


# A mask of a certain size encodes to as many bytes as it has pixels; pydicom warns of that.
@pytest.mark.filterwarnings("ignore:The number of bytes of compressed pixel data matches")
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 300)).flatmap(
        lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 1))
    )
)
@settings(max_examples=50)
def test_every_mask_is_encoded_as_the_library_does_and_comes_back(frames: np.ndarray) -> None:
    made = segmentation(frames)
    compress(made)
    found = list(generate_frames(made.PixelData, number_of_frames=len(frames)))
    assert found == encoded_whole(frames)
    assert made.file_meta.TransferSyntaxUID == RLELossless
    again = pixel_array(made, decoding_plugin="pydicom", raw=True)
    assert (again.reshape(frames.shape) == frames).all()


@pytest.mark.parametrize("columns", [127, 128, 129, 256, 382, 383])
def test_runs_and_literals_longer_than_128_are_split(columns: int) -> None:
    frames = np.zeros((3, 2, columns), np.uint8)
    frames[1] = 1
    frames[2] = np.arange(columns) // 2 % 2 ^ np.arange(columns) % 2
    made = segmentation(frames)
    compress(made)
    assert list(generate_frames(made.PixelData, number_of_frames=3)) == encoded_whole(frames)


def test_382_by_382_empty_rows_take_6_bytes_each() -> None:
    made = segmentation(np.zeros((1, 382, 382), np.uint8))
    compress(made)
    (frame,) = generate_frames(made.PixelData, number_of_frames=1)
    assert len(frame) == 64 + 382 * 3 * 2
