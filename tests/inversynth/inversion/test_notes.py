"""What is said of a sound before it is inverted: its note, several notes, chords, noise and clipping; and its notes."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from generators.audio import Sound
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.inversion.notes import find_note_starts, fit_sound, pitch_words, read_notes, read_sound
from inversynth.inversion.target import measure_levels
from tests.inversynth.sounds import RATE, save, tone

NO_PITCH = "It has no steady pitch, as noise, most drums and glides have none."
CHORD = (
    "Several pitches sound at once, as in a chord, a bell or a drum, and were matched as one sound. To match one "
    "note, give it alone, or --start where it sounds alone."
)


def note(hertz: float, seconds: float, decay: float = 2.0) -> NDArray[np.float64]:
    """Make a note of eight harmonics that decays and ends softly."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 9))
    return 0.2 * wave * np.exp(-decay * time) * np.clip((seconds - time) / 0.02, 0.0, 1.0)


def melody(*hertz: float, apart: float = 0.5) -> NDArray[np.float64]:
    return np.concatenate([note(each, apart) for each in hertz])


def remarks(tmp_path: Path, audio: NDArray[np.floating], rate: int = RATE) -> str:
    return " ".join(read_sound(save(tmp_path / "a.wav", audio, rate), RATE, 1.0).remarks)


@pytest.mark.parametrize(("hertz", "words"), [(110.0, "A2"), (444.0, "A4 +16 cents"), (1046.5, "C6")])
def test_note_of_a_sound_is_said_and_kept(hertz: float, words: str, tmp_path: Path) -> None:
    target = read_sound(save(tmp_path / "a.wav", tone(1.0, hertz=hertz)), RATE, 1.0)
    assert target.remarks == (f"It plays {words}.",)
    assert target.treatment[-1] == target.remarks[0]
    kept = target.source["note"]
    assert kept["midi"] == pytest.approx(69 + 12 * np.log2(hertz / 440), abs=0.01)
    assert kept["name"] == words.split()[0]
    assert kept["confidence"] > 0.9


def test_pitch_words_name_the_nearest_note_and_its_cents() -> None:
    assert [pitch_words(midi) for midi in (69.0, 60.004, 48.49, 60.51)] == ["A4", "C4", "C3 +49 cents", "C#4 -49 cents"]


@pytest.mark.parametrize(
    ("audio", "expected"),
    [
        (0.2 * np.random.default_rng(0).standard_normal(2 * RATE), NO_PITCH),
        (np.random.default_rng(1).standard_normal(RATE) * np.exp(-12 * np.arange(RATE) / RATE) * 0.2, NO_PITCH),
        (0.5 * np.hanning(12)[1:11], "It lasts 0.61 ms, too short to have a pitch."),
        (np.concatenate([np.zeros(RATE), tone(0.3, hertz=1000.0), np.zeros(2000)]), "It plays B5 +21 cents."),
        (note(261.63, 1.0) + note(329.63, 1.0) + note(392.0, 1.0), CHORD),
    ],
    ids=["noise", "drum", "click of ten samples", "silence then a beep", "chord"],
)
def test_odd_sounds_are_described_in_a_line(audio: NDArray[np.floating], expected: str, tmp_path: Path) -> None:
    assert remarks(tmp_path, audio) == expected


def test_melody_is_not_taken_for_a_note(tmp_path: Path) -> None:
    said = remarks(tmp_path, melody(220.0, 330.0, 440.0, 550.0, 440.0))
    assert said == (
        "It plays A3, E4 one after another within the 1 s analysed, which were matched as one sound. To invert each "
        "alone: --every_onset. More notes follow (A4, C#5, A4). To invert each: --every_onset; another one: --start."
    )


def test_notes_after_the_part_analysed_are_said(tmp_path: Path) -> None:
    said = remarks(tmp_path, melody(*(220.0,) * 7, apart=1.2))
    more = "More notes follow (A3, A3, A3, A3 and 2 more). To invert each: --every_onset; another one: --start."
    assert said == f"It plays A3. {more}"


