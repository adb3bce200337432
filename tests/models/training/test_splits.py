"""Rows of a dataset that are spread evenly over it."""

import numpy as np
import pytest

from models.training.splits import evenly_spaced


@pytest.mark.parametrize("count", [1, 2, 3, 7, 99, 100])
def test_evenly_spaced_rows_are_different_and_begin_and_end_with_the_ends(count):
    rows = 5 * np.arange(100)
    chosen = evenly_spaced(rows, count)
    assert len(chosen) == count
    assert chosen[0] == 0
    assert count == 1 or chosen[-1] == 495
    steps = np.diff(chosen)
    assert (steps > 0).all()
    assert count < 3 or np.ptp(steps) <= 5


def test_fewer_rows_than_asked_for_are_all_returned_in_their_order():
    rows = np.asarray([7, 3, 9])
    np.testing.assert_array_equal(evenly_spaced(rows, 4), rows)
    np.testing.assert_array_equal(evenly_spaced(rows, 3), rows)
    assert evenly_spaced(rows, 2).tolist() == [7, 9]
