"""Patches rendered: WAV files, samples with SFZ texts, and loops that are not heard."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.analysis.pitch import find_note
from generators.audio import read_audio
from generators.dx7.archetypes import archetype_values
from generators.dx7.sysex import read_syx, write_syx
from generators.dx7.voice import Voice, voices_from_values
from generators.errors import ParameterError
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.cli import main
from inversynth.export.samples import Sample, release_seconds, samples_folder, sfz_text, zones
from inversynth.patches.formats import patch_from_voice, read_any_patch
from inversynth.patches.patch import Patch, render_patch, write_patch
from inversynth.playback.loops import MOST_CLICK, MOST_LEVEL_STEP, find_loop, is_steady
from inversynth.playback.midi import Note
from inversynth.playback.play import open_instrument

VOICES = {voice.name: voice for voice in voices_from_values(archetype_values())}
RATE = 44100


def tone(seconds: float, decay: float = 0.0, hertz: float = 220.3) -> np.ndarray:
    """Return a tone with a harmonic that beats, falling by `decay` dB a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = np.sin(2 * np.pi * hertz * time) + 0.4 * np.sin(2 * np.pi * (2 * hertz + 0.7) * time)
    return (0.3 * sound * 10.0 ** (-decay * time / 20.0)).astype(np.float32)


def fm_patch(row: int) -> Patch:
    synth = build_synth("fm", 16384, 1.0)
    values = synth.space.classes_to_values(sample_classes(synth.space, row, row + 1, 5)[0])
    return Patch(synth.space, values, 16384, 1.0)


def midi_of(audio: np.ndarray, rate: int = RATE) -> float:
    """Return the MIDI number of a sound's pitch."""
    found = find_note(audio, rate)
    assert found is not None
    return found.midi


# --- loops ------------------------------------------------------------------------------------------------------


