from io import BytesIO

from PIL import Image

from app.research.evaluation.cohort import MethodScores
from app.research.evaluation.measures import CaseScore, Item
from app.research.evaluation.plots import draw_plots
from app.research.evaluation.scoring import score_case
from tests.builders.spine_boxes import spine_boxes, without


def methods(*, lost: int) -> list[tuple[str, dict]]:
    found = []
    for name, down in (("first", 0), ("second", 2)):
        prediction = without(spine_boxes(down=down), lost)
        cases = {f"c{n}": score_case(spine_boxes(), prediction) for n in range(3)}
        found.append((name, MethodScores(name=name, cases=cases, refused={}).values))
    return found


def test_every_picture_is_readable_and_the_same_values_give_the_same_bytes():
    pictures = draw_plots(methods(lost=20))
    assert list(pictures) == ["structures_dsc", "structures_assd", "recognition", "levels"]
    for png in pictures.values():
        image = Image.open(BytesIO(png))
        assert image.format == "PNG"
        assert min(image.size) > 200
        assert image.convert("L").getextrema()[0] < 128
    assert draw_plots(methods(lost=20)) == pictures


def test_nothing_scored_gives_no_picture():
    empty = MethodScores(name="x", cases={"a": CaseScore((), (), frozenset())}, refused={})
    assert draw_plots([("x", empty.values)]) == {}


def test_a_level_that_no_case_found_is_marked_and_not_left_blank():
    name, values = methods(lost=20)[0]
    unknown = {**values, (Item("level", "vertebra 20"), "found"): {}}
    marked, blank = (draw_plots([(name, each)])["levels"] for each in (values, unknown))
    assert marked != blank
