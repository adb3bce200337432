"""NeuroSynth: both pairs of networks as specified, what the correction corrects, training that goes on, and shaping."""

import csv
import math
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from keras import ops
from keras.backend import standardize_dtype

from generators.envelope_generator import EnvelopeSynth
from generators.envelope_generator import main as generate
from generators.errors import DatasetError, ModelError, SettingsError
from generators.registry import build_synth
from models.model_files import read_card
from models.neurosynth import inference
from models.neurosynth.data import EnvelopeStream, class_one_hot
from models.neurosynth.inference import load_envelope_shaper
from models.neurosynth.recipe import NeuroSynthSettings, PublishedSettings, build_neurosynth, build_published
from models.neurosynth.system import NeuroSynth
from models.registry import find_recipe
from models.train import main, train_from_settings
from models.training.adversarial import StepContext
from models.training.loop import computing_in
from models.training.runs import Run

from ..conftest import copied_after

SYNTH = EnvelopeSynth()
CLASSES = np.stack(np.unravel_index(np.arange(27), (3, 3, 3)), axis=-1)
ONE_HOT = np.concatenate([np.eye(3, dtype=np.float32)[CLASSES[:, i]] for i in range(3)], axis=1)
SMALL = ["--dsize", "64", "--batch_size", "16", "--seq_length", "16", "--conv_dim", "2", "--output_dir", "runs"]
SMALL += ["--critic_steps", "2", "--epochs", "5", "--print_interval", "2"]
LEARNING = ["--dsize", "256", "--batch_size", "8"]
WAVE = np.random.default_rng(0).uniform(-1, 1, (1, 128)).astype(np.float32)


def numbers(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


@pytest.fixture(scope="module", autouse=True)
def _plain_graphs():
    """Train without XLA, which takes seven seconds to begin; the tests of other recipes train with it."""
    compile_system = NeuroSynth.compile

    def compile_plainly(system, *optimizers):
        compile_system(system, *optimizers)
        system.jit_compile = False

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(NeuroSynth, "compile", compile_plainly)
        patched.setattr(inference, "SHOWN", 1)  # rows of a picture, each of which takes a tenth of a second
        yield


@pytest.fixture(scope="module")
def ours():
    return build_neurosynth(SYNTH.space, 16384, 128, seed=0)


@pytest.fixture(scope="module")
def published():
    return build_published(SYNTH.space, 16384, 128, seed=0)


# --- the networks -----------------------------------------------------------------------------------------------------


def test_published_networks_have_the_published_weights(published):
    assert published.generator.count_params() == 4705
    assert published.critic.count_params() == 7944
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in published.generator.layers}
    assert (shapes["planes"], shapes["down1"], shapes["down2"]) == ((128, 11), (64, 8), (32, 16))
    assert (shapes["block2b"], shapes["up1"], shapes["up2"]) == ((32, 16), (64, 8), (128, 1))


def test_published_weights_start_within_the_bounds_of_pytorch(published):
    for name, fan in (("down1", 11 * 4), ("down2", 8 * 4), ("block1a", 16 * 3), ("up1", 8 * 4), ("up2", 1 * 4)):
        for weight in published.generator.get_layer(name).get_weights():
            bound = fan**-0.5
            assert np.abs(weight).max() <= bound
            assert weight.size < 50 or np.abs(weight).max() > 0.9 * bound


