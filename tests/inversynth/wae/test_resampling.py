"""Resampling block by block gives what resampling the whole gives, and holds no more than blocks."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.audio import resample
from generators.errors import AudioError
from inversynth.wae import resampling
from inversynth.wae.resampling import resampled_blocks


@pytest.mark.parametrize(
    ("rate", "target"), [(8000, 8000), (44100, 8000), (96000, 22050), (8000, 44100), (96000, 8000)]
)
@pytest.mark.parametrize("samples", [1, 700, 120_000])
def test_blocks_come_to_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, target: int, samples: int
) -> None:
    monkeypatch.setattr(resampling, "BLOCK", 1000)
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, (samples, 2)).astype(np.float32)
    soundfile.write(tmp_path / "sound.wav", audio, rate, subtype="FLOAT")
    blocks = list(resampled_blocks(tmp_path / "sound.wav", target))
    found = np.concatenate(blocks)
    assert len(found) == -(-samples * target // rate)
    np.testing.assert_array_equal(found, resample(audio.mean(axis=1), rate, target))
    assert samples < 120_000 or max(map(len, blocks)) < len(found) / 5


def test_rates_of_an_odd_ratio_leave_a_tone_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "BLOCK", 1000)
    audio = np.sin(2 * np.pi * 440 * np.arange(5 * 8011) / 8011).astype(np.float32)
    soundfile.write(tmp_path / "sound.wav", audio, 8011, subtype="FLOAT")
    found = np.concatenate(list(resampled_blocks(tmp_path / "sound.wav", 8000)))
    expected = np.sin(2 * np.pi * 440 * np.arange(5 * 8000) / 8000)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found[500:-500], expected[500:-500], atol=1e-3)


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sound.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="as audio"):
        list(resampled_blocks(tmp_path / "sound.wav", 8000))
