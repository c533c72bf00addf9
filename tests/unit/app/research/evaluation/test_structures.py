import numpy as np
import pytest

from app.research.evaluation.structures import KINDS, STRUCTURES, SUBSTRUCTURES, instances_of
from operators.anatomy.labels import MODEL_STRUCTURES

KIND = {kind.name: kind for kind in KINDS}
INSTANCES = np.array([0, 2, 25, 26, 28, 60, 102, 126, 128, 202, 226])
SEMANTIC = np.array([0, 49, 42, 26, 50, 60, 100, 100, 100, 62, 62])


def test_each_of_the_14_structures_of_a_model_is_scored_by_itself():
    scored = {*STRUCTURES.values(), *SUBSTRUCTURES.values()}
    for label in MODEL_STRUCTURES:
        joined = {49: (49, 50), 62: (62, 52, 53)}.get(label, (label,))
        assert joined in scored, label


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("vertebra", [2, 25, 28]),
        ("corpus", [2, 28]),
        ("disc", [102, 126, 128]),
        ("endplate", [202, 226]),
    ],
)
def test_a_kind_keeps_its_own_labels_and_no_others(kind: str, expected: list[int]):
    found = instances_of(KIND[kind], INSTANCES, SEMANTIC)
    assert sorted(set(found.tolist()) - {0}) == expected
    assert np.array_equal(found[found > 0], INSTANCES[found > 0])


def test_bodies_need_a_semantic_map():
    assert instances_of(KIND["corpus"], INSTANCES, None) is None
    assert instances_of(KIND["disc"], INSTANCES, None) is not None
