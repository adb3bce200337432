"""A patch as an instrument, measured: pitch, level, timing, the sum of parts, and what it does beyond its range."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from generators.dsp.units import midi_to_hz
from generators.errors import AudioError, ParameterError
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.cli import main
from inversynth.patches.patch import Patch, render_patch, write_patch
from inversynth.playback.midi import BendCurve, Note, Score
from inversynth.playback.mixdown import BLOCK, mix, write_mix
from inversynth.playback.play import Instrument, play, root_frequency

RATE = 16384
FM, SINE = build_synth("fm").space, build_synth("sine").space
PURE = {
    **{f"A_{wave}": 0.001 for wave in ("saw", "tri", "sqr")},
    **{f"B_{wave}": 0.0 for wave in ("sin", "saw", "tri", "sqr")},
    **{"f_sin": 880.0, "A_sin": 1.0, "attack": 0.001, "decay": 0.001, "sustain": 1.0, "release": 0.05},
    **{"f_cut": 4000.0, "q": 0.7, "f_gate": 0.5},
}
"""A sine at A5 while the other carriers, 60 dB below it, stand at A4."""


def patch(**changes: float) -> Patch:
    values = FM.classes_to_values(np.zeros(23, int))
    for name, value in (PURE | changes).items():
        values[FM.index(name)] = value
    return Patch(FM, values, RATE, 1.0)


def loudest(audio: NDArray[np.floating]) -> float:
    """Frequency of the highest peak of the spectrum, hertz."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 1 << 18))
    return float(spectrum.argmax() * RATE / (1 << 18))


