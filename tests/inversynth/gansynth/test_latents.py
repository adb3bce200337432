"""Arcs between latents against what is known of them, and files of latents: there and back, and at fault."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from generators.errors import DatasetError
from inversynth.gansynth.latents import arc, read_latent, read_latents, slerp, write_latents


@dataclass(frozen=True)
class Model:
    """What reading latents needs of a model."""

    latent: int = 4
    fingerprint: str = "a" * 16
    name: str = "toy"


LATENTS = np.arange(12, dtype=np.float32).reshape(3, 4) - 5.0


def test_an_arc_between_unit_vectors_keeps_to_the_circle_and_turns_evenly() -> None:
    way = arc([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], 10)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(np.arctan2(way[:, 2], way[:, 0]), np.linspace(0.0, np.pi / 2, 10), atol=1e-6)


def test_angles_are_those_of_directions_and_lengths_are_mixed_as_they_are() -> None:
    expected = (np.sin(0.75 * np.pi / 2) * np.array([3.0, 0.0]) + np.sin(0.25 * np.pi / 2) * np.array([0.0, 0.5])) / 1.0
    np.testing.assert_allclose(slerp([3.0, 0.0], [0.0, 0.5], 0.25), expected)


def test_ends_are_the_latents_themselves_to_the_bit() -> None:
    first, last = np.random.default_rng(3).normal(size=(2, 64)).astype(np.float32)
    way = arc(first, last, 3)
    assert (way[0] == first).all()
    assert (way[2] == last).all()
    assert not np.allclose(way[1], (first + last) / 2, atol=0.05)


@pytest.mark.parametrize(
    ("first", "last", "middle"),
    [
        ([1.0, 2.0], [1.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0], [3.0, 6.0], [2.0, 4.0]),
        ([0.0, 0.0], [1.0, 2.0], [0.5, 1.0]),
        ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_the_way_is_straight_where_directions_coincide(first: list, last: list, middle: list) -> None:
    np.testing.assert_allclose(slerp(first, last, 0.5), middle)


@pytest.mark.parametrize("nudge", [0.0, 1e-9])
def test_between_opposed_latents_lies_a_half_circle(nudge: float) -> None:
    first = np.array([2.0, 0.0, 0.0])
    middle = slerp(first, -2.0 * first + [0.0, nudge, 0.0], 0.5)
    assert np.linalg.norm(middle) == pytest.approx(3.0)
    assert middle @ first == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(slerp(first, -2.0 * first, 0.5), middle, atol=1e-6)


def test_latents_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    path = write_latents(tmp_path / "some" / "latents.npz", LATENTS, Model())
    assert (read_latents(path, Model()) == LATENTS).all()
    assert (read_latent(f"{path}:2", Model()) == LATENTS[2]).all()
    assert (read_latent(str(path), Model()) == LATENTS[0]).all()


def test_bare_arrays_are_latents_of_the_model_at_hand(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", LATENTS[1].astype(np.float64))
    np.save(tmp_path / "many.npy", LATENTS)
    assert (read_latents(tmp_path / "one.npy", Model()) == LATENTS[1:2]).all()
    assert (read_latents(tmp_path / "many.npy", Model()) == LATENTS).all()


def test_latents_of_another_model_are_taken_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = write_latents(tmp_path / "latents.npz", LATENTS, Model(fingerprint="b" * 16))
    assert (read_latents(path, Model()) == LATENTS).all()
    assert "were drawn for another model: in toy the same latents are other timbres" in caplog.text


def holding(**arrays: object) -> Callable[[Path], object]:
    return lambda path: np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such latents: latents.npz"),
        (lambda path: path.write_text("hello"), "must be a file of latents, as inversynth gansynth random makes"),
        (holding(latents=LATENTS), "latents.npz must hold the arrays latents and fingerprint. Received: latents"),
        (holding(latents=LATENTS[:, :3], fingerprint="a"), "have shape (n, 4). Received: (3, 3) in latents.npz"),
        (holding(latents=LATENTS[:0], fingerprint="a"), "Received: (0, 4)"),
        (holding(latents=LATENTS * np.nan, fingerprint="a"), "latents must be finite. Received: NaN or infinity"),
        (holding(latents=LATENTS.astype(str), fingerprint="a"), "latents must be numbers. Received: <U"),
    ],
)
def test_a_file_without_latents_states_why(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(Path("latents.npz"))
    with pytest.raises(DatasetError) as fault:
        read_latents("latents.npz", Model())
    assert message in str(fault.value)


def test_a_row_that_is_not_there_is_reported_with_those_that_are(tmp_path: Path) -> None:
    path = write_latents(Path("latents.npz"), LATENTS, Model())
    with pytest.raises(DatasetError, match=r"rows of latents\.npz run from 0 to 2\. Received: 3"):
        read_latent(f"{path}:3", Model())
