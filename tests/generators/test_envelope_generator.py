"""The envelope synth: ramps as defined, noise that is new in each row, and datasets with two sounds."""

import json

import h5py
import numpy as np
import pytest

from generators import envelope_generator, registry
from generators.dataset import Dataset
from generators.dsp.envelopes import attack_sustain_release
from generators.envelope_generator import (
    DRAWN,
    LONGEST_PERIOD,
    NOISE,
    SAMPLES,
    SHORTEST_PERIOD,
    WAVEFORMS,
    EnvelopeOptions,
    EnvelopeSettings,
    EnvelopeSynth,
    waveform,
)
from generators.errors import DatasetError, ParameterError, SettingsError
from generators.generate import generate_dataset, render_columns, render_rows
from generators.registry import build_synth
from generators.sine_generator import SineSynth

RATE = 16384


def values(*classes):
    return EnvelopeSynth.space.classes_to_values(classes)


# --- waveforms ----------------------------------------------------------------------------------------------------


def test_waveforms_begin_and_turn_where_scipy_has_them():
    quarters = np.arange(5) * np.pi / 2 + 1e-6
    found = {name: np.round(waveform(name, quarters), 4).tolist() for name in envelope_generator.WAVEFORMS}
    assert found == {
        "sin": [0, 1, 0, -1, 0],
        "saw": [-1, -0.5, 0, 0.5, -1],
        "square": [1, 1, -1, -1, 1],
        "invsaw": [1, 0.5, 0, -0.5, 1],
        "triangle": [-1, 0, 1, 0, -1],
    }
    with pytest.raises(ParameterError, match=r"unknown waveform 'sqare'. Did you mean 'square'"):
        waveform("sqare", quarters)


@pytest.mark.parametrize("name", WAVEFORMS)
def test_a_phase_just_below_the_start_of_a_cycle_is_its_start(name):
    assert waveform(name, [-1e-320, -1e-17])[0] == pytest.approx(waveform(name, [0.0])[0], abs=1e-9)
    assert np.isfinite(waveform(name, [-1e-320, -1e-17])).all()


def test_a_sound_of_the_original_holds_twelve_periods():
    synth = EnvelopeSynth()
    assert synth.samples == SAMPLES
    assert synth.period == pytest.approx(SAMPLES / 12)
    spectrum = np.abs(np.fft.rfft(synth.render(values([0, 0, 0, 0])[0])))
    assert spectrum.argmax() == 12
    assert spectrum[12] > 0.999 * np.linalg.norm(spectrum)


def test_a_longer_sound_holds_more_periods_of_nearly_the_same_length():
    assert build_synth("envelope").period == pytest.approx(10.0, abs=0.01)


# --- envelopes ----------------------------------------------------------------------------------------------------


def original_envelope(attack, sustain, release, samples):
    """The recipe of the original, written out as its specification has it."""
    rise, fall = int(attack * samples) + 1, int(release * samples) + 1
    return np.concatenate(
        [
            np.linspace(0, 1, rise),
            np.full(samples - rise - fall, sustain),
            np.linspace(sustain, 0, fall),
        ]
    )


@pytest.mark.parametrize("samples", [SAMPLES, 100, 256])
def test_legacy_envelopes_are_those_of_the_original(samples):
    grid = [(a, s, r) for a in (0, 0.2, 0.4) for s in (1, 0.7, 0.4) for r in (0, 0.2, 0.4)]
    found = attack_sustain_release(*zip(*grid, strict=True), samples, legacy=True)
    np.testing.assert_allclose(found, [original_envelope(*row, samples) for row in grid], atol=1e-12)


def test_legacy_ramps_take_1_26_and_52_samples():
    shapes = attack_sustain_release([0, 0.2, 0.4], [0.7] * 3, [0, 0, 0], SAMPLES, legacy=True)
    assert [int(np.sum(np.diff(shape, prepend=-1) > 0)) for shape in shapes] == [2, 26, 52]  # then the jump to 0.7
    assert shapes[0][:2].tolist() == [0.0, 0.7]
    assert shapes[1][25:27].tolist() == [1.0, 0.7]


def test_an_envelope_of_nothing_leaves_the_sound_untouched():
    assert np.all(attack_sustain_release([0], [1], [0], SAMPLES) == 1.0)
    np.testing.assert_array_equal(attack_sustain_release([0], [0.4], [0], SAMPLES), np.full((1, SAMPLES), 0.4))