def largest_step(audio: np.ndarray, size: int) -> float:
    """Return the largest difference of level between neighbouring parts, in dB, by plain means."""
    parts = audio[: len(audio) // size * size].astype(np.float64).reshape(-1, size)
    levels = 10.0 * np.log10(np.square(parts).mean(axis=1))
    return float(np.abs(np.diff(levels)).max())


def test_a_looped_tone_goes_on_as_the_tone_would() -> None:
    sound = tone(5.0)
    loop = find_loop(sound, 4 * RATE, RATE)
    assert loop is not None
    played = loop.played(12 * RATE)
    assert largest_step(played[RATE:], RATE // 20) <= largest_step(sound[RATE:], RATE // 20) + 0.1
    bends = np.abs(np.diff(played.astype(np.float64), 2))
    assert bends.max() <= 1.02 * np.abs(np.diff(sound.astype(np.float64), 2)).max()
    assert midi_of(played[-2 * RATE :], RATE) == pytest.approx(midi_of(sound[:RATE], RATE), abs=0.02)
    np.testing.assert_array_equal(loop.audio[loop.end :], loop.played(loop.end + 64)[loop.end :])


def test_a_loop_begins_at_a_rising_zero_crossing_of_the_sound() -> None:
    sound = tone(5.0)
    loop = find_loop(sound, 4 * RATE, RATE)
    assert loop is not None
    assert sound[loop.start - 1] < 0.0 <= sound[loop.start]
    np.testing.assert_array_equal(loop.audio[: loop.start], sound[: loop.start])
    assert abs(float(loop.audio[loop.end - 1]) - float(sound[loop.start - 1])) < 1e-4


@pytest.mark.parametrize("decay", [1.5, 6.0, 30.0])
def test_a_decaying_tone_is_not_looped(decay: float) -> None:
    assert find_loop(tone(4.0, decay), 4 * RATE, RATE) is None


def test_silence_and_short_sounds_are_not_looped() -> None:
    assert not is_steady(np.zeros(4 * RATE))
    assert find_loop(np.zeros(RATE, np.float32), RATE, RATE) is None
    assert find_loop(tone(0.001), 20, RATE) is None


@pytest.mark.parametrize("name", ["WOOD REED", "DRAWBARS", "SQUARE LEA", "VOCAL", "SLOW PAD"])
def test_loops_of_sustained_voices_keep_level_and_waveform(name: str) -> None:
    instrument = open_instrument(patch_from_voice(VOICES[name]), RATE)
    audio = instrument.render(Note(0.0, 4.0, 60, 100))
    loop = find_loop(audio, 4 * RATE, RATE)
    assert loop is not None
    assert loop.level_step <= MOST_LEVEL_STEP
    assert loop.click <= MOST_CLICK
    held, played = audio[RATE : 4 * RATE], loop.played(10 * RATE)[RATE:]
    assert np.abs(played).max() <= 1.06 * np.abs(held).max()
    assert largest_step(played, RATE // 20) <= largest_step(held, RATE // 20) + 2.0 * MOST_LEVEL_STEP
    assert np.abs(np.diff(played, 2)).max() <= 1.1 * np.abs(np.diff(held, 2)).max()


@pytest.mark.parametrize("name", ["TINE PIANO", "CHURCH", "STEEL", "TOM"])
def test_voices_that_decay_are_not_looped(name: str) -> None:
    instrument = open_instrument(patch_from_voice(VOICES[name]), RATE)
    assert find_loop(instrument.render(Note(0.0, 4.0, 60, 100)), 4 * RATE, RATE) is None


def test_sounds_of_fm_are_looped() -> None:
    for row in (2, 9):
        instrument = open_instrument(fm_patch(row), RATE)
        loop = find_loop(instrument.render(Note(0.0, 4.0, 69, 127)), 4 * RATE, RATE)
        assert loop is not None
        assert loop.level_step <= MOST_LEVEL_STEP


def test_the_release_is_the_time_to_fall_by_60_db() -> None:
    time = np.arange(RATE) / RATE
    falling = 10.0 ** (-200.0 * time / 20.0)
    sound = np.concatenate([np.ones(RATE), falling]).astype(np.float32)
    assert release_seconds(sound, RATE, RATE) == pytest.approx(0.3, abs=0.001)
    assert release_seconds(sound[:RATE], RATE, RATE) == 0.01


# --- SFZ --------------------------------------------------------------------------------------------------------


def parse_sfz(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Read an SFZ text as sfzformat.com describes it: headers, opcodes `name=value`, comments."""
    globals_: dict[str, str] = {}
    regions: list[dict[str, str]] = []
    target = globals_
    for line in text.splitlines():
        plain = line.split("//")[0].strip()
        if plain == "<global>":
            target = globals_
        elif plain == "<region>":
            target = {}
            regions.append(target)
        else:
            pairs = re.findall(r"(\w+)=(\S+)", plain)
            assert " ".join(f"{name}={value}" for name, value in pairs) == plain
            target.update(pairs)
    return globals_, regions


def wav_chunks(content: bytes) -> dict[str, bytes]:
    """Return the chunks of a WAV file by name, each in the file as a whole."""
    assert content[:4] + content[8:12] == b"RIFFWAVE"
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    place, found = 12, {}
    while place < len(content):
        (size,) = struct.unpack("<I", content[place + 4 : place + 8])
        found[content[place : place + 4].decode()] = content[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    assert place == len(content)
    return found


def test_every_key_and_velocity_has_one_sample_and_it_is_the_nearest() -> None:
    found = zones([36, 39, 42], 43, [40, 80, 120])
    for key in range(36, 44):
        for velocity in range(1, 128):
            (zone,) = [
                each
                for each in found
                if each.keys[0] <= key <= each.keys[1] and each.velocities[0] <= velocity <= each.velocities[1]
            ]
            assert abs(zone.key - key) == min(abs(other - key) for other in (36, 39, 42))
            assert abs(zone.velocity - velocity) == min(abs(other - velocity) for other in (40, 80, 120))
    assert [each.keys for each in zones([60], 60, [100])] == [(60, 60)]
    with pytest.raises(ParameterError, match="1 to 1024 samples"):
        zones(range(128), 127, range(1, 128))


def test_names_hold_no_character_that_samplers_read_otherwise() -> None:
    assert samples_folder(Path("a/Büro #1 $x.sfz")) == "B_ro_1_x_samples"
    zone = zones([61], 61, [5])[0]
    assert zone.file == "061_Cs4_v005.wav"
    text = sfz_text([Sample(zone, np.zeros(1, np.float32), None, 0.01)], "f", "evil\n<region>\nsample=/etc/passwd")
    assert len(parse_sfz(text)[1]) == 1


def test_sfz_plays_the_voice_at_its_keys_and_velocities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_syx(tmp_path / "reed.syx", [VOICES["WOOD REED"].replaced(op1_velocity_sensitivity=5)])
    words = ["export", "reed.syx", "--format", "sfz", "--notes", "C4:G4", "--velocities", "40,120"]
    assert main([*words, "--output", "instrument/reed.sfz"]) == 0
    globals_, regions = parse_sfz((tmp_path / "instrument" / "reed.sfz").read_text(encoding="utf-8"))
    assert globals_["amp_veltrack"] == "0"
    assert [(int(each["pitch_keycenter"]), int(each["lovel"])) for each in regions] == [
        (key, low) for key in (60, 63, 66) for low in (1, 80)
    ]
    assert [(int(each["lokey"]), int(each["hikey"])) for each in regions[::2]] == [(60, 61), (62, 64), (65, 67)]
    loudness = []
    for region in regions:
        sound, rate = soundfile.read(tmp_path / "instrument" / region["sample"])
        assert soundfile.info(tmp_path / "instrument" / region["sample"]).subtype == "PCM_16"
        assert region["loop_mode"] == "loop_continuous"
        start, end = int(region["loop_start"]), int(region["loop_end"])
        assert 0 < start < end < len(sound)
        chunks = wav_chunks((tmp_path / "instrument" / region["sample"]).read_bytes())
        assert list(chunks) == ["fmt ", "data", "smpl"]
        numbers = struct.unpack("<15I", chunks["smpl"])
        assert (numbers[3], numbers[7], numbers[11], numbers[12]) == (int(region["pitch_keycenter"]), 1, start, end)
        assert numbers[2] == round(1e9 / rate)
        looped = np.tile(sound[start : end + 1], 6)
        assert midi_of(looped, rate) == pytest.approx(int(region["pitch_keycenter"]), abs=0.05)
        assert np.abs(np.diff(looped, 2)).max() <= 1.05 * np.abs(np.diff(sound[start:end], 2)).max() + 2.0 / 32768
        assert 0.01 <= float(region["ampeg_release"]) <= 1.0
        loudness.append(float(np.abs(sound).max()))
    assert max(loudness) == pytest.approx(10.0 ** (-1 / 20), abs=1e-3)
    assert loudness[0] < 0.7 * loudness[1]
    assert "6 samples in reed_samples, 6 of them looped" in capsys.readouterr().out


def test_decaying_voices_are_one_shots_or_end_by_themselves(tmp_path: Path) -> None:
    write_syx(tmp_path / "tom.syx", [VOICES["TOM"]])
    words = ["export", "tom.syx", "--format", "sfz", "--notes", "C3", "--seconds", "1"]
    for loops, mode in (("auto", "no_loop"), ("one_shot", "one_shot")):
        assert main([*words, "--loops", loops]) == 0
        globals_, (region,) = parse_sfz((tmp_path / "tom.sfz").read_text(encoding="utf-8"))
        assert region["loop_mode"] == mode
        assert "loop_start" not in region
        assert globals_["amp_veltrack"] == "100"
    sound, _ = soundfile.read(tmp_path / region["sample"])
    assert len(sound) > 0.2 * RATE


def test_fm_patches_become_instruments(tmp_path: Path) -> None:
    write_patch(tmp_path / "tone" / "patch.json", fm_patch(9))
    assert main(["export", "tone/patch.json", "--format", "sfz", "--notes", "A4:C5", "--seconds", "2"]) == 0
    _, regions = parse_sfz((tmp_path / "tone.sfz").read_text(encoding="utf-8"))
    assert [each["pitch_keycenter"] for each in regions] == ["69", "72"]
    assert (tmp_path / "tone_samples" / "069_A4_v100.wav").is_file()


# --- WAV --------------------------------------------------------------------------------------------------------


def test_wav_is_the_sound_of_the_patch(tmp_path: Path) -> None:
    write_syx(tmp_path / "a.syx", [VOICES["HORN"]])
    assert main(["export", "a.syx", "--format", "wav"]) == 0
    patch = read_any_patch(tmp_path / "a.syx")
    found = read_audio(tmp_path / "a.wav")
    sound = render_patch(patch)
    np.testing.assert_allclose(found.audio, sound / max(float(np.abs(sound).max()), 1.0), atol=1e-6)
    assert found.sample_rate == patch.sample_rate


def test_wav_takes_notes_velocities_seconds_and_a_rate(tmp_path: Path) -> None:
    write_syx(tmp_path / "a.syx", [VOICES["WOOD REED"].replaced(op1_velocity_sensitivity=7)])
    words = ["export", "a.syx", "--format", "wav", "--sample_rate", "22050", "--seconds", "0.75"]
    assert main([*words, "--notes", "C4:C5", "--step", "12", "--velocities", "30,120"]) == 0
    sound = read_audio(tmp_path / "a.wav")
    assert sound.sample_rate == 22050
    assert len(sound.audio) == pytest.approx((3.0 + 1.75) * 22050, abs=2)
    parts = [sound.audio[place * 22050 :][: round(0.75 * 22050)] for place in range(4)]
    assert [midi_of(part, 22050) for part in parts] == pytest.approx([60, 60, 72, 72], abs=0.05)
    quiet, loud, *_ = (float(np.square(part).mean()) for part in parts)
    assert quiet < 0.2 * loud
    assert main([*words, "--velocities", "90", "--output", "own.wav"]) == 0
    assert midi_of(read_audio(tmp_path / "own.wav").audio[: 22050 // 2], 22050) == pytest.approx(60, abs=0.05)


# --- banks ------------------------------------------------------------------------------------------------------


def test_several_patches_make_one_bank_of_distinct_names(tmp_path: Path) -> None:
    first, second = Voice().replaced("SAME"), Voice().replaced("SAME", algorithm=9)
    write_syx(tmp_path / "one.syx", [first])
    write_syx(tmp_path / "bank.syx", [second, Voice().replaced("OTHER")])
    assert main(["export", "one.syx", "bank.syx#1", "bank.syx#2", "--format", "syx"]) == 0
    voices = read_syx(tmp_path / "voices.syx").voices
    assert len(voices) == 32
    assert [voice.name for voice in voices[:4]] == ["SAME", "SAME 2", "OTHER", "INIT VOICE"]
    assert voices[1]["algorithm"] == 9


def test_more_than_32_voices_are_several_banks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    write_syx(tmp_path / "bank.syx", list(VOICES.values())[:32])
    assert main(["export", "bank.syx", "bank.syx#1", "--format", "syx", "--output", "more.syx"]) == 0
    voices = read_syx(tmp_path / "more.syx").voices
    assert len(voices) == 64
    assert voices[32].data[:145] == voices[0].data[:145]
    assert len({voice.name for voice in voices[:33]}) == 33
    assert "33 voices are 2 banks in one file" in caplog.text
    assert "(33 voices)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.syx", "a.syx", "--format", "json"], "several patches go into one file of DX7 voices, with --format syx"),
        (["a.syx", "--format", "csv", "--notes", "C4"], "--notes goes with --format wav or sfz"),
        (["a.syx", "--format", "wav", "--loops", "none"], "--loops goes with --format sfz"),
        (["a.syx", "--format", "sfz", "--velocities", "0:10"], "velocities run from 1 to 127"),
        (["a.syx", "--format", "sfz", "--notes", "H4"], "a note is a letter"),
        (["a.syx", "--format", "sfz", "--output", "a.wav"], "--output must end in .sfz"),
        (["a.syx", "--format", "sfz", "--notes", "0:127:1", "--velocities", "1:8", "--seconds", "9"], "million values"),
        (["inverter", "--format", "wav"], "a model is written with --format onnx"),
        (["a.syx", "missing.json", "--format", "syx"], "missing.json"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_written(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_syx(tmp_path / "a.syx", [Voice()])
    assert main(["export", *words]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.syx"]
