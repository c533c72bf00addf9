"""Signs of life in memory that both ends see."""

from __future__ import annotations

import os

from app.node.lifeline import Lifeline, beats_into, end_into, no_beat


def test_beats_are_counted_and_the_end_is_told_once_for_all():
    line = Lifeline()
    own = os.dup(line.descriptor)  # as the child inherits it
    beat, end = beats_into(own), end_into(own)
    assert (line.beats(), line.is_ending()) == (0, False)
    for _ in range(300):
        beat()
    assert (line.beats(), line.is_ending()) == (300, False)
    end()
    assert (line.beats(), line.is_ending()) == (300, True)
    beat()
    assert (line.beats(), line.is_ending()) == (301, True)
    os.close(own)
    line.close()


def test_a_child_whose_parent_is_gone_goes_on():
    line = Lifeline()
    own = os.dup(line.descriptor)
    beat, end = beats_into(own), end_into(own)
    line.close()
    os.close(own)
    beat()
    end()


def test_where_nobody_watches_nothing_is_written():
    assert beats_into(None) is no_beat
    assert end_into(None) is no_beat
    no_beat()
