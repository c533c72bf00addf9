from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from operators.errors import ModelUnusableError
from operators.networks.inference_config import read_config
from operators.networks.label_decision import decision_of, label_table
from operators.networks.nnunet_plans import read_plans
from tests.builders.nnunet_folder import write_folder


def test_labels_stand_in_class_order_and_300_needs_16_bits(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    plans = read_plans(folder, "3d_fullres")
    config = read_config(folder / "inference_config.json")
    table = label_table(config, plans)
    assert (table.tolist(), table.dtype) == ([0, 49, 100, 26], np.uint8)
    wide = label_table(replace(config, labels={1: 300, 2: 1, 3: 2}), plans)
    assert (wide.tolist(), wide.dtype) == ([0, 300, 1, 2], np.uint16)
    regions = label_table(config, replace(plans, heads=2, regions_class_order=(3, 1)))
    assert regions.tolist() == [0, 26, 49]


def test_a_class_without_a_label_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    config = replace(read_config(folder / "inference_config.json"), labels={1: 49, 3: 26})
    with pytest.raises(ModelUnusableError, match="class 2"):
        label_table(config, read_plans(folder, "3d_fullres"))


def test_the_best_class_wins_and_later_regions_overwrite(tmp_path: Path) -> None:
    plans = read_plans(write_folder(tmp_path), "3d_fullres")
    sums = torch.tensor([[0.0, 5, 5], [-1, -2, -3], [3, 2, 1]])
    assert decision_of(plans)(sums).tolist() == [1, 0, 0]
    regions = decision_of(replace(plans, heads=3, regions_class_order=(1, 2, 3)))
    assert regions(sums).tolist() == [3, 0, 3]
