"""Losses of NeuroSynth where a class head has one class alone."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from models.backend import start_keras

start_keras()

import keras  # noqa: E402

from models.neurosynth.system import NeuroSynth  # noqa: E402


def test_a_head_of_one_class_adds_nothing_and_warns_of_nothing() -> None:
    logits = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    one_hot = np.zeros((4, 5), np.float32)
    one_hot[:, 0] = 1.0
    one_hot[np.arange(4), 1 + np.arange(4)] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = NeuroSynth.class_loss(SimpleNamespace(sizes=(1, 4)), logits, one_hot)
    expected = keras.losses.categorical_crossentropy(one_hot[:, 1:], logits[:, 1:], from_logits=True)
    assert float(found) == pytest.approx(float(np.mean(expected)), rel=1e-6)