def test_clipped_sound_is_said_to_be_and_a_square_wave_is_not(tmp_path: Path) -> None:
    clipped = np.clip(5.0 * note(82.41, 1.0, decay=1.5), -1.0, 1.0)
    share = np.mean(np.abs(clipped) == 1.0)
    said = remarks(tmp_path, clipped)
    assert said.startswith("It plays E2. It is clipped: ")
    assert float(said.split()[6].rstrip("%")) == pytest.approx(100.0 * share, abs=1.0)
    assert "clipped" not in remarks(tmp_path, 0.999 * np.sign(tone(1.0, hertz=220.0) + 1e-9))
    assert "clipped" not in remarks(tmp_path, 0.5 * clipped)


def test_own_sounds_of_the_synth_are_not_called_chords_or_melodies() -> None:
    fm = build_synth("fm")
    audio = fm.render_classes(sample_classes(fm.space, 0, 25, 31))
    said = [" ".join(fit_sound(Sound(each, RATE, 1), RATE, 1.0).remarks) for each in audio]
    assert sum("at once" in words or "one after another" in words or "follow" in words for words in said) <= 1


def test_array_is_described_as_its_file_is(tmp_path: Path) -> None:
    audio = melody(220.0, 330.0).astype(np.float32)
    whole = fit_sound(Sound(audio, RATE, 1), RATE, 1.0)
    assert whole.remarks == read_sound(save(tmp_path / "a.wav", audio, subtype="FLOAT"), RATE, 1.0).remarks


# --- every note of a file ---------------------------------------------------------------------------------------


def test_every_note_of_a_long_sound_is_found_and_ends_where_the_next_begins(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    begins = np.array([0.5, 0.9, 2.1, 2.35, 5.0])
    audio = 1e-4 * rng.standard_normal(8 * RATE)
    for begin, hertz in zip(begins, (220.0, 330.0, 440.0, 550.0, 660.0), strict=True):
        struck = tone(1.5, hertz=hertz) * np.exp(-4.0 * np.arange(round(1.5 * RATE)) / RATE)
        audio[round(begin * RATE) :][: len(struck)] += struck
    notes = list(read_notes(save(tmp_path / "tune.wav", audio), RATE, 1.0))
    assert [each.name for each in notes] == [f"tune-{number:03}" for number in range(1, 6)]
    np.testing.assert_allclose([each.source["start"] for each in notes], begins, atol=0.011)
    assert all(len(each.audio) == RATE for each in notes)
    ended = round((notes[3].source["start"] - notes[2].source["start"]) * RATE) + 1
    assert np.abs(notes[2].audio[ended:]).max() == 0.0  # the fourth note has begun
    assert np.abs(notes[4].audio[round(0.9 * RATE) :]).max() > 0.0
    assert "as note 3 of 5" in " ".join(notes[2].treatment)
    assert [each.source["note"]["name"] for each in notes] == ["A3", "E4", "A4", "C#5", "E5"]


def test_a_steady_sound_is_one_note(tmp_path: Path) -> None:
    assert len(list(read_notes(save(tmp_path / "a.wav", tone(3.0)), RATE, 1.0))) == 1


def test_legato_notes_of_one_level_are_parted_by_their_pitch(tmp_path: Path) -> None:
    steps = np.repeat([220.0, 246.94, 277.18, 329.63], RATE // 2)
    audio = 0.3 * np.sin(2 * np.pi * np.cumsum(steps) / RATE)
    notes = list(read_notes(save(tmp_path / "a.wav", audio), RATE, 1.0))
    assert [each.source["note"]["name"] for each in notes] == ["A3", "B3", "C#4", "E4"]
    np.testing.assert_allclose([each.source["start"] for each in notes], [0.0, 0.5, 1.0, 1.5], atol=0.04)


def test_drums_are_parted_by_their_level(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    hit = 0.3 * rng.standard_normal(RATE // 2) * np.exp(-30.0 * np.arange(RATE // 2) / RATE)
    notes = list(read_notes(save(tmp_path / "a.wav", np.tile(hit, 5)), RATE, 1.0))
    np.testing.assert_allclose([each.source["start"] for each in notes], 0.5 * np.arange(5), atol=0.011)
    assert {each.remarks for each in notes} == {(NO_PITCH,)}


def test_notes_of_a_file_longer_than_a_piece_are_those_of_its_pieces(tmp_path: Path) -> None:
    hertz = [220.0, 262.0, 330.0, 294.0] * 12
    path = save(tmp_path / "a.wav", melody(*hertz, apart=0.7))
    starts = find_note_starts(path, measure_levels(path))
    np.testing.assert_allclose(starts, 0.7 * np.arange(48), atol=0.02)
