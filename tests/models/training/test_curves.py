"""Learning curves of runs with any name."""

from pathlib import Path

import pytest

from models.training.curves import draw_curves

HISTORY = [{"epoch": 1, "loss": 1.0, "val_loss": 2.0}, {"epoch": 2, "loss": 0.5, "val_loss": 1.0}]


@pytest.mark.parametrize("name", ["caf\udce9", "\x1b[31mred", "\x07", "$HOME `id`", "$x^{", "n" * 9000])
def test_curves_of_a_run_of_any_name_are_drawn(tmp_path: Path, name: str) -> None:
    draw_curves(HISTORY, f"{name}: C1 on sine", [tmp_path / "curves.png", tmp_path / "curves.pdf"])
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")
