"""A checkpoint that SPINEPS's own class has written: ours sees the same boxes and answers the same.

Needs PEER_VENV, a virtual environment with SPINEPS 2.1.3.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
import pytest

from operators.imaging.nifti import read_label_map, read_volume
from operators.networks.labelling import HEADS, load_labelling_model
from operators.networks.vertebra_boxes import boxes_about_bodies
from tests.builders.labelling_folder import CONFIG, WEIGHTS

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PEER_VENV"), reason="PEER_VENV names no peer"),
    pytest.mark.timeout(600),
]

PEER = """
import json, sys
import numpy as np, torch
from pathlib import Path
import pytorch_lightning as pl
from TPTBox import NII
from spineps.architectures.pl_densenet import ARGS_MODEL, PLClassifier
from spineps.lab_model import VertLabelingClassifier
from spineps.phase_labeling import run_model_for_vert_labeling

folder, data_set, box, heads, name = Path(sys.argv[1]), sys.argv[2], *map(json.loads, sys.argv[3:])
torch.manual_seed(3)
options = ARGS_MODEL()
options.num_classes, options.final_size, options.ds_name = 24, tuple(box), data_set
network = PLClassifier(options, heads)
trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
trainer.strategy.connect(network)
trainer.save_checkpoint(folder / "model" / "weights" / name, weights_only=True)

model = VertLabelingClassifier(folder / "model", use_cpu=True).load()
asked, forward = [], model.predictor.forward
def kept(tensor):
    asked.append(tensor[0, 0].numpy().copy())
    return forward(tensor)
model.predictor.forward = kept
image, bodies = (NII.load(folder / f"{n}.nii.gz", seg=n != "image") for n in ("image", "bodies"))
found = run_model_for_vert_labeling(model, image, bodies)
soft = {str(n): {k: list(map(float, v)) for k, v in one["soft"].items()}
        for n, one in found[-1].items()}
np.savez(folder / "boxes.npz", **{str(n): box for n, box in zip(found[-1], asked)})
(folder / "answers.json").write_text(json.dumps(soft))
"""

BOX = (64, 80, 32)


class Case(NamedTuple):
    """What the image lies like, on which data the model says it was trained, how close we come."""

    affine: np.ndarray
    data_set: str
    away: float


CASES = {
    "on the model's grid": Case(np.diag([-1.0, -1.0, 1.0, 1.0]), "sagittal_v3corpus_npz", 1e-4),
    "turned boxes": Case(np.diag([-1.0, -1.0, 1.0, 1.0]), "sagittal_v4corpus_npz", 1e-4),
    "other spacing": Case(np.diag([2.0, 1.3, -0.8, 1.0]), "sagittal_v3corpus_npz", 0.05),
}


def write_images(folder: Path, affine: np.ndarray) -> None:
    """Three bodies one below the other, on an oblique line, over textured ground."""
    steps = np.abs(np.diag(affine)[:3])
    shape = tuple(np.rint(np.array([50, 110, 160]) / steps).astype(int))
    x, y, z = (np.arange(n) * step for n, step in zip(shape, steps, strict=True))
    down = z if affine[2, 2] < 0 else z[::-1]
    back = y[::-1] if affine[1, 1] > 0 else y
    owners = np.zeros(shape, np.uint8)
    for number, (middle, deep) in {2: (40, 48), 3: (80, 56), 4: (118, 66)}.items():
        near = (np.abs(x - 24) < 14)[:, None, None] & (np.abs(back - deep) < 13)[None, :, None]
        owners[near & (np.abs(down - middle) < 12)[None, None, :]] = number
    waves = np.sin(x / 5)[:, None, None] + np.cos(back / 9)[None, :, None] * np.sin(down / 7)
    image = (300 + 100 * waves + 200 * (owners > 0)).astype(np.float32)
    for name, array in (("image", image), ("bodies", owners)):
        nib.save(nib.Nifti1Image(array, affine), folder / f"{name}.nii.gz")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_boxes_and_answers_are_those_of_spineps(tmp_path: Path, case: Case) -> None:
    (tmp_path / "model" / "weights").mkdir(parents=True)
    config = json.dumps(CONFIG)
    (tmp_path / "model" / "inference_config.json").write_text(config, encoding="utf-8")
    write_images(tmp_path, case.affine)
    python = Path(os.environ["PEER_VENV"]) / "bin" / "python"
    heads = {name: answers for name, answers in HEADS.items() if name != "VERTEXACT"}
    given = [json.dumps(value) for value in (BOX, heads, WEIGHTS)]
    command = [python, "-c", PEER, tmp_path, case.data_set, *given]
    subprocess.run(command, check=True, timeout=500, capture_output=True)

    model = load_labelling_model(tmp_path / "model")
    assert model.shape.backbone == "DENSENET169"
    image = read_volume(tmp_path / "image.nii.gz")
    bodies = read_label_map(tmp_path / "bodies.nii.gz")
    maps = bodies.with_labels((bodies.labels_zyx > 0).astype(np.uint8) * 49), bodies
    boxes = boxes_about_bodies(
        image, maps, model.config, size=model.shape.box, is_turned=model.shape.is_turned
    )
    with np.load(tmp_path / "boxes.npz") as theirs:
        assert [int(n) for n in theirs] == list(boxes) == [2, 3, 4]
        for number, box in boxes.items():
            away = np.abs(box - theirs[str(number)])
            assert np.quantile(away, 0.99) <= case.away
    answers = json.loads((tmp_path / "answers.json").read_text("utf-8"))
    for number, ours in model.predict(image, maps).items():
        for name, shares in ours.items():
            assert shares == pytest.approx(answers[str(number)][name], abs=max(case.away, 1e-4))
