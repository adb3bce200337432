"""SoundFonts: notes sound at their pitch and for their time, whatever a font declares about its samples."""

import numpy as np
import pytest

from generators.errors import AudioError, DatasetError, ParameterError
from generators.notes.general_midi import PITCHED, PROGRAMS, program_number
from generators.notes.labels import FAMILIES, SOURCES
from generators.notes.soundfont import SoundFont, general_midi_font
from generators.notes.soundfont_player import render_note
from generators.notes.soundfont_source import soundfont_source
from tests.generators.notes.fonts import PERIOD, RATE, ROOT, chunk, sine_font

SINE = RATE / PERIOD
"""Hertz of the test font at its root key."""

STEADY = (
    *(16, 18, 19, 20, 40, 41, 42, 44, 48, 56, 57, 58, 60, 61, 64, 65, 66, 68, 69, 70),
    *(71, 72, 74, 75, 79, 80, 81, 82, 85, 89),
)
"""Programs of the font of General MIDI that hold one pitch: organs, strings, brass, reeds, flutes, leads."""


@pytest.fixture(scope="module")
def font():
    return SoundFont(general_midi_font())


def render(font, number=0, pitch=ROOT, velocity=100, *, held=0.5, samples=16000, sample_rate=16000, bank=0):
    return render_note(font, bank, number, pitch, velocity, held=held, samples=samples, sample_rate=sample_rate)