def test_ramps_are_as_long_as_their_fraction():
    n = np.arange(SAMPLES)
    (shape,) = attack_sustain_release([0.2], [0.7], [0.4], SAMPLES)
    np.testing.assert_allclose(shape[:26], n[:26] / 25.6)
    np.testing.assert_array_equal(shape[26:76], 0.7)
    np.testing.assert_allclose(shape[76:], 0.7 * (127 - n[76:]) / 51.2)
    assert shape[-1] == 0.0


def test_an_attack_and_a_release_that_fill_the_sound_leave_no_gap():
    (shape,) = attack_sustain_release([0.5], [1.0], [0.5], 16)
    np.testing.assert_allclose(shape, [*np.arange(8) / 8, *np.arange(7, -1, -1) / 8])


# --- rows ---------------------------------------------------------------------------------------------------------


def test_rendered_values_have_no_noise_and_rows_have():
    quiet, noisy = EnvelopeSynth(noise=0.0), EnvelopeSynth()
    classes = render_columns(quiet, 0, 50, seed=1)["classes"]
    np.testing.assert_allclose(render_rows(quiet, 0, 50, 1)[0], quiet.render_classes(classes), atol=2e-6)
    sines = classes[:, 0] == 0
    off = render_columns(noisy, 0, 50, seed=1)["basic"] - render_columns(quiet, 0, 50, seed=1)["basic"]
    assert np.all(off.std(axis=1) > 0.02)
    assert np.abs(off[sines]).max() <= NOISE + 4 * NOISE  # the slope of a sine is at most 1


def test_audio_is_basic_times_the_envelope():
    synth = EnvelopeSynth(noise=0.1, random_pitch=True, random_phase=True)
    columns = render_columns(synth, 0, 200, seed=2)
    assert {name: column.dtype.name for name, column in columns.items()} == {
        **{"audio": "float32", "classes": "uint8", "values": "float32", "basic": "float32"}
    }
    shapes = attack_sustain_release(*columns["values"].astype(float).T[1:], SAMPLES)
    np.testing.assert_allclose(columns["audio"], columns["basic"] * shapes, atol=1e-6)
    untouched = (columns["values"][:, 1:] == (0, 1, 0)).all(axis=1)
    assert untouched.any()
    np.testing.assert_array_equal(columns["audio"][untouched], columns["basic"][untouched])


@pytest.mark.parametrize("options", [{}, {"random_pitch": True, "random_phase": True, "legacy": True}])
def test_a_row_is_a_function_of_its_seed_and_number(options):
    synth = EnvelopeSynth(**options)
    whole = render_columns(synth, 1000, 1060, seed=3)
    for start, stop in ((1000, 1001), (1020, 1030), (1023, 1025), (1059, 1060)):
        part = render_columns(synth, start, stop, seed=3)
        for name, column in part.items():
            np.testing.assert_array_equal(column, whole[name][start - 1000 : stop - 1000])
    other = render_columns(synth, 1000, 1060, seed=4)
    assert not np.any(np.all(other["basic"] == whole["basic"], axis=1))


def test_noise_is_uniform_and_no_row_has_that_of_another():
    synth = EnvelopeSynth(sustains=(1.0,), attacks=(0.0,), releases=(0.0,))
    columns = render_columns(synth, 0, 1500, seed=5)
    squares = columns["basic"][columns["classes"][:, 0] == 2]
    added = np.abs(squares) - 1.0  # the sign alone follows the phase
    assert np.abs(added).max() <= NOISE * 1.0001
    assert added.std() == pytest.approx(NOISE / np.sqrt(3), rel=0.02)
    assert added.mean() == pytest.approx(0.0, abs=1e-3)
    assert np.abs(np.corrcoef(added) - np.eye(len(added))).max() < 0.6


def test_random_pitch_and_phase_spread_over_their_ranges():
    synth = EnvelopeSynth(RATE, 1024 / RATE, noise=0.0, random_pitch=True, random_phase=True)
    columns = render_columns(synth, 0, 600, seed=6)
    sines = columns["basic"][columns["classes"][:, 0] == 0]
    periods = 1024 / np.abs(np.fft.rfft(sines * np.hanning(1024))).argmax(axis=1)
    assert SHORTEST_PERIOD * 0.98 < periods.min() < 6.0
    assert 30.0 < periods.max() < LONGEST_PERIOD * 1.02
    assert np.histogram(sines[:, 0], bins=[-1.01, -0.5, 0.5, 1.01])[0].min() > 0.2 * len(sines)
    steady = EnvelopeSynth(noise=0.0, random_pitch=True)
    assert np.all(
        render_columns(steady, 0, 50, seed=6)["basic"][:, 0]
        == np.round(render_columns(steady, 0, 50, seed=6)["basic"][:, 0])
    )  # -1, 0 or 1: every waveform begins at its start


