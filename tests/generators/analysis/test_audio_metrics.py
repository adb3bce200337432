"""The audio measures: golden scores, identities, physics, and an answer for every degenerate sound."""

import json
import warnings

import numpy as np
import pytest

from generators.analysis import audio_metrics
from generators.analysis.audio_metrics import MEASURES, evaluate
from generators.errors import AudioError
from generators.fm_generator import FmSynth
from generators.sampling import sample_classes
from tests.golden import make_scores
from tests.golden.make_scores import click, gated, noise, tone

GOLDEN = json.loads(make_scores.FILE.read_text(encoding="utf-8"))


# --- golden -----------------------------------------------------------------------------------------------------------


def test_golden_scores_are_there() -> None:
    assert set(GOLDEN) == {"audio_metrics", "intervals"}
    assert set(GOLDEN["audio_metrics"]) == set(make_scores.PAIRS)
    assert len(GOLDEN["audio_metrics"]) >= 10
    for scores in GOLDEN["audio_metrics"].values():
        assert set(scores) == set(MEASURES)
    for measure in MEASURES:
        assert len({round(scores[measure], 9) for scores in GOLDEN["audio_metrics"].values()}) >= 7, measure
    assert len(GOLDEN["intervals"]) == 4


@pytest.mark.parametrize("pair", make_scores.PAIRS)
def test_scores_equal_the_golden_ones(pair: str) -> None:
    scores = evaluate(*make_scores.PAIRS[pair](), make_scores.SAMPLE_RATE)
    golden = dict(GOLDEN["audio_metrics"][pair])
    distance = scores.pop("log_mel_distance")[0]  # rounded to 1e-4 dB
    assert distance == pytest.approx(golden.pop("log_mel_distance"), abs=1.5e-4)
    assert {name: score[0] for name, score in scores.items()} == pytest.approx(golden, rel=1e-6, abs=1e-6)


def test_a_golden_score_would_notice_a_change() -> None:
    scores = evaluate(tone(440), tone(441))
    assert scores["f_delta"][0] != pytest.approx(GOLDEN["audio_metrics"]["a tone against itself"]["f_delta"], abs=1e-6)


# --- identities and physics -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sound", [tone(440), noise(1), click(), np.zeros(1000), np.full(1000, 0.5)])
def test_a_sound_is_exactly_like_itself(sound: np.ndarray) -> None:
    for name, score in evaluate(sound, sound).items():
        assert score[0] == pytest.approx(MEASURES[name].best, abs=1e-9), name


def test_level_alone_changes_the_distances_but_no_correlation() -> None:
    scores = evaluate(noise(2), 0.5 * noise(2))
    assert scores["stft_pcc"][0] == pytest.approx(100.0)
    assert scores["ft_pcc"][0] == pytest.approx(100.0)
    assert scores["envelope_cosine"][0] == pytest.approx(1.0)
    halved = 20 * np.log10(2)  # decibels, in each of 64 frames x 257 bins; and in the one coefficient of level
    assert scores["f_delta"][0] == pytest.approx(halved * np.sqrt(64 * 257))
    assert scores["mfcc_distance"][0] == pytest.approx(halved * np.sqrt(40) / 13)


def test_ft_pcc_is_blind_to_time_and_stft_pcc_is_not() -> None:
    sound = tone(440, decay=8) + tone(1234.5, decay=1)
    scores = evaluate(sound, sound[::-1])
    assert scores["ft_pcc"][0] == pytest.approx(100.0)
    assert scores["stft_pcc"][0] < 90.0


def test_ft_pcc_hears_another_pitch_that_stft_pcc_forgives() -> None:
    scores = evaluate(tone(440), tone(466.16))
    assert scores["ft_pcc"][0] < 5.0
    assert scores["stft_pcc"][0] > 95.0


def test_envelope_cosine_follows_the_loudness_and_not_the_pitch() -> None:
    assert audio_metrics.envelope_cosine(tone(440), tone(880))[0] == pytest.approx(1.0, abs=1e-3)
    assert audio_metrics.envelope_cosine(tone(440), gated(tone(440)))[0] < 0.9


def test_distances_grow_with_noise() -> None:
    distances = [evaluate(tone(440), tone(440) + noise(3, level)) for level in (0.001, 0.01, 0.1)]
    for name in ("f_delta", "multiscale_distance", "mfcc_distance"):
        scores = [float(distance[name][0]) for distance in distances]
        assert scores == sorted(scores), name
        assert scores[0] > 0, name


