"""The README's pictures: all are drawn, on white, the same each time."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from docs.gallery import SEED, main, write_gallery
from generators.sampling import sample_classes
from generators.synth import Synth


def test_gallery_shows_a_fixed_new_sound_its_match_and_its_knobs(
    tmp_path: Path, fm: Synth, oracle_of: Callable
) -> None:
    model = oracle_of(fm, sample_classes(fm.space, 3, 4, SEED)[0])
    model.sample_rate = model.card.sample_rate
    paths, patch = write_gallery(tmp_path / "a", model, row=3)
    assert [path.name for path in paths] == ["spectrograms.png", "waveforms.png", "knobs.png", "patches.png"]
    assert patch.scores["mpr"] == 100.0
    again, _ = write_gallery(tmp_path / "b", model, row=3)
    for path, other in zip(paths, again, strict=True):
        assert path.read_bytes() == other.read_bytes()
        with Image.open(path) as picture:
            assert picture.width >= 500
            assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_gallery_names_a_model_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "nowhere"]) == 2
    assert "no such model: nowhere" in capsys.readouterr().err
