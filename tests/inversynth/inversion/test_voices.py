"""A recording becomes a DX7 voice: a file that the instrument loads, and that sounds as the report says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from generators.analysis.pitch import find_note
from generators.dx7.engine import render
from generators.dx7.synth import SAMPLE_RATE, values_to_bytes
from generators.dx7.sysex import read_syx, write_syx
from generators.dx7.voice import Voice
from generators.errors import ParameterError
from inversynth.cli import main
from inversynth.inversion import voices
from inversynth.inversion.nearest import comparable_distance
from inversynth.inversion.result import Inversion
from inversynth.inversion.target import Target
from inversynth.inversion.voices import Banks, invert_voice, read_banks, untold_names

RECORDINGS = Path(__file__).parents[2] / "recordings"

STRUCK = Voice().replaced(
    name="STRUCK",
    algorithm=4,
    op1_rate_2=38,
    op1_level_2=0,
    op2_output_level=78,
    op2_coarse=3,
    op2_rate_2=50,
    op2_level_2=0,
    op2_velocity_sensitivity=6,
    op1_right_depth=40,
)
"""A decaying pair of operators with scaling and velocity."""


def target_of(voice: Voice, note: int, named: int | None = None) -> Target:
    """Return a voice at a note as a target whose pitch was found to be `named`."""
    audio = render(voice, note, 100, 0.75, 1.0, SAMPLE_RATE)[0]
    return Target(audio, SAMPLE_RATE, "sound", {"note": {"midi": float(named or note)}, "file": "sound.wav"})


def test_a_recording_becomes_a_voice_that_sounds_as_written_after_as_many_renders_as_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["invert", str(RECORDINGS / "elec_ping.flac"), "--synth", "dx7", "--renders", "250", "--output_dir", "out"]
    assert main(words) == 0
    folder = tmp_path / "out" / "elec_ping"
    assert (folder / "report.html").is_file()
    patch = json.loads((folder / "patch.json").read_text())
    assert (patch["synth"], patch["root"]) == ("dx7", 81.0)
    assert patch["verdict"]["distance"] < 2.2
    (voice,) = read_syx(folder / "voice.syx").voices
    assert voice.name == "ELEC_PING"
    match, rate = soundfile.read(folder / "match.wav", dtype="float32")
    assert rate == SAMPLE_RATE
    audio = render(voice, 81, 100, 0.75, 1.0, rate)[0]
    np.testing.assert_allclose(audio * (np.abs(match).max() / np.abs(audio).max()), match, atol=2e-4)
    assert find_note(match, rate).midi == pytest.approx(81.08, abs=0.3)
    assert "elec_ping: It plays A5 +8 cents." in capsys.readouterr().out
    assert main(["play", "out/elec_ping/voice.syx", "--notes", "C4:E4", "--step", "4", "--output", "up.wav"]) == 0
    assert 250 <= patch["refinement"]["renders"] < 400
    assert patch["refinement"]["limit"] == 250


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


def test_a_voice_of_a_bank_is_found(tmp_path: Path) -> None:
    others = [Voice().replaced(op1_output_level=90, op1_coarse=ratio) for ratio in range(2, 8)]
    write_syx(tmp_path / "banks" / "mine.syx", [*others, STRUCK])
    (tmp_path / "banks" / "broken.syx").write_bytes(b"\xf0\x43\x00\x09\x20\x00cut short")
    banks = read_banks(tmp_path / "banks")
    assert len(banks.voices) == 8  # an initial voice fills the bank
    assert any("broken.syx" in remark for remark in banks.remarks)
    target = target_of(STRUCK, 60)
    without, found = (invert_voice(target, "none", banks=bank) for bank in (None, banks))
    assert found.patch.scores["log_mel_distance"] < 0.2 < without.patch.scores["log_mel_distance"]
    assert found.patch.refinement["bank_voices"] == 8
    assert "bank" not in without.patch.refinement


def test_a_search_begins_with_the_voices_of_a_bank() -> None:
    far = target_of(STRUCK.replaced(op2_output_level=74, op1_rate_2=42), 60)
    banks = Banks(STRUCK.values[None])
    without, found = (invert_voice(far, "fast", limit=250, banks=bank) for bank in (None, banks))
    assert found.patch.refinement["distance"] < without.patch.refinement["distance"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such DX7 voice file"),
        ({}, "--bank names DX7 voices (.syx), or a folder of such"),
        ({"a.syx": b"no dump"}, "--bank names DX7 voices. Received:"),
    ],
)
def test_a_bank_without_voices_is_refused(tmp_path: Path, content: dict[str, bytes] | None, message: str) -> None:
    if content is not None:
        (tmp_path / "bank").mkdir()
        for name, data in content.items():
            (tmp_path / "bank" / name).write_bytes(data)
    with pytest.raises(ParameterError, match=r"^" + message.replace("(", r"\(").replace(")", r"\)")):
        read_banks(tmp_path / "bank")


@pytest.fixture(scope="module")
def right_octave() -> Inversion:
    return invert_voice(target_of(STRUCK, 57), "fast", limit=500)


@pytest.mark.parametrize("octave", [-12, 12])
def test_a_wrong_octave_of_the_estimator_is_recovered(octave: int, right_octave: Inversion) -> None:
    found = invert_voice(target_of(STRUCK, 57, 57 + octave), "fast", limit=500)
    assert found.patch.root == 57 + octave
    assert find_note(found.audio, SAMPLE_RATE).midi == pytest.approx(57.0, abs=0.3)
    assert found.patch.scores["log_mel_distance"] < right_octave.patch.scores["log_mel_distance"] + 1.5


def test_what_one_note_does_not_tell_is_what_players_expect() -> None:
    """Scaling is none, velocity moves carriers by 2 and modulators by 3; at velocity 100 the sound stays."""
    found = invert_voice(target_of(STRUCK, 60), "none", banks=Banks(STRUCK.values[None])).patch
    assert found.refinement["untold"] == list(untold_names())
    by_name = dict(zip(found.space.names, found.values, strict=True))
    assert {
        by_name[f"op{k}_{name}"] for k in range(1, 7) for name in ("left_depth", "right_depth", "rate_scaling")
    } == {0}
    assert (by_name["op1_velocity_sensitivity"], by_name["op2_velocity_sensitivity"]) == (2, 3)
    assert found.scores["log_mel_distance"] < 0.2
    loud, soft = (render(values_to_bytes(found.values[None]), 60, v, 0.75, 1.0, SAMPLE_RATE)[0] for v in (100, 40))
    assert 20 * np.log10(np.abs(loud).max() / np.abs(soft).max()) == pytest.approx(6.0, abs=1.5)


def test_velocity_that_changes_the_sound_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def louder_modulators(values: Any, synth: Any) -> Any:
        made = with_velocity(values, synth)
        made[:, synth.space.names.index("op2_output_level")] = 99
        return made

    with_velocity = voices._with_velocity
    monkeypatch.setattr(voices, "_with_velocity", louder_modulators)
    found = invert_voice(target_of(STRUCK, 60), "none", banks=Banks(STRUCK.values[None])).patch
    by_name = dict(zip(found.space.names, found.values, strict=True))
    assert {by_name[f"op{k}_velocity_sensitivity"] for k in range(1, 7)} == {0}


def write(path: Path, audio: Any) -> str:
    soundfile.write(path, audio, SAMPLE_RATE)
    return str(path)


def test_a_chord_a_drum_and_noise_get_their_best_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * f * time) for f in (220.0, 277.18, 329.63)) * np.exp(-2 * time) / 4
    noise = np.random.default_rng(0).normal(0.0, 0.1, SAMPLE_RATE) * np.exp(-6 * time)
    sounds = [write(tmp_path / "chord.wav", chord), str(RECORDINGS / "drum_snare_soft.flac")]
    sounds.append(write(tmp_path / "noise.wav", noise))
    assert main(["invert", *sounds, "--synth", "dx7", "--renders", "20", "--output_dir", "out"]) == 0
    said = capsys.readouterr().out
    assert "chord: Several pitches sound at once" in said
    assert "noise: It has no steady pitch" in said
    for name in ("chord", "drum_snare_soft", "noise"):
        assert len(read_syx(tmp_path / "out" / name / "voice.syx").voices) == 1


def test_silence_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silence = write(tmp_path / "silence.wav", np.zeros(SAMPLE_RATE))
    assert main(["invert", silence, "--synth", "dx7", "--output_dir", "out"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"AudioError: a sound must be audible (peak above -100 dB). Received: silence in {silence}"
    ]
    assert not (tmp_path / "out").exists()


def test_the_nearest_of_all_synths_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = write(tmp_path / "struck.wav", render(STRUCK, 60, 100, 0.75, 1.0, SAMPLE_RATE)[0] * 0.3)
    write_syx(tmp_path / "mine.syx", [STRUCK])
    words = ["invert", sound, "--synth", "nearest", "--renders", "20", "--bank", "mine.syx", "--output_dir", "out"]
    assert main(words) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "at 16,384 Hz" in line)
    assert line.endswith(" dB: dx7 is nearest")
    fm, dx7 = (float(part.split()[1]) for part in line.removeprefix("  at 16,384 Hz: ").split(", "))
    assert dx7 < 0.3 < fm
    assert json.loads((tmp_path / "out" / "struck" / "patch.json").read_text())["synth"] == "dx7"


def test_distances_of_synths_are_compared_at_one_rate() -> None:
    found = invert_voice(target_of(STRUCK, 60), "none", banks=Banks(STRUCK.values[None]))
    assert comparable_distance(found) < 0.2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to_bank", "kit.syx"], "--to_bank is for DX7 voices. Received: no --synth. Add --synth dx7"),
        (["--bank", "kit.syx", "--synth", "fm"], "--bank is for DX7 voices. Received: --synth fm. Add --synth dx7"),
        (["--one_patch", "--synth", "nearest"], "--one_patch is for DX7 voices. Received: --synth nearest."),
        (["--notes", "C4"], "--notes are those of several sounds of one voice. Received: no --one_patch. Add it"),
        (["--one_patch", "--every_onset"], "--one_patch makes one voice of all sounds. Received: --every_onset too."),
        (["--renders", "9", "--budget", "none"], "--renders belongs to a search. Received: --budget none too."),
        (["--one_patch"], "one voice takes 2 to 16 notes of one instrument. Received: 1"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["invert", str(RECORDINGS / "elec_ping.flac"), *words]) == 2
    assert message in capsys.readouterr().err


def test_another_synth_is_suggested_where_that_of_the_model_does_not_reach(capsys: pytest.CaptureFixture[str]) -> None:
    sound = str(RECORDINGS / "elec_bell.flac")
    assert main(["invert", sound, "--renders", "20"]) == 0
    assert "fm does not reach the sound: a DX7 voice may come nearer. Try --synth dx7" in capsys.readouterr().out
    assert main(["invert", sound, "--synth", "fm", "--renders", "20"]) == 0
    assert "--synth dx7" not in capsys.readouterr().out