def rms(audio: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


@pytest.mark.parametrize("pitch", [33, 45, 57, 69, 76, 81, 93])
def test_note_measures_its_pitch(pitch: int) -> None:
    instrument = Instrument(patch())
    assert instrument.root == 880.0  # the lowest carrier that is heard, not the lowest of all
    audio = instrument.render(Note(0.0, 1.0, pitch))
    assert loudest(audio) == pytest.approx(float(midi_to_hz(pitch)), rel=0.01)


def test_pitch_of_the_sine_synth_follows_and_keeps_its_interval() -> None:
    instrument = Instrument(Patch(SINE, SINE.classes_to_values([1, 0, 2, 0]), RATE, 1.0))
    audio = instrument.render(Note(0.0, 1.0, 69))
    spectrum = np.abs(np.fft.rfft(audio[:RATE]))
    assert sorted(np.argsort(spectrum)[-2:]) == [440, 4 * 440]  # 200 and 800 Hz, transposed alike


def test_whole_course_of_the_pitch_is_transposed_and_rates_stay() -> None:
    instrument = Instrument(patch(B_sin=100.0))
    values, left = instrument.values(69)
    moved = {
        name: value
        for name, value in zip(FM.names, values, strict=True)
        if value != patch(B_sin=100.0).values[FM.index(name)]
    }
    assert moved == {"f_sin": 440.0, "B_sin": 50.0, "f_saw": 220.0, "f_tri": 220.0, "f_sqr": 220.0}
    assert left == 1


def test_root_note_is_the_sound_of_the_patch() -> None:
    values = FM.classes_to_values(sample_classes(FM, 0, 1, seed=3)[0])
    made = Patch(FM, values, RATE, 1.0, level_db=-6.0)
    pitch = round(float(69 + 12 * np.log2(Instrument(made).root / 440)))
    assert np.allclose(Instrument(made).render(Note(0.0, 0.8, pitch))[:RATE], render_patch(made), atol=1e-6)


def curve(*changes: tuple[float, float]) -> BendCurve:
    made = BendCurve()
    for time, semitones in changes:
        made.change(time, semitones)
    return made


def bent(instrument: Instrument, *changes: tuple[float, float], held: float = 1.0) -> NDArray[np.float32]:
    return instrument.render(Note(0.0, held, 69, 127, curve(*changes)))


def test_pitch_bend_within_a_note_moves_its_frequency_where_it_changes() -> None:
    audio = bent(Instrument(patch()), (0.5, 7.0))
    assert loudest(audio[: RATE // 2]) == pytest.approx(440.0, rel=0.005)
    assert loudest(audio[RATE // 2 : RATE]) == pytest.approx(440.0 * 2 ** (7 / 12), rel=0.005)


def test_pitch_bend_glides_without_a_jump_of_the_waveform() -> None:
    steps = [(n / 200, n / 50) for n in range(1, 200)]
    smooth = patch(f_gate=0.5, f_cut=4000.0)
    audio = bent(Instrument(smooth), *steps)[: RATE // 2]
    straight = bent(Instrument(smooth))[: RATE // 2]
    assert np.abs(np.diff(audio)).max() < 1.5 * np.abs(np.diff(straight)).max()
    assert np.corrcoef(audio[:80], straight[:80])[0, 1] > 0.999


def test_bend_of_all_oscillators_and_depths_is_the_transposed_note() -> None:
    rich = patch(**{f"A_{wave}": 0.5 for wave in ("saw", "tri", "sqr")}, B_sin=100.0, B_saw=30.0, B_tri=20.0)
    instrument = Instrument(rich)
    whole = instrument.render(Note(0.0, 0.5, 72))
    start = bent(instrument, (0.0, 3.0), held=0.5)
    assert np.array_equal(start, whole)
    late = bent(instrument, (1e-9, 3.0), held=0.5)  # the same from the first sample on, through the bent kernel
    assert np.abs(late - whole).max() < 1e-3 * np.abs(whole).max()


def test_a_bend_back_to_the_start_leaves_the_sound_as_it_was_before() -> None:
    instrument = Instrument(patch(B_sin=200.0))
    straight, changed = instrument.render(Note(0.0, 0.5, 69)), bent(instrument, (0.25, 2.0), held=0.5)
    assert np.abs(straight[: RATE // 4] - changed[: RATE // 4]).max() < 1e-3
    assert np.abs(straight[RATE // 4 :] - changed[RATE // 4 :]).max() > 0.1


def test_synth_that_cannot_bend_within_a_note_bends_at_its_start(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    instrument = Instrument(Patch(SINE, SINE.classes_to_values([1, 0, 2, 0]), RATE, 1.0))
    note = Note(0.0, 1.0, 69, 127, curve((0.0, 2.0), (0.5, 0.0)))
    assert instrument.playable(Score((note,))) == (note,)
    assert caplog.messages == ["bent 1 note at their start alone: synth 'sine' cannot bend within a note"]
    assert np.array_equal(instrument.render(note), instrument.render(Note(0.0, 1.0, 71)))


def test_bend_above_half_the_sample_rate_silences_a_note() -> None:
    instrument = Instrument(patch())
    assert instrument.playable(Score((Note(0.0, 1.0, 115), Note(1.0, 1.0, 69))))[0].pitch == 115
    notes = (Note(0.0, 1.0, 115, 127, curve((0.5, 12.0))), Note(1.0, 1.0, 69))
    assert [note.pitch for note in instrument.playable(Score(notes))] == [69]


def test_equal_notes_at_once_are_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument = Instrument(patch())
    rendered = []
    render = instrument.synth.render_note
    monkeypatch.setattr(instrument.synth, "render_note", lambda *args: rendered.append(args) or render(*args))
    sounds = [instrument.render(Note(0.0, 0.1, 69, velocity)) for velocity in (127, 64, 1)]
    assert len(rendered) == 1
    assert rms(sounds[1]) / rms(sounds[0]) == pytest.approx(64 / 127, rel=1e-4)


def test_root_can_be_named() -> None:
    assert root_frequency("A3") == 220.0
    assert root_frequency("441.5") == 441.5
    assert root_frequency("") is None
    audio = Instrument(patch(), root=220.0).render(Note(0.0, 1.0, 45))
    assert loudest(audio) == pytest.approx(440.0, rel=0.01)
    for word in ("Q", "-3", "nan"):
        with pytest.raises(ParameterError):
            root_frequency(word)


@pytest.mark.parametrize("velocity", [1, 40, 64, 100])
def test_velocity_scales_the_amplitude(velocity: int) -> None:
    instrument = Instrument(patch())
    full, soft = (instrument.render(Note(0.0, 0.3, 69, v)) for v in (127, velocity))
    assert rms(soft) / rms(full) == pytest.approx(velocity / 127, rel=1e-4)


def test_length_of_a_note_sets_when_it_falls_silent() -> None:
    instrument = Instrument(patch(f_gate=0.5))
    for held in (0.1, 0.7):
        audio = np.abs(instrument.render(Note(0.0, held, 69)))
        heard = np.flatnonzero(audio > 1e-3 * audio.max())[-1] / RATE
        assert heard == pytest.approx(held + 0.05, abs=0.003)


def test_notes_together_are_the_sum_of_their_parts_and_start_on_time(tmp_path: Path) -> None:
    instrument = Instrument(patch())
    notes = (Note(0.0, 0.5, 60, 50), Note(0.25, 0.5, 64, 60), Note(0.25, 0.2, 67, 70), Note(6.5, 0.1, 72, 80))
    count, gain = play(instrument, Score(notes), tmp_path / "all.wav")
    together, rate = soundfile.read(tmp_path / "all.wav", dtype="float32")
    assert (count, gain, rate) == (4, 1.0, RATE)
    alone = np.zeros_like(together)
    for note in notes:
        sound, start = instrument.render(note), round(note.start * RATE)
        alone[start : start + len(sound)] += sound
    assert np.abs(together - alone).max() < 1e-6
    assert not together[2 * RATE : round(6.5 * RATE)].any()
    assert np.flatnonzero(together[2 * RATE :])[0] == pytest.approx(4.5 * RATE, abs=2)


def test_sum_beyond_full_scale_is_turned_down_and_not_clipped(tmp_path: Path) -> None:
    instrument = Instrument(patch())
    one = instrument.render(Note(0.0, 0.5, 69))
    _, gain = play(instrument, Score((Note(0.0, 0.5, 69),) * 12), tmp_path / "a.wav")
    loud, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert np.abs(loud).max() == pytest.approx(1.0, abs=1e-6)
    assert gain == pytest.approx(1 / (12 * np.abs(one).max()), rel=1e-4)
    assert np.allclose(loud, 12 * gain * one, atol=1e-5)


def test_notes_beyond_half_the_sample_rate_are_left_out_and_decoded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    instrument = Instrument(patch())
    assert play(instrument, Score((Note(0, 0.1, 69), Note(0, 0.1, 125)), percussion=2), tmp_path / "a.wav")[0] == 1
    assert "skipped 1 note above half the sample rate, 8192 Hz" in caplog.text
    assert "skipped 2 notes of channel 10 (percussion)" in caplog.text
    with pytest.raises(AudioError, match=r"must stay below half the sample rate, 8192 Hz .*Received: 1 note above"):
        play(instrument, Score((Note(0, 0.1, 125),)), tmp_path / "b.wav")
    assert Instrument(patch(), sample_rate=44100).values(125)[1] == 1
    assert not (tmp_path / "b.wav").exists()


def test_oscillator_beyond_half_the_sample_rate_is_silenced_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    instrument = Instrument(Patch(SINE, SINE.classes_to_values([0, 2, 2, 2]), RATE, 1.0))  # 100 and 1600 Hz
    assert len(instrument.playable(Score((Note(0, 0.1, 76),)))) == 1
    assert "silenced the oscillators of 1 note" in caplog.text
    assert loudest(instrument.render(Note(0.0, 0.5, 76))) == pytest.approx(float(midi_to_hz(76)), rel=0.01)
    deep = Instrument(patch(B_sin=1500.0), root=440.0)
    assert deep.values(69 + 24)[1] == 0  # 4 x (880 + 1500) Hz
    assert deep.values(69 + 12)[1] == 1


def test_stuck_key_and_endless_song_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    instrument = Instrument(patch(), sample_rate=8192)
    assert len(instrument.playable(Score((Note(0, 4000.0, 69),)))) == 1
    assert "ended 1 note after 10 minutes" in caplog.text
    with pytest.raises(AudioError, match=r"holds up to 36 hours at 8192 Hz. Received: notes up to hour 278"):
        instrument.playable(Score((Note(1e6, 1.0, 69),)))


def test_crowd_of_long_notes_is_bounded() -> None:
    notes = tuple(Note(0.0, 500.0, 69) for _ in range(201))
    with pytest.raises(AudioError, match=r"last up to 100000 s, all together. Received: 100500 s in 201 notes"):
        Instrument(patch()).playable(Score(notes))


def test_mix_is_the_sum_in_pieces_whatever_the_order_of_ends() -> None:
    random = np.random.default_rng(0)
    starts = np.sort(random.integers(0, 6 * BLOCK, 40))
    sounds = [(int(s), random.normal(size=random.integers(1, 2 * BLOCK)).astype(np.float32)) for s in starts]
    whole = np.zeros(max(s + len(x) for s, x in sounds))
    for start, sound in sounds:
        whole[start : start + len(sound)] += sound
    pieces = list(mix(sounds))
    assert max(map(len, pieces)) <= BLOCK
    assert np.allclose(np.concatenate(pieces), whole, atol=1e-5)


def test_mix_writes_what_is_over_before_it_asks_for_more() -> None:
    asked = []

    def sounds() -> Iterator[tuple[int, NDArray[np.float32]]]:
        for number in range(50):
            asked.append(number)
            yield number * BLOCK, np.ones(10, np.float32)

    for written, _ in enumerate(mix(sounds())):
        assert len(asked) - written <= 2


def test_interrupted_playing_leaves_the_file_of_before(tmp_path: Path) -> None:
    def pieces() -> Iterator[NDArray[np.float32]]:
        yield np.ones(10, np.float32)
        raise KeyboardInterrupt

    write_mix(tmp_path / "a.wav", [np.full(10, 0.5, np.float32)], RATE)
    with pytest.raises(KeyboardInterrupt):
        write_mix(tmp_path / "a.wav", pieces(), RATE)
    assert np.all(soundfile.read(tmp_path / "a.wav")[0] == 0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


# --- the door --------------------------------------------------------------------------------------------------


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A patch.json and a song.mid of two notes and a drum."""
    write_patch(tmp_path / "patch.json", patch())
    track = mido.MidiTrack()
    for note, channel in ((69, 0), (36, 9), (76, 1)):
        track += [
            mido.Message("note_on", note=note, channel=channel, velocity=90),
            mido.Message("note_off", note=note, channel=channel, time=480),
        ]
    mido.MidiFile(tracks=[track]).save(tmp_path / "song.mid")
    return tmp_path


def test_command_plays_a_midi_file(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "patch.json", "--midi", "song.mid", "--output", "deep/out.wav"]) == 0
    assert capsys.readouterr().out == "2 notes -> deep/out.wav\n"
    audio, rate = soundfile.read(song / "deep" / "out.wav")
    assert rate == RATE
    assert loudest(audio[: rate // 2]) == pytest.approx(440.0, rel=0.01)
    assert loudest(audio[rate : 3 * rate // 2]) == pytest.approx(659.26, rel=0.01)


def test_command_plays_a_range_into_one_file_or_into_one_a_note(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["play", "patch.json", "--notes", "A3:A5", "--step", "12", "--length", "0.5", "--velocity", "64"]
    assert main(words) == 0
    assert main([*words, "--separate", "--output", "each"]) == 0
    assert capsys.readouterr().out == "3 notes -> patch_notes.wav\n3 notes -> each\n"
    audio, _ = soundfile.read("patch_notes.wav", dtype="float32")
    names = ["057_A3.wav", "069_A4.wav", "081_A5.wav"]
    assert sorted(path.name for path in Path("each").iterdir()) == names
    for place, name in enumerate(names):
        alone, _ = soundfile.read(Path("each") / name, dtype="float32")
        assert loudest(alone) == pytest.approx(220.0 * 2**place, rel=0.01)
        within = audio[place * RATE // 2 : place * RATE // 2 + 7000]
        assert np.allclose(within, alone[:7000], atol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--midi", "absent.mid"], "no such MIDI file: absent.mid"),
        (["--midi", "patch.json"], "cannot read patch.json as a MIDI file"),
        (["--midi", "song.mid", "--output", "song.mid"], "--output must end in .wav. Received: song.mid"),
        (["--midi", "song.mid", "--notes", "A4"], "either --midi FILE or --notes C3:C5"),
        ([], "either --midi FILE or --notes C3:C5"),
        (["--midi", "song.mid", "--separate"], "--separate goes with --notes"),
        (["--notes", "C5:C3"], "a range of notes rises. Received: C5:C3. Write it as C3:C5"),
        (["--notes", "X3"], "a note is a letter"),
        (
            ["--notes", "A4", "--velocity", "200"],
            "velocity must be less than or equal to 127. Received: --velocity 200",
        ),
        (["--notes", "A4", "--sample_rate", "4000"], "needs a sample rate above 8000 Hz"),
        (["--notes", "A4", "--output", "patch.json/a.wav"], "cannot write patch.json/a.wav"),
    ],
)
@pytest.mark.usefixtures("song")
def test_command_describes_a_fault_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", "patch.json", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("change", [{"synth": "fn"}, {"parameters": []}, {"surprise": 1}])
def test_bad_patch_is_one_line(song: Path, change: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    (song / "bad.json").write_text(json.dumps(json.loads(patch().to_json()) | change))
    assert main(["play", "bad.json", "--notes", "A4"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_patch_plays_at_its_own_sample_rate_unless_reported_another() -> None:
    other = replace(patch(), sample_rate=22050)
    assert Instrument(other).sample_rate == 22050
    audio = Instrument(other, sample_rate=48000).render(Note(0.0, 0.5, 69))
    assert len(audio) >= 24000
    assert loudest(audio) * 48000 / RATE == pytest.approx(440.0, rel=0.01)


# --- patches at another root -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pitch", [33, 57, 81])
def test_patch_at_another_root_plays_every_pitch_where_it_belongs(pitch: int) -> None:
    instrument = Instrument(replace(patch(), root=45.0))
    assert instrument.root == 220.0  # A5 two octaves down
    assert loudest(instrument.render(Note(0.0, 1.0, pitch))) == pytest.approx(float(midi_to_hz(pitch)), rel=0.01)


def test_root_note_of_a_low_patch_is_its_sound() -> None:
    low = replace(patch(B_sin=200.0), root=45.0)
    audio = Instrument(low).render(Note(0.0, 0.8, 57))
    np.testing.assert_allclose(audio, render_patch(low)[: len(audio)], atol=1e-6)


def test_oscillators_of_a_low_patch_are_silenced_by_what_is_heard_of_them() -> None:
    low, high = Instrument(replace(patch(), root=45.0)), Instrument(patch())
    for pitch in (69, 117, 121):
        assert low.values(pitch)[1] == high.values(pitch)[1]
    assert (low.values(117)[1], low.values(121)[1]) == (1, 0)  # 7,040 and 8,870 Hz at 16,384 Hz
