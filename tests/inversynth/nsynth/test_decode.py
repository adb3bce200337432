"""`inversynth decode`: batches, what is kept, what resumes, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.notes.labels import SPACE
from inversynth.cli import main
from inversynth.nsynth.codes import Codes, read_codes, write_codes
from models.model_files import ModelCard, save_model
from models.nsynth import inference as wavenet
from models.nsynth.presets import NSYNTH
from tests.inversynth.nsynth.toy_codec import HOP, RATE, WIDTH, Toy
from tests.inversynth.sounds import save, tone

RNG = np.random.default_rng(0)


def typed(*words: str, model: str = "toy.keras") -> int:
    return main(["decode", *words, "--model", model])


def write(name: str, count: int = 4, pitch: int | None = 60, **changes: object) -> Codes:
    numbers = RNG.normal(size=(count, WIDTH)).astype(np.float32)
    codes = replace(Codes(numbers, name, pitch, "0123456789abcdef", HOP, RATE, count * HOP), **changes)
    write_codes(f"{name}.codes.npz", codes)
    return codes


def read(name: str, folder: str = "output") -> np.ndarray:
    audio, rate = soundfile.read(f"{folder}/{name}_decoded.wav", dtype="float32")
    assert rate == RATE
    assert soundfile.info(f"{folder}/{name}_decoded.wav").subtype == "FLOAT"
    return audio


def expected(codes: Codes, seed: int = 0) -> np.ndarray:
    """Decode codes as the toy does."""
    return np.float32(np.repeat(codes.codes[:, 0], HOP) + seed * 1e-3)[: codes.samples]


# --- with a toy -------------------------------------------------------------------------------------------------


def test_inputs_of_every_kind_are_decoded(toy: Toy, capsys) -> None:
    a = write("a")
    np.save("b_60_embeddings.npy", a.codes[np.newaxis])
    save(Path("c.wav"), tone(0.01, RATE), RATE, subtype="FLOAT")
    assert typed("a.codes.npz", "b_60_embeddings.npy", "c.wav") == 0
    np.testing.assert_array_equal(read("a"), expected(a))
    np.testing.assert_array_equal(read("b_60"), expected(a))
    assert len(read("c")) == 40
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "a: 4 codes, 0.016 s -> output/a_decoded.wav",
        "b_60: 4 codes, 0.016 s -> output/b_60_decoded.wav",
        "c: 3 codes, 0.010 s -> output/c_decoded.wav",
    ]


def test_batches_are_of_one_size_the_longest_first_and_each_sound_is_cut(toy: Toy) -> None:
    codes = {
        name: write(name, count, samples=count * HOP - 5) for name, count in zip("abcde", (3, 9, 4, 9, 7), strict=True)
    }
    assert typed(*(f"{name}.codes.npz" for name in codes), "--batch_size", "3") == 0
    assert [each["shape"] for each in toy.batches] == [(3, 9, WIDTH), (3, 4, WIDTH)]
    for name, each in codes.items():
        np.testing.assert_array_equal(read(name), expected(each))


def test_a_sound_records_its_source_and_is_decoded_again_only_from_another(toy: Toy, capsys) -> None:
    words = ["a.codes.npz", "b.codes.npz"]
    a, b = write("a"), write("b")
    assert typed(*words) == 0
    comment = soundfile.SoundFile("output/a_decoded.wav").comment
    record = '{"made_by": "inversynth decode", "model": "0123456789abcdef", "codes": "%s", "pitch": null, "seed": 0, '
    assert comment == record % a.digest + '"temperature": 1.0}'
    capsys.readouterr()
    assert typed(*words) == 0
    assert len(toy.batches) == 1
    assert capsys.readouterr().out.count(", already decoded -> ") == 2
    b = write("b")  # other codes of the same name
    assert typed(*words) == 0
    assert capsys.readouterr().out.count(", already decoded -> ") == 1
    np.testing.assert_array_equal(read("b"), expected(b))
    assert [each["shape"] for each in toy.batches] == 2 * [(2, 4, WIDTH)]  # filled up to the size of all
    for change in (["--seed", "3"], ["--temperature", "0.7"], ["--length", "0.01"], ["--no-resume"]):
        toy.batches.clear()
        assert typed(*words, *change) == 0
        assert len(toy.batches) == 1, change
    toy.batches.clear()
    Path("output/a_decoded.wav").write_bytes(Path("output/a_decoded.wav").read_bytes()[:-64])
    assert typed(*words) == 0
    assert len(toy.batches) == 1
    np.testing.assert_array_equal(read("a"), expected(a))


def test_seed_and_temperature_arrive(toy: Toy) -> None:
    a = write("a")
    assert typed("a.codes.npz", "--seed", "5", "--temperature", "0.5", "--output_dir", "out") == 0
    np.testing.assert_array_equal(read("a", "out"), expected(a, seed=5))
    assert toy.batches[0]["temperature"] == 0.5
    assert toy.batches[0]["state"] == Path("out/.a_decoded.state.npz")


@pytest.mark.parametrize(("words", "pitch"), [([], [60, 72]), (["--pitch", "C#3"], [49, 49])])
def test_a_model_conditioned_on_pitch_gets_the_note(toy: Toy, words: list[str], pitch: list[int]) -> None:
    toy.takes_pitch = True
    write("a", 5, 60)
    save(Path("b_72.wav"), tone(0.01, RATE), RATE)
    assert typed("a.codes.npz", "b_72.wav", *words) == 0
    assert toy.batches[0]["pitch"] == pitch
    assert f'"pitch": {pitch[1]}' in soundfile.SoundFile("output/b_72_decoded.wav").comment


def test_of_a_folder_code_files_go_first_then_arrays_then_sounds(toy: Toy, capsys) -> None:
    Path("in/below").mkdir(parents=True)
    save(Path("in/sound.wav"), tone(0.01, RATE), RATE)
    for make, printed in (
        (lambda: None, "sound"),
        (lambda: np.save("in/array.npy", np.zeros((2, WIDTH))), "array"),
        (lambda: write("in/below/codes"), "codes"),
    ):
        make()
        assert typed("in") == 0
        assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [printed]


def test_faults_of_some_stop_none(toy: Toy, capsys) -> None:
    write("good")
    write("foreign", fingerprint="ffff")
    np.save("wide.npy", np.zeros((2, 3)))
    np.save("hours.npy", np.zeros((160_000, WIDTH), np.float32))
    Path("text.codes.npz").write_text("text")
    words = ["foreign.codes.npz", "wide.npy", "hours.npy", "text.codes.npz", "no.wav", "no.npy", "good.codes.npz"]
    assert typed(*words) == 2
    printed = capsys.readouterr()
    messages = [
        "ModelError: codes are decoded by the model that made them, ffff",
        "ModelError: a code of ",
        "DatasetError: 160,000 codes of hours are 640.0 s of sound. Received: no --length",
        "DatasetError: text.codes.npz must be a file of codes",
        "AudioError: no such sound: no.wav",
        "DatasetError: no such codes: no.npy",
    ]
    errors = [line for line in printed.err.splitlines() if "Error: " in line]  # beside lines that explain a wait
    for line, message in zip(errors, messages, strict=True):
        assert line.startswith(message)
    assert printed.out == "good: 4 codes, 0.016 s -> output/good_decoded.wav\n"


def test_nothing_is_waited_for_that_could_not_be_written(toy: Toy, capsys) -> None:
    write("a")
    assert typed("a.codes.npz", "--output_dir", "a.codes.npz") == 2
    assert capsys.readouterr().err == (
        "AudioError: cannot write a.codes.npz/a_decoded.wav: File exists. "
        "Name a place with room that you may write to\n"
    )
    assert not toy.batches


def test_an_unknown_note_is_an_error_for_a_model_conditioned_on_pitch(toy: Toy, capsys) -> None:
    toy.takes_pitch = True
    write("a", pitch=None)
    assert typed("a.codes.npz") == 2
    assert "is conditioned on pitch. Received: none for a. Pass --pitch" in capsys.readouterr().err
    assert not Path("output").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name codes or sounds, or folders of them. Received: none"),
        (["a.codes.npz", "--temperature", "0"], "temperature must be greater than 0"),
        (["a.codes.npz", "--temperature", "nan"], "temperature must be a finite number"),
        (["a.codes.npz", "--batch_size", "0"], "batch_size must be greater than or equal to 1"),
        (["a.codes.npz", "--seed", "-1"], "seed must be greater than or equal to 0"),
        (["a.codes.npz", "--pitch", "60"], "--pitch goes with a model conditioned on pitch. Received: --pitch 60"),
        (["empty"], "Received: none in empty"),
        (["b.wav", "b_decoded.wav", "--output_dir", "."], "must not replace an input: b_decoded"),
    ],
)
def test_what_cannot_be_decoded_is_one_line(toy: Toy, words: list[str], message: str, capsys) -> None:
    write("a")
    Path("empty").mkdir()
    for name in ("b", "b_decoded"):
        save(Path(f"{name}.wav"), tone(0.01, RATE), RATE)
    assert typed(*words) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not printed.out
    assert not Path("output").exists()


# --- with a network ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> wavenet.NSynthCodec:
    """Return the smallest autoencoder, untrained, conditioned on pitch."""
    from models.nsynth.recipe import build_nsynth

    path = tmp_path_factory.mktemp("network") / "smoke.keras"
    model = build_nsynth(SPACE, RATE, 160, size="smoke", pitch_conditioning=True, seed=0)
    save_model(model, path, ModelCard(NSYNTH, "notes", SPACE.to_json(), RATE, 0.04, {"input": "notes"}))
    return wavenet.load_nsynth(path)


@pytest.fixture
def typing(network: wavenet.NSynthCodec, monkeypatch: pytest.MonkeyPatch):
    """Type commands for it; it is loaded, and its loop compiled, once."""
    monkeypatch.setattr(wavenet, "load_nsynth", lambda path: network)
    audio = np.random.default_rng(1).uniform(-0.5, 0.5, (4, 8 * HOP))
    for pitch, sound in zip((50, 60, 70, 80), audio, strict=True):
        save(Path(f"s_{pitch}.wav"), sound, RATE, subtype="FLOAT")
    words = [f"s_{pitch}.wav" for pitch in (50, 60, 70, 80)]
    return lambda *more: typed(*words, "--batch_size", "2", *more, model=str(network.loaded.path))


def test_the_command_decodes_as_the_network_does(typing, network: wavenet.NSynthCodec) -> None:
    assert typing("--seed", "9", "--temperature", "0.8") == 0
    codes = network.encode(np.stack([soundfile.read(f"s_{pitch}.wav")[0] for pitch in (70, 80)]))
    decoded = network.decode(codes, seeds=[9, 9], pitch=[70, 80], temperature=0.8)
    np.testing.assert_array_equal(read("s_70"), decoded[0])
    np.testing.assert_array_equal(read("s_80"), decoded[1])


def test_encoding_first_makes_no_difference(typing, network: wavenet.NSynthCodec) -> None:
    model = str(network.loaded.path)
    sounds = [f"s_{pitch}.wav" for pitch in (50, 60)]
    assert main(["encode", *sounds, "--model", model]) == 0
    assert typed("output", "--output_dir", "apart", model=model) == 0
    assert typed(*sounds, model=model) == 0
    for name in ("s_50", "s_60"):
        np.testing.assert_array_equal(read(name, "apart"), read(name))
        assert (codes := read_codes(f"output/{name}.codes.npz")).fingerprint == network.fingerprint
        assert codes.pitch == int(name[2:])


@pytest.mark.parametrize("stop", [1, 5, 8])
def test_an_interrupted_batch_goes_on_to_the_same_samples(typing, monkeypatch, capsys, caplog, stop: int) -> None:
    """By Ctrl-C in the second of two batches."""
    assert typing("--output_dir", "whole") == 0
    decode = wavenet.NSynthCodec.decode

    def interrupted(codec: wavenet.NSynthCodec, codes: np.ndarray, *, on_code, **options: object) -> np.ndarray:
        def ring(done: int) -> None:
            on_code(done)
            if done == stop and options["pitch"] == [70, 80]:
                raise KeyboardInterrupt  # as Python does on Ctrl-C; a test run may have been started deaf to the signal

        return decode(codec, codes, on_code=ring, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(wavenet.NSynthCodec, "decode", interrupted)
        assert typing() == 130
    assert "interrupted; what is finished is kept, and the same command goes on" in capsys.readouterr().err
    left = sorted(path.name for path in Path("output").iterdir())
    assert left == [".s_70_decoded.state.npz", "s_50_decoded.wav", "s_60_decoded.wav"]
    with caplog.at_level("INFO"):
        assert typing() == 0
    assert capsys.readouterr().out.count(", already decoded -> ") == 2
    assert (f"resuming at {stop * HOP / RATE:.2f} s of 0.03 s" in caplog.messages) == (stop > 1)
    assert sorted(path.name for path in Path("output").iterdir()) == [f"s_{p}_decoded.wav" for p in (50, 60, 70, 80)]
    for pitch in (50, 60, 70, 80):
        np.testing.assert_array_equal(read(f"s_{pitch}"), read(f"s_{pitch}", "whole"))


def test_without_resuming_an_interrupted_batch_begins_anew(typing, monkeypatch, caplog) -> None:
    Path("output").mkdir()
    state = Path("output/.s_50_decoded.state.npz")
    state.write_text("of something else")
    with caplog.at_level("INFO"):
        assert typing("--no-resume") == 0
    assert not any("resuming" in message for message in caplog.messages)
    assert not state.exists()