def test_classes_keep_the_order_in_which_levels_are_given():
    synth = EnvelopeSynth(
        sustains=(1.0, 0.5),
        attacks=(
            0.3,
            0.1,
            0.0,
        ),
        releases=(0.0,),
    )
    assert synth.space.sizes == (len(DRAWN), 3, 2, 1)
    np.testing.assert_allclose(synth.space.classes_to_values([0, 0, 1, 0]), [0, 0.3, 0.5, 0])
    assert EnvelopeSynth.space.sizes == (3, 3, 3, 3)


def test_a_held_note_fades_only_where_its_release_does_not():
    synth = EnvelopeSynth(RATE, 0.125)
    for classes in ([2, 1, 1, 0], [2, 1, 1, 2]):
        note = synth.render_note(values(classes)[0], 0.25)
        assert len(note) == RATE // 4 + round(0.005 * RATE)
        assert np.abs(note[: RATE // 40]).max() < 0.55 < 0.65 < np.abs(note[: RATE // 20]).max()  # attack 0.2 of 0.25 s
        assert abs(note[-1]) < 0.02
        assert (np.abs(note[RATE // 4]) > 0.6) == (classes[3] == 0)


# --- datasets -----------------------------------------------------------------------------------------------------


def test_a_dataset_holds_both_sounds_and_reads_them_in_any_order(tmp_path):
    synth = EnvelopeSynth(random_phase=True, legacy=True)
    generate_dataset(tmp_path / "d.hdf5", synth, 300, seed=7, workers=3)
    expected = render_columns(synth, 0, 300, seed=7)
    with Dataset(tmp_path / "d.hdf5") as dataset:
        dataset.check_finished()
        assert list(dataset.companions) == ["basic"]
        assert json.loads(dataset.card.options) == synth.options
        assert dataset.identity["legacy"]
        assert synth.options.items() <= dataset.identity.items()
        assert json.loads(json.dumps(dataset.identity)) == dataset.identity
        for rows in (slice(10, 20), [250, 3, 3, 299]):
            found = dataset.read_columns(rows, ("basic", "classes", "audio", "values"))
            for name, column in zip(("basic", "classes", "audio", "values"), found, strict=True):
                np.testing.assert_array_equal(column, expected[name][rows])
        with pytest.raises(DatasetError, match=r"unknown column 'bassic'. Did you mean 'basic'"):
            dataset.read_columns([0], ("bassic",))
        with pytest.raises(DatasetError, match=r"run from 0 to 299. Received: 300..300"):
            dataset.read_columns([300], ("basic",))


def test_interrupted_rows_get_both_sounds_again(tmp_path):
    path, synth = tmp_path / "d.hdf5", EnvelopeSynth()
    generate_dataset(path, synth, 40)
    with h5py.File(path, "r+") as file:
        file["basic"][7:9] = 0
        file["done"][7:9] = False
    assert generate_dataset(path, synth, 40).rendered == 2
    with Dataset(path) as dataset:
        np.testing.assert_array_equal(dataset.companions["basic"][:], render_columns(synth, 0, 40, 0)["basic"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"noise": 0.1}, "noise 0.05 against 0.1"),
        ({"legacy": True}, "legacy False against True"),
        ({"sustains": (1.0, 0.5)}, "levels of 'sustain': 3 from 1 to 0.4 against 2 from 1 to 0.5"),
    ],
)
def test_a_dataset_of_other_options_is_never_reused(tmp_path, changed, words):
    generate_dataset(tmp_path / "d.hdf5", EnvelopeSynth(), 10)
    with pytest.raises(DatasetError, match=words):
        generate_dataset(tmp_path / "d.hdf5", EnvelopeSynth(**changed), 10)


def test_a_file_from_before_there_were_options_opens_and_is_finished(tmp_path):
    path, synth = tmp_path / "old.hdf5", SineSynth(4000, 0.1)
    generate_dataset(path, synth, 10)
    with h5py.File(path, "r+") as file:
        del file.attrs["options"], file.attrs["companions"]
    assert generate_dataset(path, synth, 10).rendered == 0
    with Dataset(path) as dataset:
        assert (dataset.card.options, dataset.card.companions, dataset.companions) == ("{}", (), {})
        assert set(dataset.identity) == {
            *("synth", "space", "sample_rate", "length", "seed", "sampling_method", "normalise", "num_examples")
        }


def test_sounds_with_companions_are_not_normalised(tmp_path):
    line = r"normalise would part the sounds of 'envelope' from their basic. Received: normalise on. Turn it off"
    with pytest.raises(ParameterError, match=line):
        render_columns(EnvelopeSynth(), 0, 4, 0, normalise=True)
    with pytest.raises(ParameterError, match=line):
        generate_dataset(tmp_path / "d.hdf5", EnvelopeSynth(), 4, normalise=True)
    assert not list(tmp_path.iterdir())


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"length": 130 / RATE}, "must be a multiple of 4 samples, 12 or more. Received: 130"),
        ({"length": 8 / RATE}, "must be a multiple of 4 samples, 12 or more. Received: 8"),
        ({"sustains": (1.2, 0.5)}, r"levels of sustain must lie in 0..1. Received: 1.2, 0.5"),
        ({"attacks": (-0.1, 0.5)}, r"levels of attack must lie in 0..1. Received: -0.1, 0.5"),
        ({"attacks": (0.0, float("nan"))}, r"levels of attack must lie in 0..1. Received: 0.0, nan"),
        ({"attacks": (0.0, 0.7)}, "must fit into 128 samples together. Received: 0.7 and 0.4, which take 140.8"),
        ({"attacks": (0.0, 0.6), "legacy": True}, "Received: 0.6 and 0.4, which take 129"),
        ({"releases": ()}, "a parameter has 1 to 256 levels. Received: 0 for 'release'"),
        ({"releases": (0.0, 0.2, 0.1)}, "each above the one before or each below it"),
        ({"noise": -0.1}, "noise must be a factor from 0. Received: -0.1"),
    ],
)
def test_levels_that_cannot_be_are_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        EnvelopeSynth(**options)
    assert EnvelopeSynth(attacks=(0.0, 0.6)).samples == SAMPLES  # without the samples more of legacy it just fits


