"""Pictures of latent spaces: grids with every name and axis, and an animation of a training."""

import numpy as np
import pytest
from PIL import Image

from generators.dataset import Dataset
from generators.errors import ModelError
from models.registry import find_recipe
from models.wae.data import StyledNotes
from models.wae.plots import animate, attributes_of, draw_grid, draw_space, in_space
from models.wae.presets import PRESETS
from tests.styled_notes import STYLES, write_notes

PITCH, STYLE = np.asarray([36, 61, 61, 83]), np.asarray([0, 1, 2, 1])


def test_attributes_are_those_of_the_notes():
    semitone, octave, style = attributes_of(PITCH, STYLE, STYLES)
    assert [semitone.names[number] for number in semitone.numbers] == ["C", "C#", "C#", "B"]
    assert [octave.names[number] for number in octave.numbers] == ["2", "4", "4", "5"]
    assert [style.names[number] for number in style.numbers] == ["flute", "reed", "horn", "reed"]
    looks = [(str(colour), marker) for _, (colour, marker) in semitone.looks()]
    assert len(set(looks)) == 12


def test_a_grid_has_a_column_a_model_and_a_row_an_attribute():
    points = np.random.default_rng(0).normal(size=(4, 3))
    grid = draw_grid({"one": points, "other": points}, attributes_of(PITCH, STYLE, STYLES))
    assert [axes.get_title() for axes in grid.axes] == ["one", "other", "", "", "", ""]
    assert [len(axes.collections[1].get_offsets()) for axes in grid.axes[:2]] == [2, 2]  # both C#
    assert {axes.get_zlabel() for axes in grid.axes} == {"z3"}
    assert [text.get_text() for text in grid.axes[5].get_legend().get_texts()] == list(STYLES)
    flat = draw_grid({"one": points[:, :2], "other": points[:, :2]}, attributes_of(PITCH, STYLE, STYLES))
    assert not hasattr(flat.axes[0], "get_zlabel")


def test_latents_of_any_length_have_a_place_in_space():
    assert in_space(np.ones((2, 16))).shape == (2, 3)
    np.testing.assert_array_equal(in_space(np.ones((1, 2))), [[1, 1, 0]])


def test_a_training_leaves_spectrograms_that_become_an_animation(tmp_path):
    with Dataset(write_notes(tmp_path / "notes.hdf5")) as dataset:
        source = StyledNotes(dataset, size=PRESETS["smoke"])
        system = find_recipe("wae").build(source.space, 8000, 1000, size="smoke", seed=0, **source.known)
        paths = [tmp_path / f"epoch_{epoch:05d}.png" for epoch in (5, 10)]
        draw_space(system, source, paths[0])
        paths[1].write_bytes(paths[0].read_bytes())
    with Image.open(animate(paths, tmp_path / "run.gif")) as film, Image.open(paths[0]) as spectrogram:
        assert (film.n_frames, film.size) == (1, spectrogram.size)  # a frame that is the last once more is held longer
        assert len(np.unique(np.asarray(spectrogram).reshape(-1, np.asarray(spectrogram).shape[-1]), axis=0)) > 100
    with pytest.raises(ModelError, match="needs the plots of a training"):
        animate([], tmp_path / "none.gif")
