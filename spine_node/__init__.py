"""SPINEPS Node from Python: an image in, masks out, on the image's own grid.

The public front of the packages ``app`` and ``operators``, which may change between versions; the
names below change only with a note in the changelog. Importing it loads no network and no torch.

Examples
--------
::

    from spine_node import Segmenter

    segmenter = Segmenter()  # loads the networks, once
    result = segmenter.segment(image.get_fdata(), image.affine)  # nibabel's convention
    result.semantic, result.instances, result.centroids_mm
"""

from app import __version__
from app.errors import ConfigurationError
from operators.errors import (
    GeometryError,
    InputRejectedError,
    IntensityError,
    ModelUnusableError,
    NoSpineFoundError,
    PixelDataError,
    SegmentationError,
    SeriesUnsuitableError,
    SpineError,
    UnreadableInputError,
)
from spine_node.results import Segmentation, Study
from spine_node.segmenter import Segmenter

__all__ = [
    "ConfigurationError",
    "GeometryError",
    "InputRejectedError",
    "IntensityError",
    "ModelUnusableError",
    "NoSpineFoundError",
    "PixelDataError",
    "Segmentation",
    "SegmentationError",
    "Segmenter",
    "SeriesUnsuitableError",
    "SpineError",
    "Study",
    "UnreadableInputError",
    "__version__",
]