def test_published_generator_equals_its_formula(published):
    """Layer by layer in NumPy, with PyTorch's padding of one sample on either side."""
    generator = published.generator
    rng = np.random.default_rng(1)
    basic, one_hot = rng.uniform(-1, 1, 128), ONE_HOT[14]
    planes = np.stack([basic, np.arange(128.0), *(np.full(128, value) for value in one_hot)], axis=1)

    def convolve(x, name, stride, pad):
        kernel, *bias = (np.asarray(w, np.float64) for w in generator.get_layer(name).get_weights())
        x = np.pad(x, ((pad, pad), (0, 0)))
        steps = range(0, len(x) - len(kernel) + 1, stride)
        return np.stack([np.einsum("kc,kco->o", x[i : i + len(kernel)], kernel) for i in steps]) + sum(bias)

    def transpose(x, name):
        kernel, bias = (np.asarray(w, np.float64) for w in generator.get_layer(name).get_weights())  # (k, out, in)
        out = np.zeros((2 * len(x) + 2, kernel.shape[1]))
        for i, row in enumerate(x):
            out[2 * i : 2 * i + 4] += np.einsum("i,koi->ko", row, kernel)
        return out[1:-1] + bias

    def normal(x):
        return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)

    def leaky(x):
        return np.where(x > 0, x, 0.01 * x)

    hidden = leaky(normal(convolve(planes, "down1", 2, 1)))
    hidden = leaky(normal(convolve(hidden, "down2", 2, 1)))
    for block in ("block1", "block2"):
        hidden = np.maximum(normal(convolve(hidden, f"{block}a", 1, 1)), 0.0)
        hidden = normal(convolve(hidden, f"{block}b", 1, 1))
    hidden = leaky(normal(transpose(hidden, "up1")))
    expected = np.tanh(transpose(hidden, "up2"))[:, 0]
    found = numbers(generator([basic[None].astype(np.float32), one_hot[None]]))[0]
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_labels_reach_ours_without_the_borders_and_published_ones_hardly(ours, published):
    """Far from both borders, the class must still change the output; with the published start it does not."""
    sounds = np.repeat(np.tile(WAVE, (1, 8)), 27, axis=0)
    middle = slice(480, 544)
    long = build_published(SYNTH.space, 16384, 1024, seed=0)
    spread = [numbers(net.generator([sounds, ONE_HOT])).std(axis=0)[middle].mean() for net in (ours, long)]
    near = numbers(published.generator([np.repeat(WAVE, 27, axis=0), ONE_HOT])).std(axis=0).mean()
    assert spread[0] > 10 * spread[1]
    assert near > 3 * spread[1]


@pytest.mark.parametrize("samples", [64, 129, 130, 4096])
def test_our_generator_takes_any_length(ours, samples):
    out = numbers(ours.generator([np.ones((2, samples), np.float32), ONE_HOT[:2]]))
    assert out.shape == (2, samples)


@pytest.mark.parametrize("build", [build_neurosynth, build_published])
@pytest.mark.parametrize("samples", [12, 132, 256])
def test_systems_are_built_for_any_multiple_of_four(build, samples):
    made = build(SYNTH.space, 16384, samples, conv_dim=2)
    inputs = tuple(map(ops.convert_to_tensor, (np.zeros((3, samples), np.float32), ONE_HOT[:3])))
    judged = made.critic_output(made.generate(inputs), inputs)
    assert tuple(judged["score"].shape) == (3,)
    assert tuple(judged["classes"].shape) == (3, 9)


def test_width_scales_the_networks():
    narrow, wide = (build_neurosynth(SYNTH.space, 16384, 128, conv_dim=width) for width in (2, 8))
    assert narrow.count_params() < wide.count_params() / 3


def test_gate_makes_the_ideal_representable():
    gated = build_neurosynth(SYNTH.space, 16384, 128, output_head="gate", seed=0).generator
    for name, value in (("gate", 0.0), ("residual", 0.0)):
        kernel, _ = gated.get_layer(name).get_weights()
        gated.get_layer(name).set_weights(
            [np.zeros_like(kernel), np.asarray([1.0 - 0.75 if name == "gate" else value])]
        )
    found = numbers(gated([WAVE, ONE_HOT[:1]]))
    np.testing.assert_allclose(found, 0.25 * WAVE, atol=1e-6)


# --- the losses -------------------------------------------------------------------------------------------------------


def test_published_score_is_a_sigmoid_and_ours_is_not(ours, published):
    loud = (100.0 * np.repeat(WAVE, 27, axis=0), ONE_HOT)
    score = numbers(published.critic_output(loud[0], loud)["score"])
    assert np.all((score >= 0) & (score <= 1))
    assert np.abs(numbers(ours.critic_output(loud[0], loud)["score"])).max() > 1.5


