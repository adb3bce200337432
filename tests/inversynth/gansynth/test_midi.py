"""A MIDI file played by a GANSynth: envelopes, path of the timbre and mix worked out, and the command as typed."""

from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from generators.analysis.pitch import find_note
from generators.errors import AudioError, ModelError, SettingsError
from inversynth.cli import main
from inversynth.gansynth.latent_path import LatentPath, draw_latent_path, random_latent_path
from inversynth.gansynth.latents import slerp
from inversynth.gansynth.midi import Performance
from inversynth.playback.envelope import envelope
from inversynth.playback.midi import Note, Score
from inversynth.playback.mixdown import mix
from inversynth.playback.sustain import Sustain, find_sustain
from inversynth.playback.transpose import best_transposition, playable
from inversynth.report.figures import PAPER
from tests.gansynth_models import write_untrained

RATE = 1000


class Toy:
    """Plays the first number of a latent, with one sample of -2 times that, for a second; keeps what it was asked."""

    sample_rate, samples, seconds, latent, notes, name = RATE, RATE, 1.0, 2, (60, 61, 62, 64), "toy"

    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []

    def draw_latents(self, count: int, seed: int = 0) -> NDArray[np.float32]:
        return np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)

    def decode(self, latents: NDArray[np.float32], notes: Sequence[int], batch_size: int) -> NDArray[np.float32]:
        assert len(latents) == len(notes) == batch_size
        self.batches.append(tuple(notes))
        sounds = np.repeat(latents[:, :1], RATE, axis=1)
        sounds[:, 500] *= -2
        return sounds


ONE = LatentPath(np.array([[3.0, 0.0]], np.float32), 10.0)


def rendered(performance: Performance, *notes: Note) -> NDArray[np.float32]:
    return np.concatenate(list(mix(performance.sounds(notes))))


# --- envelopes -------------------------------------------------------------------------------------------------


def test_rise_lies_inside_what_is_held_and_the_fall_behind_it() -> None:
    level = envelope(100, attack=10, release=51)
    np.testing.assert_allclose(level[:11], np.arange(11) / 10, atol=1e-6)
    assert np.all(level[10:101] == 1.0)
    np.testing.assert_allclose(level[100:], np.linspace(1, 0, 51), atol=1e-6)
    assert len(level) == 151
    np.testing.assert_array_equal(envelope(3, attack=0, release=0), [1, 1, 1])


def test_note_that_ends_while_it_rises_falls_from_there() -> None:
    level = envelope(5, attack=10, release=6)
    np.testing.assert_allclose(level, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2, 0.1, 0], atol=1e-6)


# --- the path of the timbre --------------------------------------------------------------------------------------


def test_latent_path_passes_its_latents_and_goes_along_arcs_between_them() -> None:
    keys = np.array([[1, 0], [0, 2], [-3, 0]], np.float32)
    latent_path = LatentPath(keys, 8.0)
    np.testing.assert_allclose(latent_path.at(latent_path.times), keys, atol=1e-6)
    np.testing.assert_allclose(latent_path.at([1.0])[0], slerp(keys[0], keys[1], 0.25), atol=1e-6)
    np.testing.assert_allclose(latent_path.at([6.0])[0], slerp(keys[1], keys[2], 0.5), atol=1e-6)
    np.testing.assert_allclose(latent_path.at([-1.0, 9.0]), keys[[0, 2]], atol=1e-6)
    np.testing.assert_array_equal(LatentPath(keys[:1], 8.0).at([0, 3, 8]), keys[[0, 0, 0]])


@pytest.mark.parametrize(("seconds", "count"), [(0.1, 2), (11.9, 2), (18.0, 3), (61.0, 10)])
def test_latent_path_has_a_latent_for_every_so_many_seconds_and_two_at_least(seconds: float, count: int) -> None:
    latent_path = random_latent_path(Toy(), seconds, 6.0, seed=3)  # type: ignore[arg-type]
    assert len(latent_path.keys) == count
    np.testing.assert_array_equal(latent_path.keys, Toy().draw_latents(count, 3))


