import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.research.evaluation.statistics import compare, holm, summarise

NAN = float("nan")
TENTHS = st.integers(0, 10).map(lambda n: n / 10)


def cases(*values: float) -> dict[str, float]:
    return {f"case{n}": value for n, value in enumerate(values)}


def test_mean_and_sd_of_1_2_3_4_are_2_5_and_the_root_of_5_thirds():
    found = summarise([1, 2, 3, 4])
    assert (found.n, found.undefined, found.mean) == (4, 0, 2.5)
    assert found.sd == pytest.approx(np.sqrt(5 / 3))
    assert 1 <= found.low < 2.5 < found.high <= 4


def test_undefined_values_are_left_out_and_counted():
    found = summarise([0.5, NAN, 0.7, NAN])
    assert (found.n, found.undefined) == (2, 2)
    assert found.mean == pytest.approx(0.6)


def test_one_case_has_a_mean_and_no_spread_and_none_has_nothing():
    one, none = summarise([0.8]), summarise([NAN])
    assert one.mean == 0.8
    assert np.isnan([one.sd, one.low, one.high, none.mean]).all()


def test_equal_cases_have_an_interval_of_width_0():
    found = summarise([0.75] * 5)
    assert (found.sd, found.low, found.high) == (0.0, 0.75, 0.75)


def test_the_interval_of_a_mean_covers_it_in_about_95_of_100_samples():
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(100):
        found = summarise(rng.normal(0.9, 0.05, 40).tolist())
        covered += found.low <= 0.9 <= found.high
    assert 88 <= covered <= 100


def test_the_same_scores_give_the_same_interval():
    values = [0.9, 0.8, 0.95, 0.7, 0.85]
    assert summarise(values) == summarise(values)


def test_6_cases_all_better_have_the_exact_p_of_2_in_64_and_an_effect_of_1():
    found = compare(cases(2, 3, 4, 5, 6, 7), cases(1, 1.5, 1.9, 2, 1, 0.5))
    assert found.n == 6
    assert found.p == pytest.approx(2 / 64)
    assert found.effect == 1.0


def test_methods_that_never_differ_have_a_p_of_1_and_no_effect():
    found = compare(cases(0.5, 0.6, 0.7), cases(0.5, 0.6, 0.7))
    assert (found.n, found.p, found.effect, found.mean_difference) == (3, 1.0, 0.0, 0.0)


def test_only_cases_with_both_values_are_compared():
    first = {"a": 0.9, "b": NAN, "c": 0.8, "d": 0.7}
    second = {"a": 0.5, "b": 0.5, "c": NAN, "e": 0.1}
    found = compare(first, second)
    assert found.n == 1
    assert found.mean_difference == pytest.approx(0.4)


def test_nothing_to_compare_gives_no_p():
    found = compare({"a": 1.0}, {"b": 1.0})
    assert found.n == 0
    assert np.isnan(found.p)


def test_the_effect_weighs_ranks_not_sizes():
    # Differences -1, 2, 3: ranks 1, 2, 3; (2 + 3 - 1) / 6.
    found = compare(cases(0, 2, 3), cases(1, 0, 0))
    assert found.effect == pytest.approx(4 / 6)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(TENTHS, TENTHS), min_size=1, max_size=20))
def test_exchanging_the_methods_turns_the_sign_and_keeps_p(pairs: list[tuple[float, float]]):
    first, second = cases(*[a for a, _ in pairs]), cases(*[b for _, b in pairs])
    there, back = compare(first, second), compare(second, first)
    assert there.p == pytest.approx(back.p)
    assert 0 <= there.p <= 1
    assert there.effect == pytest.approx(-back.effect)
    assert -1 <= there.effect <= 1


def test_holm_multiplies_by_the_tests_left_and_never_falls():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.9]) == (1.0, 1.0)
    adjusted = holm([0.02, NAN, 0.01])
    assert adjusted[0] == adjusted[2] == 0.02
    assert np.isnan(adjusted[1])
