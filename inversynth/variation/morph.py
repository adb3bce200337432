"""The way from one patch to another in steps that are equally far apart to the ear: `morph_patches`.

Values are interpolated along a fine grid, which is rendered; of its points those become steps between which the log-mel
distances are most even. Both ends are the given patches, value for value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from generators.analysis.distance import log_mel_levels
from generators.dx7.synth import Dx7Synth
from generators.errors import ParameterError
from generators.parameters import Floats
from generators.synth import Synth
from inversynth.patches.patch import Patch
from inversynth.variation.vary import replace_values

GRID = 65
"""Points of the grid at least; eight for each step."""

MOST_SECONDS = 600.0
"""Seconds of the sounds of a grid, all together: 100 MB with what is measured of them. Long patches have a
coarser one."""

SIZES = 40
"""Sizes of steps that are tried; more make steps hardly any more even."""


@dataclass(frozen=True)
class Morph:
    """Patches from one to another, their sounds, and how far neighbours are apart.

    Attributes: places (steps,) from 0 to 1 along the way. sounds (steps, samples). distances (steps - 1,), log-mel
        in dB. by_number (steps - 1,): those of as many steps at even numbers. remarks: where switches change, in words.
    """

    patches: tuple[Patch, ...]
    places: NDArray[np.float64]
    sounds: NDArray[np.float32]
    distances: NDArray[np.float64]
    by_number: NDArray[np.float64]
    remarks: tuple[str, ...] = ()


def unevenness(distances: NDArray[np.float64]) -> float:
    """Return the largest distance divided by the mean: 1 where all are equal, and where nothing changes."""
    mean = float(distances.mean())
    return float(distances.max()) / mean if mean else 1.0


def morph_patches(first: Patch, second: Patch, steps: int) -> Morph:
    """Return patches from one to another of the same synth, both ends included.

    All are rendered at the sample rate and length of the first; level and root move evenly, the root of a DX7 voice
    (the note at which it was found) stays that of the first.

    Raises: ParameterError for patches of two synths.
    """
    if first.space.fingerprint != second.space.fingerprint:
        raise ParameterError(
            f"a morph leads from a patch to another of the same synth. Received: '{first.space.synth}' and "
            f"'{second.space.synth}'"
        )
    synth = first.synth()
    count = max(min(max(GRID, 8 * (steps - 1) + 1), int(MOST_SECONDS / synth.length)), steps)
    grid = np.linspace(0.0, 1.0, count)
    levels = (1.0 - grid) * first.level_db + grid * second.level_db
    roots = np.full(count, first.root) if synth.plays_keys else (1.0 - grid) * first.root + grid * second.root
    found = [_Course(way, grid, roots, synth, steps) for way in _ways(first, second, synth)]
    best = min(found, key=lambda course: float(course.distances(course.chosen).max()))
    patches = []
    for number, place in enumerate(best.chosen.tolist(), start=1):
        source = {"from": dict(first.source), "to": dict(second.source), "step": number, "place": float(grid[place])}
        patch = replace_values(first, best.values[place], source)
        patches.append(replace(patch, level_db=float(levels[place]), root=float(roots[place])))
    gains = 10.0 ** (levels[best.chosen] / 20.0)
    return Morph(
        tuple(patches),
        grid[best.chosen],
        (best.sounds[best.chosen] * gains[:, None]).astype(np.float32),
        best.distances(best.chosen),
        best.distances(steps_by_number(count, steps)),
        best.way.remarks,
    )


@dataclass(frozen=True)
class _Way:
    """Values (parameters,) at each place from 0 to 1, and remarks in words."""

    at: Callable[[float], Floats]
    remarks: tuple[str, ...] = ()


class _Course:
    """A way, rendered along a grid, and the points of the grid that become steps."""

    def __init__(
        self, way: _Way, grid: NDArray[np.float64], roots: NDArray[np.float64], synth: Synth, steps: int
    ) -> None:
        self.way = way
        self.values = np.stack([way.at(float(place)) for place in grid])
        if np.ptp(roots):
            rendered = [synth.at_root(root).render(each) for root, each in zip(roots, self.values, strict=True)]
            self.sounds = np.stack(rendered)
        else:
            self.sounds = synth.render(self.values)
        self.table = distance_table(self.sounds, synth.sample_rate)
        self.chosen = even_steps(self.table, steps)

    def distances(self, points: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distances of neighbouring points, (points - 1,)."""
        return np.asarray(self.table[points[:-1], points[1:]])


