"""What a person reads of a cohort: colour tables, outliers, the expected end."""

from __future__ import annotations

import json

import numpy as np
import pytest

from app.cohort.cases import Source
from app.cohort.colour_tables import colour_tables
from app.cohort.outliers import oddness_of
from app.cohort.progress import Standing, duration_text, left_s, text_of
from app.cohort.sidecars import sidecar_of
from operators.anatomy.colours import STRUCTURE_COLOURS, instance_colour
from operators.anatomy.levels import ANATOMICAL, numbering_text


def test_slicer_s_tables_name_every_label_once_without_blanks() -> None:
    tables = colour_tables()
    for name, count in (("seg-spine", len(STRUCTURE_COLOURS)), ("seg-vert", 3 * 27)):
        lines = [line.split() for line in tables[f"{name}.ctbl"].splitlines() if line[0] != "#"]
        assert {len(line) for line in lines} == {6}
        assert len({line[0] for line in lines}) == len(lines) == count + 1
        assert len({line[1] for line in lines}) == len(lines)
        assert lines[0] == ["0", "Background", "0", "0", "0", "0"]
    rows = {
        int(line.split()[0]): line.split()[1:] for line in tables["seg-vert.ctbl"].splitlines()[2:]
    }
    assert rows[20] == ["vertebra_20", *map(str, instance_colour(20)), "255"]
    assert rows[119][0] == "disc_below_vertebra_19"
    named = [line.split() for line in tables["seg-vert-levels.ctbl"].splitlines()[2:]]
    assert {int(row[0]): row[2:] for row in named} == {n: row[1:] for n, row in rows.items()}
    words = {int(row[0]): row[1] for row in named}
    assert (words[20], words[128]) == ("vertebra_20_L1", "disc_below_vertebra_28_T13")


@pytest.mark.parametrize(
    ("mask", "numbering", "table"),
    [
        ("a_seg-vert_msk.nii.gz", ANATOMICAL, "seg-vert-levels"),
        ("a_seg-vert_msk.nii.gz", numbering_text((2, 3)), "seg-vert"),
        ("a_seg-spine_msk.nii.gz", ANATOMICAL, "seg-spine"),
    ],
)
def test_a_sidecar_names_the_table_that_fits_the_numbers(
    mask: str, numbering: str, table: str
) -> None:
    keys = ("key", "stack", "levels", "confidence", "agreement", "volumes_ml", "quality", "facts")
    entry = dict.fromkeys(keys) | {"key": "a", "numbering": numbering}
    source = Source("a.nii.gz", ("a.nii.gz",))
    made = sidecar_of(mask, source, dict.fromkeys(("models", "profile", "notice")), entry)
    assert made is not None
    document = json.loads(made[1])
    assert document["LookupTable"] == [f"{table}.ctbl", f"{table}_itksnap.txt"]
    assert document["Numbering"] == numbering
    assert document["LookupTable"][0] in colour_tables()


def test_itk_snap_s_tables_have_its_eight_columns() -> None:
    lines = colour_tables()["seg-spine_itksnap.txt"].splitlines()
    rows = [line for line in lines if not line.startswith("#")]
    assert rows[0].split('"')[1] == "Clear Label"
    body = next(row for row in rows if row.split()[0] == "49")
    assert body.split('"')[0].split() == ["49", "232", "184", "74", "1", "1", "1"]
    assert body.split('"')[1] == "Vertebral body"


def test_the_one_that_differs_is_found_and_says_in_what() -> None:
    values = [24.0, 25.0, 26.0, 25.5, 24.5, 25.2, 24.8, 60.0]
    figures = [{"body_middle_height": value, "same": 1.0} for value in values]
    odd = oddness_of(figures)
    median, spread = np.median(values), 1.4826 * np.median(np.abs(values - np.median(values)))
    assert odd[7].score == pytest.approx((60 - median) / spread)
    assert odd[7].why == f"body middle height, z +{odd[7].score:.1f}"
    assert [one.why for one in odd[:7]] == [""] * 7


def test_a_few_results_have_no_outlier_and_a_missing_figure_is_usual() -> None:
    assert {one.score for one in oddness_of([{"a": 1.0}] * 6 + [{"a": 99.0}])} == {0.0}
    odd = oddness_of([{"a": 1.0}] * 9 + [{"a": 5.0}, {}])
    assert odd[9].score == pytest.approx(4.0 / (1.2533 * 0.4))
    assert odd[10].score == 0.0


def test_the_end_is_expected_at_the_pace_so_far() -> None:
    assert left_s(40, 40, 99.0) is None
    assert left_s(40, 30, 600.0) == 1800.0
    assert duration_text(5400) == "1 h 30 min"
    standing = Standing(done=10, total=40, failed=2, left_s=1800.0)
    assert text_of(standing) == "10 of 40 cases, 2 without a result; about 30 min left"
    assert text_of(Standing(done=4, total=4, failed=0, left_s=0.0)) == "4 of 4 cases"
