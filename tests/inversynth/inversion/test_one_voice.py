"""Several notes of one instrument give one voice, whose scaling and velocity they tell."""

import json
from pathlib import Path

import numpy as np
import pytest

from generators.audio import write_audio
from generators.dx7.engine import render
from generators.dx7.synth import SAMPLE_RATE, voice_values
from generators.dx7.voice import Voice
from generators.errors import AudioError, ParameterError
from inversynth.cli import main
from inversynth.inversion.one_voice import NamedNote, invert_notes, main_place, note_in_name, played_notes
from inversynth.inversion.target import Target
from inversynth.inversion.voices import Banks, untold_names
from inversynth.search.dx7_keyboard import PlayedNote, SeveralNotes

TOUCHED = Voice().replaced(
    name="TOUCHED",
    algorithm=4,
    op1_rate_2=38,
    op1_level_2=0,
    op2_output_level=76,
    op2_rate_2=50,
    op2_level_2=0,
    op1_velocity_sensitivity=5,
    op1_break_point=43,
    op1_right_depth=60,
    op1_left_depth=45,
)
"""A decaying pair of operators: soft at both ends of the keyboard, and where it is struck softly."""

NOTES = tuple(PlayedNote(note, velocity) for note in (36, 60, 84) for velocity in (40, 100))


def targets(voice: Voice = TOUCHED, notes: tuple[PlayedNote, ...] = NOTES) -> list[Target]:
    made = []
    for one in notes:
        audio = render(voice, one.note, one.velocity, 0.75, 1.0, SAMPLE_RATE)[0]
        source = {"note": {"midi": float(one.note)}, "file": "x.wav"}
        made.append(Target(audio, SAMPLE_RATE, f"n{one.note}v{one.velocity}", source))
    return made


@pytest.mark.parametrize(
    ("name", "note", "velocity"),
    [
        ("piano_C4", 60, None),
        ("piano_60", 60, None),
        ("my_piano_Bb2", 46, None),
        ("c4", 60, None),
        ("F#-1", 6, None),
        ("piano_C4_v40", 60, 40),
        ("c4-vel127", 60, 127),
        ("guitar_acoustic_000-060-025", 60, 25),
        ("guitar_000-128-100", None, None),
        ("piano_C4_v0", 60, None),
        ("kick", None, None),
        ("808", None, None),
        ("H4", None, None),
        ("G10", None, None),
    ],
)
def test_notes_and_velocities_are_read_from_names(name: str, note: int | None, velocity: int | None) -> None:
    assert note_in_name(name) == NamedNote(note, velocity)


def named(*names: str, heard: float | None = 60.2) -> list[Target]:
    source = {"note": None if heard is None else {"midi": heard}}
    return [Target(np.ones(4, np.float32) * (k + 1), SAMPLE_RATE, name, source) for k, name in enumerate(names)]


def test_notes_are_those_given_else_named_else_heard() -> None:
    names = named("a_C2_v40", "a_C6_v90")
    assert played_notes(names) == (PlayedNote(36, 40), PlayedNote(84, 90))
    assert played_notes(names, [48, 50], [1, 2]) == (PlayedNote(48, 1), PlayedNote(50, 2))
    mixed = named("a_C2", "other")
    assert played_notes(mixed, velocities=[40, 100]) == (PlayedNote(60, 40), PlayedNote(60, 100))


