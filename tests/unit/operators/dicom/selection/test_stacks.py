"""A series is split only where positions repeat, and only by what DICOM says differs."""

from __future__ import annotations

from operators.dicom.selection.stacks import distinct_echo_times_ms, split_series
from tests.builders.plain_headers import changed, series_of, t2_headers


def test_a_series_without_repeated_positions_is_one_stack_although_echo_times_differ():
    headers = [changed(item, EchoTime=90.0 + i) for i, item in enumerate(t2_headers(11))]

    assert [len(stack.frames) for stack in split_series(series_of(headers).frames)] == [11]


def test_two_echoes_of_seven_slices_are_two_stacks_of_seven():
    headers = [changed(item, EchoTime=te) for te in (11.0, 92.0) for item in t2_headers(7)]
    stacks = split_series(series_of(headers).frames)

    assert [(stack.echo_time_ms, len(stack.frames)) for stack in stacks] == [(11.0, 7), (92.0, 7)]


def test_echoes_without_times_are_told_by_echo_number():
    headers = [
        changed(item, EchoTime=0, EchoNumbers=number) for number in (1, 2) for item in t2_headers(6)
    ]

    assert [len(stack.frames) for stack in split_series(series_of(headers).frames)] == [6, 6]


def test_a_missing_slice_in_one_echo_stays_missing():
    headers = [changed(item, EchoTime=te) for te in (11.0, 92.0) for item in t2_headers(7)]
    stacks = split_series(series_of(headers[:-1]).frames)

    assert [len(stack.frames) for stack in stacks] == [7, 6]


def test_b_values_0_and_800_are_two_stacks():
    headers = [changed(item, DiffusionBValue=b) for b in (0.0, 800.0) for item in t2_headers(6)]
    stacks = split_series(series_of(headers).frames)

    assert [stack.b_value_s_mm2 for stack in stacks] == [0.0, 800.0]


def test_frames_without_positions_stay_together():
    headers = [changed(item, ImagePositionPatient=None) for item in t2_headers(6)]

    assert len(split_series(series_of(headers).frames)) == 1


def test_echo_times_closer_than_2_ms_or_5_percent_are_one():
    headers = [
        changed(item, EchoTime=te)
        for item, te in zip(t2_headers(5), (11.0, 11.4, 92.0, 95.0, 140.0), strict=True)
    ]

    assert distinct_echo_times_ms(series_of(headers).frames) == (11.0, 92.0, 140.0)