def _ways(first: Patch, second: Patch, synth: Synth) -> list[_Way]:
    """Return the ways from a patch to another, of which the one with the smallest steps is taken.

    Between voices of two algorithms operators are matched by role, and by number, which sounds nearer now and then.
    """
    if first.space.synth != Dx7Synth.name:
        return [_Way(lambda place: interpolate_positions(first, second, place))]

    from inversynth.variation.dx7_path import BY_NUMBER, Dx7Path, match_operators

    def way(partners: tuple[int, ...]) -> _Way:
        path = Dx7Path(first.values, second.values, partners, lambda *pair: _pair_distances(synth, *pair))
        remarks = [f"{name} changes at {100 * place:.0f} %" for name, place in path.switches.items()]
        moved = [f"{one} to {other}" for one, other in enumerate(path.partners, start=1) if one != other]
        remarks += [f"operators are matched: {', '.join(moved)}"] if moved else []
        return _Way(lambda place: path.at(place).astype(np.float64), tuple(remarks))

    by_role = match_operators(first.values, second.values)
    return [way(by_role)] if by_role == BY_NUMBER else [way(by_role), way(BY_NUMBER)]


def interpolate_positions(first: Patch, second: Patch, place: float) -> Floats:
    """Return values whose knobs stand between those of two patches, (parameters,); at 0 and 1 exactly theirs."""
    if place <= 0.0 or place >= 1.0:
        return np.array((second if place >= 1.0 else first).values, np.float64)
    space = first.space
    positions = [space.values_to_unit(patch.values) for patch in (first, second)]
    moved = np.array(space.unit_to_values((1.0 - place) * positions[0] + place * positions[1]), np.float64)
    same = np.asarray(first.values) == np.asarray(second.values)
    return np.where(same, first.values, moved)


def distance_table(sounds: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Return the log-mel distances of sounds from each other, (n, samples) -> (n, n) dB, by the fixed floor."""
    levels = _levels(sounds, sample_rate)
    table = np.zeros((len(sounds), len(sounds)))
    for row in range(len(sounds)):
        for each in levels:
            table[row, row + 1 :] += np.abs(each[row + 1 :] - each[row]).mean(axis=(1, 2), dtype=np.float64) / len(
                levels
            )
    return table + table.T


def even_steps(table: NDArray[np.float64], steps: int) -> NDArray[np.int64]:
    """Return `steps` rising rows of a table of distances, from the first to the last, evenly apart.

    Of the paths that come nearest to steps of one size, for `SIZES` sizes, and of the steps at even numbers, those with
    the least `unevenness` whose largest step is no larger than that at even numbers.

    Shapes: (n, n) -> (steps,), for 2 to n steps.
    """
    count = len(table)
    by_number = steps_by_number(count, steps)
    largest = float(table[by_number[:-1], by_number[1:]].max())
    found = [by_number, *(_nearest_path(table, steps, size) for size in np.linspace(0.0, largest, SIZES))]
    distances = [table[path[:-1], path[1:]] for path in found]
    ranks = [(each.max() > largest * (1.0 + 1e-9), unevenness(each)) for each in distances]
    return found[min(range(len(found)), key=lambda place: ranks[place])]


def steps_by_number(count: int, steps: int) -> NDArray[np.int64]:
    """Return `steps` points of `count` at even distances along the grid."""
    return np.rint(np.linspace(0, count - 1, steps)).astype(np.int64)


def _nearest_path(table: NDArray[np.float64], steps: int, size: float) -> NDArray[np.int64]:
    """Return the rising rows whose distances differ least from a size, by the sum of squares."""
    count = len(table)
    costs = np.where(np.triu(np.ones((count, count), bool), 1), np.square(table - size), np.inf)
    best = np.full(count, np.inf)
    best[0] = 0.0
    came: list[NDArray[np.int64]] = []
    for _ in range(steps - 1):
        totals = best[:, None] + costs
        came.append(np.argmin(totals, axis=0))
        best = totals.min(axis=0)
    chosen = [count - 1]
    for before in reversed(came):
        chosen.append(int(before[chosen[-1]]))
    return np.array(chosen[::-1], np.int64)


def _pair_distances(synth: Synth, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far sounds are from others, row by row, in dB."""
    first, second = (_levels(synth.render(values.astype(np.float64)), synth.sample_rate) for values in (one, other))
    parts = [np.abs(a - b).mean(axis=(1, 2), dtype=np.float64) for a, b in zip(first, second, strict=True)]
    return np.asarray(np.mean(parts, axis=0))


def _levels(sounds: NDArray[np.float32], sample_rate: int) -> Sequence[NDArray[np.float32]]:
    return log_mel_levels(sounds, sample_rate)
