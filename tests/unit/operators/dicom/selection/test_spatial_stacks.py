"""Frames that lie together form a stack; a hole never parts one, and nothing is lost unsaid."""

from __future__ import annotations

import random

import pytest
from pydicom.dataset import Dataset

from operators.dicom.selection.spatial_stacks import arrange, continues, identify
from tests.builders.plain_headers import AXES, changed, place, series_of, t2_headers


def moved(headers: list[Dataset], x: float, y: float, z: float) -> list[Dataset]:
    return [
        changed(
            item,
            ImagePositionPatient=[
                a + b for a, b in zip(item.ImagePositionPatient, (x, y, z), strict=True)
            ],
        )
        for item in headers
    ]


def tilted(slices: int, degrees: float, z: float) -> list[Dataset]:
    return moved(
        [
            changed(item, **place("sagittal", degrees, 4.4 * n))
            for n, item in enumerate(t2_headers(slices))
        ],
        0.0,
        0.0,
        z,
    )


def locators(count: int, plane: str = "axial") -> list[Dataset]:
    row, column = AXES[plane]
    return [
        changed(
            item,
            ImageOrientationPatient=[*row, *column],
            ImagePositionPatient=[-140.0, -100.0, 33.0 - 60.0 * n],
        )
        for n, item in enumerate(t2_headers(count))
    ]


def sizes(headers: list[Dataset]) -> list[int]:
    return [len(stack.frames) for stack in arrange(series_of(headers).frames).stacks]


def test_a_plain_series_is_one_stack():
    assert sizes(t2_headers(11)) == [11]


@pytest.mark.parametrize("aside_mm", [0.0, 1.7, -20.0])
def test_two_stations_are_two_stacks_from_head_to_foot_in_any_order_of_files(aside_mm: float):
    headers = [*t2_headers(12), *moved(t2_headers(11), aside_mm, 0.0, 300.0)]
    random.Random(3).shuffle(headers)  # noqa: S311 -- an order, no secret

    stacks = arrange(series_of(headers).frames).stacks

    assert [len(stack.frames) for stack in stacks] == [11, 12]
    heights = [{frame.header.ImagePositionPatient[2] for frame in s.frames} for s in stacks]
    assert heights == [{450.0}, {150.0}]


def test_tilted_stations_are_two_stacks():
    assert sizes([*t2_headers(11), *tilted(12, 9.0, -280.0)]) == [11, 12]


def test_three_stations_with_two_echoes_each_are_three_stacks_of_all_echoes():
    station = [changed(item, EchoTime=te) for te in (11.0, 92.0) for item in t2_headers(11)]

    assert sizes([item for z in (0, 250, 500) for item in moved(station, 0, 0, z)]) == [22] * 3


@pytest.mark.parametrize("lost", [range(5, 6), range(3, 8)])
def test_a_hole_along_the_normal_parts_nothing(lost: range):
    headers = [item for n, item in enumerate(t2_headers(15)) if n not in lost]

    assert sizes(headers) == [15 - len(lost)]


@pytest.mark.parametrize("shift_mm", [0.5, 3.0, 12.0])
def test_a_sheared_stack_stays_one(shift_mm: float):
    headers = [moved([item], 0.0, 0.0, shift_mm * n)[0] for n, item in enumerate(t2_headers(12))]

    assert sizes(headers) == [12]


def test_a_stack_with_a_kink_stays_one():
    headers = t2_headers(12)

    assert sizes([*headers[:6], *moved(headers[6:], 0.0, 0.0, 15.0)]) == [12]


@pytest.mark.parametrize("chosen", [slice(0, None, 2), slice(0, 6)])
def test_slices_a_little_off_in_orientation_stay_in_their_stack(chosen: slice):
    headers, turned = t2_headers(12), tilted(12, 3.0, 0.0)
    headers[chosen] = turned[chosen]

    assert sizes(headers) == [12]


def test_frames_without_a_position_part_nothing():
    headers = [*t2_headers(11), *moved(t2_headers(11), 0.0, 0.0, 300.0)]
    del headers[4].ImagePositionPatient

    assert sizes(headers) == [22]


def test_two_locators_beside_a_stack_are_left_out():
    arrangement = arrange(series_of([*locators(2), *t2_headers(11)]).frames)

    assert [len(stack.frames) for stack in arrangement.stacks] == [11]
    assert len(arrangement.left_out) == 2


def test_locators_in_two_planes_are_left_out_of_two_stations():
    headers = [*t2_headers(11), *moved(t2_headers(11), 0.0, 0.0, 300.0)]
    arrangement = arrange(series_of([*headers, *locators(2), *locators(1, "coronal")]).frames)

    assert [len(stack.frames) for stack in arrangement.stacks] == [11, 11]
    assert len(arrangement.left_out) == 3


@pytest.mark.parametrize("turned", [0, 5, 10])
def test_a_slice_of_the_stack_with_another_orientation_is_never_left_out(turned: int):
    headers = t2_headers(11)
    headers[turned] = changed(headers[turned], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    arrangement = arrange(series_of(headers).frames)

    assert [len(stack.frames) for stack in arrangement.stacks] == [11]
    assert arrangement.left_out == ()


def test_slices_in_three_planes_are_one_localizer():
    headers = [
        changed(item, **place(plane, 0.0, 10.0 * n))
        for plane in AXES
        for n, item in enumerate(t2_headers(5))
    ]

    assert sizes(headers) == [15]


def test_stack_ids_tell_two_halves_apart_that_lie_behind_each_other():
    headers = [changed(item, StackID=str(n // 6)) for n, item in enumerate(t2_headers(12))]

    assert sizes(headers) == [6, 6]


def test_stack_ids_that_number_the_slices_or_the_echoes_are_passed_over():
    numbered = [changed(item, StackID=str(n)) for n, item in enumerate(t2_headers(12))]
    echoes = [changed(item, StackID=str(n)) for n in (1, 2) for item in t2_headers(12)]

    assert sizes(numbered) == [12]
    assert sizes(echoes) == [24]


def test_two_frames_of_reference_are_two_stacks_and_one_odd_slice_is_none():
    both = [
        changed(item, FrameOfReferenceUID=f"1.2.{n}") for n in (1, 2) for item in t2_headers(11)
    ]
    odd = t2_headers(11, FrameOfReferenceUID="1.2.1")
    odd[0] = changed(odd[0], FrameOfReferenceUID="1.2.2")

    assert sizes(both) == [11, 11]
    assert sizes(odd) == [11]


def test_only_the_next_slice_at_an_end_continues_a_stack():
    frames = series_of(t2_headers(12)).frames

    assert continues(frames[:11], frames[11:])
    assert continues(frames[1:], frames[:1])
    assert not continues(frames[:10], frames[11:])
    assert not continues(frames, series_of(moved(t2_headers(12), 0.0, 0.0, 300.0)).frames)


def test_a_stack_is_known_again_by_its_place_whatever_slices_are_there():
    lower, upper = t2_headers(12), moved(t2_headers(12), 1.7, 0.0, 300.0)
    part = identify(series_of(lower[:7]).frames)

    assert part.is_same_place(identify(series_of(lower[2:]).frames, number=2, of=2))
    assert not part.is_same_place(identify(series_of(upper).frames))
    assert not part.is_same_place(identify(series_of(tilted(12, 9.0, 0.0)).frames))
