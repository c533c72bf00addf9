"""The paper's settings are the paper's, and its network is the one nnU-Net plans."""

from __future__ import annotations

import pytest

from app.research.training.presets import (
    INSTANCE_PRESETS,
    PAPER_DESIGN,
    SEMANTIC_PRESETS,
    STEPS_PER_EPOCH,
    compact_design,
)


def test_the_paper_trains_1000_epochs_of_250_batches_of_2_in_3_folds_without_mirroring() -> None:
    paper = SEMANTIC_PRESETS["paper"]
    assert (paper.epochs, STEPS_PER_EPOCH, paper.batch, paper.folds) == (1000, 250, 2, 3)
    assert paper.grid.shape == (64, 256, 256)
    assert paper.grid.spacing_mm == (1.65, 0.75, 0.75)
    assert not paper.grid.mirror
    assert paper.correct_bias
    assert paper.margin_mm is not None


def test_the_papers_second_phase_sees_cutouts_of_248_304_64_at_1e_4_to_1e_6() -> None:
    paper = INSTANCE_PRESETS["paper"]
    assert paper.cutout.shape == (248, 304, 64)
    assert (paper.epochs, paper.batch) == (300, 2)
    steps = paper.epochs * STEPS_PER_EPOCH
    assert paper.schedule.rate(0, steps) == pytest.approx(1e-4)
    assert paper.schedule.rate(steps - 1, steps) == pytest.approx(1e-6)
    assert (paper.spoiling.label_drop, paper.spoiling.vertical_crop) == (0.1, 0.25)


def test_nnunet_plans_the_papers_network_for_its_patch_and_spacing() -> None:
    topology = pytest.importorskip(
        "nnunetv2.experiment_planning.experiment_planners.network_topology"
    )
    _, strides, kernels, *_ = topology.get_pool_and_conv_props(
        (1.65, 0.75, 0.75), (64, 256, 256), 4, 999
    )
    assert PAPER_DESIGN.strides == tuple(map(tuple, strides))
    assert PAPER_DESIGN.kernels == tuple(map(tuple, kernels))
    assert PAPER_DESIGN.features == tuple(min(32 * 2**k, 320) for k in range(7))


def test_the_compact_design_can_be_cut_to_its_first_stages() -> None:
    assert compact_design((8, 16)).decoder_convolutions == (1,)
    assert len(compact_design().strides) == 5
