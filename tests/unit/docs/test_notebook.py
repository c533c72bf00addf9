"""Every cell of docs/segmenting.ipynb runs, in order, with stand-in networks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import matplotlib as mpl
import nibabel as nib
import numpy as np
import pytest

from app.run import models
from tests.builders.nifti_images import save_image
from tests.builders.shown_spine import spine_image
from tests.builders.stub_models import stub_bundle

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = json.loads((ROOT / "docs" / "segmenting.ipynb").read_text("utf-8"))
CELLS = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """What each cell prints, all of them in one process as a kernel runs them."""
    save_image(tmp_path / "sub-01_T2w.nii.gz", spine_image((64, 92, 13)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "load_models", lambda *_, **__: stub_bundle())
    mpl.use("agg")
    names: dict[str, object] = {"__name__": "__main__"}
    printed = []
    for number, cell in enumerate(CELLS):
        source = "".join(cell["source"])
        exec(compile(source, f"cell {number}", "exec"), names)  # noqa: S102
        printed.append(capsys.readouterr().out)
    mpl.pyplot.close("all")
    return printed


def test_the_cells_run_and_say_what_the_text_around_them_promises(said: list[str]) -> None:
    image = nib.load("sub-01_T2w.nii.gz")
    assert said[0].startswith(str(image.shape))
    assert said[1].startswith("vertebra 2 ")
    assert "corpus" in said[2]
    assert re.search(r" \d+\.\d\d \S+$", said[4], re.MULTILINE)  # a value and its unit
    for name in ("seg-spine", "seg-vert"):
        mask = nib.load(f"derivatives/sub-01_mod-T2w_{name}_msk.nii.gz")
        assert mask.shape == image.shape
        np.testing.assert_array_equal(mask.affine, image.affine)
    assert said[6] == "SPN-1200 ('implausible_extent',)\n"


def test_it_is_kept_with_its_outputs_and_no_path_of_a_machine() -> None:
    assert all(cell["outputs"] for cell in CELLS)
    assert any(
        "image/png" in output.get("data", {}) for cell in CELLS for output in cell["outputs"]
    )
    texts = [line for cell in CELLS for o in cell["outputs"] for line in o.get("text", ())]
    assert not [line for line in texts if re.search(r"/(home|root|tmp|work|usr)/", line)]
