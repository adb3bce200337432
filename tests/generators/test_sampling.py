"""Row i is a pure function of (seed, i)."""

import subprocess
import sys

import numpy as np
import pytest

from generators.errors import ParameterError
from generators.fm_generator import FmSynth
from generators.sampling import BLOCK, METHODS, sample_classes
from generators.sine_generator import SineSynth


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_any_part_equals_that_part_of_the_whole(method):
    space = FmSynth.space
    whole = sample_classes(space, 0, BLOCK + 64, 7, method)
    for start, stop in [(0, 1), (5, 9), (BLOCK - 3, BLOCK + 3), (BLOCK, BLOCK + 64)]:
        np.testing.assert_array_equal(sample_classes(space, start, stop, 7, method), whole[start:stop])


def test_complete_lists_the_whole_grid_once():
    space = SineSynth.space
    grid = sample_classes(space, 0, space.combinations, 0, "complete")
    assert len(np.unique(grid, axis=0)) == space.combinations == 81
    np.testing.assert_array_equal(sample_classes(space, 40, 50, 0, "complete"), grid[40:50])


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_every_class_is_drawn_equally_often(method):
    classes = sample_classes(FmSynth.space, 0, 4096, 0, method)
    counts = np.stack([np.bincount(column, minlength=16) for column in classes.T])
    # 256 expected; six standard deviations of a binomial
    assert np.abs(counts - 256).max() < 6 * np.sqrt(256)


def test_threads_that_begin_together_draw_the_same_sobol_points():
    """In a process of its own: SciPy sets up its tables at the first use, and no fault of that may pass unseen."""
    code = (
        "import sys, warnings; warnings.simplefilter('error'); sys.unraisablehook = lambda fault: print(fault)\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from generators.fm_generator import FmSynth; from generators.sampling import sample_classes\n"
        "draw = lambda start: sample_classes(FmSynth.space, start, start + 8, 7, 'sobol')\n"
        "with ThreadPoolExecutor(8) as pool: together = list(pool.map(draw, range(0, 256, 8)))\n"
        "assert all((draw(8 * i) == rows).all() for i, rows in enumerate(together))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_sobol_fills_more_evenly_than_chance():
    def spread(method):
        classes = sample_classes(FmSynth.space, 0, 256, 1, method)
        return np.mean([np.var(np.bincount(column, minlength=16)) for column in classes.T])

    assert spread("sobol") < 0.2 * spread("random")


def test_another_seed_gives_other_patches():
    space = FmSynth.space
    assert not np.array_equal(sample_classes(space, 0, 8, 0), sample_classes(space, 0, 8, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, -1), "a seed is zero or positive. Received: -1"),
        ((0, 1, 0, "grid"), "sampling method must be one of random, sobol, complete. Received: grid"),
        ((0, 82, 0, "complete"), "the whole grid has 81 patches. Received: a request for row 81"),
    ],
)
def test_misuse_is_refused(arguments, message):
    with pytest.raises(ParameterError) as fault:
        sample_classes(SineSynth.space, *arguments)
    assert str(fault.value) == message


def test_no_rows_are_no_rows():
    assert all(sample_classes(SineSynth.space, 5, 5, 0, method).shape == (0, 4) for method in METHODS)
