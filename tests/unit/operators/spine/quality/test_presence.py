"""Is it a spine?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.errors import NoSpineFoundError
from operators.imaging.nifti import read_label_map
from operators.imaging.orientation import reorient
from operators.spine.postprocessing import PostprocessSettings, postprocess
from operators.spine.quality.presence import judge_spine, require_spine
from tests.builders.spine_phantom import Spine, pir_map, spine_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def finished(spine: Spine):
    result = postprocess(spine.semantic, spine.instances, PostprocessSettings())
    return result.semantic, result.instances


def reasons_of(parts: NDArray[np.unsignedinteger], vertebrae: NDArray[np.unsignedinteger]):
    return judge_spine(pir_map(parts), pir_map(vertebrae)).reasons


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_a_stack_of_vertebrae_is_a_spine(count: int):
    evidence = require_spine(*finished(spine_of(count)))
    assert evidence.bodies == count
    assert evidence.disc_share == evidence.canal_share == 1.0
    assert evidence.coverage > 0.9


@pytest.mark.parametrize("scale", [0.45, 1.2])
def test_a_childs_and_a_tall_adults_spine_pass(scale: float):
    spine = spine_of(4)
    spacing = (1.5 * scale,) * 3
    evidence = require_spine(pir_map(spine.parts, spacing), pir_map(spine.vertebrae, spacing))
    assert (evidence.bodies, evidence.reasons) == (4, ())


@pytest.mark.parametrize("codes", [("L", "P", "S"), ("R", "A", "S"), ("P", "S", "L")])
def test_orientation_makes_no_difference(codes: tuple[str, str, str]):
    spine = spine_of(3)
    assert judge_spine(reorient(spine.semantic, codes), reorient(spine.instances, codes)) == (
        judge_spine(spine.semantic, spine.instances)
    )


def test_nothing_at_all_is_no_spine():
    nothing = np.zeros((4, 4, 4), np.uint8)
    assert reasons_of(nothing, nothing.astype(np.uint16)) == ("no_vertebral_body",)


def test_one_body_is_no_column():
    spine = spine_of(1)
    with pytest.raises(NoSpineFoundError) as caught:
        require_spine(spine.semantic, spine.instances)
    assert caught.value.reasons == ("no_column_of_bodies",)


@pytest.mark.parametrize("scale", [0.3, 2.2])
def test_bodies_of_half_a_millilitre_or_200_are_no_bodies(scale: float):
    spine = spine_of(4)
    spacing = (1.5 * scale,) * 3
    evidence = judge_spine(pir_map(spine.parts, spacing), pir_map(spine.vertebrae, spacing))
    assert evidence.reasons == ("no_column_of_bodies",)


def test_bodies_side_by_side_are_no_column():
    spine = spine_of(4)
    turned = tuple(np.swapaxes(a, 1, 2) for a in (spine.parts, spine.vertebrae))
    assert reasons_of(*turned) == ("no_column_of_bodies",)


def test_two_bones_with_a_gap_but_no_canal_are_a_knee():
    spine = spine_of(2)
    parts = spine.parts
    parts[(parts == Structure.CANAL) | (parts == Structure.CORD)] = 0
    assert reasons_of(parts, spine.vertebrae) == ("no_canal_behind_bodies",)


def test_a_canal_in_front_of_the_bodies_does_not_count():
    spine = spine_of(3)
    parts = spine.parts[:, :, ::-1]
    assert "no_canal_behind_bodies" in reasons_of(parts, spine.vertebrae[:, :, ::-1])


def test_a_short_column_needs_discs_and_a_long_one_either_discs_or_canal():
    for count, expected in ((3, ("no_disc_between_bodies",)), (4, ())):
        spine = spine_of(count)
        parts = spine.parts
        parts[parts == Structure.DISC] = 0
        assert reasons_of(parts, spine.vertebrae) == expected


def test_a_long_column_with_neither_is_refused_for_both():
    spine = spine_of(5)
    parts = spine.parts
    parts[np.isin(parts, (Structure.DISC, Structure.CANAL, Structure.CORD))] = 0
    assert reasons_of(parts, spine.vertebrae) == (
        "no_disc_between_bodies",
        "no_canal_behind_bodies",
    )


@pytest.mark.parametrize(("count", "reasons"), [(3, ("column_short_for_field_of_view",)), (5, ())])
def test_three_vertebrae_at_the_edge_of_a_head_image_are_no_spine_study(
    count: int, reasons: tuple[str, ...]
):
    spine = spine_of(count)
    above = ((0, 0), (int(count * 24 / 0.25) - count * 24, 0), (0, 0))
    assert reasons_of(np.pad(spine.parts, above), np.pad(spine.vertebrae, above)) == reasons


def test_a_missing_vertebra_in_the_middle_leaves_two_columns():
    spine = spine_of(5)
    parts, vertebrae = spine.parts, spine.vertebrae
    gone = vertebrae == 3
    parts[gone], vertebrae[gone] = 0, 0
    assert judge_spine(pir_map(parts), pir_map(vertebrae)).bodies == 2


def test_noise_is_no_spine():
    rng = np.random.default_rng(0)
    parts = rng.choice([0, 41, 49, 61, 100], (40, 40, 40)).astype(np.uint8)
    vertebrae = np.where(parts == 49, rng.integers(1, 6, parts.shape), 0).astype(np.uint16)
    assert reasons_of(parts, vertebrae) != ()


@pytest.mark.parametrize(
    ("case", "bodies"),
    [("sample1", 3), ("sample3", 3), ("clin8", 6), ("gtsem_sample", 3), ("gtsem_phantom8", 8)],
)
def test_every_oracle_result_is_a_spine(shared_data: Path, case: str, bodies: int):
    stem = {"gtsem_sample": "sample", "gtsem_phantom8": "phantom8"}.get(case, case.rstrip("13"))
    folder = shared_data / "data" / "oracle" / "spineps_outputs" / case
    semantic, instances = (
        read_label_map(folder / f"sub-{stem}_mod-T2w_seg-{kind}_msk.nii.gz")
        for kind in ("spine", "vert")
    )
    assert require_spine(semantic, instances).bodies == bodies