@pytest.mark.parametrize("count", [1, 3, 30])
def test_latent_path_is_drawn_below_its_sound(count: int) -> None:
    audio = np.sin(np.arange(9 * RATE) / 3).astype(np.float32)
    latent_path = LatentPath(Toy().draw_latents(count), 9.0)
    figure = draw_latent_path(audio, RATE, latent_path, PAPER)
    sound, strip = figure.axes
    assert sound.get_xlim() == strip.get_xlim() == (0.0, 9.0)
    assert len(strip.collections) == 2
    assert len(strip.texts) == (count if count < 24 else 0)


# --- notes -----------------------------------------------------------------------------------------------------


def test_note_is_shaped_divided_by_its_largest_magnitude_and_as_loud_as_its_velocity() -> None:
    performance = Performance(Toy(), ONE, release=0.3)  # type: ignore[arg-type]
    audio = rendered(performance, Note(0.0, 0.6, 60, 64))
    expected = np.ones(RATE)
    expected[500] = -2
    expected = expected[:900] * envelope(600, attack=10, release=300) / 2 * 64 / 127
    np.testing.assert_allclose(audio, expected, atol=1e-6)
    assert len(audio) == 900


def test_note_longer_than_the_sound_is_held_as_long_as_written() -> None:
    performance = Performance(Toy(), ONE, release=0.25)  # type: ignore[arg-type]
    assert [performance.is_lengthened(Note(0.0, held, 60)) for held in (0.75, 0.751)] == [False, True]
    audio = rendered(performance, Note(0.0, 4.0, 60))
    assert len(audio) == 4250
    np.testing.assert_allclose(audio[1000:4000], audio[200], atol=0.005)  # the Toy's sound is level
    np.testing.assert_allclose(audio[4000:], audio[200] * np.linspace(1, 0, 250), atol=0.005)


def test_long_note_has_its_pitch_and_level_until_it_is_released() -> None:
    class Tone(Toy):
        sample_rate, samples = 8000, 8000

        def decode(self, latents: NDArray[np.float32], notes: Sequence[int], batch_size: int) -> NDArray[np.float32]:
            time = np.arange(8000) / 8000
            hertz = 440.0 * 2.0 ** ((np.asarray(notes)[:, None] - 69) / 12)
            fall = np.where(time < 0.8, 1.0, 10.0 ** (-20.0 * (time - 0.8)))  # the model's own release
            return (np.sin(2 * np.pi * hertz * time) * fall).astype(np.float32)

    performance = Performance(Tone(), ONE, release=0.5)  # type: ignore[arg-type]
    audio = rendered(performance, Note(0.0, 4.0, 64))
    assert len(audio) == 36000
    for second in (1, 2, 3):
        part = audio[8000 * second :][:4000]
        assert np.sqrt(np.mean(np.square(part))) == pytest.approx(np.sqrt(0.5), rel=0.02)
        found = find_note(part, 8000)
        assert found is not None
        assert found.midi == pytest.approx(64.0, abs=0.03)


def test_long_notes_of_the_same_sound_have_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(audio: NDArray[np.float32], sample_rate: int) -> Sustain:
        calls.append(len(audio))
        return find_sustain(audio, sample_rate)

    monkeypatch.setattr("inversynth.gansynth.midi.find_sustain", counted)
    performance = Performance(Toy(), ONE, release=0.1)  # type: ignore[arg-type]
    notes = [Note(0.0, 2.0, 60), Note(0.5, 0.2, 61), Note(1.0, 3.0, 60)]
    assert [len(audio) for _, audio in performance.sounds(notes)] == [2100, 300, 3100]
    assert calls == [RATE]


def test_notes_are_not_held_for_ever() -> None:
    performance = Performance(Toy(), ONE, release=0.1)  # type: ignore[arg-type]
    assert len(rendered(performance, Note(0.0, 1e6, 60))) == 60_100


