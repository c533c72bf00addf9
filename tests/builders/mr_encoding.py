"""Write made MR datasets in any transfer syntax, with encoders of other people."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import gdcm
import numpy as np
import pydicom
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

NATIVE = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
PYDICOM_ENCODED = (RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEG2000)
GDCM_ENCODED = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)


def save(dataset: Dataset, path: Path, syntax: UID) -> None:
    """Write a dataset with native little-endian pixels in the wanted transfer syntax."""
    encoded = "PixelData" in dataset and syntax not in NATIVE
    if encoded and syntax in PYDICOM_ENCODED:
        ratio = {"j2k_cr": [4]} if syntax == JPEG2000 else {}
        dataset.compress(syntax, generate_instance_uid=False, **ratio)
    elif encoded:
        dataset.save_as(path, enforce_file_format=True)
        twelve_bit = syntax == JPEGExtended12Bit and dataset.BitsStored > 8
        dataset.PixelData = (_dcmtk_encoded if twelve_bit else _gdcm_encoded)(path, syntax)
        dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian and "PixelData" in dataset and dataset.BitsAllocated == 16:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.save_as(path, enforce_file_format=True)


def _gdcm_encoded(path: Path, syntax: UID) -> bytes:
    """Pixels of a native file in one of GDCM's JPEG codecs, encapsulated; the file is changed."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    done = reader.Read()
    change.SetInput(reader.GetImage())
    done = done and change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))  # only now: this empties the file
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    if not (done and writer.Write()):
        raise ValueError(f"gdcm cannot encode {syntax.name}")
    # GDCM rewrites geometry and times as it goes: take its pixels only.
    return bytes(pydicom.dcmread(path).PixelData)


def _dcmtk_encoded(path: Path, syntax: UID) -> bytes:
    """12-bit lossy JPEG, for which GDCM writes a precision that the standard doesn't know."""
    program = shutil.which("dcmcjpeg")
    if program is None or syntax != JPEGExtended12Bit:
        raise LookupError("dcmcjpeg is not installed")
    encoded = path.with_suffix(".jpeg")
    command = [program, "+ee", "+q", "98", "+sr", "+un", str(path), str(encoded)]
    subprocess.run(command, check=True, capture_output=True)
    pixels = bytes(pydicom.dcmread(encoded).PixelData)
    encoded.unlink()
    return pixels
