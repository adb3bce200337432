"""A recording becomes a DX7 voice: a file that the instrument loads, and that sounds as the report says."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.analysis.pitch import find_note
from generators.dx7.engine import render
from generators.dx7.synth import SAMPLE_RATE
from generators.dx7.sysex import read_syx
from inversynth.cli import main

RECORDINGS = Path(__file__).parents[2] / "recordings"


def test_a_recording_becomes_a_voice_that_sounds_as_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["invert", str(RECORDINGS / "elec_ping.flac"), "--synth", "dx7", "--output_dir", "out"]
    assert main(words) == 0
    folder = tmp_path / "out" / "elec_ping"
    assert (folder / "report.html").is_file()
    patch = json.loads((folder / "patch.json").read_text())
    assert (patch["synth"], patch["root"]) == ("dx7", 81.0)
    assert patch["verdict"]["distance"] < 2.0
    (voice,) = read_syx(folder / "voice.syx").voices
    assert voice.name == "ELEC_PING"
    match, rate = soundfile.read(folder / "match.wav", dtype="float32")
    assert rate == SAMPLE_RATE
    audio = render(voice, 81, 100, 0.75, 1.0, rate)[0]
    np.testing.assert_allclose(audio * (np.abs(match).max() / np.abs(audio).max()), match, atol=2e-4)
    assert find_note(match, rate).midi == pytest.approx(81.08, abs=0.3)
    assert "elec_ping: It plays A5 +8 cents." in capsys.readouterr().out
    assert main(["play", "out/elec_ping/voice.syx", "--notes", "C4:E4", "--step", "4", "--output", "up.wav"]) == 0


def test_the_nearest_voice_needs_no_search(tmp_path: Path) -> None:
    words = ["invert", str(RECORDINGS / "elec_ping.flac"), "--synth", "dx7", "--budget", "none", "--output_dir", "out"]
    assert main(words) == 0
    assert json.loads((tmp_path / "out" / "elec_ping" / "patch.json").read_text())["verdict"]["distance"] < 6.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--continuous"], "--continuous moves parameters between levels, of which a DX7 voice has none. Leave it out"),
        (["--model", "C6XL"], "--synth dx7 searches without a model. Received: --model C6XL. Leave it out"),
    ],
)
def test_flags_that_a_voice_has_no_use_for_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["invert", str(RECORDINGS / "elec_ping.flac"), "--synth", "dx7", *words]) == 2
    assert message in capsys.readouterr().err


def test_what_is_assumed_is_said_without_a_sound(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["invert", "--synth", "dx7", "--synth_info"]) == 0
    assert "velocity 100, held for 0.75 s" in capsys.readouterr().out