def test_class_losses_are_three_softmaxes_or_nine_sigmoids(ours, published):
    logits = np.random.default_rng(2).normal(size=(27, 9)).astype(np.float32)
    rows = logits.reshape(27, 3, 3)
    softmax = np.log(np.exp(rows).sum(axis=-1)) - (rows * ONE_HOT.reshape(27, 3, 3)).sum(axis=-1)
    np.testing.assert_allclose(float(ours.class_loss(logits, ONE_HOT)), softmax.sum(axis=1).mean(), rtol=1e-5)
    sigmoid = np.log1p(np.exp(-np.where(ONE_HOT > 0, logits, -logits))).mean()
    np.testing.assert_allclose(float(published.class_loss(logits, ONE_HOT)), sigmoid, rtol=1e-5)


def test_penalty_of_ours_looks_at_the_candidate_alone(ours):
    """Beside another waveform the score may change as it likes: only its slope along the candidate is held."""
    inputs = (np.repeat(WAVE, 27, axis=0), ONE_HOT)
    tensors = tuple(map(ops.convert_to_tensor, inputs))
    one = StepContext(ours, tensors, tensors[0], network="critic")
    mix, step = numbers(one.mix), 1e-2
    slopes = []
    for item in range(27):
        around = np.repeat(mix[item][None], 128, axis=0)
        up, down = around + step * np.eye(128, dtype=np.float32), around - step * np.eye(128, dtype=np.float32)
        beside = (np.repeat(inputs[0][:1], 128, axis=0), np.repeat(ONE_HOT[item][None], 128, axis=0))
        high, low = (numbers(ours.critic_output(each, beside)["score"]) for each in (up, down))
        difference = high - low
        slopes.append(np.linalg.norm(difference / (2 * step)))
    found = float(ours.gradient_penalty(one))
    assert found == pytest.approx(np.square(np.asarray(slopes) - 1.0).mean(), rel=0.02)


def test_only_the_chosen_terms_are_trained_but_the_error_is_always_told():
    with_error = build_neurosynth(SYNTH.space, 16384, 128, conv_dim=2)
    without = build_neurosynth(SYNTH.space, 16384, 128, conv_dim=2, l1_weight=0.0)
    for made, weight in ((with_error, 10.0), (without, 0.0)):
        assert "generator_l1" in made.means
        assert made._weight("l1") == weight
    assert build_published(SYNTH.space, 16384, 128).schedule == [["real", "classes"], ["fake"], ["penalty"]]


# --- the data ---------------------------------------------------------------------------------------------------------


def stream(**options):
    return EnvelopeStream(
        EnvelopeSynth(legacy=True), **{"examples": 40, "batch_size": 8, "critic_steps": 2, "fresh": True, **options}
    )


def test_examples_are_pairs_under_the_ideal_envelope():
    from generators.dsp.envelopes import attack_sustain_release

    with stream().training(8) as batches:
        (basic, one_hot), shaped = batches[0]
    assert basic.shape == shaped.shape == (16, 128)  # a batch for each of two critic steps
    levels = [np.asarray(SYNTH.space.parameters[i].levels)[one_hot[:, 3 * i - 3 : 3 * i].argmax(1)] for i in (1, 2, 3)]
    np.testing.assert_allclose(shaped, basic * attack_sustain_release(*levels, 128, True), atol=1e-6)


def test_fresh_examples_are_new_in_every_epoch_and_others_come_again():
    def epochs(fresh):
        with stream(fresh=fresh).training(8) as batches:
            found = []
            for epoch in (0, 1):
                batches.start_epoch(epoch)
                found.append(np.concatenate([batches[i][0][0] for i in range(batches.num_batches)]))
            return found

    first, second = epochs(fresh=True)
    assert len(first) == 80  # 40 for the generator, twice as many for the critic
    assert not set(map(bytes, first)) & set(map(bytes, second))
    first, second = epochs(fresh=False)
    assert len(first) == 40
    assert set(map(bytes, first)) == set(map(bytes, second))
    assert not np.array_equal(first, second)  # shuffled


