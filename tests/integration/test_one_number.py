"""One number means one bone: in every output of one run, by the voxels and by the words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from app.node.journal.engine import transaction
from app.node.journal.tables import JOB
from app.research.evaluation.mask_files import read_mask, read_segments
from app.run.execute import Job, execute
from app.run.record import ResultRecord, SeriesRecordEntry
from operators.anatomy.levels import ANATOMICAL, UNCERTAIN, short_name
from operators.anatomy.named_vertebrae import parse
from operators.anatomy.vertebrae import LEVEL_NAMES, ordinal_text
from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import scan
from operators.imaging import overlay, panels
from operators.imaging.nifti import read_label_map, read_volume
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import LabelMap, Volume
from tests.builders.drawn_spine import DrawnModels, centred, neck_of
from tests.builders.filled_journal import fill
from tests.builders.nifti_images import noise
from tests.builders.spine_phantom import Spine, spine_of
from tests.builders.stub_models import spine_series
from tests.builders.web_site import client_of, site_of

COUNT = 4
DOUBTFUL = 2
"""Place from the top of the vertebra of which the network is not sure."""

SPINES = [
    pytest.param(spine_of(COUNT), False, "", 2, id="no C1 known"),
    pytest.param(spine_of(COUNT), True, "", 2, id="no C1 seen"),
    pytest.param(neck_of(COUNT), True, "", 1, id="C1 seen"),
    pytest.param(spine_of(COUNT), False, "2=L1", 20, id="every level named"),
]
"""What is drawn, whether the model says that it draws C1, what a person says, and the number of the
topmost."""


def run(
    source: Path, output: Path, models: DrawnModels, image: Volume, *, named: str
) -> ResultRecord:
    job = Job(
        source=source,
        output=output,
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        extras=frozenset({"overlay"}),
        named=(parse(named),) if named else (),
    )
    record = execute(job, models.bundle(image))
    assert record.exit_code == 0, record.error
    return record


def file_of(entry: SeriesRecordEntry, folder: Path, ending: str) -> Path:
    return folder / next(name for name in entry.files if name.endswith(ending))


def numbers_in(texts: list[str]) -> set[int]:
    return {int(number) for text in texts for number in re.findall(r"vertebra[ _](\d+)", text)}


def doubtful_places(entry: SeriesRecordEntry) -> tuple[str, ...]:
    return next(f.places for f in entry.quality.findings if f.rule == "low_confidence")


def bones(labels: LabelMap, drawn: Spine) -> dict[int, int]:
    """Place from the top of the vertebra on which most voxels of each vertebra number lie."""
    truth = resample_labels_to_grid(drawn.instances, labels.grid).labels_zyx
    found = labels.labels_zyx
    present = [int(n) for n in np.unique(found) if 0 < n < 26]
    return {n: int(np.bincount(truth[(found == n) & (truth > 0)]).argmax()) for n in present}


@dataclass
class Picture:
    """What an overlay writes: lines of its legend, names on panels with their heights."""

    legend: list[str] = field(default_factory=list)
    names: list[tuple[str, float]] = field(default_factory=list)


@pytest.fixture
def picture(monkeypatch: pytest.MonkeyPatch) -> Picture:
    """The overlay that is drawn, kept."""
    kept = Picture()
    lines_of, write = overlay._legend_lines, panels._write

    def lines(scene: Any) -> Any:
        found = lines_of(scene)
        kept.legend += [text for text, _ in found]
        return found

    def note(draw: Any, text: str, place: tuple[float, float], size_px: float) -> None:
        kept.names.append((text, place[1]))
        write(draw, text, place, size_px)

    monkeypatch.setattr(overlay, "_legend_lines", lines)
    monkeypatch.setattr(panels, "_write", note)
    return kept


@pytest.mark.parametrize(("spine", "has_c1", "named", "first"), SPINES)
def test_dicom_objects_record_flags_overlay_and_page_say_the_same(
    tmp_path: Path, picture: Picture, spine: Spine, *, has_c1: bool, named: str, first: int
) -> None:
    spine_series(tmp_path / "in")
    image = assemble(scan(tmp_path / "in").series[0])
    models = DrawnModels(spine, has_c1, DOUBTFUL)
    record = run(tmp_path / "in", tmp_path / "out", models, image, named=named)
    entry = record.series[0]
    numbers = tuple(range(first, first + COUNT))
    doubtful = numbers[DOUBTFUL - 1]

    # The objects: numbers in the labels, and the labels on the bones they are meant for.
    objects = file_of(entry, tmp_path / "out", "_instances.dcm")
    _, names = read_segments(objects)
    words = [
        ordinal_text(n, numbers, {int(k): v["text"] for k, v in named_in(entry).items()})
        for n in numbers
    ]
    assert [name for name in names.values() if name.startswith("vertebra")] == words
    drawn = centred(spine, image)
    places = {n: place for place, n in enumerate(numbers, 1)}
    assert bones(read_mask(objects, "instances"), drawn) == places
    assert numbers_in(list(names.values())) == set(numbers)

    # The record, and the flag that sends a reader to the doubtful bone.
    assert entry.vertebra_numbers == numbers
    assert [int(n) for n in entry.confidence["vertebrae"]] == list(numbers)
    assert doubtful_places(entry) == (f"vertebra_{doubtful}",)
    levels = [level["text"] for level in entry.levels.values()]
    if all(text in LEVEL_NAMES.values() for text in levels):
        assert entry.numbering == record.numbering == ANATOMICAL
        assert levels == [LEVEL_NAMES[n] for n in numbers]
    else:
        assert f"beginning with {first}" in entry.numbering
    assert (entry.numbering == ANATOMICAL) is (first != 2)

    # The picture: levels, else numbers, on the bones from the top down, and the legend.
    assert [text for text in picture.legend if text.startswith("vertebra ")] == words
    texts = {int(k): v["text"] for k, v in named_in(entry).items()}
    names = [short_name(n, texts) for n in numbers]
    heights: dict[str, float] = {}
    for text, height in picture.names:
        heights.setdefault(text, height)
    assert sorted((name for name in heights if name in names), key=heights.__getitem__) == names

    page = page_of(tmp_path / "node", record)
    listed = ", ".join(word.removeprefix("vertebra ") for word in words)
    assert f"{COUNT} vertebrae: {listed} ({entry.numbering})" in page
    assert list(entry.levels) == [str(n) for n in numbers]
    table = page[page.index("Levels of the vertebrae") :]
    for n, level in entry.levels.items():
        row = table[table.index(f'<th scope="row">{n}</th>') :].split("</tr>")[0]
        assert f">{level['text']}<" in row
        assert f">{level['confidence']:.2f}<" in row
        assert f">{', '.join(level['evidence'])}<" in row


def named_in(entry: SeriesRecordEntry) -> dict[str, dict[str, Any]]:
    """Levels of a record of which something is said."""
    return {n: level for n, level in entry.levels.items() if level["text"] != UNCERTAIN}


def page_of(data: Path, record: ResultRecord) -> str:
    """Page of a job that ended with this record."""
    site = site_of(data)
    fill(site.engine, data)
    values = {"record": json.dumps(record.as_dict())}
    with transaction(site.engine) as c:
        c.execute(JOB.update().where(JOB.c.job_id == "j-succeeded").values(**values))
    return client_of(site).get("/jobs/j-succeeded").text


@pytest.mark.parametrize(("spine", "has_c1", "named", "first"), SPINES)
def test_nifti_masks_centroids_and_record_say_the_same(
    tmp_path: Path, spine: Spine, *, has_c1: bool, named: str, first: int
) -> None:
    source = tmp_path / "sub-X_T2w.nii.gz"
    nib.save(nib.Nifti1Image(noise((40, 64, 100)), np.diag([-1.5, -1.5, 1.5, 1.0])), source)
    image = read_volume(source)
    models = DrawnModels(spine, has_c1, DOUBTFUL)
    entry = run(source, tmp_path / "out", models, image, named=named).series[0]
    numbers = tuple(range(first, first + COUNT))
    places = {n: place for place, n in enumerate(numbers, 1)}

    mask = read_label_map(file_of(entry, tmp_path / "out", "seg-vert_msk.nii.gz"))
    assert bones(mask, centred(spine, image)) == places
    document = file_of(entry, tmp_path / "out", "_ctd.json").read_text("utf-8")
    header, points = json.loads(document)
    assert [int(n) for n in points] == [n for n in numbers if n > 1]  # C1 has no body
    assert header["numbering"] == entry.numbering
    assert header["levels"] == entry.levels
    assert entry.vertebra_numbers == numbers
    assert doubtful_places(entry) == (f"vertebra_{numbers[DOUBTFUL - 1]}",)
