"""A network with a finer stage begins where the coarser one has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from app.research.training.finer_stage import begin_with_coarser
from app.research.training.presets import (
    PAPER_DESIGN,
    SEMANTIC_PRESETS,
    compact_design,
    with_finer_stage,
    without_finer_stage,
)
from app.research.training.semantic import build_network

if TYPE_CHECKING:
    from app.research.training.presets import Design

COARSE = compact_design((12, 16, 24))


def image(seed: int) -> torch.Tensor:
    """A smooth z-scored image on the finer grid."""
    noise = torch.randn(1, 1, 6, 24, 24, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(noise, (6, 256, 256), mode="trilinear")
    return (smooth - smooth.mean()) / smooth.std()


def randomised(design: Design) -> torch.nn.Module:
    """A network whose norms, too, have other weights than at the beginning."""
    torch.manual_seed(5)
    network = build_network(design)
    for name, parameter in network.named_parameters():
        if "norm" in name:
            parameter.data += 0.3 * torch.randn_like(parameter)
    return network


def alike(first: torch.Tensor, second: torch.Tensor) -> float:
    """Correlation within the image: its padded border, which is no longer 0, moves the norms."""
    inner = (..., slice(8, -8), slice(8, -8))
    return float(np.corrcoef(first[inner].flatten(), second[inner].flatten())[0, 1])


@pytest.mark.parametrize("shown", [(1,), (2, 3, 4, 5, 6, 7)])
@torch.no_grad()
def test_it_answers_as_the_coarser_network_does_interpolated(shown: tuple[int, ...]) -> None:
    coarse, fine = randomised(COARSE), build_network(with_finer_stage(COARSE))
    begin_with_coarser(fine, coarse, [image(seed) for seed in shown])
    before, after = coarse(image(1)[..., ::2, ::2].contiguous()), fine(image(1))
    below, beside = (before[..., 1:, :] + before[..., :-1, :]) / 2, before[..., 1:]
    assert alike(after[..., ::2, ::2], before) > 0.997
    assert alike(after[..., 1:-1:2, ::2], below) > 0.997
    assert alike(after[..., ::2, 1:-1:2], (beside + before[..., :-1]) / 2) > 0.997
    assert alike(after[..., ::2, 1:-1:2], beside) < 0.99  # which voxel is which can be told
    assert float(after.std()) == pytest.approx(float(before.std()), rel=0.1)


def test_every_new_weight_learns() -> None:
    coarse, fine = randomised(COARSE), build_network(with_finer_stage(COARSE))
    begin_with_coarser(fine, coarse, [image(1)])
    fine(image(2)).square().mean().backward()
    silent = [n for n, p in fine.named_parameters() if p.grad is None or not p.grad.any()]
    # Levels that only deep supervision asks, and the way past the coarser stages, whose weights
    # begin at 0: its own learn at once, what leads there one step later.
    assert all("seg_layers" in n or n.startswith("encoder.stages.0") for n in silent)


@pytest.mark.parametrize("design", [COARSE, compact_design()])
def test_a_finer_stage_can_be_taken_away_again(design: Design) -> None:
    assert without_finer_stage(with_finer_stage(design)) == design


@pytest.mark.parametrize("design", [compact_design((8,)), COARSE, PAPER_DESIGN])
def test_other_designs_have_none(design: Design) -> None:
    assert without_finer_stage(design) is None


def test_the_fine_preset_is_the_one_of_fields_with_half_the_voxels() -> None:
    fields, fine = SEMANTIC_PRESETS["fields"], SEMANTIC_PRESETS["fine"]
    assert without_finer_stage(fine.design) == fields.design
    assert np.array(fine.grid.spacing_mm) == pytest.approx(
        fields.grid.spacing_mm * np.array([1, 0.5, 0.5])
    )
    extents = [np.multiply(p.grid.shape, p.grid.spacing_mm) for p in (fields, fine)]
    assert extents[0] == pytest.approx(extents[1])
