"""Pictures of notes: their sizes, what comes back of a sound, and the range that networks see."""

import keras
import numpy as np
import pytest

from generators.analysis.spectrogram import inverse_stft, stft
from generators.errors import ModelError
from models.gansynth.representation import KINDS, PUBLISHED, Normaliser, SpectrogramFormat

RATE = 16000
FORM = {"frames": 64, "bins": 256, "samples": 8000, "sample_rate": 8000}


def note(hertz=440.0, samples=8000, rate=8000):
    """A tone of twelve partials that begins and ends softly, without anything near 0 Hz."""
    t = np.arange(samples) / rate
    tone = sum(np.sin(2 * np.pi * hertz * k * t + k) / k for k in range(1, 13) if hertz * k < 0.45 * rate)
    return (0.3 * tone * np.minimum(1.0, np.minimum(20 * t, 20 * (t[-1] - t))))[None].astype(np.float32)


@pytest.mark.parametrize(
    ("frames", "bins", "samples", "rate", "left"),
    [(128, 1024, 64000, RATE, 3072), (256, 512, 64000, RATE, 2304), (64, 256, 8000, 8000, 576), (8, 32, 160, RATE, 16)],
)
def test_sizes_are_those_of_the_specification(frames, bins, samples, rate, left):
    form = SpectrogramFormat("linear", frames, bins, samples, rate)
    assert form.left == left
    assert form.fft_length == 4 * form.hop_length == 2 * bins
    spectrograms = form.from_audio(np.random.default_rng(0).uniform(-1, 1, (2, samples)))
    assert spectrograms.shape == (2, frames, bins, 2)
    assert form.to_audio(spectrograms).shape == (2, samples)


def test_the_first_frames_of_the_release_are_silence():
    spectrogram = SpectrogramFormat("linear").from_audio(np.ones((1, 64000)))[0]
    assert np.all(spectrogram[:3, :, 0] == np.float32(np.log(1e-6)))
    assert np.all(spectrogram[:3, :, 1] == 0.0)
    assert spectrogram[3, :, 0].max() > -5


@pytest.mark.parametrize("kind", ["linear", "phase"])
@pytest.mark.parametrize("sizes", [FORM, {}])
def test_a_sound_comes_back_but_for_its_end(kind, sizes):
    form = SpectrogramFormat(kind, **sizes)
    audio = note(samples=form.samples, rate=form.sample_rate)
    difference = (form.to_audio(form.from_audio(audio)) - audio)[0]
    inner = difference[form.fft_length : -form.fft_length]
    assert np.sqrt(np.mean(inner**2)) < 1e-5


def test_what_does_not_come_back_lies_near_zero_hertz():
    """The bin that was dropped, and nothing else: of noise comes back what its transform without that bin is of."""
    form = SpectrogramFormat("linear", **FORM)
    audio = np.random.default_rng(1).uniform(-0.5, 0.5, (1, 8000)).astype(np.float32)
    padded = np.pad(audio, ((0, 0), (form.left, 0)))
    frames = np.lib.stride_tricks.sliding_window_view(padded[0], form.fft_length)[:: form.hop_length]
    spectrum = np.fft.rfft(frames * np.hanning(form.fft_length + 1)[:-1])
    spectrum[:, 0] = 0
    expected = inverse_stft(spectrum.real[None], spectrum.imag[None], form.hop_length)[:, form.left :]
    np.testing.assert_allclose(form.to_audio(form.from_audio(audio)), expected, atol=2e-5)
    assert np.abs(expected - audio).max() > 1e-3


