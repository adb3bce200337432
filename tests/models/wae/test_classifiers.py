"""Classifiers and metrics of note autoencoders, on spectrograms and latents whose answers are known."""

import numpy as np
import pytest

from generators.errors import ModelError
from models.wae.classifiers import LabelClassifiers, train_classifiers
from models.wae.metrics import (
    MIXES,
    chance_purity,
    draw_style_pairs,
    latent_quality,
    mix_styles,
    probe,
    purity,
    reconstruction_errors,
)

RNG = np.random.default_rng(0)
COUNTS = {"style": 2, "semitone": 3}


def striped(count, rng):
    """Pictures with a bright band: how high it lies is the semitone, in which half of the frames the style."""
    labels = {name: rng.integers(0, size, count) for name, size in COUNTS.items()}
    spectrograms = rng.uniform(0.0, 0.2, (count, 24, 16))
    for spectrogram, style, semitone in zip(spectrograms, labels["style"], labels["semitone"], strict=True):
        spectrogram[8 * semitone : 8 * semitone + 8, 8 * style : 8 * style + 8] += 1.0
    return spectrograms, labels


def test_classifiers_learn_the_labels_of_spectrograms_and_are_restored_from_a_file(tmp_path):
    classifiers = train_classifiers(*striped(96, np.random.default_rng(1)), COUNTS, seed=3, epochs=6)
    spectrograms, labels = striped(48, np.random.default_rng(2))
    assert all(share >= 0.95 for share in classifiers.accuracy(spectrograms, labels).values())
    shuffled = {name: np.roll(truth, 1) for name, truth in labels.items()}
    assert classifiers.accuracy(spectrograms, shuffled)["semitone"] < 0.7
    likely = classifiers.predict(spectrograms)
    assert {name: one.shape for name, one in likely.items()} == {"style": (48, 2), "semitone": (48, 3)}
    np.testing.assert_allclose(likely["semitone"].sum(axis=1), 1.0)
    classifiers.save(tmp_path)
    again = LabelClassifiers.load(tmp_path)
    assert again.counts == COUNTS
    np.testing.assert_array_equal(again.predict(spectrograms)["style"], likely["style"])
    with pytest.raises(ModelError, match=r"spectrograms \(n, 24, 16\)\. Received: \(2, 24, 15\)"):
        classifiers.predict(spectrograms[:2, :, 1:])


def test_missing_classifiers_and_labels_out_of_range_are_refused(tmp_path):
    spectrograms, labels = striped(8, RNG)
    with pytest.raises(
        ModelError, match=r"every spectrogram has a style from 0 to 1\. Received: 8 spectrograms, 8 numbers"
    ):
        train_classifiers(spectrograms, labels | {"style": np.full(8, 2)}, COUNTS)
    with pytest.raises(ModelError, match="holds no classifiers"):
        LabelClassifiers.load(tmp_path)


def test_a_reconstruction_without_error_measures_none():
    spectrograms = RNG.uniform(0.0, 2.0, (3, 10, 6))
    assert all(np.all(one == 0.0) for one in reconstruction_errors(spectrograms, spectrograms).values())
    found = reconstruction_errors(np.log1p(np.full((1, 4, 5), 1.0)), np.log1p(np.full((1, 4, 5), 0.1)))
    np.testing.assert_allclose([found["lsd"][0], found["convergence"][0]], [20.0, 0.9])
    silent = reconstruction_errors(np.zeros((1, 4, 5)), np.full((1, 4, 5), 1e-3))
    assert silent["lsd"][0] == 0.0
    with pytest.raises(ModelError, match="spectrograms are"):
        reconstruction_errors(spectrograms, spectrograms[:2])


def test_a_probe_finds_what_latents_tell_however_small_they_are():
    names = RNG.integers(0, 3, 240)
    condition = 1e-4 * (np.eye(3)[names] + 0.1 * RNG.normal(size=(240, 3)))
    assert probe(condition[:160], names[:160], condition[160:], names[160:], epochs=30) > 0.95
    noise = RNG.normal(size=(240, 3))
    assert probe(noise[:160], names[:160], noise[160:], names[160:], epochs=30) < 0.6
    assert purity(condition, names) > 0.95
    assert purity(noise, names) == pytest.approx(chance_purity(names), abs=0.08)


@pytest.mark.parametrize(("scale", "offset", "close"), [(1.0, 0.0, True), (1.0, 0.6, False), (0.1, 0.0, False)])
def test_latents_are_close_to_the_prior_where_they_are_drawn_of_it(scale, offset, close):
    quality = latent_quality(scale * np.random.default_rng(5).normal(size=(256, 3)) + offset)
    assert quality.close == close
    assert quality.chance == pytest.approx(0.020, abs=0.008)
    assert (quality.mmd < 2 * quality.chance) == close


def test_mixtures_that_follow_their_weights_are_steady():
    pairs = draw_style_pairs(3, 4, seed=1)
    assert len(set(pairs)) == 4
    assert len(draw_style_pairs(2, 9)) == 2
    latents, notes = np.zeros((2, 3)), np.array([60, 61])

    def decode(_, __, weights):
        return weights

    def classify(weights):
        clipped = np.clip(weights, 0.0, 1.0)
        return {"style": clipped / clipped.sum(axis=1, keepdims=True)}

    scores = mix_styles(decode, classify, latents, notes, 3, pairs).scores()
    assert scores == pytest.approx(dict.fromkeys(("rank", "steady", "start", "end", "middle", "beyond"), 1.0))
    back = mix_styles(
        decode, lambda weights: classify(weights[::-1]), latents, notes, 3, pairs, MIXES[MIXES <= 1.0]
    ).scores()
    assert back["rank"] == pytest.approx(-1.0)
    assert back["steady"] == 0.0
    deaf = mix_styles(decode, lambda weights: {"style": np.full((len(weights), 3), 1 / 3)}, latents, notes, 3, pairs)
    assert deaf.scores()["rank"] == 0.0