def test_random_notes_hurt_ft_pcc_far_more_than_stft_pcc() -> None:
    synth, rng = FmSynth(), np.random.default_rng(0)
    classes = sample_classes(synth.space, 0, 96, seed=3).astype(np.int64)
    other = classes.copy()
    notes = list(synth.space.groups["Notes"])
    other[:, notes] = rng.integers(16, size=(96, len(notes)))
    target, match = synth.render_classes(classes), synth.render_classes(other)
    assert audio_metrics.stft_pcc(target, match).mean() > 85.0
    assert audio_metrics.ft_pcc(target, match).mean() < 65.0


# --- definitions where the formulas have none -------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [audio_metrics.stft_pcc, audio_metrics.ft_pcc])
def test_two_constant_spectra_correlate_fully_and_one_not_at_all(measure) -> None:
    silence, sound = np.zeros(4096), tone(440)[:4096]
    assert measure(silence, silence)[0] == 100.0
    assert measure(silence, sound)[0] == 0.0
    assert measure(sound, silence)[0] == 0.0


def test_a_click_has_a_constant_spectrum() -> None:
    assert audio_metrics.ft_pcc(click(), 0.1 * np.roll(click(), 77))[0] == 100.0
    assert audio_metrics.ft_pcc(click(), tone(440))[0] == 0.0


def test_silence_has_no_envelope() -> None:
    assert audio_metrics.envelope_cosine(np.zeros(2000), np.zeros(2000))[0] == 1.0
    assert audio_metrics.envelope_cosine(np.zeros(2000), np.ones(2000))[0] == 0.0


@pytest.mark.parametrize("samples", [1, 2, 100, 512, 5000])
@pytest.mark.parametrize("level", [0.0, 1e-30, 1e-6, 1.0, 1e4])
def test_nothing_is_ever_nan(samples: int, level: float) -> None:
    rng = np.random.default_rng(samples)
    target, match = level * rng.normal(size=(2, 3, samples)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = evaluate(target, match)
    for name, score in scores.items():
        assert np.isfinite(score).all(), name
        assert score.shape == (3,)
    assert np.all(np.abs(scores["stft_pcc"]) <= 100.0)
    assert np.all(np.abs(scores["ft_pcc"]) <= 100.0)
    assert np.all((scores["envelope_cosine"] >= 0.0) & (scores["envelope_cosine"] <= 1.0))


# --- shapes and faults ------------------------------------------------------------------------------------------------


def test_a_batch_scores_as_its_sounds_do_alone() -> None:
    target = np.stack([tone(440), noise(1), np.zeros(16384)])
    match = np.stack([tone(450), noise(2), tone(500)])
    together = evaluate(target, match)
    for row in range(3):
        for name, score in evaluate(target[row], match[row]).items():
            assert together[name][row] == pytest.approx(score[0], rel=1e-9, abs=1e-9)


def test_evaluate_says_what_each_measure_says() -> None:
    target, match = np.stack([tone(440), noise(1)]), np.stack([tone(330), noise(2)])
    for name, score in evaluate(target, match).items():
        np.testing.assert_array_equal(score, getattr(audio_metrics, name)(target, match))


def test_mel_bands_follow_the_sample_rate() -> None:
    target, match = tone(440), tone(880)
    assert audio_metrics.mfcc_distance(target, match, 16384)[0] != audio_metrics.mfcc_distance(target, match, 44100)[0]


@pytest.mark.parametrize(
    ("target", "match", "message"),
    [
        (np.zeros((2, 8)), np.zeros((3, 8)), r"must both be \(n, samples\). Received: \(2, 8\) and \(3, 8\)"),
        (np.zeros((1, 2, 8)), np.zeros((1, 2, 8)), r"must both be \(n, samples\)"),
        (np.zeros((2, 0)), np.zeros((2, 0)), r"need samples. Received: \(2, 0\)"),
        (np.full(8, np.nan), np.zeros(8), "must be finite. Received: NaN or infinity in the target"),
        (np.zeros(8), np.full(8, np.inf), "must be finite. Received: NaN or infinity in the match"),
    ],
)
def test_sounds_that_cannot_be_compared_are_refused(target, match, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        evaluate(target, match)
