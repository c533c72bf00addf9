from app.research.evaluation.measures import Item, Measure, measures_of
from app.research.evaluation.regions import Region


def test_counts_become_numbers_of_one_item():
    item = Item("detection", "disc", Region.LUMBAR)
    assert measures_of(item, {"tp": 3, "rq": 0.75}) == [
        Measure(item, "tp", 3.0),
        Measure(item, "rq", 0.75),
    ]


def test_items_sort_by_scope_name_and_region():
    items = [Item("structure", "canal"), Item("detection", "disc"), Item("detection", "corpus")]
    assert [item.name for item in sorted(items)] == ["corpus", "disc", "canal"]
