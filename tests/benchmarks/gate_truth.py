"""What is true of a study, and whether the vertebrae of an answer are those of the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from operators.imaging.volume import Volume
from tests.benchmarks.accuracy import vertebrae_below

PART = 0.25
"""Of a body: less is an error of its border."""
LEAST_MM3 = 500.0
"""Less of a body in the sacrum or in nothing is a scrap that no count rests on."""


@dataclass(frozen=True, slots=True)
class Study:
    """One image with what is true of it.

    Attributes
    ----------
    name, kind : str
        Of the study, and the row of the table that it belongs to.
    image : Volume
        For the networks.
    bodies : (R, I, P) ndarray of int
        True numbers of the bodies that can be judged, from head to foot, 0 elsewhere.
    sacrum : (R, I, P) ndarray of bool or None
        Where it is known.
    annotated : (R, I, P) ndarray of bool or None
        What is known down to L5, where the sacrum is not.
    """

    name: str
    kind: str
    image: Volume
    bodies: np.ndarray
    sacrum: np.ndarray | None = None
    annotated: np.ndarray | None = None


def grave_errors(study: Study, found: np.ndarray) -> list[str]:
    """Compare the vertebrae of an answer with the truth.

    Parameters
    ----------
    study : Study
        Has the truth.
    found : (R, I, P) ndarray of int
        Numbers of the answer on the voxels of its bodies.
    """
    truth = study.bodies
    affine = study.image.affine_lps
    least = LEAST_MM3 / abs(float(np.linalg.det(affine[:3, :3])))
    size = (int(truth.max()) + 1, int(found.max()) + 1)
    pairs = np.bincount((truth.astype(int) * size[1] + found).ravel(), minlength=size[0] * size[1])
    table = pairs.reshape(size)
    sizes, own = table.sum(axis=1), table.sum(axis=0)
    shares = table / np.maximum(sizes, 1)[:, None]
    seen = {n: np.flatnonzero(shares[n, 1:] >= PART) + 1 for n in _whole(truth, study.annotated)}
    errors = [f"lost {n}" for n, numbers in seen.items() if shares[n, 1:].sum() < PART]
    errors += [f"divided {n}" for n, numbers in seen.items() if len(numbers) > 1]
    for number in np.flatnonzero(own[1:]) + 1:
        covered = [n for n, numbers in seen.items() if number in numbers]
        if len(covered) > 1:
            errors.append(f"merged {covered[0]} and {covered[1]}")
    order = [int(numbers[0]) for numbers in seen.values() if len(numbers) == 1]
    errors += ["order"] if order != sorted(order) else []
    if study.annotated is not None:
        below = [n for n in vertebrae_below(found, study.annotated) if own[n] >= least]
        return errors + [f"below L5: {n}" for n in below]
    for number in np.flatnonzero(own[1:] >= least) + 1:
        sacral = np.count_nonzero(study.sacrum & (found == number)) / own[number]
        if sacral >= 0.5:
            errors.append(f"on the sacrum: {number}")
        elif table[1:, number].sum() < PART * own[number]:
            errors.append(f"on nothing: {number}")
    return errors


def _whole(truth: np.ndarray, annotated: np.ndarray | None) -> list[int]:
    """True bodies clear of the upper and lower border; C1's and C2's are no bodies alike."""
    numbers = [n for n in np.unique(truth) if n > (0 if annotated is not None else 2)]
    rows = {n: np.flatnonzero((truth == n).any(axis=(0, 2))) for n in numbers}
    return [int(n) for n, r in rows.items() if r[0] > 2 and r[-1] < truth.shape[1] - 3]