def cents(audio, frequency, sample_rate=16000, partials=4):
    """How far the strongest of the first partials is from its place."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 8 * len(audio)))
    bins = np.fft.rfftfreq(8 * len(audio), 1 / sample_rate)
    found = []
    for number in range(1, partials + 1):
        near = np.abs(np.log2(np.maximum(bins, 1.0) / (number * frequency))) < 0.5 / 12
        peak = np.argmax(np.where(near, spectrum, 0.0))
        found.append((spectrum[peak], 1200 * np.log2(bins[peak] / (number * frequency))))
    return max(found)[1]


def decibels(audio):
    return 20 * np.log10(np.sqrt(np.mean(np.square(audio, dtype=np.float64))) + 1e-12)


# --- pitch --------------------------------------------------------------------------------------------------------


def test_steady_instruments_play_a4_within_ten_cents(font):
    off = {number: cents(render(font, number, 69, held=2.0, samples=32000)[8000:], 440.0) for number in STEADY}
    assert not {number: error for number, error in off.items() if abs(error) > 10}
    assert np.median(np.abs(list(off.values()))) < 4


@pytest.mark.parametrize("pitch", [36, 48, 60, 72, 84])
@pytest.mark.parametrize("number", [0, 19, 56, 80])
def test_a_key_is_its_pitch_in_every_octave(font, number, pitch):
    audio = render(font, number, pitch, held=1.5, samples=24000)[6000:]
    assert abs(cents(audio, 440 * 2 ** ((pitch - 69) / 12))) < 10


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100])
def test_pitch_does_not_depend_on_the_sample_rate(tmp_path, sample_rate):
    font = SoundFont(sine_font(tmp_path / "sine.sf2"))
    audio = render(font, pitch=72, held=1.0, samples=sample_rate, sample_rate=sample_rate)
    assert abs(cents(audio, 2 * SINE, sample_rate, partials=1)) < 0.5


@pytest.mark.parametrize(
    ("generators", "semitones"),
    [({58: 48}, 12), ({51: -2}, -2), ({52: 50}, 0.5), ({56: 50}, 0), ({56: 0}, 0)],
    ids=["root key", "coarse", "fine", "scale at its root", "no scale"],
)
def test_tuning_is_followed(tmp_path, generators, semitones):
    font = SoundFont(sine_font(tmp_path / "sine.sf2", generators=generators))
    assert abs(cents(render(font)[:8000], SINE * 2 ** (semitones / 12), partials=1)) < 1.0


def test_pitch_correction_is_followed(tmp_path):
    font = SoundFont(sine_font(tmp_path / "sine.sf2", correction=-30))
    assert cents(render(font)[:8000], SINE, partials=1) == pytest.approx(-30, abs=0.5)


def test_a_quarter_scale_moves_a_quarter_of_the_way(tmp_path):
    font = SoundFont(sine_font(tmp_path / "sine.sf2", generators={56: 25}))
    assert abs(cents(render(font, pitch=ROOT + 12)[:8000], SINE * 2 ** (3 / 12), partials=1)) < 1.0


def test_a_bright_sample_played_high_does_not_fold_over(tmp_path):
    font = SoundFont(sine_font(tmp_path / "sine.sf2"))
    audio = render(font, pitch=100)  # 3225 Hz: its cubic images lie near 32 kHz and above
    spectrum = np.abs(np.fft.rfft(audio[:8000] * np.hanning(8000)))
    bins = np.fft.rfftfreq(8000, 1 / 16000)
    tone = np.abs(bins - SINE * 2 ** (40 / 12)) < 200
    assert 20 * np.log10(spectrum[~tone].max() / spectrum[tone].max()) < -60


# --- level and time -----------------------------------------------------------------------------------------------


def test_velocity_is_a_square_of_the_level(tmp_path):
    font = SoundFont(sine_font(tmp_path / "sine.sf2"))
    loud, soft = (render(font, velocity=velocity)[:8000] for velocity in (100, 50))
    assert decibels(loud) - decibels(soft) == pytest.approx(40 * np.log10(2), abs=0.01)
    assert decibels(render(font, velocity=127)[1000:8000]) == pytest.approx(
        20 * np.log10(16000 / 32768 / np.sqrt(2) / np.sqrt(2)), abs=0.05
    )


def test_attenuation_counts_two_fifths(tmp_path):
    plain, less = (SoundFont(sine_font(tmp_path / f"{amount}.sf2", generators={48: amount})) for amount in (0, 200))
    assert decibels(render(plain)[:8000]) - decibels(render(less)[:8000]) == pytest.approx(8.0, abs=0.01)


def test_envelopes_take_their_time(tmp_path):
    # attack 0.25 s, decay 0.5 s (of the 100 dB) to -20 dB, release 0.5 s of the 100 dB
    times = {34: -2400, 36: -1200, 37: 200, 38: -1200}
    audio = render(SoundFont(sine_font(tmp_path / "sine.sf2", generators=times)), held=0.7, samples=16000)
    full = decibels(render(SoundFont(sine_font(tmp_path / "plain.sf2")))[4000:8000])
    part = {
        time: decibels(audio[round((time - 0.005) * 16000) : round((time + 0.005) * 16000)])
        for time in (*(0.125, 0.249, 0.3, 0.5, 0.6, 0.8),)
    }
    assert part[0.125] == pytest.approx(full + 20 * np.log10(0.5), abs=1.0)
    assert part[0.249] == pytest.approx(full, abs=1.0)
    assert part[0.3] == pytest.approx(full - 10, abs=1.0)
    assert part[0.5] == part[0.6] == pytest.approx(full - 20, abs=1.0)
    assert part[0.8] == pytest.approx(full - 40, abs=1.5)


def test_what_still_sounds_at_the_end_fades(tmp_path):
    font = SoundFont(sine_font(tmp_path / "sine.sf2"))
    audio = render(font, held=1.0)
    assert audio[-1] == 0.0
    assert decibels(audio[-80:]) < decibels(audio[-1000:-200]) - 6


def test_a_low_pass_takes_the_treble(font, tmp_path):
    open_, shut = (SoundFont(sine_font(tmp_path / f"{cutoff}.sf2", generators={8: cutoff})) for cutoff in (13500, 5000))
    # cutoff at 8.176 Hz * 2^(5000/1200) = 147 Hz, the tone at 3225 Hz: 4.5 octaves of 12 dB below
    lost = decibels(render(open_, pitch=100)[2000:8000]) - decibels(render(shut, pitch=100)[2000:8000])
    assert lost == pytest.approx(12 * np.log2(3225.4 / 146.8), abs=1.0)


def test_vibrato_swings_the_pitch(tmp_path):
    font = SoundFont(sine_font(tmp_path / "sine.sf2", generators={6: 50, 24: 0}))  # 8.176 Hz, half a semitone
    spectrum = np.abs(np.fft.rfft(render(font, held=1.0)[:16000] * np.hanning(16000)))
    sides = [spectrum[round(SINE + side * 8.176) - 2 : round(SINE + side * 8.176) + 3].max() for side in (-1, 0, 1)]
    assert min(sides[0], sides[2]) > 0.1 * sides[1]


def test_notes_are_the_same_each_time_and_silent_where_nothing_is(tmp_path, font):
    np.testing.assert_array_equal(render(font, 52, 60), render(font, 52, 60))
    assert not np.array_equal(render(font, 52, 60), render(font, 53, 60))
    sine = SoundFont(sine_font(tmp_path / "sine.sf2"))
    assert not render(sine, pitch=101).any()
    assert render(sine, pitch=100).any()


# --- what can be asked for ----------------------------------------------------------------------------------------


def test_programs_have_names_and_labels_of_nsynth():
    assert len(PROGRAMS) == len({program.name for program in PROGRAMS}) == 128
    assert {program.family for program in PROGRAMS} == set(FAMILIES)
    assert {program.source for program in PROGRAMS} == set(SOURCES)
    assert not [program.name for program in PROGRAMS if "_" in program.name]
    assert [program_number(text) for text in ("violin", "40", "Tremolo Strings", "french_horn")] == [40, 40, 44, 60]
    with pytest.raises(ParameterError, match=r"unknown instrument 'violn'. Did you mean 'violin'"):
        program_number("violn")
    with pytest.raises(ParameterError, match=r"programs run from 0 to 127. Received: 128"):
        program_number("128")


def test_a_source_lays_out_instruments_by_pitches_by_velocities():
    source = soundfont_source(
        instruments=("violin", "44", "0:56"), pitches=(60, 62), velocities=(50, 100), held=0.1, length=0.2
    )
    table = source.table
    assert len(table) == 12
    assert table.names["instrument"] == ("violin", "tremolo-strings", "trumpet")
    assert table.pitch.tolist() == [60, 60, 62, 62] * 3
    assert table.velocity.tolist() == [50, 100] * 6
    styles = [table.names["style"][number] for number in table.labels["style"]]
    assert styles == ["normal"] * 4 + ["tremolo"] * 4 + ["normal"] * 4
    audio = source.audio(slice(5, 7))
    assert audio.shape == (2, 3200)
    expected = render_note(SoundFont(general_midi_font()), 0, 44, 60, 100, held=0.1, samples=3200, sample_rate=16000)
    np.testing.assert_array_equal(audio[0], expected)


def test_labels_choose_among_instruments():
    def names(**chosen):
        return soundfont_source(pitches=(60,), **chosen).table.names["instrument"]

    assert len(names()) == len(PITCHED)
    assert names(styles=("tremolo", "pizzicato")) == ("tremolo-strings", "pizzicato-strings")
    assert names(families=("vocal",), sources=("acoustic",)) == ("choir-aahs", "voice-oohs")
    source = soundfont_source(pitches=(60, 64), families=("vocal",), sources=("acoustic",), held=0.1, length=0.2)
    np.testing.assert_array_equal(
        source.audio(slice(0, 4)),
        soundfont_source(instruments=("52", "53"), pitches=(60, 64), held=0.1, length=0.2).audio(slice(0, 4)),
    )


def test_a_font_of_ones_own_is_played_where_it_sounds(tmp_path):
    path = sine_font(tmp_path / "sine.sf2", bank=3)
    source = soundfont_source(path, instruments=("3:0",), pitches=(19, 20, 100, 101), held=0.1, length=0.2)
    assert source.table.pitch.tolist() == [20, 100]
    assert source.table.names["instrument"] == ("acoustic-grand-piano-bank-3",)
    assert soundfont_source(path, instruments=("Sine",), pitches=(60,)).table.names == source.table.names
    with pytest.raises(DatasetError, match=r"sine.sf2 must have some of the requested notes"):
        soundfont_source(path, instruments=("3:0",), pitches=(101,))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"instruments": ("violn",)}, ParameterError, "Did you mean 'violin'"),
        ({"instruments": ("9:40",)}, ParameterError, "unknown preset '9:40'"),
        ({"families": ("strings",)}, ParameterError, "unknown family 'strings'. Did you mean 'string'"),
        ({"styles": ("spiccato",)}, ParameterError, "unknown style 'spiccato'"),
        ({"held": 5.0}, ParameterError, "held for a part of its length, 4 s. Received: 5 s"),
        ({"instruments": ("violin",), "families": ("brass",)}, DatasetError, "some of 1 notes must be left"),
    ],
)
def test_what_a_font_lacks_is_refused(options, error, words):
    with pytest.raises(error, match=words):
        soundfont_source(**{"pitches": (60,), **options})


def test_a_file_that_is_no_soundfont_is_refused(tmp_path):
    with pytest.raises(AudioError, match=r"no such SoundFont: .*absent\.sf2\. Name an SF2 or SF3 file"):
        SoundFont(tmp_path / "absent.sf2")
    (tmp_path / "text.sf2").write_text("hello")
    with pytest.raises(AudioError, match="a SoundFont is an SF2 or SF3 file"):
        SoundFont(tmp_path / "text.sf2")
    whole = sine_font(tmp_path / "sine.sf2").read_bytes()
    for length in (100, 1000, len(whole) - 10):
        (tmp_path / "cut.sf2").write_bytes(whole[:length])
        with pytest.raises(AudioError, match="a SoundFont is an SF2 or SF3 file") as fault:
            SoundFont(tmp_path / "cut.sf2")
        assert "\n" not in str(fault.value)


def test_a_compressed_font_sounds_as_one_that_is_not(tmp_path):
    plain = SoundFont(sine_font(tmp_path / "sine.sf2"))
    packed = SoundFont(sine_font(tmp_path / "sine.sf3", vorbis=True))
    for pitch in (48, 60, 72):
        ours, theirs = (render(font, pitch=pitch, held=0.9)[2000:14000] for font in (packed, plain))
        assert cents(ours, SINE * 2 ** ((pitch - ROOT) / 12), partials=1) == pytest.approx(0.0, abs=1.0)
        assert decibels(ours) == pytest.approx(decibels(theirs), abs=0.3)


def test_a_compressed_sample_that_is_broken_is_refused_where_it_is_played(tmp_path):
    whole = sine_font(tmp_path / "sine.sf3", vorbis=True).read_bytes()
    start = whole.index(b"OggS")
    broken = whole[:start] + b"\xff" * 64 + whole[start + 64 :]
    (tmp_path / "broken.sf3").write_bytes(broken)
    font = SoundFont(tmp_path / "broken.sf3")
    with pytest.raises(AudioError, match=r"sample 0 of .*broken.sf3 must be an Ogg Vorbis stream. Received: \d+ bytes"):
        render(font)


@pytest.mark.parametrize("vorbis", [False, True])
def test_a_font_without_padding_behind_odd_chunks_is_read(tmp_path, vorbis):
    padded = SoundFont(sine_font(tmp_path / "a.sf2", vorbis=vorbis))
    odd = SoundFont(sine_font(tmp_path / "b.sf2", vorbis=vorbis, padded=False))
    np.testing.assert_array_equal(render(odd), render(padded))


def test_lists_within_lists_are_refused(tmp_path):
    content = b""
    for _ in range(5000):
        content = b"LIST" + (len(content) + 4).to_bytes(4, "little") + b"pdta" + content
    (tmp_path / "deep.sf2").write_bytes(chunk(b"RIFF", b"sfbk" + content))
    with pytest.raises(AudioError, match="with lists within lists, 3 deep and more"):
        SoundFont(tmp_path / "deep.sf2")


def test_a_font_larger_than_any_is_refused(tmp_path):
    with (tmp_path / "huge.sf2").open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(AudioError, match=r"a SoundFont has at most 1,073\.74 MB"):
        SoundFont(tmp_path / "huge.sf2")


def test_a_font_with_wrong_bytes_sounds_or_is_refused(tmp_path):
    whole = sine_font(tmp_path / "sine.sf2").read_bytes()
    generator, outcomes = np.random.default_rng(0), set()
    for _ in range(400):
        broken = bytearray(whole)
        for place in generator.integers(2020, len(whole), size=3):  # behind the samples
            broken[place] = generator.integers(256)
        (tmp_path / "broken.sf2").write_bytes(broken)
        try:
            font = SoundFont(tmp_path / "broken.sf2")
            for bank, number in font.presets:
                assert np.isfinite(render(font, number, bank=bank, held=0.01, samples=200, sample_rate=8000)).all()
            outcomes.add("sounds")
        except AudioError:
            outcomes.add("refused")
    assert outcomes == {"sounds", "refused"}
