"""Doubt is averaged where it lies and flagged by name."""

from __future__ import annotations

import numpy as np
import pytest

from operators.imaging.volume import LabelMap
from operators.spine.confidence import Agreement, Confidence


def maps(*arrays: list[int]) -> list[LabelMap]:
    return [LabelMap(np.array([[a]], np.uint8), np.eye(4)) for a in arrays]


def test_means_run_over_the_voxels_of_each_structure_and_vertebra() -> None:
    semantic, instances, sure = maps(
        [49, 49, 100, 61, 0, 49], [3, 3, 103, 0, 0, 4], [255, 204, 102, 255, 13, 51]
    )
    found = Confidence.of(semantic, instances, sure)
    assert found.structures == {
        49: pytest.approx(2 / 3, abs=1e-3),
        61: pytest.approx(1.0),
        100: pytest.approx(0.4),
    }
    assert found.vertebrae == {3: pytest.approx(0.9), 4: pytest.approx(0.2)}
    assert list(found.by_place) == ["corpus", "canal", "disc", "vertebra_3", "vertebra_4"]
    assert found.by_place["vertebra_4"] == pytest.approx(0.2)


def test_agreement_is_averaged_likewise() -> None:
    semantic, instances, agreed = maps(
        [49, 49, 100, 61, 61, 49], [3, 3, 103, 0, 0, 4], [240, 240, 120, 160, 240, 160]
    )
    found = Agreement.of(semantic, instances, agreed)
    assert found.structures == {49: 0.889, 61: 0.833, 100: 0.5}
    assert found.vertebrae == {3: 1.0, 4: 0.667}