@pytest.mark.parametrize(
    ("sounds", "options", "error", "message"),
    [
        (named("a_C2"), {}, AudioError, r"one voice takes 2 to 16 notes of one instrument\. Received: 1$"),
        (named(*["a"] * 17), {}, AudioError, r"Received: 17$"),
        (named("a", "b"), {"notes": [60]}, ParameterError, r"^--notes has one for each of 2 sounds\. Received: 1$"),
        (named("a", "b", heard=None), {}, AudioError, r"Received: a, without a pitch\. Give --notes"),
        (named("a", "b"), {}, AudioError, r"Received: C4 at velocity 100 twice, in a and b\. Give --velocities"),
    ],
)
def test_notes_that_are_unclear_are_refused(
    sounds: list[Target], options: dict[str, list[int]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        played_notes(sounds, **options)


def test_the_search_begins_with_the_middle_note_at_full_velocity() -> None:
    assert NOTES[main_place(targets(), NOTES)] == PlayedNote(60, 100)
    two = (PlayedNote(36, 100), PlayedNote(60, 100))
    assert main_place(named("low", "high"), two) == 1  # as far from the middle, and louder


def test_several_notes_are_rendered_one_after_another() -> None:
    synth = SeveralNotes(NOTES, 0.5, 16000)
    values = np.stack([voice_values(voice.values) for voice in (TOUCHED, Voice())]).astype(float)
    found = synth.render(values)
    assert found.shape == (2, synth.samples) == (2, len(NOTES) * 8000)
    for place, one in enumerate(NOTES):
        alone = render(TOUCHED, one.note, one.velocity, 0.375, 0.5, 16000)[0]
        np.testing.assert_array_equal(found[0, place * 8000 : (place + 1) * 8000], alone)
    assert synth.root == 36.0


def test_what_notes_tell_depends_on_what_differs() -> None:
    soft_and_hard = [PlayedNote(60, 40), PlayedNote(60, 100)]
    assert SeveralNotes(NOTES, 0.5).told == (True, True)
    assert SeveralNotes(soft_and_hard, 0.5).told == (False, True)
    assert SeveralNotes([PlayedNote(36, 100), PlayedNote(60, 100)], 0.5).told == (True, False)


def test_one_voice_has_the_scaling_and_velocity_of_the_notes() -> None:
    """From the voice as C4 alone tells it, the levels of all notes are found, which are 20 dB off at first."""
    sounds = targets()
    plain = TOUCHED.replaced(op1_velocity_sensitivity=0, op1_right_depth=0, op1_left_depth=0)
    found = invert_notes(sounds, NOTES, "fast", limit=1500, banks=Banks(plain.values[None])).patch
    errors = [abs(row["level_error_db"]) for row in found.refinement["notes"]]
    before = [_level(audio) for audio in targets(plain)]
    wanted = [_level(audio) for audio in sounds]
    off = np.subtract(before, wanted)
    assert np.abs(off - np.median(off)).mean() > 5.0
    assert np.mean(errors) < 2.0
    assert np.mean([row["distance"] for row in found.refinement["notes"]]) < 1.5
    assert found.refinement["untold"] == ["oscillator_sync", "lfo_sync"] == list(untold_names(False, False))
    assert found.root == 60.0
    assert found.refinement["renders"] <= 1500 + 300
    assert [row["note"] for row in found.refinement["notes"]] == [60, 36, 36, 60, 84, 84]


def _level(target: Target) -> float:
    return float(10.0 * np.log10(np.mean(np.square(target.audio))))


def test_the_command_writes_one_voice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, target in zip(("c2", "c4", "c6"), targets(notes=NOTES[1::2]), strict=True):
        write_audio(tmp_path / f"{name}.wav", target.audio * 0.3, SAMPLE_RATE)
    words = ["invert", "c2.wav", "c4.wav", "c6.wav", "--one_patch", "--renders", "300", "--output_dir", "out"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "c2.wav: note 36, velocity 100:" in said
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["c4", "index.html"]
    patch = json.loads((tmp_path / "out" / "c4" / "patch.json").read_text())
    assert (patch["synth"], patch["root"]) == ("dx7", 60.0)
    assert "op1_velocity_sensitivity" in patch["refinement"]["untold"]
    assert "op1_left_depth" not in patch["refinement"]["untold"]
    assert (tmp_path / "out" / "c4" / "voice.syx").stat().st_size == 163


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--notes", "C4,X2"],
            "--notes lists one for each sound, such as C2,C4 or 40,100. Received: a note is a letter",
        ),
        (["--velocities", "40,C4"], "Received: velocities run from 1 to 127. Received: 'C4'"),
        (["--velocities", "0,100"], "Received: velocities run from 1 to 127. Received: '0'"),
        (["--velocities", "40,100,"], "Received: velocities run from 1 to 127. Received: ''"),
    ],
)
def test_lists_of_notes_and_velocities_are_checked(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["invert", "a.wav", "b.wav", "--one_patch", *words]) == 2
    assert message in capsys.readouterr().err
