"""Patches out to CSV and MIDI control changes and back: the same sound, and each fault in one line."""

from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from generators.analysis.audio_metrics import stft_pcc
from generators.analysis.pitch import find_note
from generators.dx7.sysex import format_syx, read_syx, write_syx
from generators.dx7.voice import Voice
from generators.errors import InversynthError, ParameterError
from generators.registry import SYNTHS, build_synth
from generators.sampling import sample_classes
from inversynth.cli import main
from inversynth.patches.formats import (
    CONTROLLERS,
    EXACT,
    FULL,
    SUFFIXES,
    controller,
    patch_from_csv,
    patch_from_voice,
    patch_to_csv,
    read_any_patch,
    voice_from_patch,
    write_any_patch,
)
from inversynth.patches.patch import Patch, read_patch, render_patch, write_patch

FM = build_synth("fm").space


def on_levels(name: str, row: int = 0) -> Patch:
    space = build_synth(name).space
    return Patch(space, space.classes_to_values(sample_classes(space, row, row + 1, seed=2)[0]), 16384, 0.5)


def between_levels(row: int = 0) -> Patch:
    unit = np.random.default_rng(row).uniform(size=len(FM))
    return Patch(FM, FM.unit_to_values(unit), 22050, 0.3, level_db=-12.5)


@pytest.mark.parametrize("form", ["json", "csv", "midi-cc"])
@pytest.mark.parametrize("name", SYNTHS)
def test_levels_come_back_exactly_and_sound_the_same(tmp_path: Path, name: str, form: str) -> None:
    for row in range(4):
        patch = on_levels(name, row)
        back = read_any_patch(write_any_patch(tmp_path / f"a{SUFFIXES[form]}", patch, form))
        assert np.array_equal(back.values, patch.values)
        assert np.array_equal(render_patch(back), render_patch(patch))
        assert (back.space, back.sample_rate, back.length) == (patch.space, patch.sample_rate, patch.length)
        assert back.software == patch.software


@pytest.mark.parametrize("form", ["json", "csv", "midi-cc"])
def test_values_between_levels_come_back_exactly(tmp_path: Path, form: str) -> None:
    patch = between_levels()
    back = read_any_patch(write_any_patch(tmp_path / f"a{SUFFIXES[form]}", patch, form))
    assert np.array_equal(back.values, patch.values)
    assert np.array_equal(render_patch(back), render_patch(patch))
    assert (back.level_db, back.sample_rate, back.length) == (-12.5, 22050, 0.3)


def without(path: Path, mark: str) -> Path:
    """Take the text events that begin with a mark out of a MIDI file."""
    file = mido.MidiFile(path)
    file.tracks[0] = mido.MidiTrack(m for m in file.tracks[0] if m.type != "text" or not m.text.startswith(mark))
    file.save(path)
    return path


def test_controllers_alone_carry_levels_exactly(tmp_path: Path) -> None:
    for name in SYNTHS:
        patch = on_levels(name)
        back = read_any_patch(without(write_any_patch(tmp_path / "a.mid", patch, "midi-cc"), EXACT))
        assert np.array_equal(render_patch(back), render_patch(patch))


def test_controllers_alone_carry_other_values_within_fourteen_bits(tmp_path: Path) -> None:
    for row in range(8):
        patch = between_levels(row)
        back = read_any_patch(without(write_any_patch(tmp_path / "a.mid", patch, "midi-cc"), EXACT))
        assert 0.0 < np.abs(FM.values_to_unit(back.values) - FM.values_to_unit(patch.values)).max() <= 0.5001 / FULL
        assert stft_pcc(render_patch(patch)[np.newaxis], render_patch(back)[np.newaxis]).item() > 97.0


def test_controller_that_was_moved_counts_more_than_the_exact_value_beside_it(tmp_path: Path) -> None:
    path = write_any_patch(tmp_path / "a.mid", between_levels(), "midi-cc")
    file = mido.MidiFile(path)
    for control in (2, 34):  # v_sin
        file.tracks[0].insert(-1, mido.Message("control_change", control=control, value=127))
    file.save(path)
    back, before = read_any_patch(path).values, between_levels().values
    assert back[1] == 30.0
    assert np.array_equal(np.delete(back, 1), np.delete(before, 1))


