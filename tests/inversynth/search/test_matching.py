"""Sounds that `fm` cannot make exactly: nearer than plain waveforms and random patches, at the root of their pitch."""

from pathlib import Path

import numpy as np
import pytest

from generators.analysis.distance import LogMelDistance
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes
from generators.synth import A4, Synth
from inversynth.inversion.target import read_target
from inversynth.search import stages
from inversynth.search.search import Refinement, refine

RATE = 16384
LENGTH = 0.5
"""Seconds; half of what the measures are taken on, for speed."""

RECORDINGS = Path(__file__).parents[2] / "recordings"


def match_of(synth: Synth, found: Refinement) -> np.ndarray:
    audio = synth.at_root(found.root).render(found.values)
    return np.pad(audio, (found.offset, 0))[: synth.samples]


def flat(synth: Synth) -> np.ndarray:
    return np.ones(synth.space.size) / 16


@pytest.fixture(autouse=True)
def short_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give matches a quarter of their renders, which is enough for what is asked here."""
    monkeypatch.setattr(stages, "MATCH_RENDERS", 1000)


@pytest.mark.parametrize(("frequency", "lowest"), [(110.0, 33.0)])
def test_low_tones_are_made_at_a_lower_root(frequency: float, lowest: float) -> None:
    synth = FmSynth(length=LENGTH)
    time = np.arange(synth.samples) / RATE
    tone = (0.3 * np.sin(2 * np.pi * frequency * time) * np.minimum(time / 0.05, 1.0)).astype(np.float32)
    found = refine(synth, tone, flat(synth), "fast", level="fit")
    match = match_of(synth, found)
    assert lowest - 0.5 <= found.root < A4
    assert float(LogMelDistance(tone, RATE).distance(match)) == pytest.approx(found.distance, abs=1e-3)
    assert found.distance < 3.0
    spectrum = np.abs(np.fft.rfft(match))
    assert spectrum.argmax() / LENGTH == pytest.approx(frequency, abs=2)


@pytest.mark.parametrize("name", ["elec_ping", "drum_snare_soft"])
def test_recordings_come_nearer_than_the_best_of_a_thousand_random_patches(name: str) -> None:
    synth = FmSynth(length=LENGTH)
    target = read_target(RECORDINGS / f"{name}.flac", RATE, LENGTH).audio
    found = refine(synth, target, flat(synth), "fast", level="fit")
    sound = target if found.target is None else found.target
    measure = LogMelDistance(sound, RATE).distance
    random = float(measure(synth.render_classes(sample_classes(synth.space, 0, 1000, 5))).min())
    assert float(measure(match_of(synth, found))) == pytest.approx(found.distance, abs=1e-3)
    assert found.distance < 0.8 * random
    spent = [(stage.name, stage.renders > 0) for stage in found.stages]
    assert spent[-2:] == [("match", True), ("realign", False)]  # a recording has no place at which a patch fits


def test_a_match_is_the_same_with_any_number_of_workers() -> None:
    synth = FmSynth(length=0.25)
    noise = np.random.default_rng(3).standard_normal(synth.samples).astype(np.float32)
    one, two = (refine(synth, noise, flat(synth), "fast", limit=900, level="fit", workers=n) for n in (1, 2))
    np.testing.assert_array_equal(one.values, two.values)
    assert one.root == two.root
    assert one.renders == two.renders


def test_what_the_levels_make_stays_on_them() -> None:
    synth = FmSynth(length=0.5)
    classes = sample_classes(synth.space, 0, 1, 21)[0]
    audio = synth.render_classes(classes)
    found = refine(synth, audio, synth.space.classes_to_one_hot(classes), "fast", level="fit")
    assert found.root == A4
    assert "match" not in {stage.name for stage in found.stages if stage.renders}
    np.testing.assert_array_equal(found.values, synth.space.classes_to_values(found.classes))


@pytest.mark.parametrize("name", ["elec_bell"])
def test_a_full_search_does_what_a_fast_one_does_and_goes_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "MATCH_RENDERS", 300)
    monkeypatch.setattr(stages, "MATCH_ON_RENDERS", 100)
    monkeypatch.setitem(stages.BUDGETS, "full", (2000, stages.BUDGETS["full"][1]))
    synth = FmSynth(length=LENGTH)
    target = read_target(RECORDINGS / f"{name}.flac", RATE, LENGTH).audio
    fast, full = (refine(synth, target, flat(synth), budget, level="fit") for budget in ("fast", "full"))
    count = len(fast.stages)
    assert [stage.distance for stage in full.stages[:count]] == [stage.distance for stage in fast.stages]
    assert len(full.stages) > count
    assert full.distance <= fast.distance
