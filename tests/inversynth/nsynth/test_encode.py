"""`inversynth encode`, and what is refused in one line."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.audio import resample
from inversynth.cli import main
from inversynth.nsynth.codes import read_codes
from tests.inversynth.nsynth.toy_codec import HOP, RATE, WIDTH, Toy
from tests.inversynth.sounds import bad_sounds, save, tone


def typed(*words: str) -> int:
    return main(["encode", *words, "--model", "toy.keras"])


def test_a_sound_becomes_a_code_file(tmp_path: Path, toy: Toy, capsys) -> None:
    audio = tone(0.1, RATE).astype(np.float32)
    save(tmp_path / "bell_C4.wav", audio, RATE, subtype="FLOAT")
    assert typed("bell_C4.wav") == 0
    codes = read_codes("output/bell_C4.codes.npz")
    np.testing.assert_array_equal(codes.codes, toy.encode(audio[np.newaxis])[0])
    assert (codes.name, codes.pitch, codes.fingerprint) == ("bell_C4", 60, toy.fingerprint)
    assert (codes.hop, codes.sample_rate, codes.samples) == (HOP, RATE, 400)
    assert (
        capsys.readouterr().out
        == "bell_C4: 25 codes, 0.100 s, note 60 (C4 where middle C is C4) -> output/bell_C4.codes.npz\n"
    )
    assert [path.name for path in Path("output").iterdir()] == ["bell_C4.codes.npz"]


def test_any_rate_and_channel_count_is_converted_and_logged(tmp_path: Path, toy: Toy, caplog) -> None:
    left, right = tone(0.5, 8000, 300).astype(np.float32), tone(0.5, 8000, 500).astype(np.float32)
    save(tmp_path / "two.wav", np.stack([left, right], axis=1), 8000, subtype="FLOAT")
    save(tmp_path / "loud.wav", 4 * left, RATE, subtype="FLOAT")
    with caplog.at_level("INFO"):
        assert typed("two.wav", "loud.wav") == 0
    expected = toy.encode(resample((left + right) / 2, 8000, RATE)[np.newaxis])[0]
    np.testing.assert_allclose(read_codes("output/two.codes.npz").codes, expected, atol=1e-6)
    assert caplog.messages == [
        "converted two.wav: 8,000 Hz, 2 channels -> 4,000 Hz, mono",
        "loud.wav is clipped to full scale. Its peak is 2.00",
    ]


def test_folders_are_gone_through_and_equal_names_numbered(tmp_path: Path, toy: Toy, capsys) -> None:
    for folder in ("one", "one/below", "two"):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / "a_60.wav", tone(0.01, RATE), RATE)
    assert typed("one", "two/a_60.wav", "--output_dir", "out", "--pitch", "62") == 0
    names = ["a_60-2.codes.npz", "a_60-3.codes.npz", "a_60.codes.npz"]
    assert sorted(path.name for path in Path("out").iterdir()) == names
    assert {read_codes(Path("out") / name).pitch for name in names} == {62}


def test_numbers_alone_are_written_under_the_whole_name(tmp_path: Path, toy: Toy) -> None:
    save(tmp_path / "wave.wav", tone(0.01, RATE), RATE)
    assert typed("wave.wav", "--npy") == 0
    numbers = np.load("output/wave_embeddings.npy")
    assert numbers.shape == (3, WIDTH)
    np.testing.assert_array_equal(numbers, read_codes("output/wave.codes.npz").codes)
    assert read_codes("output/wave.codes.npz").pitch is None


def test_a_sound_can_be_cut(tmp_path: Path, toy: Toy) -> None:
    audio = tone(0.1, RATE).astype(np.float32)
    save(tmp_path / "a.wav", audio, RATE, subtype="FLOAT")
    assert typed("a.wav", "--length", "0.05") == 0
    codes = read_codes("output/a.codes.npz")
    assert (len(codes), codes.samples) == (13, 200)
    np.testing.assert_array_equal(codes.codes, toy.encode(audio[np.newaxis, :200])[0])


def test_sounds_at_fault_stop_none(tmp_path: Path, toy: Toy, capsys) -> None:
    faults = bad_sounds(tmp_path)
    for name in ("silent.wav", "cancel.wav"):  # silence has its codes
        del faults[name]
    del faults["."]  # a folder is one of sounds here
    save(tmp_path / "good.wav", tone(0.01, RATE), RATE)
    save(tmp_path / "hours.wav", np.zeros(120 * RATE + 1), RATE, subtype="PCM_U8")
    assert typed(*faults, "hours.wav", "good.wav") == 2
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    for line, message in zip(
        lines, [*faults.values(), "lasts 120 s at most. Received: more, in hours.wav"], strict=True
    ):
        assert line.startswith("AudioError: ")
        assert message in line
    assert printed.out.startswith("good: 3 codes")
    assert [path.name for path in Path("output").iterdir()] == ["good.codes.npz"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name one or more sounds, or folders of them. Received: none"),
        (
            ["a.wav", "--pitch", "H4"],
            "pitch must be a MIDI number, 0 to 127, or a note such as C4. Received: --pitch H4",
        ),
        (["a.wav", "--pitch", "128"], "pitch must be a MIDI number"),
        (["a.wav", "--length", "0"], "length must be greater than 0"),
        (["empty"], "Received: none in empty"),
        (["a.wav", "--output_dir", "a.wav"], "cannot write a.wav/a.codes.npz"),
    ],
)
def test_what_cannot_be_encoded_is_one_line(tmp_path: Path, toy: Toy, words, message: str, capsys) -> None:
    soundfile.write("a.wav", np.zeros(HOP), RATE)
    Path("empty").mkdir()
    assert typed(*words) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not printed.out
    assert not Path("output").exists()


def test_a_model_that_encodes_nothing_is_one_line(model_file: Path, tmp_path: Path, capsys) -> None:
    soundfile.write("a.wav", np.zeros(HOP), RATE)
    for model, message in (
        ("nothing", "ModelError: no such model: nothing. Name a run folder"),
        (str(model_file), "ModelError: notes are encoded and decoded by a model 'nsynth'. Received: tiny"),
    ):
        assert main(["encode", "a.wav", "--model", model]) == 2
        printed = capsys.readouterr().err
        assert message in printed
        assert len(printed.splitlines()) == 1


def test_codes_that_are_not_finite_are_the_models_fault(tmp_path: Path, toy: Toy, monkeypatch, capsys) -> None:
    soundfile.write("a.wav", np.zeros(HOP), RATE)
    monkeypatch.setattr(toy, "encode", lambda audio: np.full((1, 1, WIDTH), np.nan, np.float32), raising=False)
    assert typed("a.wav") == 2
    assert "ModelError: " in (printed := capsys.readouterr().err)
    assert "must give finite codes. Received: NaN or infinity" in printed
