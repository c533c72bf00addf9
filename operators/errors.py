"""Everything that can go wrong with one study, as a tree of named errors.

The class docstring is the default message, so that text and class cannot drift. Messages carry
codes, counts and millimetres, never patient data: Holoscan prints them to stderr.

Tree::

    SpineError                       code, message
    ├── InputRejectedError           SPN-1000  the input is not ours to segment
    │   ├── UnreadableInputError     SPN-1001  no readable DICOM or NIfTI at all
    │   ├── SeriesUnsuitableError    SPN-1100  no sagittal T2-weighted spine series
    │   ├── GeometryError            SPN-1200  hole, shear, mixed orientation ...
    │   ├── PixelDataError           SPN-1300  transfer syntax, truncated or corrupt pixels
    │   ├── IntensityError           SPN-1400  constant image, too many non-finite voxels
    │   ├── SourceIdentityError      SPN-1600  nothing for a result to point back at
    │   └── NamesRejectedError       SPN-1700  names of vertebrae that a person gave don't fit
    ├── NoSpineFoundError            SPN-1500  the image holds no vertebra
    ├── ModelUnusableError           SPN-2000  model folder, digest, architecture, label table
    ├── SegmentationError            SPN-3000  inference failed
    │   └── CorpusNotSeparableError  SPN-3100  merged vertebral bodies that cannot be split
    ├── EncodingError                SPN-5000  our own result cannot be written as DICOM or NIfTI
    └── InterruptedRunError          SPN-7500  the run was cancelled or ended without a result

This module decides nothing about exit codes or DIMSE statuses: that is ``app.errors``.
"""

from __future__ import annotations

from typing import ClassVar


class SpineError(Exception):
    """The study could not be processed."""

    code: ClassVar[str] = "SPN-0000"

    def __init__(self, message: str | None = None, *, reasons: tuple[str, ...] = ()) -> None:
        """Keep the message and, where several apply, every named reason.

        Parameters
        ----------
        message : str, optional
            Free of patient data; default: first line of the class docstring.
        reasons : tuple of str
            All reasons that apply, as machine-readable names such as ``missing_slice``.
        """
        text = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.message = text
        self.reasons = reasons
        super().__init__(f"{self.code}: {text}")


class InputRejectedError(SpineError):
    """The input is not a series that this product segments."""

    code = "SPN-1000"


class UnreadableInputError(InputRejectedError):
    """No readable image was found in the input."""

    code = "SPN-1001"


class SeriesUnsuitableError(InputRejectedError):
    """No sagittal T2-weighted spine series was found in the input."""

    code = "SPN-1100"


class GeometryError(InputRejectedError, ValueError):
    """The slices do not form one regular volume."""

    code = "SPN-1200"


class PixelDataError(InputRejectedError):
    """The pixel data cannot be decoded."""

    code = "SPN-1300"


class IntensityError(InputRejectedError, ValueError):
    """The image has no usable intensities."""

    code = "SPN-1400"


class SourceIdentityError(InputRejectedError):
    """The images do not say which objects of one series they are."""

    code = "SPN-1600"


class NamesRejectedError(InputRejectedError):
    """The names that were given do not fit the vertebrae."""

    code = "SPN-1700"


class NoSpineFoundError(SpineError):
    """No vertebra was found in the image; nothing was written."""

    code = "SPN-1500"


class ModelUnusableError(SpineError):
    """The model folder cannot be used."""

    code = "SPN-2000"


class SegmentationError(SpineError):
    """Inference failed."""

    code = "SPN-3000"


class CorpusNotSeparableError(SegmentationError):
    """Merged vertebral bodies could not be separated."""

    code = "SPN-3100"


class EncodingError(SpineError):
    """The result could not be encoded or written."""

    code = "SPN-5000"


class InterruptedRunError(SpineError):
    """The run was interrupted or ended without a result."""

    code = "SPN-7500"