def test_training_validation_and_test_share_no_example():
    source = stream(fresh=False)
    with source.training(8) as training, source.validation(64) as validation, source.test(64) as test:
        rows = [set(map(bytes, batches[0][0][0])) for batches in (training, validation, test)]
    assert len(rows[0] | rows[1] | rows[2]) == sum(map(len, rows))


def test_one_hot_rows_leave_the_waveform_out():
    classes = np.asarray([[2, 0, 1, 2], [0, 2, 2, 0]])
    np.testing.assert_array_equal(
        class_one_hot(SYNTH.space, classes), [[1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 1, 0, 0, 1, 1, 0, 0]]
    )


# --- training ---------------------------------------------------------------------------------------------------------


def run_of(*argv, model="neurosynth"):
    settings = {"neurosynth": NeuroSynthSettings, "neurosynth-published": PublishedSettings}[model]
    return train_from_settings(settings.parse([*SMALL, *argv]))


def weights_of(path):
    from models.model_files import load_model

    return load_model(path).model.get_weights()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of ours on a stream, a copy as a kill after two epochs would leave it, and a published one on a file."""
    folder = tmp_path_factory.mktemp("runs")
    with copied_after(folder, 2):
        made = {"neurosynth": run_of(*LEARNING, "--output_dir", str(folder))}
    small = ["--num_examples", "60", "--seq_length", "16", "--legacy", "--no-wavefiles"]
    assert generate([*small, "--dataset_dir", str(folder)]) == 0
    other = ("--output_dir", str(folder), "--critic_steps", "1", "--dataset_file", str(folder / "envelope.hdf5"))
    made["neurosynth-published"] = run_of(*other, model="neurosynth-published")
    return made | {"killed": Run(folder / "2" / made["neurosynth"].name)}


@pytest.mark.parametrize("model", ["neurosynth", "neurosynth-published"])
def test_run_folder_holds_pictures_and_models_of_the_way(model, runs):
    run = runs[model]
    kept = ["epoch_00002", "epoch_00004", "epoch_00005"]
    assert [path.stem for path in sorted(run.pictures.iterdir())] == kept
    assert [path.stem for path in sorted(run.snapshots.iterdir())] == kept
    assert [row["epoch"] for row in run.history()] == [2, 4, 5]
    assert all(math.isfinite(value) for row in run.history() for value in row.values())
    assert load_envelope_shaper(run.snapshots / f"{kept[0]}.keras").samples == 16
    test = run.metrics()["test"]
    assert test["n"] == {"neurosynth": 1024, "neurosynth-published": 6}[model]
    assert 0 < test["mae"]["All"] < 2
    with run.history_file.open() as file:
        assert {"critic_loss", "critic_penalty", "generator_l1", "val_loss"} <= set(csv.DictReader(file).fieldnames)
    assert read_card(run.best).takes == "envelope"


def test_interrupted_run_goes_on_with_both_optimisers(runs):
    whole, killed = runs["neurosynth"], runs["killed"]
    assert [row["epoch"] for row in killed.history()] == [2]
    part = run_of(*LEARNING, "--output_dir", str(killed.path.parent))
    assert part.path == killed.path
    assert part.history() == whole.history()
    for a, b in zip(weights_of(whole.best), weights_of(part.best), strict=True):
        np.testing.assert_array_equal(a, b)


def test_error_falls_as_it_trains(runs):
    first, *_, last = runs["neurosynth"].history()
    assert last["loss"] < 0.8 * first["loss"]
    assert last["critic_loss"] != first["critic_loss"]


def test_dataset_file_serves_as_well_as_a_stream(runs):
    run = runs["neurosynth-published"]
    assert runs["neurosynth"].path.name == "neurosynth_envelope_stream"
    assert run.path.name == "neurosynth-published_envelope"
    assert load_envelope_shaper(run.path).legacy
    assert run.metrics()["splits"] == {"training": 48, "validation": 6, "test": 6}


@pytest.mark.parametrize(
    ("argv", "error", "message"),
    [
        (("--seq_length", "18"), Exception, "must be a multiple of 4 samples"),
        (("--sustains", "1,1.2"), Exception, "levels of sustain must lie in 0..1"),
        (("--attacks", "0,0.6", "--releases", "0,0.5"), Exception, "must fit into 16 samples together"),
        (("--folds", "3", "--no-stream"), SettingsError, "unknown argument --folds"),
        (("--loss", "bce"), SettingsError, "unknown argument --loss"),
        (("--no-stream",), DatasetError, "no such dataset"),
    ],
)
def test_settings_that_cannot_be_met_take_one_line(tmp_path, argv, error, message):
    with pytest.raises(error, match=message) as raised:
        run_of(*argv)
    assert "\n" not in str(raised.value)


def test_settings_beside_a_dataset_must_be_those_of_the_dataset(tmp_path):
    assert generate(["--num_examples", "30", "--seq_length", "16", "--attacks", "0,0.5", "--releases", "0,0.25"]) == 0
    for argv, message in (
        (("--attacks", "0,0.2"), "attacks of .* is 0,0.5. Received: --attacks 0,0.2"),
        (("--legacy",), "legacy of .* is False. Received: --legacy True"),
        (("--seq_length", "20"), "seq_length of .* is 16. Received: --seq_length 20"),
    ):
        settings = NeuroSynthSettings.parse(["--dataset_file", "test_datasets/envelope.hdf5", *argv])
        with ExitStack() as stack, pytest.raises(SettingsError, match=message):
            find_recipe("neurosynth").open_data(settings, stack, None)
    settings = NeuroSynthSettings.parse(["--dataset_file", "test_datasets/envelope.hdf5", "--attacks", "0,0.5"])
    with ExitStack() as stack:
        assert find_recipe("neurosynth").open_data(settings, stack, None)[0].space.sizes[1:] == (2, 3, 2)


def test_steps_of_an_epoch_win_over_its_examples(tmp_path):
    settings = NeuroSynthSettings.parse([*SMALL, "--steps_per_epoch", "3"])
    with ExitStack() as stack:
        source, _ = find_recipe("neurosynth").open_data(settings, stack, None)
        with source.training(settings.batch_size) as batches:
            assert batches.num_batches == 3


def test_half_precision_is_bfloat16_or_refused():
    with computing_in("mixed_bfloat16"):
        made = build_neurosynth(SYNTH.space, 16384, 128, conv_dim=2)
    inputs = tuple(map(ops.convert_to_tensor, (np.repeat(WAVE, 27, axis=0), ONE_HOT)))
    fake = made.generate(inputs)
    assert all(standardize_dtype(one.dtype) == "float32" for one in (fake, made.critic_output(fake, inputs)["score"]))
    with computing_in("mixed_float16"), pytest.raises(ModelError, match="train in float32 or mixed_bfloat16"):
        find_recipe("neurosynth").compile(build_neurosynth(SYNTH.space, 16384, 128, conv_dim=2), SYNTH.space)


@pytest.mark.parametrize("argv", [("--synth", "fm"), ("--normalise",)])
def test_settings_of_other_sounds_are_refused(tmp_path, argv):
    with pytest.raises(SettingsError, match=f"unknown argument {argv[0]}"):
        run_of(*argv)


def test_weights_that_the_published_losses_do_not_have_are_refused(tmp_path):
    with pytest.raises(SettingsError) as raised:
        run_of("--l1_weight", "3", model="neurosynth-published")
    assert "unknown argument --l1_weight" in str(raised.value)


def test_dataset_of_another_synth_is_refused(tiny_dataset_path, tmp_path):
    settings = NeuroSynthSettings.parse([*SMALL, "--dataset_file", str(tiny_dataset_path)])
    with ExitStack() as stack, pytest.raises(DatasetError, match="learns from a dataset of synth envelope"):
        find_recipe("neurosynth").open_data(settings, stack, None)


def test_space_without_an_envelope_is_refused():
    with pytest.raises(ModelError, match="needs attack, sustain and release"):
        build_neurosynth(build_synth("sine").space, 16384, 128)


def test_model_chooses_its_settings(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--model", "neurosynth-published", "--help"])
    assert "--critic_steps" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--critic_steps" not in capsys.readouterr().out
    assert main(["--model", "C3", "--critic_steps", "2"]) == 2
    assert "unknown argument --critic_steps" in capsys.readouterr().err
    Path(".env").write_text("MODEL=neurosynth\n")
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--critic_steps" in capsys.readouterr().out


def test_door_of_the_module_reads_its_own_settings(tmp_path, capsys):
    assert main([*SMALL, "--seq_length", "18"], model="neurosynth") == 2
    assert "must be a multiple of 4 samples, 12 or more. Received: 18. Set --seq_length" in capsys.readouterr().err


# --- shaping ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def shaper(runs):
    return load_envelope_shaper(runs["neurosynth"].path)


def test_shaper_says_what_it_was_trained_for(shaper):
    assert (shaper.attacks, shaper.sustains, shaper.releases) == ((0, 0.2, 0.4), (1, 0.7, 0.4), (0, 0.2, 0.4))
    assert (shaper.samples, shaper.sample_rate, shaper.legacy, shaper.any_length) == (16, 16384, False, True)
    np.testing.assert_array_equal(shaper.classes_of(0.4, 0.7, 0.0), [2, 1, 0])
    with pytest.raises(ModelError, match=r"was trained for sustain 1, 0\.7, 0\.4\. Received: 0\.5"):
        shaper.classes_of(0.4, 0.5, 0.0)


def test_shaper_gives_the_same_in_batches_of_any_size(shaper):
    basic = np.random.default_rng(0).normal(size=(27, 48)).astype(np.float32)
    whole = shaper.shape(basic, CLASSES)
    np.testing.assert_allclose(shaper.shape(basic, CLASSES, batch_size=5), whole, atol=1e-5)
    assert whole.shape == basic.shape
    assert shaper.shape(basic[:0], CLASSES[:0]).shape == (0, 48)


@pytest.mark.parametrize(
    ("basic", "classes", "message"),
    [
        (np.zeros(16), CLASSES[:1], r"Received: \(16,\)"),
        (np.zeros((2, 16)), CLASSES[:1], r"Received: \(2, 16\) and \(1, 3\)"),
        (np.zeros((1, 16)), [[0, 3, 0]], "classes of sustain run from 0 to 2"),
        (np.zeros((1, 16)), [[-1, 0, 0]], "classes of attack run from 0 to 2"),
        (np.zeros((1, 16)), [[0.5, 0, 0]], "classes of attack run from 0 to 2"),
        (np.full((1, 16), np.nan), [[0, 0, 0]], "must be finite"),
    ],
)
def test_what_cannot_be_shaped_is_refused(shaper, basic, classes, message):
    with pytest.raises(ModelError, match=message):
        shaper.shape(basic, classes)


def test_model_that_shapes_nothing_is_no_shaper_and_a_shaper_hears_nothing(shaper, tmp_path):
    from inversynth.pretrained import find_model

    with pytest.raises(ModelError, match=r"must be a generator of envelopes\. Received: C6XL"):
        load_envelope_shaper(find_model("C6XL"))
    with pytest.raises(ModelError, match="Use it with: inversynth shape"):
        shaper.loaded.predict(np.zeros((1, 16)))


def test_published_generator_takes_its_own_length_alone(runs):
    shaper = load_envelope_shaper(runs["neurosynth-published"].path)
    assert not shaper.any_length
    assert shaper.legacy
    with pytest.raises(ModelError, match=r"shapes sounds of 16 samples\. Received: 20"):
        shaper.shape(np.zeros((1, 20)), [[0, 0, 0]])
