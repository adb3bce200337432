"""Refinement finds patches, spends what it may, never makes worse, and knows what it cannot know."""

from dataclasses import replace

import numpy as np
import pytest

from generators.errors import AudioError, ParameterError
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes
from generators.sine_generator import SineSynth
from inversynth.search import stages
from inversynth.search.fm_rendering import AtomRenderer
from inversynth.search.fm_stages import find_begin
from inversynth.search.objective import MADE, Objective, decibels, residual
from inversynth.search.search import BUDGETS, STAGES, SearchInterrupted, refine
from inversynth.search.stages import likeliest
from tests.independent_fm import render_independently

LENGTH = 0.5
"""Seconds; half of what the measures are taken on, for speed."""


@pytest.fixture(scope="module")
def synth():
    return FmSynth(length=LENGTH)


def vague(space, classes, seed, certainty=2.5):
    """Probabilities that often name the wrong class: normal scores, the true one raised by `certainty`."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal(space.size)
    for part, true in zip(space.slices, classes, strict=True):
        scores[part.start + int(true)] += certainty
    return np.exp(certainty * scores) / np.exp(certainty * scores).max()


def sound(synth, row, seed=21):
    classes = sample_classes(synth.space, 0, row + 1, seed)[row].astype(int)
    return classes, synth.render_classes(classes)


@pytest.mark.parametrize("row", range(4))
def test_the_patch_is_found_from_a_vague_posterior(synth, row):
    classes, audio = sound(synth, row)
    probabilities = vague(synth.space, classes, row)
    found = refine(synth, audio, probabilities, "full")
    assert found.residual_db < -60.0
    np.testing.assert_array_equal(found.classes, synth.space.probabilities_to_classes(found.probabilities))
    # whatever was named differently does not matter to the sound
    wrong = [column for column in range(23) if found.classes[column] != classes[column]]
    together = found.classes.copy()
    together[wrong] = classes[wrong]
    assert residual(audio, synth.render_classes(together)) < 1e-6
    assert residual(audio, synth.render(found.values)) < 1e-6


def test_nothing_is_searched_without_budget(synth):
    classes, audio = sound(synth, 0)
    probabilities = vague(synth.space, classes, 0)
    found = refine(synth, audio, probabilities, "none")
    np.testing.assert_array_equal(found.classes, synth.space.probabilities_to_classes(probabilities))
    np.testing.assert_allclose(found.probabilities, synth.space.normalise_probabilities(probabilities))
    assert found.stages == ()
    assert found.distance == found.start_distance


def test_the_same_sound_gives_the_same_patch_with_any_number_of_workers(synth):
    classes, audio = sound(synth, 2)
    probabilities = vague(synth.space, classes, 5)
    one, two = (refine(synth, audio, probabilities, "fast", workers=workers) for workers in (1, 2))
    np.testing.assert_array_equal(one.classes, two.classes)
    np.testing.assert_allclose(one.probabilities, two.probabilities, atol=1e-9)
    assert one.renders == two.renders


@pytest.mark.parametrize("kind", ["noise", "click", "true"])
def test_refinement_never_moves_away_from_the_target(synth, kind, monkeypatch):
    monkeypatch.setattr(stages, "MATCH_RENDERS", 500)
    classes, audio = sound(synth, 3)
    if kind == "noise":
        audio = np.random.default_rng(0).uniform(-1, 1, synth.samples).astype(np.float32)
    if kind == "click":
        audio = np.zeros(synth.samples, np.float32)
        audio[100] = 1.0
    probabilities = synth.space.classes_to_one_hot(classes)
    found = refine(synth, audio, probabilities, "fast")
    assert found.distance <= found.start_distance
    match = np.pad(synth.at_root(found.root).render(found.values), (found.offset, 0))[: synth.samples]
    assert float(Objective(audio, synth.sample_rate).distance(match)) == pytest.approx(
        found.distance, rel=1e-4, abs=1e-4
    )


def test_leading_silence_is_found_and_left_in_place(synth):
    classes, audio = sound(synth, 1)
    shifted = np.pad(audio, (300, 0))[: synth.samples]
    found = refine(synth, shifted, vague(synth.space, classes, 1), "full")
    assert found.offset == 300
    assert found.residual_db < -60.0


def test_find_begin():
    assert find_begin(np.array([0.0, 0.1, 0.2])) == 0
    assert find_begin(np.array([0.0, 0.0, 0.0, 0.1])) == 2
    assert find_begin(np.array([0.3, 0.1])) == 0
    assert find_begin(np.zeros(4)) == 0


@pytest.mark.parametrize("row", [1, 6])
def test_a_sound_that_is_rendered_otherwise_is_made_by_its_patch_and_less_certain(synth, row):
    classes, audio = sound(synth, row)
    other = render_independently(synth.space.classes_to_values(classes[None]), synth.sample_rate, LENGTH)[0]
    probabilities = vague(synth.space, classes, row)
    same, others = (refine(synth, each, probabilities, "fast", level="fit") for each in (audio, other))
    claims = [[one.probabilities[part].max() for part in synth.space.slices] for one in (same, others)]
    assert others.residual_db > -40.0  # another renderer's aliases are no noise
    assert others.distance <= MADE
    assert max(claims[1]) < 0.9999 < max(claims[0])
    assert np.mean(claims[1]) < np.mean(claims[0])
    np.testing.assert_array_equal(others.classes, synth.space.probabilities_to_classes(others.probabilities))


def test_what_the_sound_does_not_determine_keeps_the_posterior(synth):
    """At zero depth the modulation frequency leaves no trace."""
    classes, _ = sound(synth, 0)
    classes[[3, 7, 11, 15]] = 0
    classes[[2, 6, 10, 14]] = 9
    audio = synth.render_classes(classes)
    posterior = synth.space.normalise_probabilities(vague(synth.space, classes, 4))
    found = refine(synth, audio, posterior, "full")
    part = synth.space.slices[1]
    assert found.classes[3] == 0
    assert found.indistinguishable[part].all()
    np.testing.assert_allclose(found.probabilities[part], posterior[part], atol=1e-3)
    assert found.indistinguishable[synth.space.slices[20]].sum() == 1  # the cutoff is heard


def test_an_interrupted_search_raises_with_the_best_so_far(synth, monkeypatch):
    classes, audio = sound(synth, 0)
    probabilities = vague(synth.space, classes, 0)

    pick = STAGES["pick"]

    def interrupted(state):
        yield from pick.run(state)
        raise KeyboardInterrupt

    monkeypatch.setitem(STAGES, "pick", replace(pick, run=interrupted))
    seen = []
    with pytest.raises(SearchInterrupted) as stop:
        refine(synth, audio, probabilities, "full", progress=seen.append)
    found = stop.value.best
    assert found.interrupted
    assert [report.name for report in seen] == ["pick"]
    assert found.distance < found.start_distance


def test_stages_report_what_they_spend(synth):
    classes, audio = sound(synth, 1)
    found = refine(synth, audio, vague(synth.space, classes, 1), "fast")
    assert 0 < sum(report.renders for report in found.stages) < found.renders
    assert found.renders < 2 * BUDGETS["fast"][0]
    assert found.stages[-1].residual_db >= found.residual_db - 1.0
    assert not found.interrupted
    assert found.seconds > 0.0
    again = refine(synth, audio, vague(synth.space, classes, 1), "fast", workers=2)
    assert again.record() == found.record()


def test_every_budget_names_stages_with_a_cost():
    assert list(BUDGETS) == ["none", "fast", "full"]
    for _, names in BUDGETS.values():
        for name in names:
            assert STAGES[name].renders > 0
            assert STAGES[name].seconds > 0


def test_a_synth_without_structure_is_searched_by_its_sound():
    synth = SineSynth(length=0.25)
    classes = sample_classes(synth.space, 0, 1, 3)[0].astype(int)
    audio = synth.render_classes(classes)
    flat = np.full(synth.space.size, 0.5)
    found = refine(synth, audio, flat, "fast")
    np.testing.assert_array_equal(found.classes, classes)
    assert found.residual_db < -100.0


class PlainFm(FmSynth):
    """A synth with many patches that declares nothing the search could use."""

    oscillators = ()
    structure = None
    search_stages = ("evolve",)


def test_evolution_comes_nearer_where_the_patches_are_too_many_to_try(monkeypatch):
    synth = PlainFm(length=0.125)
    monkeypatch.setitem(BUDGETS, "full", (600, ("evolve",)))
    classes, audio = sound(synth, 1)
    probabilities = vague(synth.space, classes, 1, certainty=0.5)
    one, two = (refine(synth, audio, probabilities, "full", seed=7) for _ in range(2))
    assert one.distance < 0.95 * one.start_distance
    np.testing.assert_array_equal(one.classes, two.classes)


def test_likeliest_patches_come_in_order():
    probabilities = np.array([0.6, 0.4, 0.7, 0.2, 0.1])
    found = likeliest(probabilities, (slice(0, 2), slice(2, 5)), 10)
    np.testing.assert_array_equal(found, [[0, 0], [1, 0], [0, 1], [1, 1], [0, 2], [1, 2]])


def test_bad_input_is_refused(synth):
    good = np.ones(synth.samples, np.float32)
    flat = np.ones(synth.space.size)
    with pytest.raises(ParameterError, match=r"unknown budget 'fsat'\. Did you mean 'fast'\?"):
        refine(synth, good, flat, "fsat")
    with pytest.raises(AudioError, match=r"must be audible, finite and have shape \(8192,\)\. Received: shape \(5,\)"):
        refine(synth, good[:5], flat)
    with pytest.raises(AudioError, match="silent or not finite"):
        refine(synth, 0 * good, flat)
    with pytest.raises(ParameterError, match="368 columns"):
        refine(synth, good, flat[:-1])


def test_the_objective_ranks_by_similarity():
    rng = np.random.default_rng(0)
    time = np.arange(8192) / 16384
    target = np.sin(2 * np.pi * 440 * time)
    turned = np.sin(2 * np.pi * 440 * time + 1.0)
    other = np.sin(2 * np.pi * 466 * time)
    silence = np.zeros(8192)
    near, turned_far, other_far, silent = Objective(target, 16384).distance(np.stack([target, turned, other, silence]))
    assert near == pytest.approx(0.0, abs=1e-4)
    assert near < turned_far < other_far
    assert turned_far < 1.0 < silent
    assert residual(target, turned) > 0.5  # waveforms know phases, the objective does not
    assert decibels(float(residual(target, target + 0.01 * rng.standard_normal(8192)))) == pytest.approx(-37.0, abs=0.5)
    assert decibels(0.0) == -150.0


def test_other_initial_phases_are_found():
    """A synth whose oscillators begin anywhere is out of reach sample by sample until the phases are freed."""
    synth = FmSynth(length=LENGTH)
    classes, audio = sound(synth, 1)
    posterior = synth.space.normalise_probabilities(vague(synth.space, classes, 1))
    phases = np.array([0.3, 0.8, 0.1, 0.6])
    turned = AtomRenderer(synth).render(classes[None], phases)[0]
    assert residual(turned, audio) > 0.1
    found = refine(synth, turned, posterior, "full")
    assert found.phases is not None
    assert residual(turned, found.audio) < 3e-3
    assert found.distance <= found.start_distance


def test_a_beginning_below_the_last_bit_is_found():
    synth = FmSynth(length=LENGTH)
    classes, audio = sound(synth, 9)
    posterior = synth.space.classes_to_one_hot(classes)
    quantised = np.rint(np.pad(audio, (500, 0))[: synth.samples] * 32767.0) / 32767.0
    assert find_begin(quantised) > 502
    found = refine(synth, quantised, posterior, "full")
    assert found.begin == pytest.approx(500.0, abs=0.1)
    assert found.residual_db < -30.0


@pytest.mark.parametrize("budget", ["fast", "full"])
def test_a_soft_beginning_in_16_bits_begins_with_the_file(synth, budget):
    classes, audio = sound(synth, 0)
    for name, level in (("attack", 12), ("f_cut", 8), ("q", 3)):
        classes[synth.space.index(name)] = level
    audio = np.rint(synth.render_classes(classes) * 0.1 * 32767).astype(np.float32) / 32768
    assert 5 < find_begin(audio) < 0.02 * synth.sample_rate
    found = refine(synth, audio, vague(synth.space, classes, 3), budget, level="fit")
    assert found.offset == 0
    assert found.residual_db < -30.0


def test_a_muffled_sound_is_found_by_its_differences():
    """Behind the most damped low-pass, nearly all energy lies below the carriers."""
    synth = FmSynth()
    classes = sound(synth, 0, seed=33)[0]
    classes[[20, 21]] = 1, 0
    classes[[2, 6, 10, 14]] = 9, 12, 7, 14
    audio = synth.render_classes(classes)
    found = refine(synth, audio, vague(synth.space, classes, 0), "full")
    assert found.residual_db < -40.0


def test_a_sound_of_any_level_gives_the_same_patch(synth):
    classes, audio = sound(synth, 0)
    probabilities = vague(synth.space, classes, 0)
    plain, quiet = (refine(synth, gain * audio, probabilities, "full", level="fit") for gain in (1.0, 10**-1.5))
    np.testing.assert_array_equal(plain.classes, quiet.classes)
    np.testing.assert_array_equal(plain.classes[[2, 6, 10, 14]], classes[[2, 6, 10, 14]])
    assert plain.level_db == pytest.approx(0.0, abs=0.01)
    assert quiet.level_db == pytest.approx(-30.0, abs=0.01)
    assert residual(10**-1.5 * audio, quiet.audio) < 1e-6
    assert quiet.residual_db < -60.0
    known = refine(synth, 10**-1.5 * audio, probabilities, "fast", level="known")  # the wrong thing to ask for
    assert known.level_db == 0.0
    assert known.residual_db > quiet.residual_db + 20.0


def test_the_level_of_a_synth_without_structure_is_found():
    synth = SineSynth(length=0.25)
    classes = np.array([2, 1, 0, 2])
    found = refine(synth, 0.1 * synth.render_classes(classes), np.full(synth.space.size, 0.5), "fast", level="fit")
    np.testing.assert_array_equal(found.classes, classes)
    assert found.level_db == pytest.approx(-20.0, abs=0.01)


def test_amplitudes_are_no_surer_than_their_common_scale():
    """Amplitudes half as high with twice the gain sound almost alike, and in noise nothing tells them apart."""
    synth = FmSynth(length=LENGTH)
    classes, _ = sound(synth, 1)
    amplitudes = synth.space.groups["Oscillator amplitudes"]
    classes[list(amplitudes)] = [6, 12, 6, 12]
    clean = synth.render_classes(classes)
    noise = np.random.default_rng(5).standard_normal(len(clean)) * np.sqrt(np.mean(np.square(clean))) * 0.1
    start = np.maximum(synth.space.classes_to_one_hot(classes), 0.02)
    sure = {}
    for level in ("fit", "known"):
        found = refine(synth, clean + noise, start, "fast", level=level)
        sure[level] = [found.probabilities[synth.space.slices[column]].max() for column in amplitudes]
        np.testing.assert_array_equal(found.classes, synth.space.probabilities_to_classes(found.probabilities))
        for part in synth.space.slices:
            assert found.probabilities[part].sum() == pytest.approx(1.0)
    assert max(sure["fit"]) < 0.9
    assert min(sure["known"]) > 0.95
