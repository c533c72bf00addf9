"""Processor seconds of what follows the masks: ``python -m tests.benchmarks.report_cost``.

A synthetic lumbar study is written as DICOM, and its true masks take the networks' place. Timed are
naming, measuring, judging and the writing of every kind of result, each by itself, in one process
that has made one report before (imports and typefaces count for the first only). The masks' own
objects are shown but are no part of the sum, nor is what only a destination asks for that takes no
segmentations.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.research.synthetic.dicom_series import WrittenStudy, write_study
from operators.case import Case
from operators.dicom.identity.result_kinds import INSTANCES, KINDS, PDF, PREVIEW, SEMANTIC
from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import scan
from operators.imaging.resampling import resample_labels_to_grid
from operators.spine.levels.names import name_levels
from operators.spine.measurements.measure import measure
from operators.spine.quality.assess import assess
from operators.spine.quality.evidence import Evidence
from operators.write_segmentation import WRITERS, Finished
from tests.builders.golden_result import CONTEXT

FIRST_SEED = 975_000
MOST_S = 2.0
"""What all of it may add to a series (DESIGN's figure for results that a radiologist can use)."""

BESIDE = frozenset({"scan", SEMANTIC.name, INSTANCES.name, PDF.name, PREVIEW.name})


@dataclass
class Clock:
    """Processor seconds by part."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Time what is inside."""
        start = time.process_time()
        yield
        self.seconds[part].append(time.process_time() - start)


def report(study: WrittenStudy, folder: Path, clock: Clock) -> None:
    """Name, measure, judge and write one series."""
    truth = study.lumbar
    with clock("scan"):
        found = scan(folder / "in")
    record = next(one for one in found.series if one.series_uid == truth.uid)
    volume = assemble(record)
    semantic, instances = (
        resample_labels_to_grid(labels, volume.grid) for labels in (truth.semantic, truth.instances)
    )
    with clock("names"):
        levels = name_levels(semantic, instances)
    named = {n: name.text for n, name in levels.items()}
    with clock("measures"):
        rows = measure(semantic, instances, named)
    with clock("quality"):
        quality = assess(Evidence.of(semantic, instances, volume))
    case = Case(
        key="series",
        series=record,
        volume=volume,
        levels=levels,
        measurements=rows,
        quality=quality,
    )
    done = Finished(case=case, volume=volume, semantic=semantic, instances=instances)
    with clock("scene"):
        _ = done.scene
    for kind in KINDS.values():
        with clock(kind.name):
            WRITERS[kind.name](done, CONTEXT, folder / f"{case.key}{kind.suffix}")


def run(studies: int, work: Callable[[WrittenStudy, Path, Clock], None] = report) -> Clock:
    """All studies, and one before that does not count."""
    warm, clock = Clock(), Clock()
    for n in range(studies + 1):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            study = write_study(folder / "in", FIRST_SEED + n)
            work(study, folder, clock if n else warm)
    return clock


def main() -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=3)
    clock = run(parser.parse_args().studies)
    medians = {part: float(np.median(every)) for part, every in clock.seconds.items()}
    for part, seconds in medians.items():
        sys.stdout.write(f"{part:22s} {seconds:6.2f} s{'   (beside)' if part in BESIDE else ''}\n")
    total = sum(seconds for part, seconds in medians.items() if part not in BESIDE)
    verdict = "" if total <= MOST_S else "   MISSED"
    sys.stdout.write(f"{'all that is added':22s} {total:6.2f} s, at most {MOST_S} s{verdict}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
