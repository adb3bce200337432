"""Notes that a network was not trained on: refused, or made by way of the nearest one that it was."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.analysis.pitch import estimate_pitch
from generators.audio import read_audio
from inversynth.cli import main
from inversynth.nsynth.codes import read_codes
from inversynth.nsynth.transpose import (
    MOST_SEMITONES,
    codes_to_make,
    describe_note,
    played,
    restored,
    speed_between,
    stretched,
)
from inversynth.pretrained import find_model
from models.nsynth.known_notes import known_notes
from tests.inversynth.nsynth.toy_codec import HOP, RATE, Toy
from tests.inversynth.sounds import save, tone

KNOWN = (60, 64)


@pytest.fixture
def sounds(toy: Toy) -> Toy:
    """A toy that knows two notes, conditioned on pitch, and sounds at them and an octave below."""
    toy.notes, toy.takes_pitch = KNOWN, True
    for stem in ("a_60", "a_48", "b_48", "b_50"):
        save(Path(f"{stem}.wav"), 0.5 * tone(0.5, RATE, int(stem[2:]) / 10), RATE, subtype="FLOAT")
    return toy


# --- the arithmetic --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("note", "made"), [(48, 60), (24, 60), (70, 66), (61, 60)])
def test_a_sound_is_at_the_other_note_and_back_again(note: int, made: int) -> None:
    rate, samples = 16000, 32000
    hertz = 440 * 2 ** ((note - 69) / 12)
    audio = tone(2.0, rate, hertz).astype(np.float32)
    there = played(audio, speed_between(note, made), rate)
    assert len(there) == pytest.approx(samples * 2 ** ((note - made) / 12), abs=2)
    if len(there) > 8000:
        assert estimate_pitch(there[np.newaxis], rate)[0] == pytest.approx(made, abs=0.05)
    back = restored(there, samples, rate, note, made)
    assert back.shape == (samples,)
    assert estimate_pitch(back[np.newaxis], rate)[0] == pytest.approx(
        estimate_pitch(audio[np.newaxis], rate)[0], abs=0.02
    )
    np.testing.assert_allclose(back[2000:-2000], audio[2000:-2000], atol=0.02)


def test_what_does_not_fit_into_the_band_is_lost() -> None:
    rate = 16000
    for hertz, kept in ((800, True), (2000, False)):  # made three octaves higher: 1 kHz is left
        audio = tone(2.0, rate, hertz).astype(np.float32)
        back = restored(played(audio, 8.0, rate), len(audio), rate, 24, 60)
        level = 20 * np.log10(np.std(back[4000:-4000]) / np.std(audio))
        assert (abs(level) < 0.1) if kept else (level < -80)


def test_stretched_codes_keep_their_course() -> None:
    codes = np.cumsum(np.random.default_rng(0).normal(size=(40, 3)), axis=0)
    np.testing.assert_allclose(stretched(codes, 1.0, 40), codes)
    np.testing.assert_allclose(stretched(stretched(codes, 2.0, 80), 0.5, 40)[1:-1], codes[1:-1], atol=1.0)
    line = np.arange(10.0)[:, np.newaxis]
    np.testing.assert_allclose(stretched(line, 2.0, 20)[1:-1, 0], (np.arange(1, 19) + 0.5) / 2 - 0.5)


def test_codes_at_a_known_note_are_left_alone() -> None:
    codes = np.ones((10, 4), np.float32)
    assert codes_to_make(codes, 155, HOP, 60, 60)[0] is codes
    fewer, samples = codes_to_make(codes, 155, HOP, 48, 60)
    assert (fewer.shape, samples) == ((5, 4), 78)


def test_output_tells_number_name_convention_and_way() -> None:
    assert describe_note(24, "course") == "note 24 (C2 where middle C is C5)"
    assert describe_note(24, "scientific", 24) == "note 24 (C1 where middle C is C4)"
    assert describe_note(24, "yamaha", 60) == "note 24 (C0 where middle C is C3), by way of 60"
    assert describe_note(None, "course") == "no note"


# --- the commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_sounds_at_unknown_notes_are_refused_in_one_line_and_others_go_on(sounds: Toy, command: str, capsys) -> None:
    assert main([command, "a_48.wav", "b_50.wav", "a_60.wav", "--model", "toy.keras"]) == 2
    printed = capsys.readouterr()
    errors = [line for line in printed.err.splitlines() if "Error: " in line]
    assert len(errors) == 1
    assert (
        "toy.keras was trained on the notes 60,64. Received: 2 sounds at 48,50. Train a network on them, or pass "
        in (errors[0])
    )
    assert errors[0].endswith("--transpose_unknown")
    assert [path.name.split(".")[0].split("_dec")[0] for path in Path("output").iterdir()] == ["a_60"]


@pytest.mark.parametrize(
    "words",
    [
        ["interpolate", "a_48.wav", "b_48.wav"],
        ["interpolate", "a_60.wav", "--how", "stretch", "--pitch", "59"],
        ["decode", "a_60.codes.npz", "--pitch", "59"],
        ["encode", "a_60.wav", "--pitch", "59"],
        ["decode", "a_48_embeddings.npy"],
    ],
)
def test_unknown_notes_are_refused_wherever_they_come_from(sounds: Toy, words: list[str], capsys) -> None:
    assert main(["encode", "a_60.wav", "--model", "toy.keras", "--output_dir", "."]) == 0
    np.save("a_48_embeddings.npy", read_codes("a_60.codes.npz").codes)
    capsys.readouterr()
    assert main([*words, "--model", "toy.keras"]) == 2
    assert "was trained on the notes 60,64. Received: " in capsys.readouterr().err
    assert not Path("output").exists()


def test_a_model_that_does_not_tell_its_notes_takes_all(sounds: Toy) -> None:
    sounds.notes = ()
    assert main(["decode", "a_48.wav", "--model", "toy.keras"]) == 0
    assert sounds.batches[0]["pitch"] == [48]


def test_a_transposed_note_is_encoded_and_decoded_at_the_known_one(sounds: Toy, capsys) -> None:
    words = ["--model", "toy.keras", "--transpose_unknown"]
    assert main(["decode", "a_48.wav", "a_60.wav", *words]) == 0
    batch = sounds.batches[0]
    assert batch["pitch"] == [60, 60]  # the longer, which is known, first
    assert batch["shape"][1] == 2000 // HOP
    printed = capsys.readouterr().out
    assert "a_48: 125 codes, 0.500 s, note 48 (C3 where middle C is C4), by way of 60 -> " in printed
    assert "a_60: 125 codes, 0.500 s, note 60 (C4 where middle C is C4) -> " in printed
    sound = soundfile.SoundFile("output/a_48_decoded.wav")
    assert (sound.frames, sound.samplerate) == (2000, RATE)
    assert '"made_at": 60' in sound.comment
    assert "made_at" not in soundfile.SoundFile("output/a_60_decoded.wav").comment
    audio = read_audio(Path("a_48.wav")).audio
    np.testing.assert_allclose(  # the toy decodes to means over a hop, of the sound played twice as fast
        read_audio(Path("output/a_48_decoded.wav")).audio[200:-200],
        np.convolve(audio, np.ones(2 * HOP) / (2 * HOP), "same")[200:-200],
        atol=0.12,
    )
    assert main(["decode", "a_48.wav", "a_60.wav", *words]) == 0
    assert capsys.readouterr().out.count(", already decoded -> ") == 2


def test_encoding_first_makes_no_difference(sounds: Toy) -> None:
    words = ["--model", "toy.keras", "--transpose_unknown"]
    assert main(["encode", "a_48.wav", *words]) == 0
    assert read_codes("output/a_48.codes.npz").pitch == 48
    assert main(["decode", "output/a_48.codes.npz", "--output_dir", "apart", *words]) == 0
    assert main(["decode", "a_48.wav", *words]) == 0
    assert Path("apart/a_48_decoded.wav").read_bytes() == Path("output/a_48_decoded.wav").read_bytes()


def test_transposed_sounds_mix_at_one_length(sounds: Toy) -> None:
    words = ["--model", "toy.keras", "--transpose_unknown"]
    assert main(["interpolate", "a_48.wav", "b_48.wav", *words]) == 0
    assert main(["interpolate", "a_48.wav", "b_50.wav", "--pitch", "50", *words]) == 0
    assert [batch["pitch"] for batch in sounds.batches] == [[60], [60]]
    assert {path.name for path in Path("output").glob("*.wav")} == {
        "a_48_b_48_mix_0.500_0.500_decoded.wav",
        "a_48_b_50_mix_0.500_0.500_decoded.wav",
    }
    assert soundfile.info("output/a_48_b_48_mix_0.500_0.500_decoded.wav").frames == 2000


def test_a_note_too_far_away_is_refused(sounds: Toy, capsys) -> None:
    assert main(["decode", "a_60.wav", "--pitch", "11", "--model", "toy.keras", "--transpose_unknown"]) == 2
    assert f"Notes are transposed by {MOST_SEMITONES} semitones at most" in capsys.readouterr().err


def test_names_of_files_and_arguments_follow_the_convention(sounds: Toy, capsys) -> None:
    save(Path("a_C5.wav"), tone(0.1, RATE), RATE)
    words = ["--model", "toy.keras", "--note_names", "course"]
    assert main(["encode", "a_C5.wav", *words]) == 0
    assert "note 60 (C5 where middle C is C5) -> " in capsys.readouterr().out
    assert main(["encode", "a_C5.wav", "--pitch", "E5", *words, "--output_dir", "e"]) == 0
    assert read_codes("e/a_C5.codes.npz").pitch == 64
    assert main(["encode", "a_C5.wav", "--pitch", "E5", *words[:2]]) == 2  # 76 otherwise
    assert "Received: a_C5 at 76" in capsys.readouterr().err
    assert main(["encode", "a_C5.wav", *words[:2], "--note_names", "french"]) == 2
    assert "must be 'scientific', 'course' or 'yamaha'" in capsys.readouterr().err


# --- with the bundled network ----------------------------------------------------------------------------------


def test_the_bundled_network_makes_a_note_below_its_own_in_tune(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    note = min(known_notes(find_model("nsynth"))) - 12
    hertz = 440 * 2 ** ((note - 69) / 12)
    audio = sum(tone(1.0, 16000, hertz * n) / n for n in range(1, 9)) * np.exp(-np.arange(16000) / 16000)
    save(tmp_path / f"saw_{note}.wav", 0.3 * audio, 16000)
    assert main(["decode", f"saw_{note}.wav"]) == 2
    assert main(["decode", f"saw_{note}.wav", "--transpose_unknown"]) == 0
    made = read_audio(tmp_path / "output" / f"saw_{note}_decoded.wav")
    assert len(made.audio) == 16000
    assert estimate_pitch(made.audio[np.newaxis], 16000)[0] == pytest.approx(note, abs=1.0)
