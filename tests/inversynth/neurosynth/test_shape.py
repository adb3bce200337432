"""Sounds and batches under envelopes, by the commands as they are typed; and what is wrong with either, in a line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.registry import build_synth
from generators.settings import Settings
from inversynth.cli import main
from inversynth.neurosynth import shaping
from inversynth.neurosynth.shape import ShapeSettings
from inversynth.neurosynth.shaping import local_level
from models.model_files import ModelCard, save_model
from models.neurosynth.metrics import envelope_errors

SYNTH = build_synth("envelope", 16384, 128 / 16384)
SUSTAINS = (1.0, 0.7, 0.4)
RATE = 8000


def save_turner(path: Path, samples: int | None) -> Path:
    """Save a network that turns sounds down to their sustain level: ideal where attack and release are 0."""
    from models.backend import start_keras

    start_keras()
    import keras

    basic, classes = keras.Input((samples,)), keras.Input((9,))
    turn = keras.layers.Dense(1, use_bias=False)
    model = keras.Model([basic, classes], keras.layers.Multiply()([basic, turn(classes)]))
    turn.set_weights([np.asarray([0, 0, 0, *SUSTAINS, 0, 0, 0], np.float32)[:, None]])
    space = SYNTH.space.to_json()
    save_model(model, path, ModelCard("turner", "envelope", space, 16384, 128 / 16384, {"input": "envelope"}))
    return path


@pytest.fixture(scope="module")
def turner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_turner(tmp_path_factory.mktemp("turner") / "turner.keras", None)


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_turner(tmp_path_factory.mktemp("fixed") / "fixed.keras", 128)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tone(samples: int = 500, peak: float = 0.5) -> np.ndarray:
    audio = np.sin(0.37 * np.arange(samples))
    return (audio * peak / np.abs(audio).max()).astype(np.float32)


def write(path: Path, audio: np.ndarray) -> Path:
    soundfile.write(path, audio, RATE, subtype="FLOAT" if path.suffix == ".wav" else None)
    return path


def write_batch(path: Path, **changes: object) -> Path:
    arrays = {"basic": np.tile(tone(64, 3.0), (3, 1)), "label": np.asarray([[0, 0, 0], [0, 1, 0], [0, 2, 0]])}
    np.savez(path, **{name: array for name, array in (arrays | changes).items() if array is not None})
    return path


# --- sounds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [11, 127, 20_000])
def test_a_sound_of_any_length_is_shaped_at_its_own_level(here: Path, turner: Path, samples: int, capsys) -> None:
    audio = tone(samples)
    write(here / "a.wav", audio)
    assert main(["shape", "a.wav", "--sustain", "0.7", "--model", str(turner)]) == 0
    assert sorted(path.name for path in (here / "output").iterdir()) == ["a_shaped.png", "a_shaped.wav"]
    shaped, rate = soundfile.read("output/a_shaped.wav", dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(shaped, 0.7 * audio, atol=1e-6)
    printed = "a_shaped: mean absolute error 0.0000, envelope error 0.0000 -> output/a_shaped.wav\n"
    assert capsys.readouterr().out == printed


def test_errors_are_those_of_the_sound_at_a_peak_of_one(here: Path, turner: Path, capsys) -> None:
    """The network leaves out the attack, a ramp from 0 to 1, and gives the sustain level at once."""
    words = []
    for peak in (1.0, 0.01):
        write(here / "a.wav", np.full(1000, peak, np.float32))
        assert main(["shape", "a.wav", "--attack", "0.4", "--sustain", "0.4", "--model", str(turner)]) == 0
        words.append(capsys.readouterr().out)
    assert words[0] == words[1]
    error = np.abs(np.arange(400) / 400 - 0.4).sum() / 1000
    assert f"mean absolute error {error:.4f}, envelope error 0.1" in words[0]


def test_the_envelope_error_is_measured_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    shaped = shaping.Shaped(*rng.uniform(-1, 1, (3, 5000)).astype(np.float32), peak=1.0)
    whole = envelope_errors(*(sound[np.newaxis] for sound in (shaped.output, shaped.ideal, shaped.basic)))["env_rms"]
    for block in (5000, 999, 11):
        monkeypatch.setattr(shaping, "BLOCK", block)
        assert shaped.envelope_error == pytest.approx(whole, rel=1e-9)


def test_silence_stays_silent(here: Path, turner: Path) -> None:
    write(here / "a.wav", np.zeros(64, np.float32))
    assert main(["shape", "a.wav", "--sustain", "0.4", "--model", str(turner)]) == 0
    assert not soundfile.read("output/a_shaped.wav")[0].any()


def test_level_follows_a_sound_but_no_single_wave() -> None:
    rate = 16_000
    time = np.arange(rate) / rate
    for tone_hz in (60, 1000):
        wave = np.sin(2 * np.pi * tone_hz * time).astype(np.float32)
        np.testing.assert_allclose(local_level(wave, rate), 1.0, atol=0.01)
        decaying = wave * np.exp(-5 * time).astype(np.float32)
        level = local_level(decaying, rate)
        np.testing.assert_allclose(level[800:-800], np.exp(-5 * time)[800:-800], rtol=0.15)
        assert np.all(level >= 1e-3 * decaying.max())
    np.testing.assert_array_equal(local_level(wave[:1000], rate), np.full(1000, np.abs(wave[:1000]).max()))


@pytest.mark.parametrize("decay", [0.0, 6.0])
def test_bundled_network_shapes_a_tone_whether_it_holds_or_dies_away(here: Path, decay: float, capsys) -> None:
    time = np.arange(16_000) / 16_000
    audio = np.sin(2 * np.pi * 440 * time) * np.exp(-decay * time)
    soundfile.write("a.wav", 0.3 * audio, 16_000, subtype="FLOAT")
    assert main(["shape", "a.wav", "--attack", "0.4", "--sustain", "0.4", "--release", "0.4"]) == 0
    assert float(capsys.readouterr().out.split("error ")[1].split(",")[0]) < 0.03
    shaped, _ = soundfile.read("output/a_shaped.wav")
    levels = [np.sqrt(np.square(part[500:1500]).mean()) for sound in (shaped, audio) for part in np.split(sound, 4)]
    gains = np.asarray(levels[:4]) / levels[4:] / 0.3
    np.testing.assert_allclose(gains, [0.156, 0.781, 0.4, 0.1875], atol=0.06)  # those of the ideal


def test_name_of_a_sound_may_hold_any_letter(here: Path, turner: Path) -> None:
    write(here / "Glöckchen.wav", tone())
    assert main(["shape", "Glöckchen.wav", "--model", str(turner)]) == 0
    assert Path("output/Glöckchen_shaped.wav").is_file()


def test_several_sounds_are_shaped_and_one_at_fault_stops_none(here: Path, turner: Path, capsys, caplog) -> None:
    (here / "other").mkdir()
    write(here / "a.wav", tone())
    write(here / "other" / "a.flac", np.stack([tone(), tone()], axis=1))
    words = ["shape", "a.wav", "no.wav", "other/a.flac", "--output_dir", "out", "--model", str(turner)]
    with caplog.at_level("INFO"):
        assert main(words) == 2
    assert sorted(path.stem for path in (here / "out").glob("*.wav")) == ["a-2_shaped", "a_shaped"]
    printed = capsys.readouterr()
    assert printed.err == "AudioError: no such sound: no.wav\n"
    assert len(printed.out.splitlines()) == 2
    assert "mixed the 2 channels of other/a.flac down to one" in caplog.messages


def test_the_same_sound_gives_the_same_result(here: Path, turner: Path) -> None:
    write(here / "a.wav", tone())
    for folder in ("one", "two"):
        assert main(["shape", "a.wav", "--sustain", "0.4", "--model", str(turner), "--output_dir", folder]) == 0
    first, second = (soundfile.read(here / folder / "a_shaped.wav")[0] for folder in ("one", "two"))
    np.testing.assert_array_equal(first, second)  # the file itself holds the second at which it was written
    assert (here / "one" / "a_shaped.png").read_bytes() == (here / "two" / "a_shaped.png").read_bytes()


def test_a_sound_is_never_replaced_by_a_result(here: Path, turner: Path, capsys) -> None:
    before = [write(here / name, tone()).read_bytes() for name in ("a.wav", "a_shaped.wav")]
    assert main(["shape", "a.wav", "a_shaped.wav", "--output_dir", ".", "--model", str(turner)]) == 2
    assert "must not replace an input: a_shaped.wav" in capsys.readouterr().err
    assert [(here / name).read_bytes() for name in ("a.wav", "a_shaped.wav")] == before
    assert len(list(here.iterdir())) == 2


def test_a_network_of_ours_shapes_sounds_of_any_length(here: Path) -> None:
    from models.neurosynth.recipe import build_neurosynth

    model = build_neurosynth(SYNTH.space, 16384, 128, conv_dim=2, seed=0)
    card = ModelCard("neurosynth", "envelope", SYNTH.space.to_json(), 16384, 128 / 16384, {"input": "envelope"})
    save_model(model, here / "tiny.keras", card)
    write(here / "a.wav", tone(333))
    for level, folder in (("1", "loud"), ("0.4", "soft")):
        words = ["--sustain", level, "--model", "tiny.keras", "--output_dir", folder]
        assert main(["shape", "a.wav", *words]) == 0
    loud, soft = (soundfile.read(f"{folder}/a_shaped.wav")[0] for folder in ("loud", "soft"))
    assert len(loud) == 333
    assert np.abs(loud - soft).max() > 1e-3  # even untrained, it hears the class


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--attack", "0.3"], "turner.keras was trained for attack 0, 0.2, 0.4. Received: 0.3"),
        (["--sustain", "1.5"], "sustain must be less than or equal to 1. Received: --sustain 1.5"),
        (["--release", "-0.1"], "release must be greater than or equal to 0"),
        (["--release", "nan"], "release must be a finite number"),
        (["--batch", "a.npz"], "either sounds or --batch FILE. Received: both"),
        (["--output", "b.npz"], "--output goes with --batch. Received: --output b.npz"),
        (["--model", "nothing"], "no such model: nothing. Name a run folder"),
        (["--output_dir", "a.wav"], "cannot write a.wav/a_shaped.wav"),
    ],
)
def test_what_does_not_fit_a_sound_is_one_line(here: Path, turner: Path, words, message: str, capsys) -> None:
    write(here / "a.wav", tone())
    assert main(["shape", "a.wav", "--model", str(turner), *words]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not printed.out
    assert [path.name for path in here.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.zeros(0, np.float32), "a sound needs samples. Received: none in a.wav"),
        (tone(10), "has 11 to 4,194,304 samples. Received: 10 in a.wav"),
        (np.full(64, np.nan, np.float32), "samples must be finite"),
        (np.zeros(2**22 + 5, np.float32), "Received: more, in a.wav"),
    ],
)
def test_a_sound_that_cannot_be_shaped_is_one_line(here: Path, audio, message: str, capsys) -> None:
    """Without a model being loaded for it: there is none of this name."""
    write(here / "a.wav", audio)
    (here / "unread.keras").touch()
    assert main(["shape", "a.wav", "--model", "unread.keras"]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1


def test_a_network_of_one_length_states_which(here: Path, fixed: Path, capsys) -> None:
    write(here / "a.wav", tone(129))
    write(here / "b.wav", tone(128))
    assert main(["shape", "a.wav", "b.wav", "--model", str(fixed)]) == 2
    printed = capsys.readouterr()
    assert "fixed.keras shapes sounds of 128 samples. Received: 129 in a.wav." in printed.err
    assert printed.out.startswith("b_shaped: mean absolute error 0.0000")


def test_a_model_that_is_none_is_one_line(here: Path, turner: Path, model_file: Path, capsys) -> None:
    write(here / "a.wav", tone())
    (here / "cut.keras").write_bytes(turner.read_bytes()[:2000])
    for model, message in (
        (model_file, "best.keras must be a generator of envelopes. Received: tiny"),
        ("inverter", "must be a generator of envelopes. Received: inverter"),
        ("cut.keras", "cut.keras is no model file, or a truncated one"),
    ):
        assert main(["shape", "a.wav", "--model", str(model)]) == 2
        printed = capsys.readouterr().err
        assert message in printed
        assert len(printed.splitlines()) == 1
    assert not (here / "output").exists()


# --- batches ---------------------------------------------------------------------------------------------------


def batch_words(model: Path, *more: str) -> list[str]:
    return ["shape", "--batch", "in.npz", "--output", "out.npz", "--model", str(model), *more]


def test_a_batch_is_shaped_row_by_row_at_the_level_it_has(here: Path, turner: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(shaping, "BLOCK", 128)  # two rows a step
    write_batch(here / "in.npz", unknown=np.zeros(3))
    assert main(batch_words(turner)) == 0
    with np.load("out.npz", allow_pickle=False) as archive:
        assert archive.files == ["out"]
        out = archive["out"]
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, np.asarray(SUSTAINS)[:, None] * tone(64, 3.0), atol=1e-6)
    assert capsys.readouterr().out == "3 sounds of 64 samples -> out.npz\n"
    first = (here / "out.npz").read_bytes()
    assert main(batch_words(turner)) == 0
    assert (here / "out.npz").read_bytes() == first


def test_an_ending_in_capitals_is_kept(here: Path, turner: Path) -> None:
    write_batch(here / "in.npz")
    assert main(["shape", "--batch", "in.npz", "--output", "OUT.NPZ", "--model", str(turner)]) == 0
    assert np.load("OUT.NPZ")["out"].shape == (3, 64)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float64])
def test_labels_of_any_kind_of_number_will_do(here: Path, turner: Path, kind: type) -> None:
    write_batch(here / "in.npz", basic=np.ones((1, 32), np.int16), label=np.asarray([[0, 2, 0]], kind))
    assert main(batch_words(turner)) == 0
    np.testing.assert_allclose(np.load("out.npz")["out"], np.full((1, 32), 0.4), atol=1e-6)


LABEL = np.asarray([[0, 0, 0], [0, 1, 0], [0, 2, 0]])
BASIC = np.zeros((3, 64))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"basic": None}, "must hold the arrays basic and label. Received: label"),
        ({"basic": None, "label": None}, "Received: nothing"),
        ({"basic": np.zeros(64)}, "basic of in.npz must be (n, samples), neither of them 0. Received: (64,)"),
        ({"basic": np.zeros((3, 0))}, "neither of them 0. Received: (3, 0)"),
        ({"basic": np.zeros((0, 64)), "label": np.zeros((0, 3), int)}, "neither of them 0. Received: (0, 64)"),
        ({"basic": np.full((3, 64), "a")}, "basic of in.npz must hold numbers. Received: <U1"),
        ({"basic": np.full((3, 64), 1j)}, "basic of in.npz must hold numbers. Received: complex128"),
        ({"basic": np.full((3, 64), np.nan)}, "waveforms must be finite"),
        ({"basic": np.full((3, 64), 1e300)}, "waveforms must be finite"),
        ({"basic": np.full((3, 64), {}, object)}, "must be an array of numbers or text. Received: Object arrays"),
        ({"label": LABEL[:2]}, "label of in.npz must be (3, 3)"),
        ({"label": LABEL[:, :2]}, "Received: (3, 2)"),
        ({"label": np.zeros(3)}, "Received: (3,)"),
        ({"label": LABEL + 1}, "Received: 3"),
        ({"label": LABEL - 1}, "classes of attack run from 0 to 2, 0, 0.2, 0.4, in"),
        ({"label": LABEL + 0.5}, "Received: 0.5"),
        ({"label": np.full((3, 3), np.nan)}, "Received: nan"),
        ({"label": np.full((3, 3), "0")}, "label of in.npz must hold numbers"),
    ],
)
def test_a_batch_with_anything_else_in_it_is_one_line(here: Path, turner: Path, arrays, message: str, capsys) -> None:
    write_batch(here / "in.npz", **arrays)
    (here / "out.npz").write_text("of before")
    assert main(batch_words(turner)) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1
    assert (here / "out.npz").read_text() == "of before"
    assert len(list(here.iterdir())) == 2


def make_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, BASIC)


def make_damaged(path: Path) -> None:
    content = bytearray(write_batch(path).read_bytes())
    content[200:400] = bytes(200)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.unlink(missing_ok=True), "no such batch: in.npz"),
        (lambda path: path.mkdir(), "must be an .npz file of plain arrays"),
        (lambda path: path.write_text("hello"), "must be an .npz file of plain arrays. Received: File is not a zip"),
        (make_array, "Received: File is not a zip"),
        (lambda path: write_batch(path).write_bytes(path.read_bytes()[:-50]), "Received: File is not a zip"),
        (make_damaged, "in.npz is damaged: basic.npy does not match its checksum"),
    ],
)
def test_a_file_that_is_no_batch_is_one_line(here: Path, turner: Path, make: Callable, message: str, capsys) -> None:
    make(here / "in.npz")
    assert main(batch_words(turner)) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1
    assert not (here / "out.npz").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Received: neither"),
        (["--batch", "in.npz"], "--batch needs --output"),
        (["--batch", "in.npz", "--output", "out.wav"], "--output must end in .npz. Received: out.wav"),
        (["--batch", "in.npz", "--output", "./in.npz"], "must not replace an input: in.npz"),
        (["--batch", "in.npz", "--output", "in.npz/out.npz"], "cannot write in.npz/out.npz"),
        (["--batch", "in.npz", "--output", "out.npz", "--attack", "0.4"], "--attack goes with sounds"),
        (
            ["--batch", "in.npz", "--output", "out.npz", "--output_dir", "x"],
            "--output_dir goes with sounds",
        ),
    ],
)
def test_what_does_not_fit_a_batch_is_one_line(here: Path, turner: Path, words, message: str, capsys) -> None:
    before = write_batch(here / "in.npz").read_bytes()
    assert main(["shape", *words, "--model", str(turner)]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1
    assert (here / "in.npz").read_bytes() == before
    assert [path.name for path in here.iterdir()] == ["in.npz"]


def test_a_batch_of_another_length_than_the_one_of_a_network_is_refused(here: Path, fixed: Path, capsys) -> None:
    write_batch(here / "in.npz")
    assert main(batch_words(fixed)) == 2
    assert "fixed.keras shapes sounds of 128 samples. Received: 64" in capsys.readouterr().err


def test_an_interrupted_batch_leaves_what_was_there(here: Path, turner: Path, monkeypatch, capsys) -> None:
    from models.neurosynth.inference import EnvelopeShaper

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    write_batch(here / "in.npz")
    (here / "out.npz").write_text("of before")
    monkeypatch.setattr(EnvelopeShaper, "shape", interrupted)
    assert main(batch_words(turner)) == 130
    assert capsys.readouterr().err.strip() == "interrupted"
    assert (here / "out.npz").read_text() == "of before"
    assert len(list(here.iterdir())) == 2


def test_a_network_that_gives_no_numbers_is_reported(here: Path, turner: Path, monkeypatch, capsys) -> None:
    from models.neurosynth.inference import EnvelopeShaper

    monkeypatch.setattr(EnvelopeShaper, "shape", lambda _, basic, classes: np.full(np.shape(basic), np.nan, np.float32))
    write_batch(here / "in.npz")
    write(here / "a.wav", tone())
    for words in (batch_words(turner), ["shape", "a.wav", "--model", str(turner)]):
        assert main(words) == 2
        assert "must give finite sounds. Received: NaN or infinity" in capsys.readouterr().err
    assert not (here / "out.npz").exists()


def test_nothing_is_set_by_a_variable() -> None:
    fields: type[Settings] = ShapeSettings
    assert not [name for name in fields.model_fields if fields.variables(name)]
