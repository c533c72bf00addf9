import pytest

from app.research.evaluation.cohort import MethodScores, PairedTest, summaries, totals
from app.research.evaluation.measures import Item
from app.research.evaluation.scoring import score_case
from app.research.evaluation.statistics import Comparison
from app.research.evaluation.tables import comparison_table, counts_table, paper_tables
from tests.builders.spine_boxes import spine_boxes, without


def method(name: str, *, down: int = 0, lost: int = 0) -> MethodScores:
    prediction = without(spine_boxes(down=down), lost)
    cases = {f"c{n}": score_case(spine_boxes(), prediction) for n in range(2)}
    return MethodScores(name=name, cases=cases, refused={})


def pair_of(metric: str, effect: float, p: float) -> PairedTest:
    result = Comparison(n=9, mean_difference=0.1, median_difference=0.1, p=p, effect=effect)
    return PairedTest(Item("structure", "disc"), metric, result, p)


def test_instances_come_with_their_qualities_and_spread():
    ours = method("ours", down=3, lost=20)
    table = paper_tables([("ours", summaries(ours))])[0]
    assert table.header[:3] == ("structure", "method", "cases")
    assert table.header[3:] == ("RQ", "SQ", "PQ", "DSC", "ASSD (mm)")
    row = next(row for row in table.rows if row[0] == "corpus instances")
    assert row[1:3] == ("ours", "2")
    assert row[3] == "0.857 ± 0.000 [0.857, 0.857]"
    assert row[4].startswith("0.600 ± 0.000")


def test_regions_without_an_instance_have_no_row():
    tables = paper_tables([("ours", summaries(method("ours")))])
    regions = next(t for t in tables if t.title.startswith("Instances by region"))
    named = {row[0].split(", ")[1] for row in regions.rows}
    assert named == {"thoracic", "lumbar"}


def test_two_methods_stand_below_each_other():
    methods = [method("ours"), method("theirs", down=1)]
    table = paper_tables([(m.name, summaries(m)) for m in methods])[1]
    assert [row[1] for row in table.rows[:2]] == ["ours", "theirs"]
    assert table.rows[0][0] == table.rows[1][0]


def test_levels_are_named_and_stand_from_head_to_foot():
    table = paper_tables([("ours", summaries(method("ours", lost=20)))])[-1]
    vertebrae = [row[0] for row in table.rows if row[0].startswith("vertebra")]
    assert vertebrae == ["vertebra T11", "vertebra T12", "vertebra L1", "vertebra L2"]
    lost = next(row for row in table.rows if row[0] == "vertebra L1")
    assert lost[3].startswith("0.000")
    assert lost[4] == "-"


def test_counts_add_up_over_cases():
    ours = method("ours", lost=20)
    row = next(r for r in counts_table([(ours, totals(ours))]).rows if r[0] == "vertebra")
    assert row[2:] == ("6", "0", "2", "0.857")


@pytest.mark.parametrize(
    ("metric", "effect", "p", "better"),
    [
        ("dsc", 0.9, 0.001, "ours"),
        ("dsc", -0.9, 0.001, "theirs"),
        ("assd_mm", 0.9, 0.001, "theirs"),
        ("assd_mm", -0.9, 0.001, "ours"),
        ("dsc", 0.9, 0.2, "-"),
    ],
)
def test_a_smaller_distance_and_a_larger_overlap_are_better(
    metric: str, effect: float, p: float, better: str
):
    table = comparison_table([pair_of(metric, effect, p)], ("ours", "theirs"))
    assert table.rows[0][-1] == better


def test_a_tiny_p_is_printed_as_papers_do():
    row = comparison_table([pair_of("dsc", 1.0, 0.0001)], ("a", "b")).rows[0]
    assert row[6:8] == ("< 0.001", "< 0.001")
