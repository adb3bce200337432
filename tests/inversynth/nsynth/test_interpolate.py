"""What lies between codes: worked out by hand, and by the command as it is typed; and what is wrong, in a line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.errors import ParameterError
from inversynth.cli import main
from inversynth.nsynth.codes import Codes, read_codes, write_codes
from inversynth.nsynth.interpolate import crossfade, mix, series, stretch
from tests.inversynth.nsynth.toy_codec import HOP, RATE, WIDTH, Toy

RNG = np.random.default_rng(0)


def codes(name: str, count: int = 8, pitch: int | None = 60, **changes: object) -> Codes:
    numbers = RNG.normal(size=(count, WIDTH)).astype(np.float32)
    made = Codes(numbers, name, pitch, "0123456789abcdef", HOP, RATE, count * HOP - 3)
    return replace(made, **changes)


A, B, C = codes("a"), codes("b"), codes("c")


# --- mixes -----------------------------------------------------------------------------------------------------


def test_a_mix_is_the_weighted_mean() -> None:
    made = mix([A, B, C], [1, 2, 5])
    np.testing.assert_allclose(made.codes, A.codes / 8 + B.codes / 4 + C.codes * 0.625, rtol=1e-6)
    assert made.codes.dtype == np.float32
    assert (made.name, made.pitch, made.samples) == ("a_b_c_mix_0.125_0.250_0.625", 60, A.samples)
    np.testing.assert_array_equal(mix([A, B, C], [0.5, 1, 2.5]).codes, made.codes)


def test_without_weights_all_count_the_same() -> None:
    np.testing.assert_array_equal(mix([A, B]).codes, mix([B, A], [3, 3]).codes)
    np.testing.assert_allclose(mix([A, B]).codes, (A.codes + B.codes) / 2, rtol=1e-6)


def test_a_series_goes_from_one_sound_to_the_other_with_both() -> None:
    made = list(series(A, B, 5))
    np.testing.assert_array_equal(made[0].codes, A.codes)
    np.testing.assert_array_equal(made[-1].codes, B.codes)
    np.testing.assert_array_equal(made[2].codes, mix([A, B]).codes)
    steps = np.diff([each.codes for each in made], axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to((B.codes - A.codes) / 4, steps.shape), atol=1e-6)
    assert len({each.name for each in series(A, B, 1000)}) == 1000


def test_a_mix_has_the_note_that_all_have() -> None:
    assert mix([A, replace(B, pitch=62)]).pitch is None
    assert mix([replace(A, pitch=None), replace(B, pitch=None)]).pitch is None


def test_a_mix_lasts_as_long_as_the_longest() -> None:
    assert mix([A, replace(B, samples=B.samples + 2)]).samples == B.samples + 2


def test_names_of_many_sounds_are_kept_short_and_apart() -> None:
    sounds = [replace(A, name="ä" * 60), replace(B, name="b" * 60)]
    names = {mix(sounds, weights).name for weights in ([1, 1], [1, 2])}
    assert len(names) == 2
    assert all(len(name.encode()) <= 150 for name in names)


@pytest.mark.parametrize(
    ("weights", "received"),
    [([1], "1"), ([1, 2, 3], "1, 2, 3"), ([1, -0.1], "1, -0.1"), ([0, 0], "0, 0"), ([1, np.nan], "1, nan")],
)
def test_weights_that_make_no_mean_are_refused(weights: list[float], received: str) -> None:
    with pytest.raises(ParameterError) as fault:
        mix([A, B], weights)
    assert str(fault.value).endswith(f"none below 0 and not all 0. Received: {received}")


@pytest.mark.parametrize("way", [mix, lambda sounds: crossfade(*sounds)])
def test_codes_of_different_lengths_or_models_are_not_mixed(way) -> None:
    short = codes("short", 5)
    with pytest.raises(ParameterError, match=r"one length\. Received: a, 8 codes, 0\.031 s; short, 5 codes, 0\.019 s"):
        way([A, short])
    with pytest.raises(ParameterError, match=r"of one model\. Received: a of 0123456789abcdef, b of ffff"):
        way([A, replace(B, fingerprint="ffff")])
    with pytest.raises(ParameterError, match="b of an unknown model"):
        way([A, replace(B, fingerprint="")])


# --- cross-fades -----------------------------------------------------------------------------------------------


def test_a_crossfade_follows_a_raised_cosine() -> None:
    ones, twos = (replace(codes("x", 1000), codes=np.full((1000, WIDTH), level, np.float32)) for level in (1, 2))
    part = crossfade(ones, twos).codes[:, 0] - 1
    time = (np.arange(1000) + 0.5) / 1000
    np.testing.assert_allclose(part, np.sin(np.pi / 2 * time) ** 2, atol=1e-6)
    part = crossfade(ones, twos, 0.25, 0.5).codes[:, 0] - 1
    assert not part[:250].any()
    np.testing.assert_array_equal(part[500:], 1)
    np.testing.assert_allclose(part[250:500], np.sin(np.pi / 2 * (time[250:500] - 0.25) * 4) ** 2, atol=1e-6)


def test_a_crossfade_from_a_sound_to_itself_is_the_sound() -> None:
    np.testing.assert_array_equal(crossfade(A, A).codes, A.codes)


@pytest.mark.parametrize("fade", [(0.5, 0.5), (0.7, 0.3), (-0.1, 1.0), (0.0, 1.1), (0.0, float("nan"))])
def test_a_fade_rises_within_the_sound(fade: tuple[float, float]) -> None:
    with pytest.raises(ParameterError, match="begins before it ends, both within"):
        crossfade(A, B, *fade)


# --- stretching ------------------------------------------------------------------------------------------------


def test_what_is_stretched_by_one_is_what_it_was() -> None:
    made = stretch(A, 1.0)
    np.testing.assert_array_equal(made.codes, A.codes)
    assert (made.samples, made.pitch) == (A.samples, 60)


@pytest.mark.parametrize(("factor", "count"), [(0.5, 50), (1.5, 150), (2.0, 200), (0.333, 34), (1e-6, 1)])
def test_a_stretched_sound_does_the_same_in_another_time(factor: float, count: int) -> None:
    """A straight line stays one, and what was in the middle of a code is where that time has gone."""
    middles = (np.arange(100) + 0.5) / 100
    sound = Codes(np.stack([middles, -middles], axis=1).astype(np.float32), "x", None, "f", HOP, RATE, 100 * HOP)
    made = stretch(sound, factor)
    assert len(made) == count
    assert made.samples == max(1, round(100 * HOP * factor))
    expected = np.clip((np.arange(count) + 0.5) / 100 / factor, 0.005, 0.995)
    np.testing.assert_allclose(made.codes, np.stack([expected, -expected], axis=1), atol=1e-6)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_factor_that_is_none_is_refused(factor: float) -> None:
    with pytest.raises(ParameterError, match="stretched by a factor above 0"):
        stretch(A, factor)


# --- the command -----------------------------------------------------------------------------------------------


def typed(*words: str) -> int:
    return main(["interpolate", *words, "--model", "toy.keras"])


def write_inputs(folder: Path) -> None:
    """Write codes of a sound, a sound, and the bare numbers of a third, all of 6 codes."""
    write_codes(folder / "a_60.codes.npz", codes("other", 6))
    soundfile.write(folder / "b_60.wav", RNG.uniform(-1, 1, 6 * HOP), RATE, subtype="FLOAT")
    np.save(folder / "c_60_embeddings.npy", codes("c", 6).codes)


INPUTS = ("a_60.codes.npz", "b_60.wav", "c_60_embeddings.npy")


def test_inputs_of_every_kind_are_mixed_into_codes_and_a_sound(tmp_path: Path, toy: Toy, capsys) -> None:
    write_inputs(tmp_path)
    assert typed(*INPUTS, "--weights", "2,1,1", "--seed", "7") == 0
    name = "a_60_b_60_c_60_mix_0.500_0.250_0.250"
    assert sorted(path.name for path in Path("output").iterdir()) == [f"{name}.codes.npz", f"{name}_decoded.wav"]
    made = read_codes(f"output/{name}.codes.npz")
    sound = toy.encode(soundfile.read("b_60.wav", dtype="float32")[0][np.newaxis])[0]
    parts = read_codes("a_60.codes.npz").codes, sound, np.load("c_60_embeddings.npy")
    np.testing.assert_allclose(made.codes, parts[0] / 2 + parts[1] / 4 + parts[2] / 4, atol=1e-6)
    assert (made.name, made.pitch, made.fingerprint, made.samples) == (name, 60, toy.fingerprint, 6 * HOP)
    audio, rate = soundfile.read(f"output/{name}_decoded.wav", dtype="float32")
    np.testing.assert_allclose(audio, np.repeat(made.codes[:, 0], HOP) + 0.007, atol=1e-6)
    assert rate == RATE
    assert capsys.readouterr().out == f"{name}: 6 codes, 0.024 s -> output/{name}_decoded.wav\n"


def test_a_series_is_decoded_in_one_batch_and_not_again(tmp_path: Path, toy: Toy, capsys) -> None:
    write_inputs(tmp_path)
    for _ in range(2):
        assert typed(*INPUTS[:2], "--steps", "3") == 0
    assert [each["shape"] for each in toy.batches] == [(3, 6, WIDTH)]
    assert capsys.readouterr().out.count(", already decoded -> ") == 3
    weights = ("1.000_0.000", "0.500_0.500", "0.000_1.000")
    assert {path.name for path in Path("output").glob("*.npz")} == {f"a_60_b_60_mix_{w}.codes.npz" for w in weights}


def test_crossfade_and_stretch_by_flags(tmp_path: Path, toy: Toy) -> None:
    write_inputs(tmp_path)
    assert typed(*INPUTS[:2], "--how", "crossfade", "--fade", "0.5:1") == 0
    made = read_codes("output/a_60_b_60_crossfade_0.500_1.000.codes.npz")
    np.testing.assert_array_equal(made.codes[:3], read_codes("a_60.codes.npz").codes[:3])
    assert typed("b_60.wav", "--how", "stretch", "--factor", "2.5", "--length", "0.016") == 0
    assert len(soundfile.read("output/b_60_stretch_2.500_decoded.wav")[0]) == 0.016 * RATE * 2.5


def test_a_note_can_be_decoded(tmp_path: Path, toy: Toy) -> None:
    toy.takes_pitch = True
    write_inputs(tmp_path)
    write_codes(tmp_path / "d_62.codes.npz", codes("d_62", 6, pitch=62))
    assert typed("a_60.codes.npz", "d_62.codes.npz", "--pitch", "C#4") == 0
    assert toy.batches[0]["pitch"] == [61]
    assert read_codes("output/a_60_d_62_mix_0.500_0.500.codes.npz").pitch == 61


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--how mix takes two sounds or more. Received: 0"),
        (["a_60.codes.npz"], "--how mix takes two sounds or more. Received: 1"),
        ([*INPUTS, "--steps", "3"], "--how mix with --steps takes two sounds. Received: 3"),
        ([*INPUTS, "--how", "crossfade"], "--how crossfade takes two sounds. Received: 3"),
        ([*INPUTS[:2], "--how", "stretch"], "--how stretch takes one sound. Received: 2"),
        ([*INPUTS[:2], "--factor", "2"], "--factor goes with --how stretch. Received: --how mix"),
        ([*INPUTS[:2], "--how", "crossfade", "--weights", "1,2"], "--weights goes with --how mix"),
        ([*INPUTS[:2], "--steps", "3", "--weights", "1,2"], "Received: --weights and --steps. Keep one"),
        ([*INPUTS[:2], "--weights", "1,2,3"], "weights are one for each of 2 sounds"),
        ([*INPUTS[:2], "--weights", "1,x"], "weights must be a valid number"),
        ([*INPUTS[:2], "--how", "crossfade", "--fade", "0.5"], "such as 0.25:0.75. Received: 0.5"),
        ([*INPUTS[:2], "--how", "crossfade", "--fade", "0.5:0.2"], "begins before it ends, both within 0..1"),
        (["a_60.codes.npz", "--how", "stretch", "--factor", "0"], "factor must be greater than 0"),
        (["a_60.codes.npz", "long.wav"], "of one length. Received: a_60, 6 codes, 0.023 s; long, 7 codes, 0.025 s"),
        (["a_60.codes.npz", "foreign.codes.npz"], "codes are decoded by the model that made them, ffff"),
        (["a_60.codes.npz", "wide.npy"], "has 4 numbers. Received: 3 in wide"),
        (["a_60.codes.npz", "no.wav"], "AudioError: no such sound: no.wav"),
        (["a_60.codes.npz", "empty"], "a folder of notes holds sounds"),
        ([*INPUTS[:2], "--steps", "1"], "steps must be greater than or equal to 2"),
    ],
)
def test_what_cannot_be_interpolated_is_one_line(tmp_path: Path, toy: Toy, words, message, capsys) -> None:
    write_inputs(tmp_path)
    soundfile.write("long.wav", np.zeros(6 * HOP + 3), RATE)
    write_codes("foreign.codes.npz", codes("f", 6, fingerprint="ffff"))
    np.save("wide.npy", np.zeros((6, 3)))
    Path("empty").mkdir()
    assert typed(*words) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not printed.out
    assert not toy.batches
    assert not Path("output").exists()
