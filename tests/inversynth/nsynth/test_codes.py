"""Code files: what is written is read, arrays from elsewhere too, and every kind of bad file has its own sentence."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generators.errors import DatasetError, ModelError
from inversynth.nsynth.codes import Codes, pitch_in_name, read_codes, sound_name, write_bare_codes, write_codes
from tests.inversynth.nsynth.toy_codec import Toy

NUMBERS = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
CODES = Codes(NUMBERS, "Glöckchen_60", 60, "0123456789abcdef", 16, 4000, 70)


def same(one: Codes, other: Codes) -> bool:
    facts = replace(one, codes=NUMBERS) == replace(other, codes=NUMBERS)
    return facts and one.codes.dtype == other.codes.dtype and np.array_equal(one.codes, other.codes)


@pytest.mark.parametrize("pitch", [60, None])
def test_what_is_written_is_read(tmp_path: Path, pitch: int | None) -> None:
    codes = replace(CODES, pitch=pitch)
    path = write_codes(tmp_path / "new" / "a.codes.npz", codes)
    assert same(read_codes(path), codes)
    first = path.read_bytes()
    assert write_codes(path, codes).read_bytes() == first
    assert [each.name for each in path.parent.iterdir()] == ["a.codes.npz"]


def test_a_card_describes_model_note_length_and_what_the_numbers_are_like(tmp_path: Path) -> None:
    with np.load(write_codes(tmp_path / "a.codes.npz", CODES)) as archive:
        card = json.loads(str(archive["card"]))
    statistics = card.pop("statistics")
    assert card == {
        "schema": "inversynth-codes/1",
        "name": "Glöckchen_60",
        "fingerprint": "0123456789abcdef",
        "hop": 16,
        "sample_rate": 4000,
        "samples": 70,
        "pitch": 60,
    }
    for name, taken in (("mean", np.mean), ("std", np.std), ("min", np.min), ("max", np.max)):
        np.testing.assert_allclose(statistics[name], taken(NUMBERS, axis=0), atol=1e-6)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("axes", [2, 3])
def test_arrays_from_elsewhere_are_codes_of_the_model_at_hand(tmp_path: Path, kind: type, axes: int) -> None:
    numbers = (10 * NUMBERS).astype(kind)
    np.save(tmp_path / "violin_C4_embeddings.npy", numbers[None] if axes == 3 else numbers)
    codes = read_codes(tmp_path / "violin_C4_embeddings.npy")
    assert (codes.name, codes.pitch, codes.fingerprint, codes.seconds) == ("violin_C4", 60, "", 0.0)
    known = codes.of_model(Toy(tmp_path / "toy.keras"))  # type: ignore[arg-type]
    assert (known.fingerprint, known.hop, known.sample_rate, known.samples) == ("0123456789abcdef", 16, 4000, 80)
    assert known.seconds == 0.02
    np.testing.assert_array_equal(known.codes, numbers.astype(np.float32))


def test_a_bare_array_is_what_other_software_reads(tmp_path: Path) -> None:
    numbers = np.load(write_bare_codes(tmp_path / "a_embeddings.npy", CODES))
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, NUMBERS)


def test_codes_of_another_model_or_width_are_refused(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "toy.keras")
    assert CODES.of_model(toy) is CODES  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"the model that made them, 0123456789abcdef\. Received: Glöckchen_60 for"):
        CODES.of_model(replace(toy, fingerprint="f" * 16))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"has 4 numbers\. Received: 3 in a"):
        Codes(NUMBERS[:, :3], "a").of_model(toy)  # type: ignore[arg-type]


def test_other_numbers_have_another_digest() -> None:
    assert CODES.digest == replace(CODES, name="b", pitch=3).digest
    others = NUMBERS + np.float32(1e-3), NUMBERS[:4], NUMBERS.T
    assert len({CODES.digest, *(replace(CODES, codes=np.ascontiguousarray(other)).digest for other in others)}) == 4


@pytest.mark.parametrize(
    ("name", "pitch"),
    [
        ("violin_60", 60),
        ("tremolo-strings_C#3", 49),
        ("my_violin_7", 7),
        ("keyboard_acoustic_004-060-025", 60),
        ("keyboard_acoustic_004-160-025", None),
        ("keyboard-60-25", None),
        ("violin", None),
        ("violin_128", None),
        ("60", None),
        ("violin_60_flute_60_mix_0.500_0.500", None),
    ],
)
def test_a_note_is_read_from_a_name(name: str, pitch: int | None) -> None:
    assert pitch_in_name(name) == pitch


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("wave.wav", "wave"),  # the published code strips letters off: "e"
        ("av.w.wav", "av.w"),
        ("violin_60.codes.npz", "violin_60"),
        ("violin_60_embeddings.npy", "violin_60"),
        ("violin_60.npy", "violin_60"),
        (".codes.npz", ".codes"),
    ],
)
def test_a_file_is_named_after_its_sound(file: str, name: str) -> None:
    assert sound_name(Path(file)) == name


# --- bad files -------------------------------------------------------------------------------------------------


def damaged(path: Path) -> None:
    content = bytearray(write_codes(path, CODES).read_bytes())
    content[150:170] = bytes(20)
    path.write_bytes(content)


def with_arrays(**changes: object) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with np.load(write_codes(path, CODES)) as archive:
            arrays = {name: archive[name] for name in archive.files}
        arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    return make


def with_card(**changes: object) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with np.load(write_codes(path, CODES)) as archive:
            card = json.loads(str(archive["card"])) | changes
        with_arrays(card=np.asarray(json.dumps(card)))(path)

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such codes: "),
        (lambda path: path.mkdir(), "must be a file of codes, as inversynth encode makes. Received: "),
        (lambda path: path.write_text("hello"), "Received: File is not a zip file"),
        (lambda path: write_codes(path, CODES).write_bytes(path.read_bytes()[:-50]), "Received: File is not a zip"),
        (damaged, "is damaged: codes.npy does not match its checksum"),
        (with_arrays(codes=None), "must hold the arrays codes and card. Received: card"),
        (with_arrays(card=None), "must hold the arrays codes and card. Received: codes"),
        (with_arrays(codes=np.zeros((5, 4, 1))), "have shape (k, width), neither of them 0. Received: (5, 4, 1)"),
        (with_arrays(codes=np.zeros((0, 4))), "Received: (0, 4)"),
        (with_arrays(codes=np.full((5, 4), "a")), "codes must be numbers. Received: <U1"),
        (with_arrays(codes=np.full((5, 4), np.nan)), "must be finite. Received: NaN or infinity"),
        (with_arrays(codes=np.full((5, 4), 1e300)), "must be finite"),
        (with_arrays(codes=np.full((5, 4), {}, object)), "Received: Object arrays cannot be loaded"),
        (with_arrays(card=np.asarray("{")), "has a card that cannot be read: it must be JSON"),
        (with_arrays(card=np.asarray("[]")), "has a card that cannot be read: TypeError"),
        (with_card(schema="inversynth-codes/9"), "must follow schema 'inversynth-codes/1'. Received: 'inversynth-c"),
        (with_card(hop="many"), "has a card that cannot be read: ValueError"),
        (with_card(samples=81), "must fit its 5 codes. Received: 81 samples, hop 16, 4000 Hz"),
        (with_card(samples=64), "must fit its 5 codes. Received: 64 samples"),
        (with_card(pitch=128), "pitch 128"),
        (with_card(sample_rate=0), "0 Hz"),
        (with_card(fingerprint=""), "model ''"),
    ],
)
def test_a_file_that_holds_no_codes_states_why(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / "a.codes.npz")
    with pytest.raises(DatasetError) as fault:
        read_codes(tmp_path / "a.codes.npz")
    assert message in str(fault.value)
    assert "a.codes.npz" in str(fault.value)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (np.zeros((2, 5, 4)), "Received: (2, 5, 4)"),
        (np.zeros(5), "Received: (5,)"),
        (np.full((5, 4), np.inf), "must be finite"),
        (np.full((5, 4), {}, object), "Received: Object arrays cannot be loaded"),
    ],
)
def test_an_array_that_is_no_codes_states_why(tmp_path: Path, numbers: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", numbers, allow_pickle=True)
    with pytest.raises(DatasetError) as fault:
        read_codes(tmp_path / "a.npy")
    assert message in str(fault.value)
    (tmp_path / "a.npy").write_text("hello")
    with pytest.raises(DatasetError, match=r"a\.npy must be an array as numpy\.save writes it"):
        read_codes(tmp_path / "a.npy")
