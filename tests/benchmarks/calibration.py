"""Is a voxel of probability .8 right in 8 of 10 cases? ``python -m tests.benchmarks.calibration``.

Runs phase 1 on unseen synthetic spines at several temperatures and prints, for the voxels that the
network calls a structure, the share that is right per bin of probability, with the expected
calibration error (mean distance of the two, weighted by voxels). The best temperature belongs into
the model's ``inference_config.json`` as ``confidence_temperature``. Also: Spearman correlation of
a structure's mean probability with its Dice, image by image, which is what flagging relies on.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from operators.anatomy.labels import MODEL_STRUCTURES
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import Volume
from operators.networks.semantic import SemanticModel, load_semantic_model
from tests.benchmarks.accuracy import dice
from tests.benchmarks.real_volumes import MODELS
from tests.benchmarks.synthetic_figures import REGIONS, spines

TEMPERATURES = (1.0, 1.5, 1.75, 2.0)
BINS = np.linspace(0.0, 1.0, 11)
LEAST_VOXELS = 50


class Reliability:
    """Voxels and hits per bin of probability."""

    def __init__(self) -> None:
        self.voxels, self.hits, self.sums = (np.zeros(len(BINS) - 1) for _ in range(3))
        self.pairs: list[tuple[float, float]] = []

    def add(self, labels: np.ndarray, sure: np.ndarray, truth: np.ndarray) -> None:
        """Count the voxels that are called a structure."""
        called = labels > 0
        place = np.clip(np.digitize(sure[called], BINS) - 1, 0, len(BINS) - 2)
        size = len(BINS) - 1
        self.voxels += np.bincount(place, minlength=size)
        self.hits += np.bincount(place, (labels == truth)[called], minlength=size)
        self.sums += np.bincount(place, sure[called], minlength=size)
        for label in MODEL_STRUCTURES:
            mask = labels == label
            if mask.sum() >= LEAST_VOXELS:
                self.pairs.append((float(sure[mask].mean()), dice(mask, truth == label)))

    def error(self) -> float:
        """Expected calibration error."""
        return float(np.abs(self.hits - self.sums).sum() / self.voxels.sum())

    def curve(self) -> list[tuple[float, float, int]]:
        """Mean probability, share right, voxels, of the bins that hold any."""
        used = np.flatnonzero(self.voxels)
        return [
            (
                round(float(self.sums[b] / self.voxels[b]), 3),
                round(float(self.hits[b] / self.voxels[b]), 3),
                int(self.voxels[b]),
            )
            for b in used
        ]


def measure(model: SemanticModel, count: int) -> dict[str, dict[str, object]]:
    """Reliability at every temperature."""
    found = {t: Reliability() for t in TEMPERATURES}
    plain = model.config
    for region in REGIONS:
        for case in spines(region, count):
            image, truth = case.images[0], case.semantic
            for temperature, tally in found.items():
                model.config = replace(plain, confidence_temperature=temperature)
                result = model.segment(Volume(image.voxels_zyx, image.affine_lps))
                if result.certainty is None:
                    continue
                labels, sure = (
                    resample_labels_to_grid(each, truth.grid).labels_zyx
                    for each in (result.labels, result.certainty)
                )
                tally.add(labels, sure / 255.0, truth.labels_zyx)
    model.config = plain
    return {
        str(t): {
            "expected_calibration_error": round(tally.error(), 4),
            "spearman_with_dice": round(float(spearmanr(*zip(*tally.pairs, strict=True))[0]), 3),
            "curve": tally.curve(),
        }
        for t, tally in found.items()
    }


def draw(table: dict[str, dict[str, object]], path: Path) -> None:
    """One reliability curve per temperature, and the diagonal that all should follow."""
    figure = Figure(figsize=(4.5, 4.0), layout="tight")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    for temperature, values in table.items():
        predicted, right, _ = zip(*values["curve"], strict=True)  # type: ignore[call-overload]
        axes.plot(predicted, right, marker="o", label=f"temperature {temperature}")
    axes.set(xlabel="mean probability of the winner", ylabel="share of voxels that are right")
    axes.legend()
    figure.savefig(path, dpi=90)


def main() -> int:
    """Print a reliability table per temperature."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--semantic", type=Path, default=MODELS / "spine_t2w_compact")
    parser.add_argument("--spines", type=int, default=3, help="per region")
    parser.add_argument("--json", type=Path, help="also write everything here")
    parser.add_argument("--picture", type=Path, help="also draw the curves into this PNG")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table = measure(load_semantic_model(arguments.semantic), arguments.spines)
    for temperature, values in table.items():
        sys.stdout.write(
            f"temperature {temperature}: calibration error "
            f"{values['expected_calibration_error']}, Spearman {values['spearman_with_dice']}\n"
            f"  (mean probability, share right, voxels): {values['curve']}\n"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1) + "\n")
    if arguments.picture:
        draw(table, arguments.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