@pytest.mark.parametrize("aliased", [False, True])
@pytest.mark.parametrize("hertz", [130.8, 440.0, 880.0])
def test_mel_spectrograms_bring_a_tone_back_roughly(aliased, hertz):
    """Measured on notes of TimGM6mb: spectral convergence 0.05 to 0.45 whichever form. The pitch must stand."""
    form, lines = SpectrogramFormat("mel", aliased=aliased), SpectrogramFormat("linear")
    audio = note(hertz, 64000, RATE)
    back = form.to_audio(form.from_audio(audio))
    wanted, found = (np.exp(lines.from_audio(each)[..., 0]) for each in (audio, back))
    assert np.linalg.norm(found - wanted) / np.linalg.norm(wanted) < 0.5
    peaks = [np.fft.rfft(each[0, 8000:56000]) for each in (audio, back)]
    first, second = (np.abs(each).argmax() / 3.0 for each in peaks)
    assert abs(12 * np.log2(second / first)) < 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_become_the_same_sounds(kind):
    form = SpectrogramFormat(kind, **FORM)
    spectrograms = form.from_audio(note())
    found = keras.ops.convert_to_numpy(form.to_audio(keras.ops.convert_to_tensor(spectrograms), keras.ops))
    np.testing.assert_allclose(found, form.to_audio(spectrograms), atol=2e-3 if kind == "mel" else 1e-4)


def test_the_inverse_transform_is_that_of_the_transform():
    audio = np.random.default_rng(2).uniform(-1, 1, (2, 2048)).astype(np.float32)
    back = inverse_stft(*stft(audio, 256, 64), 64)[:, 96 : 96 + 2048]
    np.testing.assert_allclose(back[:, 256:-256], audio[:, 256:-256], atol=1e-5)
    with pytest.raises(ModelError, match="hop_length must divide fft_length into three parts or more"):
        inverse_stft(*stft(audio, 256, 128), 128)


def test_a_range_is_laid_into_eight_tenths():
    spectrograms = np.random.default_rng(3).uniform(-13.8, 9.0, (4, 8, 8, 2)).astype(np.float32)
    normaliser = Normaliser.measure(spectrograms[i : i + 2] for i in (0, 2))
    seen = normaliser.apply(spectrograms)[..., 0]
    assert (seen.min(), seen.max()) == (pytest.approx(-0.8, abs=1e-5), pytest.approx(0.8, abs=1e-5))
    assert normaliser.scale[1] == 0.8
    small = spectrograms / 14.0
    np.testing.assert_allclose(normaliser.undo(normaliser.apply(small)), small, atol=1e-4)


def test_the_published_range_is_that_from_silence_to_ten():
    low, high = ((edge - PUBLISHED.offset[0]) / PUBLISHED.scale[0] for edge in (-0.8, 0.8))
    assert low == pytest.approx(np.log(1e-6), abs=1e-4)
    assert high == pytest.approx(10.37664, abs=1e-4)
    made = Normaliser.measure([np.asarray([[[[low, 0.0], [high, 0.0]]]])])
    np.testing.assert_allclose((made.scale, made.offset), (PUBLISHED.scale, PUBLISHED.offset), atol=1e-9)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "wave"}, "a spectrogram is one of mel, linear, phase. Received: wave"),
        ({"bins": 1000}, "bins of a spectrogram must be a power of two. Received: 1000"),
        ({"frames": 1}, "frames of a spectrogram must be a power of two. Received: 1"),
        ({"samples": 67073}, "reach over 67,072 samples. Received: sounds of 67,073"),
    ],
)
def test_forms_that_cannot_be_are_refused(options, words):
    with pytest.raises(ModelError, match=words):
        SpectrogramFormat(**options)


def test_other_shapes_are_refused():
    form = SpectrogramFormat("linear", **FORM)
    with pytest.raises(ModelError, match=r"sounds must have shape \(n, 8000\)"):
        form.from_audio(np.zeros((1, 7999)))
    with pytest.raises(ModelError, match=r"spectrograms must have shape \(n, 64, 256, 2\)"):
        form.to_audio(np.zeros((1, 64, 255, 2)))
    with pytest.raises(ModelError, match="sounds that are not all silent"):
        Normaliser.measure([np.full((1, 4, 4, 2), -13.8)])
