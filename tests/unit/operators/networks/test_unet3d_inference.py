from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch.nn import functional

from operators.networks import unet3d_layers
from operators.networks.unet3d_inference import Unet3DInference
from tests.builders.unet3d_checkpoint import random_unet3d

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.networks.unet3d import Unet3D


def _spine(size_zyx: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Bodies (9) with arches (1, 2) behind them, on background, in a PIR array."""
    classes = np.zeros(size_zyx, dtype=np.uint8)
    middle_k, _, middle_i = (n // 2 for n in size_zyx)
    for top in range(3, size_zyx[1] - 8, 13):
        classes[middle_k - 4 : middle_k + 4, top : top + 8, middle_i - 6 : middle_i] = 9
        classes[middle_k - 3 : middle_k + 3, top + 2 : top + 8, middle_i + 2 : middle_i + 5] = 1
        classes[middle_k - 1 : middle_k + 1, top + 4 : top + 9, middle_i + 5 : middle_i + 9] = 2
    return classes


def _logits(unet: Unet3D, classes_zyx: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the plain network says, (4, Z, Y, X)."""
    pir = torch.from_numpy(np.ascontiguousarray(classes_zyx.transpose(2, 1, 0)))
    if unet.shape.channels_in == 1:
        batch = pir.float()[None, None] / 9
    else:
        batch = functional.one_hot(pir.long(), unet.shape.channels_in).movedim(-1, 0)[None].float()
    with torch.inference_mode():
        return unet(batch)[0].numpy().transpose(0, 3, 2, 1)


@pytest.mark.parametrize(("dim", "channels"), [(16, 10), (8, 11), (8, 1)])
def test_float32_gives_the_class_of_the_plain_network_wherever_it_is_no_tie(
    dim: int, channels: int
):
    unet = random_unet3d(dim=dim, channels=channels)
    classes = _spine((16, 40, 32))
    logits = _logits(unet, classes)
    second, first = np.sort(logits, axis=0)[-2:]
    clear = first - second > 1e-3

    answer = Unet3DInference(unet, precision="fp32").answer(classes)

    assert clear.mean() > 0.95
    assert np.array_equal(answer[clear], logits.argmax(axis=0)[clear])


def test_bfloat16_agrees_with_float32_wherever_the_logits_differ_by_5_percent():
    unet = random_unet3d(dim=16)
    classes = _spine((16, 40, 32))
    logits = _logits(unet, classes)
    second, first = np.sort(logits, axis=0)[-2:]
    clear = first - second > 0.05 * logits.std()

    model = Unet3DInference(unet, precision="bf16")
    answer = model.answer(classes)

    assert model.profile == "cpu-bf16"
    assert clear.mean() > 0.8
    assert (answer == logits.argmax(axis=0))[clear].mean() > 0.995


def test_classes_without_a_channel_are_background():
    unet = random_unet3d(channels=10)
    classes = _spine((16, 24, 32))
    unknown = np.where(classes == 0, 10, classes).astype(np.uint8)
    model = Unet3DInference(unet, precision="fp32")

    assert np.array_equal(model.answer(unknown), model.answer(classes))


@pytest.mark.parametrize("planes_at_a_time", [1, 3, 5])
def test_a_layer_that_works_some_planes_at_a_time_is_the_same_layer(
    monkeypatch: pytest.MonkeyPatch, planes_at_a_time: int
):
    unet = random_unet3d(dim=8, levels=2)
    classes = _spine((8, 24, 32))
    logits = _logits(unet, classes)
    second, first = np.sort(logits, axis=0)[-2:]
    clear = first - second > 1e-3

    # One plane at full resolution: 8 x 24 voxels of 8 float32.
    monkeypatch.setattr(unet3d_layers, "_BYTES_AT_A_TIME", planes_at_a_time * 8 * 24 * 8 * 4)
    monkeypatch.setattr(unet3d_layers, "_VALUES_IN_CACHE", 1000)
    answer = Unet3DInference(unet, precision="fp32").answer(classes)

    assert np.array_equal(answer[clear], logits.argmax(axis=0)[clear])


def test_two_runs_give_the_same_bytes():
    model = Unet3DInference(random_unet3d(dim=8))
    classes = _spine((16, 40, 32))

    assert model.answer(classes).tobytes() == model.answer(classes).tobytes()


def test_the_given_network_keeps_its_weights():
    unet = random_unet3d(dim=8)
    before = {name: value.clone() for name, value in unet.state_dict().items()}

    Unet3DInference(unet, precision="bf16").answer(_spine((8, 24, 16)))

    assert all(torch.equal(value, before[name]) for name, value in unet.state_dict().items())


_MEASURE = """
import resource, sys
import numpy as np, torch
from operators.networks.unet3d_inference import Unet3DInference
from tests.builders.unet3d_checkpoint import random_unet3d
torch.set_num_threads(1)
model = Unet3DInference(random_unet3d(dim=8), precision="fp32")
classes = np.zeros((64, 96, 128), dtype=np.uint8)
model.answer(classes[:8, :8, :8])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
classes[20:40, 10:90, 40:90] = 9
model.answer(classes)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_memory_is_that_of_four_activations_at_full_resolution():
    run = subprocess.run(
        [sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True
    )

    one_activation_bytes = 64 * 96 * 128 * 8 * 4
    assert int(run.stdout) < 4 * one_activation_bytes + 40e6
