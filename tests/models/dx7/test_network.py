"""The network for DX7 voices: tokens, what it hears, examples, and the same numbers from Keras and from NumPy."""

from pathlib import Path

import numpy as np
import pytest

from generators.dx7.engine import render
from generators.dx7.prior import sample_voices
from generators.dx7.single_note import drop_inaudible, fold_scaling
from generators.dx7.voice import HIGHEST
from generators.errors import AudioError, ModelError, ParameterError
from models.dx7.data import column_weights, draw_hidden, examples_of, play_notes
from models.dx7.features import CHANNELS, FRAMES, HARMONICS, SAMPLE_RATE, note_features
from models.dx7.inference import VoiceNetwork
from models.dx7.tokens import BYTES, FIELDS, SIZES, UNKNOWN, classes_to_voices, columns_of, voices_to_classes


@pytest.fixture(scope="module")
def voices() -> np.ndarray:
    return drop_inaudible(fold_scaling(sample_voices(16, 3)[0], 60, 100))


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, Path]:
    from models.dx7.bundle import write_network
    from models.dx7.networks import build_network

    model = build_network(seed=4)
    return model, write_network(model, tmp_path_factory.mktemp("network") / "network.npz")


def test_voices_and_their_classes_are_one_to_one_but_for_rough_settings(voices: np.ndarray) -> None:
    classes = voices_to_classes(voices)
    again = classes_to_voices(classes)
    exact = HIGHEST.astype(np.int64)[BYTES] + 1 == SIZES
    np.testing.assert_array_equal(again[:, BYTES[exact]], voices[:, BYTES[exact]])
    assert np.abs(again[:, BYTES] - voices[:, BYTES]).max() <= 1
    np.testing.assert_array_equal(voices_to_classes(again), classes)


def test_a_sine_is_heard_at_its_own_harmonic_whatever_its_note() -> None:
    notes = np.array([45.0, 60.0, 72.5])
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    hertz = 440.0 * 2.0 ** ((notes - 69.0) / 12.0)
    heard = note_features(np.sin(2 * np.pi * 3 * hertz[:, None] * times), notes)
    assert heard.shape == (3, FRAMES, CHANNELS)
    harmonics = heard[:, FRAMES // 2, -HARMONICS:]
    assert harmonics.argmax(axis=1).tolist() == [5, 5, 5]  # six times half the note's frequency
    assert np.allclose(harmonics.max(axis=1), harmonics.max(), atol=0.05)


def test_examples_hide_what_they_ask_for_and_are_repeatable() -> None:
    notes, again = play_notes(8, 1, 2), play_notes(8, 1, 2)
    np.testing.assert_array_equal(notes.sound, again.sound)
    hidden = draw_hidden(8, np.random.default_rng(0))
    (_, _, given), targets = examples_of(notes, hidden)
    classes, weights = targets[:, : len(FIELDS)], targets[:, len(FIELDS) :]
    assert ((given == UNKNOWN) == hidden).all()
    np.testing.assert_array_equal(np.where(hidden, classes, given), classes)
    assert (weights[~hidden] == 0).all()
    assert (weights[hidden] > 0).all()


def test_operators_that_are_not_heard_hardly_count() -> None:
    voice = sample_voices(1, 0)[0].astype(np.int64)
    voice[:, 134] = 31  # six carriers
    voice[:, [21 * place + 16 for place in range(6)]] = (0, 99, 99, 99, 99, 99)
    weights = column_weights(voice)[0]
    coarse = columns_of("coarse")
    assert weights[coarse[0]] < 0.05 < 1.0 <= weights[coarse[1:]].min()
    assert weights[columns_of("output_level")].min() >= 1.0  # that it is silent has to be learned


def test_numpy_computes_what_keras_computes(untrained: tuple[object, Path]) -> None:
    model, path = untrained
    assert model.count_params() == 3_347_556  # type: ignore[attr-defined]
    network = VoiceNetwork.load(path)
    rng = np.random.default_rng(1)
    audio = rng.normal(size=SAMPLE_RATE).astype(np.float32)
    classes = np.where(draw_hidden(5, rng), UNKNOWN, rng.integers(0, SIZES, (5, len(FIELDS))))
    sound = np.repeat(note_features(audio[None], np.array([57.0])), 5, axis=0)
    wanted = np.asarray(model([sound, np.full((5, 1), 57.0, np.float32), classes.astype(np.int32)]))  # type: ignore[operator]
    found = network.name_classes(network.hear(audio, SAMPLE_RATE, 57.0), classes)
    assert np.abs(wanted - found).max() < 0.01 * wanted.std() + 0.01  # weights are stored in half precision
    assert wanted.std() > 0.1


def test_drawn_voices_can_be_played_and_a_redraw_keeps_what_is_given(
    untrained: tuple[object, Path], voices: np.ndarray
) -> None:
    network = VoiceNetwork.load(untrained[1])
    context = network.hear(np.sin(np.arange(SAMPLE_RATE) * 0.1), SAMPLE_RATE, 60.0)
    drawn = network.draw(context, 6, np.random.default_rng(2))
    assert render(drawn, 60, 100, 0.5, 0.6, SAMPLE_RATE).shape == (6, round(0.6 * SAMPLE_RATE))
    assert len(np.unique(drawn, axis=0)) == 6
    np.testing.assert_array_equal(drawn, network.draw(context, 6, np.random.default_rng(2)))
    classes = voices_to_classes(voices)
    hidden = np.zeros(classes.shape, bool)
    hidden[:, columns_of("coarse")] = True
    redrawn = network.redraw(context, classes, hidden, np.random.default_rng(3))
    np.testing.assert_array_equal(redrawn[~hidden], classes[~hidden])
    assert (redrawn[hidden] != classes[hidden]).any()


def test_the_loss_is_least_for_the_right_classes(voices: np.ndarray) -> None:
    from models.dx7.networks import TokenCrossentropy

    classes = voices_to_classes(voices)
    targets = np.concatenate([classes, column_weights(voices)], axis=1).astype(np.float32)

    def logits(of: np.ndarray) -> np.ndarray:
        return np.concatenate([8.0 * np.eye(size)[of[:, k]] for k, size in enumerate(SIZES)], axis=1).astype(np.float32)

    right, other = (float(TokenCrossentropy()(targets, logits(of))) for of in (classes, np.roll(classes, 1, axis=0)))
    assert right < other - 1.0


@pytest.mark.parametrize(
    ("audio", "note", "fault"),
    [(np.zeros(100), 60.0, AudioError), (np.ones((2, 100)), 60.0, AudioError), (np.ones(100), 128.0, ParameterError)],
)
def test_what_is_no_note_is_refused(
    untrained: tuple[object, Path], audio: np.ndarray, note: float, fault: type[Exception]
) -> None:
    with pytest.raises(fault, match="Received"):
        VoiceNetwork.load(untrained[1]).hear(audio, SAMPLE_RATE, note)


def test_a_file_that_holds_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("none")
    np.savez(tmp_path / "old.npz", version=np.array(0))
    np.savez(tmp_path / "part.npz", version=np.array(1), frames=np.zeros(3))
    for name in ("text", "old", "part", "missing"):
        with pytest.raises(ModelError, match="must hold the network"):
            VoiceNetwork.load(tmp_path / f"{name}.npz")
