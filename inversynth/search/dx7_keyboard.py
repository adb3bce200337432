"""One DX7 voice for several notes: keyboard scaling and velocity, which no single note tells.

`SeveralNotes` renders a voice at all notes, one after another; their distances are averaged, and one common gain leaves
it to scaling and velocity how loud each of them is (`Objective`). The first note is the one that a search of a single
note began with. The stage `keyboard` starts from voices of such a search, whose scaling is zero. Levels are linear in
what carriers have in common, so their scaling and velocity are computed from the levels of the notes; all else is
searched: scaling and velocity of single operators, of all carriers or all modulators are moved in such a way that the
first note sounds as before, and the other parameters now and then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.dx7.single_note import UNTOLD_OF_OPERATOR, scaling_steps
from generators.dx7.synth import SAMPLE_RATE, Dx7Synth, values_to_bytes
from generators.dx7.tables import LEVELS, VELOCITIES
from inversynth.search.dx7_population import (
    CHILDREN,
    POPULATION,
    Voices,
    draw_children,
    genes,
    operator_columns,
    try_voices,
)
from inversynth.search.state import Classes, SearchState

ORDINARY = 0.35
"""Part of the children that move other parameters than scaling and velocity, as the search of one note does."""

COPIED = 0.15
"""Probability that a child takes scaling and velocity of all operators from another parent."""

FURTHER_MOVES = 0.4
"""Probability of another move of scaling or velocity after each."""

KINDS = ("velocity", "rates", "left", "right", "break_point")
KIND_WEIGHTS = (0.25, 0.2, 0.22, 0.22, 0.11)

DEPTH_STEP = 12.0
"""Standard deviation of a move of a scaling depth, of 0..99."""

DRAWN_ANEW = 0.3
"""Probability that a value is drawn anew instead of moved."""

QUICKER = 64.0 / 41.0
"""Steps of a panel's rate in one of the 64 rates that an envelope has."""

REFITTED, REFIT_EVERY = 3, 5
"""Nearest voices whose levels are computed anew, every so many generations."""

STEP_DB = 20.0 * float(np.log10(2.0)) / 8.0
"""Decibels of a step of level."""

STEPS_FROM = 0.7
"""Part of the renders after which the best voice alone is changed."""


@dataclass(frozen=True)
class PlayedNote:
    """A note of one instrument: MIDI note and velocity."""

    note: int
    velocity: int


class SeveralNotes(Dx7Synth):
    """A voice at several notes, one after another: `length` is that of all together, and the root is the first note.

    Args: notes: of `note_length` seconds each, held for `note_fraction` of them.
    """

    search_stages: ClassVar[tuple[str, ...]] = ("keyboard",)

    def __init__(self, notes: Sequence[PlayedNote], note_length: float, sample_rate: int = SAMPLE_RATE) -> None:
        samples = round(note_length * sample_rate)
        super().__init__(sample_rate, len(notes) * samples / sample_rate)
        self.notes, self.note_length, self.root = tuple(notes), samples / sample_rate, float(notes[0].note)

    def synthesize(self, values: Any, xp: Any = np) -> Any:
        """Render (batch, 145) -> (batch, notes * samples of each)."""
        from generators.dx7.engine import render

        voices = np.repeat(values_to_bytes(np.asarray(values)), len(self.notes), axis=0)
        notes, velocities = (
            np.tile([getattr(one, name) for one in self.notes], len(values)) for name in ("note", "velocity")
        )
        hold = self.note_fraction * self.note_length
        audio = render(voices, notes, velocities, hold, self.note_length, self.sample_rate, 1)
        return xp.asarray(audio.reshape(len(values), -1))

    @property
    def told(self) -> tuple[bool, bool]:
        """Whether the notes tell keyboard scaling, and whether they tell velocity."""
        return len({one.note for one in self.notes}) > 1, len({one.velocity for one in self.notes}) > 1


def keyboard(state: SearchState) -> Iterator[None]:
    """Find scaling and velocity of voices that were found for the first note, at all notes together."""
    if not isinstance(state.synth, SeveralNotes):
        return
    rng = np.random.default_rng(state.seed)
    first, main = state.renders, state.synth.notes[0]
    table = _keyboard_table()
    kinds = np.array(KIND_WEIGHTS) * [
        state.synth.told[1] if kind == "velocity" else state.synth.told[0] for kind in KINDS
    ]
    begun = np.concatenate([state.classes[None], state.starts]) if len(state.starts) else state.classes[None]
    begun = table.centred(begun, main.note)
    population = try_voices(state, begun, Voices.none())
    yield
    population = try_voices(state, table.levelled(state, population.classes[:REFITTED]), population)
    yield
    generation, last = 0, first + STEPS_FROM * (state.limit - first)
    while not state.exhausted():
        parents = population.classes if state.renders < last else population.classes[:4]
        ordinary = draw_children(Voices(parents, np.zeros(len(parents))), rng)
        ordinary = ordinary[rng.permutation(len(ordinary))[: round(ORDINARY * CHILDREN)]]
        made = [table.moved(parents, main, kinds / kinds.sum(), rng) for _ in range(CHILDREN - len(ordinary))]
        population = try_voices(state, np.concatenate([ordinary, np.array(made)]), population, POPULATION)
        generation += 1
        if not generation % REFIT_EVERY:
            population = try_voices(state, table.levelled(state, population.classes[:REFITTED]), population)
        yield
    state.voices = population