def test_a_format_leads_to_any_other(tmp_path: Path) -> None:
    patch = on_levels("fm", 7)
    write_patch(tmp_path / "a.json", patch)
    assert main(["export", "a.json", "--format", "csv"]) == 0
    assert main(["export", "a.csv", "--format", "midi-cc"]) == 0
    assert main(["export", "a.mid", "--output", "b.json"]) == 0
    assert (tmp_path / "b.json").read_text() == (tmp_path / "a.json").read_text()
    assert main(["play", "a.mid", "--notes", "A4"]) == 0


def test_controllers_are_distinct_and_none_that_a_host_answers() -> None:
    assert len({controller(column) for column in range(60)}) == 60
    assert {number for _, number in map(controller, range(60))} == set(CONTROLLERS)
    assert not set(CONTROLLERS) & {0, 6, 7, 10, 11}
    assert controller(0) == (0, 1)
    assert controller(27) == (1, 1)


def test_documented_controllers_are_those_that_are_written() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "playing.md").read_text(encoding="utf-8")
    for name in SYNTHS:
        for column, parameter in enumerate(build_synth(name).space.names):
            assert f"| `{parameter}` | {controller(column)[1]} | {controller(column)[1] + 32} |" in page


def test_control_changes_are_pairs_of_seven_bits_of_the_knob(tmp_path: Path) -> None:
    values = FM.unit_to_values(np.full(23, 0.25))
    file = mido.MidiFile(write_any_patch(tmp_path / "a.mid", Patch(FM, values, 16384, 1.0), "midi-cc"))
    changes = [(m.control, m.value) for m in file if m.type == "control_change"]
    assert len(changes) == 46
    assert changes[:2] == [(1, 4096 >> 7), (33, 4096 & 127)]
    assert not [m for m in file if m.type == "note_on"]


def test_coarse_controllers_alone_are_seven_bits(tmp_path: Path) -> None:
    patch = between_levels()
    path = without(write_any_patch(tmp_path / "a.mid", patch, "midi-cc"), EXACT)
    file = mido.MidiFile(path)
    file.tracks[0] = mido.MidiTrack(m for m in file.tracks[0] if m.type != "control_change" or m.control < 32)
    file.save(path)
    off = FM.values_to_unit(patch.values) - FM.values_to_unit(read_any_patch(path).values)
    assert np.all((off > -1e-4) & (off < 1 / 127))


