"""The demo inverts the five bundled sounds; the examples are what their table says."""

import re
from pathlib import Path

import numpy as np
import pytest

from generators.analysis.distance import log_mel_distance
from generators.audio import read_audio
from generators.dx7.engine import render
from generators.dx7.sysex import read_voice
from generators.registry import build_synth
from inversynth.demo import main
from inversynth.examples import EXAMPLES, FOLDER
from inversynth.patches.patch import read_patch
from inversynth.search.stages import BUDGETS


def test_demo_inverts_all_examples_and_finds_the_knobs_of_the_synth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUDGETS, "fast", (1000, BUDGETS["fast"][1]))
    assert main(["--output_dir", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "demo" / "index.html").resolve().as_uri() in printed
    assert printed.count("  reachable (0.0 dB). ") == 2
    assert (
        len(re.findall(r"^  (close|similar|far) \(", printed, re.MULTILINE)) == 4
    )  # the recordings, one of them twice
    for example in EXAMPLES:
        folder = tmp_path / "demo" / example.path.stem
        patch = read_patch(folder / "patch.json")
        assert (folder / "report.html").stat().st_size > 10_000
        truth = example.truth()
        if truth is not None:
            assert patch.determined is not None
            assert (patch.classes == truth)[np.asarray(patch.determined)].mean() >= 0.9
            assert patch.scores["stft_pcc"] > 99.0

    voice = read_voice(tmp_path / "demo" / "cowbell_dx7" / "voice.syx")
    sound, match = (read_audio(tmp_path / "demo" / "cowbell_dx7" / name) for name in ("target.wav", "match.wav"))
    assert float(log_mel_distance(sound.audio, match.audio, sound.sample_rate)) < 3.5
    assert render(voice, 60).any()


def test_examples_are_short_audible_and_their_licences_are_stated() -> None:
    licences = (FOLDER / "LICENCES.md").read_text(encoding="utf-8")
    assert len(EXAMPLES) == 5
    for example in EXAMPLES:
        sound = read_audio(example.path)
        assert 0.3 <= sound.length <= 1.5
        assert np.abs(sound.audio).max() > 0.05
        assert f"`{example.file}`" in licences
    assert licences.count("CC0 1.0") >= 3


def test_examples_of_the_synth_are_its_sounds() -> None:
    synth = build_synth("fm")
    for example, gain in zip(EXAMPLES[:2], (1.0, 10 ** (-12 / 20)), strict=True):
        np.testing.assert_allclose(
            read_audio(example.path).audio, gain * synth.render_classes(example.truth()), atol=2.0**-15
        )
