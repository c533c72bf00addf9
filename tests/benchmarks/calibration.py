"""Is a voxel of probability .8 right in 8 of 10 cases? ``python -m tests.benchmarks.calibration``.

Runs phase 1 on unseen synthetic spines at several temperatures and prints, for the voxels that the
network calls a structure, the share that is right per bin of probability, with the expected
calibration error (mean distance of the two, weighted by voxels). The best temperature belongs into
the model's ``inference_config.json`` as ``confidence_temperature``. Also: Spearman correlation of
a structure's mean probability with its Dice, image by image, which is what flagging relies on.

``--real vertebra disc canal`` takes the subjects of SPIDER that were held out instead
(``$SPINE_SHARED``), in both thicknesses. SPIDER marks vertebra, disc and canal: a part of a
vertebra is right there wherever a vertebra is marked, so that the probability of one part is no
more than a lower bound; a disc is one class: ``--real disc`` judges it alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from operators.anatomy.labels import MODEL_STRUCTURES
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import LabelMap, Volume
from operators.networks.semantic import SemanticModel, load_semantic_model
from tests.benchmarks.accuracy import dice
from tests.benchmarks.real_volumes import MODELS
from tests.benchmarks.spider import HELD_OUT, OURS, THEIRS, THICKNESSES, read
from tests.benchmarks.synthetic_figures import REGIONS, spines

TEMPERATURES = (1.0, 1.5, 1.75, 2.0)
BINS = np.linspace(0.0, 1.0, 11)
LEAST_VOXELS = 50


@dataclass(frozen=True, slots=True)
class Case:
    """An image, what it shows, and which labels count as which structure.

    Attributes
    ----------
    image : Volume
        Intensities.
    truth : LabelMap
        On any grid.
    structures : tuple of (labels of ours, label of the truth)
        What is judged.
    """

    image: Volume
    truth: LabelMap
    structures: tuple[tuple[tuple[int, ...], int], ...]


def synthetic(count: int) -> Iterator[Case]:
    """Unseen synthetic spines, label by label."""
    each = tuple(((int(label),), int(label)) for label in MODEL_STRUCTURES)
    for region in REGIONS:
        for case in spines(region, count):
            yield Case(case.images[0], case.semantic, each)


def real(*names: str) -> Iterator[Case]:
    """Subjects of SPIDER that no training saw."""
    data = Path(os.environ["SPINE_SHARED"]) / "data" / "spider"
    groups = tuple((OURS[name], THEIRS[name]) for name in names)
    for subject in HELD_OUT:
        for thickness in THICKNESSES:
            yield Case(*read(data, subject, thickness), groups)


class Reliability:
    """Voxels and hits per bin of probability."""

    def __init__(self) -> None:
        self.voxels, self.hits, self.sums = (np.zeros(len(BINS) - 1) for _ in range(3))
        self.pairs: list[tuple[float, float]] = []

    def add(self, labels: np.ndarray, sure: np.ndarray, case: Case) -> None:
        """Count the voxels that are called one of the case's structures."""
        size = len(BINS) - 1
        for ours, theirs in case.structures:
            called = np.isin(labels, ours)
            marked = case.truth.labels_zyx == theirs
            place = np.clip(np.digitize(sure[called], BINS) - 1, 0, size - 1)
            self.voxels += np.bincount(place, minlength=size)
            self.hits += np.bincount(place, marked[called], minlength=size)
            self.sums += np.bincount(place, sure[called], minlength=size)
            if called.sum() >= LEAST_VOXELS:
                self.pairs.append((float(sure[called].mean()), dice(called, marked)))

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


def at_temperature(model: SemanticModel, temperature: float) -> SemanticModel:
    """The same networks with another temperature."""
    config = replace(model.config, confidence_temperature=temperature)
    ensemble = model._tiled.ensemble  # they are not loaded four times
    return SemanticModel(config, model.plans, ensemble, model.digest)


def measure(
    model: SemanticModel, cases: Callable[[], Iterator[Case]]
) -> dict[str, dict[str, object]]:
    """Reliability at every temperature."""
    found = {t: Reliability() for t in TEMPERATURES}
    models = {t: at_temperature(model, t) for t in TEMPERATURES}
    for case in cases():
        image = Volume(case.image.voxels_zyx, case.image.affine_lps)
        for temperature, tally in found.items():
            result = models[temperature].segment(image)
            if result.certainty is None:
                continue
            labels, sure = (
                resample_labels_to_grid(each, case.truth.grid).labels_zyx
                for each in (result.labels, result.certainty)
            )
            tally.add(labels, sure / 255.0, case)
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
    parser.add_argument("--real", nargs="+", choices=tuple(OURS), help="SPIDER: of what voxels")
    parser.add_argument("--json", type=Path, help="also write everything here")
    parser.add_argument("--picture", type=Path, help="also draw the curves into this PNG")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cases = partial(synthetic, arguments.spines)
    if arguments.real:
        cases = partial(real, *arguments.real)
    table = measure(load_semantic_model(arguments.semantic), cases)
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