@dataclass(frozen=True)
class _KeyboardTable:
    """Columns of the parameters of scaling and velocity, (6,) each, operator 6 first, by name."""

    columns: dict[str, NDArray[np.int64]]
    rates: NDArray[np.int64]
    algorithm: int
    transpose: int
    carriers: NDArray[np.bool_]

    def centred(self, classes: Classes, note: int) -> Classes:
        """Return voices whose break points are at a note, where scaling changes nothing; those that scale stay."""
        found = classes.copy()
        still = (found[:, self.columns["left_depth"]] == 0) & (found[:, self.columns["right_depth"]] == 0)
        points = found[:, self.columns["break_point"]]
        found[:, self.columns["break_point"]] = np.where(still, np.clip(note - 17, 0, 99), points)
        return found

    def levelled(self, state: SearchState, classes: Classes) -> Classes:
        """Return voices with such scaling and velocity of all carriers that each note is as loud as it should be.

        Shapes: (n, 145) -> (n, 145). Break points are those of the first carrier.
        """
        synth = state.synth
        assert isinstance(synth, SeveralNotes)
        levels = _note_levels(state.render(classes), len(synth.notes))
        errors = (_note_levels(state.target[None], len(synth.notes)) - levels) / STEP_DB
        return np.array(
            [self._levelled(row, wanted, synth) for row, wanted in zip(classes, errors, strict=True)], np.int64
        )

    def _levelled(self, child: Classes, wanted: NDArray[np.float64], synth: "SeveralNotes") -> Classes:
        """Change the levels of notes by `wanted` steps (notes,) and any common gain, as near as carriers can."""
        found = child.copy()
        carriers = np.flatnonzero(self.carriers[child[self.algorithm]])
        by_name = {name: columns[carriers] for name, columns in self.columns.items()}
        notes = np.array([one.note for one in synth.notes]) + child[self.transpose] - 24
        loudness = VELOCITIES[np.array([one.velocity for one in synth.notes]) >> 1] - 239
        point = int(child[by_name["break_point"][0]])
        scaling, velocity = synth.told
        sides = {"left": notes < point + 17, "right": notes > point + 17}
        current = {name: int(child[columns[0]]) for name, columns in by_name.items()}
        wanted = wanted + _velocity_steps(current["velocity_sensitivity"], loudness)
        for side, chosen in sides.items():
            gains = scaling_steps(notes, point, current[f"{side}_depth"], current[f"{side}_curve"])
            wanted = wanted + np.where(chosen, gains, 0)
        best = np.inf
        for sensitivity in range(8) if velocity else [current["velocity_sensitivity"]]:
            left_over = wanted - _velocity_steps(sensitivity, loudness)
            common = float(np.median(left_over[notes == notes[0]]))
            settings, cost = {"velocity_sensitivity": sensitivity}, 0.0
            for side, chosen in sides.items():
                depth, curve, error = _nearest_scaling(left_over - common, notes, point, chosen)
                settings |= {f"{side}_depth": depth, f"{side}_curve": curve} if scaling else {}
                cost += error
            cost += float(np.abs(left_over - common)[~sides["left"] & ~sides["right"]].sum())
            if cost < best:
                best, chosen_settings = cost, settings
        for name, value in chosen_settings.items():
            found[by_name[name]] = value
        found[by_name["break_point"]] = point
        raised = 0
        for side, chosen in sides.items():
            depth, curve = (found[by_name[f"{side}_{name}"][0]] for name in ("depth", "curve"))
            raised = max(raised, int(scaling_steps(notes, point, depth, curve)[chosen].max(initial=0)))
        above = max(int(LEVELS[found[by_name["output_level"]]].max()) + raised - 127, 0)  # levels end at 127
        found[by_name["output_level"]] = np.maximum(found[by_name["output_level"]] - above, 0)
        return found

    def moved(
        self, parents: Classes, main: PlayedNote, kinds: NDArray[np.float64], rng: np.random.Generator
    ) -> Classes:
        """Return a voice with other scaling or velocity than a parent, chosen by rank, (145,)."""
        child = parents[int(len(parents) * rng.random() ** 2)].copy()
        if rng.random() < COPIED:
            other = parents[int(len(parents) * rng.random())]
            for name in UNTOLD_OF_OPERATOR:
                child[self.columns[name]] = other[self.columns[name]]
            return child
        while True:
            operators = self._operators(child, rng)
            kind = KINDS[rng.choice(len(KINDS), p=kinds)]
            if kind == "velocity":
                self._move_velocity(child, operators, main.velocity, rng)
            elif kind == "rates":
                self._move_rate_scaling(child, operators, main.note, rng)
            elif kind == "break_point":
                columns = self.columns["break_point"][operators]
                child[columns] = np.clip(child[columns] + round(rng.normal(0.0, 8.0)), 0, 99)
            else:
                self._move_depth(child, operators, kind, rng)
            if rng.random() >= FURTHER_MOVES:
                return child

    def _operators(self, child: Classes, rng: np.random.Generator) -> NDArray[np.int64]:
        """Choose one operator, the carriers, the modulators, or all."""
        carriers = self.carriers[child[self.algorithm]]
        chosen = rng.random()
        if chosen < 0.5:
            return np.array([rng.integers(6)])
        if chosen < 0.9:
            group = np.flatnonzero(carriers if chosen < 0.7 else ~carriers)
            return group if len(group) else np.arange(6)
        return np.arange(6)

    def _move_velocity(
        self, child: Classes, operators: NDArray[np.int64], velocity: int, rng: np.random.Generator
    ) -> None:
        """Change velocity sensitivities, and output levels by what that changes at a velocity."""
        columns, levels = self.columns["velocity_sensitivity"][operators], self.columns["output_level"][operators]
        before = child[columns].copy()
        child[columns] = rng.integers(8) if rng.random() < DRAWN_ANEW else _stepped(before, 1.0, 7, rng)
        loudness = np.asarray(VELOCITIES[velocity >> 1] - 239)
        gained = _velocity_steps(child[columns], loudness) - _velocity_steps(before, loudness)
        child[levels] = np.clip(child[levels] - np.trunc(gained).astype(np.int64), 0, 99)

    def _move_rate_scaling(
        self, child: Classes, operators: NDArray[np.int64], note: int, rng: np.random.Generator
    ) -> None:
        """Change how much faster higher notes are, and the rates by what that changes at a note."""
        columns = self.columns["rate_scaling"][operators]
        before = child[columns].copy()
        child[columns] = rng.integers(8) if rng.random() < DRAWN_ANEW else _stepped(before, 1.0, 7, rng)
        group = int(np.clip(note // 3 - 7, 0, 31))
        faster = ((child[columns] * group) >> 3) - ((before * group) >> 3)
        for rates in self.rates[:, operators]:
            slower = child[rates] - np.rint(faster * QUICKER).astype(np.int64)
            child[rates] = np.where(child[rates] < 99, np.clip(slower, 0, 98), child[rates])

    def _move_depth(self, child: Classes, operators: NDArray[np.int64], side: str, rng: np.random.Generator) -> None:
        """Change the depth of scaling on one side of the break point, and sometimes its curve."""
        depths, curves = self.columns[f"{side}_depth"][operators], self.columns[f"{side}_curve"][operators]
        anew = rng.random() < DRAWN_ANEW
        child[depths] = int(99 * rng.random() ** 2) if anew else _stepped(child[depths], DEPTH_STEP, 99, rng)
        if anew or rng.random() < 0.2:
            child[curves] = rng.integers(4)


def _note_levels(audio: NDArray[np.float32], notes: int) -> NDArray[np.float64]:
    """Return the levels of notes one after another, (n, notes * samples) -> (n, notes) dB."""
    pieces = audio.reshape(len(audio), notes, -1)
    energy = np.einsum("...s,...s->...", pieces, pieces, dtype=np.float64)
    return np.asarray(10.0 * np.log10(np.maximum(energy, 1e-12)))


def _velocity_steps(sensitivity: ArrayLike, loudness: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the steps of level that velocities add."""
    return np.asarray(((np.asarray(sensitivity) * loudness + 7) >> 3) / 2.0)


def _nearest_scaling(
    wanted: NDArray[np.float64], notes: Classes, point: int, chosen: NDArray[np.bool_]
) -> tuple[int, int, float]:
    """Return depth and curve whose steps at the chosen notes are nearest to those wanted, and what they leave."""
    if not chosen.any():
        return 0, 0, 0.0
    depths, curves = np.arange(100)[:, None, None], np.arange(4)[None, :, None]
    left = np.abs(wanted[chosen] - scaling_steps(notes[chosen], point, depths, curves)).sum(axis=-1)
    depth, curve = np.unravel_index(int(left.argmin()), left.shape)
    return int(depth), int(curve), float(left[depth, curve])


def _stepped(values: Classes, size: float, highest: int, rng: np.random.Generator) -> Classes:
    """Move values by one common step, at least 1."""
    step = max(1.0, abs(rng.normal(0.0, size)))
    return np.clip(values + round(step) * int(rng.choice([-1, 1])), 0, highest)


def _keyboard_table() -> _KeyboardTable:
    from generators.dx7.algorithms import routing

    table = genes()

    return _KeyboardTable(
        {name: operator_columns(table.names, name) for name in (*UNTOLD_OF_OPERATOR, "output_level")},
        np.array([operator_columns(table.names, f"rate_{k}") for k in range(1, 5)]),
        table.column("algorithm"),
        table.column("transpose"),
        np.asarray(routing()[1], np.bool_),
    )