# --- the command --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0,0.25", "0, 0.25", "[0, 0.25]"])
def test_lists_are_numbers_however_they_are_written(tmp_path, text):
    assert EnvelopeSettings.parse(["--attacks", text]).attacks == (0.0, 0.25)
    (tmp_path / ".env").write_text(f"ATTACKS={text}\nNUM_EXAMPLES=7\n")
    assert (EnvelopeSettings.parse([]).attacks, EnvelopeSettings.parse([]).num_examples) == ((0.0, 0.25), 7)
    assert EnvelopeSettings.parse(["--attacks", "0.5"]).attacks == (0.5,)


def test_length_counts_where_it_is_set():
    def samples(*argv, rate=RATE):
        settings = EnvelopeSettings.parse(argv)
        return settings.envelope_synth(rate, settings.length).samples

    assert samples() == samples(rate=44100) == samples("--seq-length", "128", "--length", "0.0078125") == SAMPLES
    assert samples("--seq-length", "64") == 64
    assert samples("--length", "0.5") == RATE // 2
    with pytest.raises(SettingsError, match=r"Received: 64 samples and 0.5 s, which is 8192"):
        samples("--seq-length", "64", "--length", "0.5")
    assert EnvelopeOptions().envelope_synth(RATE, 0.5).samples == RATE // 2


def test_both_commands_write_the_dataset(tmp_path):
    flags = ["--dsize", "20", "--sustains", "1,0.5", "--seq_length", "64", "--noise", "0.1", "--random_pitch"]
    assert envelope_generator.main(flags) == 0
    assert registry.main(["envelope", *flags, "--name", "again"]) == 0
    with Dataset("test_datasets/envelope.hdf5") as one, Dataset("test_datasets/again.hdf5") as two:
        assert one.card == two.card
        assert (len(one), one.samples, one.space.sizes) == (20, 64, (3, 3, 2, 3))
        assert json.loads(one.card.options) == {
            **{"noise": 0.1, "random_pitch": True, "random_phase": False, "legacy": False}
        }
    assert not (tmp_path / "test_waves").exists()


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["envelope", "--attacks", "0,x"], "SettingsError: attacks must be a valid number"),
        (["envelope", "--attacks", "0,nan"], "SettingsError: attacks must be a finite number"),
        (["envelope", "--noise", "-1"], "SettingsError: noise must be greater than or equal to 0"),
        (["envelope", "--seq_length", "0"], "SettingsError: seq_length must be greater than or equal to 1"),
        (["envelope", "--seq_length", "30"], "ParameterError: the length of 'envelope' must be a multiple of 4"),
        (["envelope", "--normalise"], "ParameterError: normalise would part"),
        (["--seed", "1", "envelope"], "SettingsError: 'envelope' comes before its flags"),
        (["fm", "--attacks", "0"], "SettingsError: unknown argument --attacks"),
    ],
)
def test_bad_input_exits_with_one_line_and_2(capsys, argv, line):
    assert registry.main(argv) == 2
    assert capsys.readouterr().err.startswith(line)
