import numpy as np
import pytest

from operators.errors import ModelUnusableError
from operators.networks.normalisation import normalise

VOXELS = np.array([[[0, 100, 200, 300]]], np.float32)
PROPERTIES = {"mean": 100.0, "std": 50.0, "percentile_00_5": 50.0, "percentile_99_5": 250.0}


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("ZScoreNormalization", [-1.3416, -0.4472, 0.4472, 1.3416]),
        ("CTNormalization", [-1, 0, 2, 3]),
        ("NoNormalization", [0, 100, 200, 300]),
        ("RescaleTo01Normalization", [0, 1 / 3, 2 / 3, 1]),
        ("RGBTo01Normalization", [0, 0.39216, 0.78431, 1.17647]),
    ],
)
def test_four_voxels_by_every_scheme(scheme: str, expected: list[float]) -> None:
    out = normalise(VOXELS, scheme, mask=None, properties=PROPERTIES)
    assert out.ravel().tolist() == pytest.approx(expected, abs=1e-4)
    assert out.dtype == np.float32
    assert VOXELS[0, 0, 3] == 300


def test_with_a_mask_only_the_voxels_inside_count_and_change():
    mask = np.array([[[False, True, True, True]]])
    out = normalise(VOXELS, "ZScoreNormalization", mask=mask, properties={})
    assert out.ravel().tolist() == pytest.approx([0, -1.2247, 0, 1.2247], abs=1e-4)


@pytest.mark.parametrize("scheme", ["ZScoreNormalization", "RescaleTo01Normalization"])
def test_a_constant_image_becomes_0(scheme: str) -> None:
    out = normalise(np.full((1, 1, 4), 7, np.float32), scheme, mask=None, properties={})
    assert not out.any()


def test_an_unknown_scheme_and_missing_properties_are_refused():
    with pytest.raises(ModelUnusableError) as caught:
        normalise(VOXELS, "MyNormalization", mask=None, properties={})
    assert caught.value.reasons == ("unknown_normalisation",)
    with pytest.raises(ModelUnusableError) as caught:
        normalise(VOXELS, "CTNormalization", mask=None, properties={})
    assert caught.value.reasons == ("plans_incomplete",)