def test_notes_together_are_the_sum_of_their_parts_and_the_last_release_is_whole() -> None:
    performance = Performance(Toy(), ONE, release=0.1)  # type: ignore[arg-type]
    notes = (Note(0.0, 0.4, 60, 50), Note(0.2, 0.2, 64, 100), Note(0.2, 0.3, 60, 10), Note(3.123, 0.5, 62))
    together = rendered(performance, *notes)
    assert len(together) == 3123 + 500 + 100
    alone = np.zeros_like(together)
    for note in notes:
        part = rendered(performance, note)
        alone[: len(part)] += part
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_same_note_of_the_same_timbre_is_made_once_and_batches_have_one_size() -> None:
    toy = Toy()
    performance = Performance(toy, ONE, release=0.1, batch_size=2)  # type: ignore[arg-type]
    notes = [Note(0.1 * place, 0.1, pitch) for place, pitch in enumerate([60, 61, 60, 62, 60, 61])]
    printed: list[int] = []
    assert len(list(performance.sounds(notes, printed.append))) == 6
    assert toy.batches == [(60, 61), (62, 60)]
    assert printed == [5, 1]


def test_timbre_is_that_of_the_moment_at_which_a_note_begins() -> None:
    latent_path = LatentPath(np.array([[1, 0], [0, 1]], np.float32), 2.0)
    performance = Performance(Toy(), latent_path, release=0.0, batch_size=8)  # type: ignore[arg-type]
    asked = latent_path.at([0.0, 1.0, 1.5])[:, 0]
    np.testing.assert_allclose(asked, np.cos(np.pi / 4 * np.array([0, 1, 1.5])), atol=1e-6)
    assert len(list(performance.sounds([Note(t, 0.5, 60) for t in (0.0, 1.0, 1.5)]))) == 3


def test_sound_that_is_no_number_is_reported() -> None:
    latent_path = LatentPath(np.array([[np.nan, 0.0]], np.float32), 10.0)
    with pytest.raises(ModelError, match="toy must give finite sounds"):
        rendered(Performance(Toy(), latent_path), Note(0.0, 0.5, 60))  # type: ignore[arg-type]


@pytest.mark.parametrize("release", [-0.1, 60.5, float("nan")])
def test_release_out_of_range_is_reported(release: float) -> None:
    with pytest.raises(SettingsError, match=r"a release lasts 0 to 60 s\. Received: --release"):
        Performance(Toy(), ONE, release=release)  # type: ignore[arg-type]


# --- notes that the model does not know ------------------------------------------------------------------------


def score(*pitches: int) -> Score:
    return Score(tuple(Note(float(place), 1.0, pitch) for place, pitch in enumerate(pitches)))


def test_unknown_notes_are_named_with_a_transposition_that_helps() -> None:
    with pytest.raises(AudioError) as fault:
        playable(score(72, 73, 74), Toy.notes, name="toy")
    assert str(fault.value) == (
        "toy plays MIDI 60..64 (C4..E4). Received: MIDI 72..74 (C5..D5), 3 of 3 notes unknown. "
        "Try --transpose -12, or leave them out with --skip_unknown"
    )
    assert [note.pitch for note in playable(score(72, 73, 74), Toy.notes, transpose=-12)] == [60, 61, 62]


def test_where_no_transposition_fits_the_best_is_named_with_what_it_loses() -> None:
    with pytest.raises(AudioError, match=r"--skip_unknown \(--transpose 12 leaves out 1\)"):
        playable(score(48, 49, 50, 90), Toy.notes)
    with pytest.raises(AudioError, match=r"1 of 3 notes unknown.*there is no better --transpose"):
        playable(score(60, 61, 90), Toy.notes)


