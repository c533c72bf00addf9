import pytest

from operators.networks import config_values


def test_one_text_and_a_list_of_texts_become_a_tuple():
    assert config_values.as_texts("T2w") == ("T2w",)
    assert config_values.as_texts(["T2w", "T1w"]) == ("T2w", "T1w")


def test_a_whole_float_is_a_count_and_half_a_voxel_is_not():
    assert config_values.as_count(100.0) == 100
    with pytest.raises(ValueError, match="whole number"):
        config_values.as_count(99.5)


@pytest.mark.parametrize("value", [True, "1", None, [1]])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        config_values.as_number(value)


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_what_is_no_positive_length_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        config_values.as_positive(value)


def test_one_spacing_is_both_ends_of_the_range():
    assert config_values.as_resolution([1, 2, 3]) == ((1, 2, 3), (1, 2, 3))
    assert config_values.as_resolution([[1, 2, 3], [1, 4, 3]]) == ((1, 2, 3), (1, 4, 3))


def test_a_mapping_may_name_structures_on_either_side():
    assert config_values.as_labels({"Arcus_Vertebrae": 1, "50": "9"}) == {41: 1, 50: 9}
