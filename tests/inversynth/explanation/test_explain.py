"""Explanations of patches of every kind, and the command that prints them."""

from pathlib import Path

import numpy as np
import pytest

from generators.dx7.sysex import write_syx
from generators.dx7.voice import Voice
from generators.registry import build_synth
from inversynth.explanation import command
from inversynth.explanation.audibility import HEARD, knob_audibility
from inversynth.explanation.explain import explain, text
from inversynth.explanation.knobs import note_text
from inversynth.explanation.paragraph import Paragraph, hertz, interval, joined, seconds
from inversynth.patches.formats import patch_from_voice
from inversynth.patches.patch import Patch, write_patch


def fm_patch(**values: float) -> Patch:
    synth = build_synth("fm", 16384, 0.5)
    space = synth.space
    row = np.array([parameter.low for parameter in space.parameters])
    row[space.index("sustain")] = 1.0
    row[space.index("f_cut")] = 4000.0
    for name, value in values.items():
        row[space.index(name)] = value
    return Patch(space, row, 16384, 0.5)


def test_an_fm_patch_tells_the_oscillators_that_are_heard() -> None:
    patch = fm_patch(A_saw=1.0, f_saw=880.0, B_saw=400.0, v_saw=8.0, A_sin=0.4)
    told = {paragraph.head: paragraph.text for paragraph in explain(patch)}
    assert list(told)[:3] == ["Sources", "Saw", "Sine"]
    assert "2 of them are heard" in told["Sources"]
    assert told["Saw"].startswith("880.0 Hz (A5), amplitude 1.00 [")
    assert "swings by 400.0 Hz each way, 6.5 semitones up, 8 times a second" in told["Saw"]
    assert "swings" not in told["Sine"]
    assert told["Not heard"].startswith("Without triangle and square it sounds the same")
    assert told["Filter"].startswith("What lies above 4.00 kHz is dampened, the highest that it goes")


def test_the_frequency_that_is_told_is_that_of_the_root() -> None:
    synth = build_synth("fm", 16384, 0.5).at_root(57.0)
    patch = fm_patch(A_saw=1.0, f_saw=880.0)
    lower = Patch(patch.space, patch.values, 16384, 0.5, root=57.0)
    assert synth.rendered_values(lower.values)[patch.space.index("f_saw")] == pytest.approx(440.0)
    assert next(p.text for p in explain(lower) if p.head == "Saw").startswith("440.0 Hz (A4)")


def test_other_synths_are_told_by_their_most_audible_knobs() -> None:
    synth = build_synth("sine", 16384, 0.5)
    patch = Patch(synth.space, synth.space.classes_to_values([2, 1, 1, 1]), 16384, 0.5)
    moved = knob_audibility(patch)
    heads = [paragraph.head for paragraph in explain(patch)][1:]
    heard = [name for name, change in zip(synth.space.names, moved, strict=True) if change >= HEARD]
    assert sorted(heads) == sorted(heard)
    assert heads[0] == synth.space.names[int(moved.argmax())]


def test_the_command_prints_a_voice_of_a_bank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bank = tmp_path / "bank.syx"
    write_syx(bank, [Voice(), Voice().replaced(name="SECOND", algorithm=31, transpose=12)])
    assert command.main([f"{bank}#2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("SECOND\n\nAlgorithm 32. Operators 1, 2, 3, 4, 5 and 6 side by side.")
    assert "TRANSPOSE moves all notes by −12 semitones." in " ".join(out.split())
    assert all(len(line) <= 100 for line in out.splitlines())


def test_the_command_explains_a_patch_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_patch(tmp_path / "patch.json", fm_patch(A_saw=1.0))
    assert command.main([str(path)]) == 0
    assert capsys.readouterr().out.startswith("fm\n\nSources. 4 oscillators are summed; 1 of them is heard.")


def test_a_voice_is_explained_at_another_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_syx(tmp_path / "one.syx", [Voice().replaced(op1_right_depth=99)])
    assert command.main([str(path), "--note", "C2"]) == 0
    out = capsys.readouterr().out
    assert "Told at C2" in out
    assert "(65.4 Hz)" in out
    assert command.main([str(path), "--note", "108"]) == 0
    assert "Nothing is heard at C8." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("note", "message"), [("H2", "must be a MIDI number, 0 to 127, or a note such as C4"), ("128", "0 to 127")]
)
def test_what_is_no_note_takes_one_line(
    note: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_syx(tmp_path / "one.syx", [Voice()])
    assert command.main([str(path), "--note", note]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_patch_without_notes_refuses_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synth = build_synth("sine", 16384, 0.5)
    path = write_patch(tmp_path / "p.json", Patch(synth.space, synth.space.classes_to_values([0, 1, 2, 0]), 16384, 0.5))
    assert command.main([str(path), "--note", "C4"]) == 2
    assert "Received: a patch of 'sine'" in capsys.readouterr().err


def test_what_is_no_patch_takes_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.syx").write_bytes(b"none")
    assert command.main([str(tmp_path / "no.syx")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_voice_is_explained_at_the_root_of_its_patch() -> None:
    patch = patch_from_voice(Voice().replaced(name="X"))
    assert "Told at C4" in explain(patch)[0].text
    lower = Patch(patch.space, patch.values, patch.sample_rate, patch.length, root=36.0)
    assert "Told at C2" in explain(lower)[0].text
    assert "(65.4 Hz)" in explain(lower)[1].text


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1.0, "at the pitch of the note"),
        (0.5, "an octave below the note"),
        (4.0, "two octaves above the note"),
        (3.0, "at 3 times the note, its harmonic 3"),
        (1.5, "7 semitones above the note"),
        (1.41, "6 semitones above the note"),
        (1.36, "5.3 semitones above the note"),
    ],
)
def test_intervals_are_told(ratio: float, words: str) -> None:
    assert interval(ratio) == words


def test_numbers_are_written_short() -> None:
    assert [seconds(t) for t in (0.0004, 0.005, 0.25, 0.3, 1.44, 12.3)] == [
        "1 ms",
        "5 ms",
        "0.25 s",
        "0.3 s",
        "1.4 s",
        "12 s",
    ]
    assert [hertz(f) for f in (0.75, 65.406, 261.63, 3662.8)] == ["0.75 Hz", "65.4 Hz", "261.6 Hz", "3.66 kHz"]
    assert [joined(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    assert [note_text(f) for f in (440.0, 466.16, 450.0)] == [" (A4)", " (A#4)", ""]


def test_text_is_wrapped_between_words() -> None:
    lines = text("NAME", [Paragraph("Head", "word " * 50)]).splitlines()
    assert lines[:2] == ["NAME", ""]
    assert lines[2].startswith("Head. word")
    assert max(map(len, lines)) <= 100