def test_csv_may_be_edited_by_hand_or_by_a_spreadsheet(tmp_path: Path) -> None:
    patch = on_levels("fm")
    head, *rows = patch_to_csv(patch).splitlines()
    rows = [row for row in rows if not row.startswith(("#space_fingerprint", "#level_db"))]
    text = "\r\n".join([head, *(row.rsplit(",", 1)[0] + "," for row in reversed(rows)), "", ",,,"])
    (tmp_path / "a.csv").write_text("\ufeff" + text, encoding="utf-8")
    assert np.array_equal(read_any_patch(tmp_path / "a.csv").values, patch.values)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("#synth,fm", "#synth,fn", "unknown synth 'fn'"),
        ("#synth,fm", "#synth,sine", "belongs to another version of synth 'sine'"),
        ("#synth,fm,,\n", "", "must say schema, synth, sample_rate, length"),
        ("#length", "#width", "must say schema, synth, sample_rate, length"),
        ("#length,0.5", "#length,long", "'length' of a.csv must be a finite number. Received: 'long'"),
        ("#sample_rate,16384", "#sample_rate,nan", "'sample_rate' of a.csv must be a finite number. Received: nan"),
        ("inversynth-patch/", "other/", "must have schema"),
        ("f_gate,", "f_gatter,", "at odds: f_gate, f_gatter"),
        ("f_cut,", "q,", "at odds: f_cut"),
        ("name,value", "key,value", "must begin with the line name,value,unit,class"),
        ("f_sin,", "f_sin,9", "'f_sin' in a.csv must lie in 440..1046.5"),
        ("f_sin,", "f_sin,x", "'value' of 'f_sin' in a.csv must be a finite number"),
    ],
)
def test_fault_of_a_csv_is_one_line(
    tmp_path: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = patch_to_csv(on_levels("fm"))
    assert old in text
    (tmp_path / "a.csv").write_text(text.replace(old, new, 1))
    assert main(["export", "a.csv", "--format", "json"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "a.json").exists()


def test_class_that_is_not_that_of_the_value_is_named() -> None:
    text = patch_to_csv(on_levels("sine"))
    with pytest.raises(ParameterError, match="must be the level nearest to its value"):
        patch_from_csv(text.replace("a2,", "a2,").rstrip()[:-1] + "9\n")


def changed_midi(path: Path, *, drop: int | None = None, text: tuple[str, str] = ("", ""), extra: int | None = None):
    file = mido.MidiFile(write_any_patch(path, on_levels("fm"), "midi-cc"))
    track = [m for m in file.tracks[0] if m.type != "control_change" or m.control != drop]
    track = [m.copy(text=m.text.replace(*text)) if m.type == "text" else m for m in track]
    if extra is not None:
        track.insert(-1, mido.Message("control_change", control=extra, value=1))
    file.tracks[0] = mido.MidiTrack(track)
    file.save(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop": 1}, "must set the 23 parameters of synth 'fm', each once. Received: 22 parameters; at odds: f_sin"),
        ({"extra": 7}, "Received: controller 7 on channel 1"),
        ({"extra": 39}, "Received: controller 7 on channel 1"),
        ({"extra": 64}, "Received: controller 64 on channel 1"),
        ({"text": ("synth=fm", "synth=fn")}, "unknown synth 'fn'"),
        ({"text": ("synth=fm", "synth=sine")}, "controllers in a.mid must stand for parameters of synth 'sine'"),
        ({"text": ("inversynth ", "")}, "names its synth in a text event. Received: a.mid, without one"),
        ({"text": ("length=", "width=")}, "must say schema, synth, sample_rate, length"),
        ({"text": ("fingerprint=", "fingerprint=0")}, "belongs to another version of synth 'fm'"),
    ],
)
def test_fault_of_a_midi_patch_is_one_line(
    tmp_path: Path, change: dict, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changed_midi(tmp_path / "a.mid", **change)
    assert main(["export", "a.mid", "--format", "json"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_without_an_output_a_named_file_is_written_to_this_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "output" / "bell").mkdir(parents=True)
    write_patch(tmp_path / "output" / "bell" / "patch.json", on_levels("fm"))
    write_patch(tmp_path / "a.json", on_levels("fm"))
    for words, written in (
        (["output/bell/patch.json"], "bell.json"),
        (["output/bell/patch.json", "--format", "csv"], "bell.csv"),
        (["output/bell/patch.json", "--format", "csv", "--output_dir", "more"], "more/bell.csv"),
        (["a.json"], "a_exported.json"),
    ):
        assert main(["export", *words]) == 0
        assert capsys.readouterr().out == f"{words[0]} -> {written}\n"
        assert (tmp_path / written).is_file()
    assert read_any_patch(tmp_path / "more" / "bell.csv").space.synth == "fm"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.json", "--format", "csv", "--output", "a.txt"], "--output must end in .csv for --format csv"),
        (["a.json", "--format", "cvs"], "'saved_model' or 'litert'. Received: --format cvs"),
        (["absent.json", "--format", "csv"], "no such patch: absent.json"),
        (["absent.csv", "--output", "b.json"], "no such patch: absent.csv"),
        (["absent.mid", "--output", "b.json"], "no such MIDI file: absent.mid"),
        (["noise.mid", "--output", "b.json"], "cannot read noise.mid as a MIDI file"),
        (["noise.csv", "--output", "b.json"], "cannot read noise.csv as a patch"),
        (["quote.csv", "--output", "b.json"], "quote.csv must be comma-separated values"),
        (["empty.csv", "--output", "b.json"], "must begin with the line name,value,unit,class"),
        ([".", "--output", "b.json"], "a patch is a file"),
    ],
)
def test_a_fault_is_one_line(
    tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_patch(tmp_path / "a.json", on_levels("fm"))
    for name in ("noise.mid", "noise.csv"):
        (tmp_path / name).write_bytes(b"\xff\x00\x80" * 40)
    (tmp_path / "quote.csv").write_text('name,value,unit,class\n"f_sin,' + "9" * 200_000)
    (tmp_path / "empty.csv").touch()
    assert main(["export", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["lead.syx", "LEAD.SYX", "lead", "bank.syx#40", "lead.bin"])
def test_a_voice_is_known_by_its_ending_or_its_first_bytes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(format_syx([Voice().replaced(name="LEAD")]))
    assert read_any_patch(path).source == {"voice": "LEAD", "file": name}


@pytest.mark.parametrize("form", ["csv", "midi-cc"])
def test_damaged_patches_are_read_or_refused_and_never_fail_otherwise(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a{SUFFIXES[form]}"
    good = np.frombuffer(write_any_patch(path, on_levels("fm"), form).read_bytes(), np.uint8)
    random = np.random.default_rng(11)
    refused = 0
    for _ in range(200):
        bad = good.copy()
        places = random.integers(0, len(bad), random.integers(1, 4))
        bad[places] = random.integers(0, 256, len(places))
        path.write_bytes(bad[: random.integers(len(bad) // 2, 2 * len(bad))].tobytes())
        try:
            read_any_patch(path)
        except InversynthError:
            refused += 1
    assert 100 < refused <= 200


def test_what_a_search_found_out_survives_as_json_alone(tmp_path: Path) -> None:
    patch = replace(on_levels("fm"), source={"file": "a.wav"}, scores={"stft_pcc": 91.5})
    assert read_any_patch(write_any_patch(tmp_path / "a.json", patch, "json")).scores == {"stft_pcc": 91.5}
    assert read_any_patch(write_any_patch(tmp_path / "a.csv", patch, "csv")).scores == {}
    assert read_patch(tmp_path / "a.json").source == {"file": "a.wav"}


def test_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for form, suffix in SUFFIXES.items():
        patch = patch_from_voice(Voice()) if form == "syx" else on_levels("sine")
        with pytest.raises(InversynthError, match="cannot write"):
            write_any_patch(tmp_path / "file" / f"a{suffix}", patch, form)


# --- DX7 voices -------------------------------------------------------------------------------------------------


def two_voices(folder: Path) -> tuple[Path, tuple[Voice, Voice]]:
    pair = (Voice().replaced("FIRST", algorithm=4), Voice().replaced("SECOND", feedback=3, op2_coarse=14))
    return write_syx(folder / "two.syx", pair), pair


def test_a_voice_is_a_patch_and_comes_back_byte_for_byte(tmp_path: Path) -> None:
    path, pair = two_voices(tmp_path)
    patch = read_any_patch(f"{path}#2")
    assert (patch.space.synth, patch.root, patch.source["voice"]) == ("dx7", 60.0, "SECOND")
    for form in ("json", "csv", "midi-cc", "syx"):
        back = read_any_patch(write_any_patch(tmp_path / f"voice{SUFFIXES[form]}", patch, form))
        np.testing.assert_array_equal(back.values, patch.values)
        assert voice_from_patch(patch) == pair[1]


def test_command_exports_a_voice_of_a_bank_and_plays_it(tmp_path: Path) -> None:
    path, pair = two_voices(tmp_path)
    assert main(["export", f"{path}#2", "--format", "json", "--output", "second.json"]) == 0
    assert main(["export", "second.json", "--format", "syx", "--output", "second.syx"]) == 0
    assert read_syx(tmp_path / "second.syx").voices == pair[1:]
    assert main(["play", "second.syx", "--notes", "A4", "--output", "a.wav"]) == 0
    audio, rate = soundfile.read(tmp_path / "a.wav")
    assert find_note(audio, rate).midi == pytest.approx(69.0, abs=0.05)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["two.syx", "--format", "json"], "holds 32 DX7 voices. Name one of them: two.syx#1"),
        (["two.syx#33", "--format", "json"], "holds the DX7 voices 1 to 32. Received: #33"),
        (["fm.json", "--format", "syx"], "only a patch of synth 'dx7' is a DX7 voice. Received: one of 'fm'"),
    ],
)
def test_what_is_no_voice_is_named(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_voices(tmp_path)
    write_patch(tmp_path / "fm.json", on_levels("fm"))
    assert main(["export", *words]) == 2
    assert message in capsys.readouterr().err
