import pytest

from app.run.checks import require_modality
from operators.errors import ModelUnusableError


@pytest.mark.parametrize("modality", [("T2w",), ("T1w", "T2w"), ("t2",), ("MR",)])
def test_a_model_for_t2w_is_taken(modality: tuple[str, ...]) -> None:
    require_modality(modality, is_other_told=False)


@pytest.mark.parametrize("modality", [("T1w",), ("CT",), ()])
def test_a_model_for_other_images_is_refused_unless_told(modality: tuple[str, ...]) -> None:
    require_modality(modality, is_other_told=True)
    with pytest.raises(ModelUnusableError, match="not for T2w MR") as caught:
        require_modality(modality, is_other_told=False)
    assert caught.value.reasons == ("other_modality",)
