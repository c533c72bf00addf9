"""How big the two objects of a lumbar series are, per matrix, and how long writing them takes.

A synthetic lumbar spine of 300 mm, its true structures and vertebrae, in slices of 4.4 mm: the
objects as they are written (RLE Lossless), what a destination without RLE is sent, and what the
same masks would take as BINARY objects, whose voxels cannot be compressed.

Run: ``python -m tests.benchmarks.seg_sizes [--matrix 382x16 384x15]`` (rows and columns x slices).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from app.research.synthetic.dicom_series import STUDY_PHANTOM
from app.research.synthetic.phantom import generate
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.segmentation import encode_segmentations
from operators.imaging.volume import LabelMap
from tests.builders.mr_series import make_series
from tests.builders.results import CONTEXT, volume_of

MATRICES = ("256x13", "320x15", "382x16", "384x15", "448x15", "512x15", "640x17")
FIELD_MM = 300.0
SEED = 7


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--matrix", nargs="+", default=MATRICES)
    row = "{:>9} {:>9} {:>7} {:>8} {:>10} {:>14} {:>10} {:>7}\n"
    heads = "matrix segments frames images written uncompressed as BINARY writing"
    sys.stdout.write(row.format(*heads.replace("as B", "as_B").split()))
    for text in options.parse_args().matrix:
        size, _, slices = text.partition("x")
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(row.format(text, *measure(Path(folder), int(size), int(slices))))


def measure(folder: Path, size: int, slices: int) -> list[str]:
    """Segments and frames in both objects, MB four times, seconds."""
    mm = FIELD_MM / size
    phantom = replace(
        STUDY_PHANTOM,
        slices=slices,
        in_plane=(size, size),
        spacing=(4.4, mm, mm),
        weightings=("t2_plain",),
    )
    case = generate(SEED, phantom)
    made = make_series(
        folder / "mr", rows=size, columns=size, slices=slices, pixel_spacing=(mm, mm)
    )
    volume = volume_of(made)
    maps = (LabelMap(m.labels_zyx, volume.affine_lps) for m in (case.semantic, case.instances))
    begun = time.perf_counter()
    objects = encode_segmentations(*maps, volume, CONTEXT)
    paths = [folder / f"{number}.dcm" for number in range(len(objects))]
    for one, path in zip(objects, paths, strict=True):
        write_dataset(one, path)
    seconds = time.perf_counter() - begun
    written = sum(path.stat().st_size for path in paths)
    pixels = sum(len(one.PixelData) for one in objects)
    frames = sum(int(one.NumberOfFrames) for one in objects)
    voxels = frames * size * size
    sizes = (
        sum(path.stat().st_size for path in made.paths),
        written,
        written - pixels + voxels,
        written - pixels + -(-voxels // 8),
    )
    return [
        str(sum(len(one.SegmentSequence) for one in objects)),
        str(frames),
        *(f"{count / 1e6:.2f} MB" for count in sizes),
        f"{seconds:.1f} s",
    ]


if __name__ == "__main__":
    main()
