import pytest

from operators.anatomy.labels import MODEL_STRUCTURES
from operators.errors import ModelUnusableError
from operators.networks.label_names import NUMBER_OF_NAME, label_number


@pytest.mark.parametrize(
    ("entry", "number"),
    [
        ("Vertebra_Corpus_border", 49),
        ("vertebra_corpus_BORDER", 49),
        ("Spinal_Cord", 60),
        ("Vertebra_Disc", 100),
        ("C1", 1),
        ("C7", 7),
        ("T1", 8),
        ("T12", 19),
        ("T13", 28),
        ("L1", 20),
        ("L6", 25),
        ("S1", 26),
        ("COCC", 27),
        ("S2", 29),
        ("S6", 33),
        (" 26 ", 26),
        (0, 0),
    ],
)
def test_names_and_numbers_mean_what_tptbox_means(entry: object, number: int) -> None:
    assert label_number(entry) == number


def test_every_structure_of_a_t2w_model_has_a_name():
    assert set(MODEL_STRUCTURES) <= set(NUMBER_OF_NAME.values())


@pytest.mark.parametrize("entry", ["Femur", "", "-3", "1.5", "²", None, True, 2.0, [], -1, 65536])
def test_what_names_no_structure_is_refused(entry: object) -> None:
    with pytest.raises(ModelUnusableError) as caught:
        label_number(entry)
    assert caught.value.reasons == ("unknown_label_name",)
