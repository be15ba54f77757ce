"""Deadlines are counted in steps, and extended by signs of life."""

import time

from index.deadline import Deadline


def test_what_ends_in_time_is_left_alone():
    late = []
    with Deadline(0.3, lambda: late.append(1)) as deadline:
        pass
    time.sleep(0.4)
    assert not late
    assert not deadline.is_overdue


def test_a_sign_of_life_extends_it():
    late = []
    with Deadline(0.5, lambda: late.append(1)) as deadline:
        for _ in range(4):
            time.sleep(0.2)
            deadline.extend()
        assert not late
        time.sleep(0.9)
        assert late == [1]
    assert deadline.is_overdue
