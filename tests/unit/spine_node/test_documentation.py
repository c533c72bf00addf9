"""Every block of docs/python.md runs, in the order of the page, with stand-in networks."""

from __future__ import annotations

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from app.run import models
from tests.builders.mr_phantom import SAGITTAL
from tests.builders.nifti_images import save_image
from tests.builders.stub_models import spine_series, stub_bundle

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    save_image(tmp_path / "sub-01_T2w.nii.gz")
    spine_series(tmp_path / "study", orientation=SAGITTAL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "load_models", lambda *_, **__: stub_bundle())
    return tmp_path


def said(block: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    exec(compile(block, "docs/python.md", "exec"), {"__name__": "page"})  # noqa: S102
    return capsys.readouterr().out.splitlines()


def test_the_page_has_the_blocks_that_are_tested_here() -> None:
    assert len(BLOCKS) == 4
    assert len(BLOCKS[0].strip().splitlines()) <= 10


def test_ten_lines_from_an_image_to_a_mask(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(BLOCKS[0], capsys)
    assert lines[0].startswith("vertebra 2 (")
    written = nib.load(folder / "vertebrae.nii.gz")
    image = nib.load(folder / "sub-01_T2w.nii.gz")
    assert written.shape == image.shape
    np.testing.assert_array_equal(written.affine, image.affine)


def test_files_and_dicom(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(BLOCKS[1], capsys)
    assert re.fullmatch(r"series\d+_[0-9a-f]{8} \(64, 100, 12\) [45]", lines[0])
    assert lines[1].startswith("True [")


def test_an_error_says_what_the_page_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (promised,) = re.findall(r"print\(error.code, error.reasons\)  # (.*)", BLOCKS[2])
    assert said(BLOCKS[2], capsys) == [promised]


def test_an_application_of_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = said(BLOCKS[3], capsys)
    assert re.fullmatch(r"series\d+_[0-9a-f]{8} \(4\.4\d*, 1\.5, 1\.5\)", line)
