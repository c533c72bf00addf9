"""What `tests.benchmarks.level_names` counts: names by how right and sure they are, variants."""

from __future__ import annotations

import sys
from collections import Counter

from operators.anatomy.columns import LUMBAR, THORACIC
from operators.anatomy.labels import L6_INSTANCE, T13_INSTANCE
from operators.anatomy.levels import PROBABLE_LEVEL, LevelName

AXIS, C7, T1, L1, L4, L5 = 2, 7, 8, 20, 23, 24
VARIANTS = {"L6": L6_INSTANCE, "T13": T13_INSTANCE}
PREVALENCE = {23: 14 / 418, 24: 386 / 418, 25: 18 / 418}
"""Vertebrae above the sacrum -> share of people: Tins and Balain 2016, Insights Imaging 7:199, doi
10.1007/s13244-016-0468-7. Transitional ones, 3.3 %, are in none of these counts, and who has 13
thoracic and 4 lumbar ones is among the 24: these are as frequent here as in the benchmark."""

Named = list[tuple[int, LevelName]]
"""True level and name of every vertebra of a field."""


def is_usual(of_spine: set[int]) -> bool:
    """Twelve thoracic and five lumbar vertebrae."""
    return L5 in of_spine and not of_spine & set(VARIANTS.values())


def vertebrae_of(of_spine: set[int]) -> int:
    """Vertebrae above the sacrum, at least 23 and at most 25."""
    number = 24 + (T13_INSTANCE in of_spine) + (L6_INSTANCE in of_spine) - (L5 not in of_spine)
    return min(max(number, min(PREVALENCE)), max(PREVALENCE))


def decided_by_counting(levels: list[int]) -> set[int]:
    """Levels of a field that follow from what is in view by counting, whatever the person has.

    Cervical and thoracic ones are counted from C2 or from the first thoracic vertebra, lumbar ones
    from the last thoracic one. The topmost vertebra, which the border mostly cuts, shows no type.
    Nobody can count the others: above a sacrum, four lumbar vertebrae in view are L2 to L5 or L1 to
    L4, and the lowest rib is a twelfth or a thirteenth one. There, sizes and frequencies decide.
    """
    typed = set(levels if AXIS in levels else levels[1:])
    ribs = set(THORACIC)
    decided: set[int] = set()
    if AXIS in levels or {C7, T1} <= typed:
        decided |= {level for level in levels if level <= C7 or level in ribs}
    if typed & ribs and L1 in levels:
        decided |= {level for level in levels if level in set(LUMBAR)}
    return decided


def count(names: Named, of_spine: set[int]) -> Counter[str]:
    """Counts of one field: names by how right and how sure they are, and the variants."""
    counts: Counter[str] = Counter(fields=1)
    number = vertebrae_of(of_spine)
    decided = decided_by_counting([truth for truth, _ in names])
    for truth, name in names:
        right = name.level == truth
        counts["decided"] += truth in decided
        counts["decided right"] += right and truth in decided
        counts["within reach"] += truth in decided or is_usual(of_spine)
        counts["names"] += 1
        counts["right"] += right
        counts[f"names of {number}"] += 1
        counts[f"right of {number}"] += right
        counts["stated"] += name.is_certain
        counts["stated wrong"] += name.is_certain and not right
        counts["stated open"] += name.is_certain and truth not in decided
        counts["said"] += name.confidence >= PROBABLE_LEVEL
        counts["said right"] += right and name.confidence >= PROBABLE_LEVEL
    true, said = {truth for truth, _ in names}, [name.level for _, name in names]
    for variant, level in VARIANTS.items():
        counts[f"{variant} in view"] += level in true
        counts[f"{variant} found"] += level in true and level in said
        counts[f"{variant} counted"] += level in decided
        counts[f"{variant} counted found"] += level in decided and level in said
        counts[f"{variant} invented"] += level not in of_spine and level in said
    has_last = "sacrum below the lowest vertebra" in names[0][1].evidence
    four = has_last and L5 not in of_spine
    counts["L4 last in view"] += four
    counts["L4 last found"] += four and said[-1] == L4
    counts["L4 last counted"] += four and L4 in decided
    counts["L4 last counted found"] += four and L4 in decided and said[-1] == L4
    counts["L4 last invented"] += has_last and not four and said[-1] == L4
    return counts


def among_people(counts: Counter[str], spines: Counter[int]) -> float:
    """Share of right names if spines were as frequent as `PREVALENCE` says.

    ``spines``: how many of the benchmark's have so many vertebrae.
    """
    weights = {n: PREVALENCE[n] / many for n, many in spines.items()}
    names = sum(weight * counts[f"names of {n}"] for n, weight in weights.items())
    return sum(weight * counts[f"right of {n}"] for n, weight in weights.items()) / (names or 1.0)


def tell(what: str, counts: Counter[str], spines: Counter[int]) -> None:
    """Print one row."""
    names, said = max(counts["names"], 1), max(counts["said"], 1)
    variants = (
        f"{v} {counts[f'{v} found']}/{counts[f'{v} in view']} +{counts[f'{v} invented']}, by "
        f"counting {counts[f'{v} counted found']}/{counts[f'{v} counted']}"
        for v in (*VARIANTS, "L4 last")
    )
    sys.stdout.write(
        f"{what:28s} {counts['fields']:5d} fields {counts['names']:5d} names: "
        f"right {counts['right'] / names:.4f}, stated {counts['stated'] / names:.4f}, "
        f"stated wrong {counts['stated wrong'] / names:.4f}, "
        f"stated though not counted {counts['stated open'] / names:.4f}, "
        f"stated or probable {counts['said'] / names:.4f}, "
        f"of these right {counts['said right'] / said:.4f}, "
        f"by counting {counts['decided'] / names:.4f}, of these right "
        f"{counts['decided right'] / max(counts['decided'], 1):.4f}, counting and the usual column "
        f"{counts['within reach'] / names:.4f}, right at the published frequency of variants "
        f"{among_people(counts, spines):.4f} | {', '.join(variants)}\n"
    )