def test_unknown_notes_are_skipped_on_request_unless_none_is_left(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert [note.pitch for note in playable(score(60, 63, 90), Toy.notes, skip_unknown=True, name="toy")] == [60]
    assert caplog.messages == ["skipped 2 notes that toy does not know"]
    with pytest.raises(AudioError, match="2 of 2 notes unknown"):
        playable(score(63, 90), Toy.notes, skip_unknown=True)


def test_whole_octaves_go_before_smaller_steps() -> None:
    assert best_transposition([84, 85], range(48, 72)) == (-24, 0)
    assert best_transposition([50, 71], range(48, 72)) == (0, 0)
    assert best_transposition([40, 62], range(48, 72)) == (8, 0)
    assert best_transposition([40, 90, 91], range(48, 72)) == (-24, 1)


# --- the command -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_untrained(tmp_path_factory.mktemp("models") / "small.keras")


def song(*pitches: int) -> str:
    track = mido.MidiTrack()
    for pitch in pitches:
        track += [
            mido.Message("note_on", note=pitch, velocity=90),
            mido.Message("note_off", note=pitch, time=480),
        ]
    mido.MidiFile(tracks=[track]).save("song.mid")
    return "song.mid"


def played(model: Path, *words: str) -> int:
    shared = ["--model", str(model), "--release", "0.005", "--output_dir", "out"]
    return main(["gansynth", "midi", *shared, *words])


def test_command_plays_a_file_the_same_by_seed_and_by_the_latents_that_it_wrote(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert played(model, song(72, 74, 73), "--transpose", "-12", "--seconds_per_instrument", "0.5") == 0
    assert capsys.readouterr().out == "song: 3 notes through 3 timbres in 1.5 s -> out/song.wav\nout/index.html\n"
    assert "held 3 notes by a loop: a sound of the model lasts 0.02 s" in caplog.messages
    audio, rate = soundfile.read("out/song.wav")
    assert (rate, len(audio)) == (8000, 3 * 4000 + 40)  # half a second each, and the release of the last
    assert np.abs(audio).max() == pytest.approx(0.5)
    assert [np.abs(audio[4000 * place :][2000:3900]).max() > 0.01 for place in range(3)] == [True] * 3
    assert (tmp_path / "out" / "song.png").exists()
    assert (tmp_path / "out" / "index.html").read_text().count("<audio") == 1
    quiet = ["--transpose", "-12", "--no-page", "--no-pictures", "--peak", "0.25"]
    assert played(model, "song.mid", *quiet, "--latents", "out/song.latents.npz") == 0
    np.testing.assert_allclose(soundfile.read("out/song.wav")[0], audio / 2, atol=1e-6)
    assert played(model, "song.mid", *quiet, "--seconds_per_instrument", "0.5", "--seed", "1") == 0
    assert not np.allclose(soundfile.read("out/song.wav")[0], audio / 2, atol=1e-3)


def test_a_piece_has_a_bounded_number_of_notes(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inversynth.gansynth.midi.MOST_NOTES", 3)
    assert played(model, song(60, 61, 60), "--no-page", "--no-pictures") == 0
    capsys.readouterr()
    assert played(Path("absent.keras"), song(60, 61, 60, 61)) == 2  # refused before a model is opened
    assert "a piece has at most 3 notes. Received: 4 in song.mid. Play a part of it" in capsys.readouterr().err


def test_what_is_wrong_is_one_line(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song(40, 60)
    np.save("wide.npy", np.zeros((2, 9)))
    mido.MidiFile(tracks=[mido.MidiTrack()]).save("empty.mid")
    for words, printed in (
        (["song.mid"], "small plays MIDI 60..62 (C4..D4). Received: MIDI 40..60 (E2..C4), 1 of 2 notes unknown."),
        (["song.mid", "--skip_unknown", "--latents", "wide.npy"], "Received: (2, 9)"),
        (["song.mid", "--skip_unknown", "--release", "61"], "release must be less than or equal to 60"),
        (["song.mid", "--latents", "wide.npy", "--seconds_per_instrument", "3"], "Keep one of them"),
        (["empty.mid"], "has notes that last"),
        (["none.mid"], "no such MIDI file"),
    ):
        assert played(model, *words) == 2
        error = capsys.readouterr().err.splitlines()
        assert [line for line in error if printed in line] == error[-1:], error
