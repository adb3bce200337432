"""The curve of quality against budget: one panel a measure, one point a number of renders."""

import pytest

from benchmarks.budgets import PANELS, curve


def result(name: str, kind: str, renders: int, mpr: float) -> dict:
    estimate = {"value": mpr, "low": mpr - 1, "high": mpr + 1}
    reconstruction = {name: {"mean": estimate} for name in ("stft_pcc", "ft_pcc")}
    return {
        "name": name,
        "kind": kind,
        "render_budget": renders,
        "seconds_per_sound": renders / 1000,
        "groups": {"All": {"mpr": estimate}},
        "reconstruction": reconstruction,
    }


def test_curve_draws_every_number_of_renders_beside_the_network() -> None:
    searches = [result(f"net + {n} renders", "search", n, 90 + n / 1000) for n in (2000, 500, 1000, 500)]
    figure = curve({"results": [result("net", "model", 0, 80.0), *searches, result("net + full", "search", 9, 99.0)]})
    assert [axes.get_title() for axes in figure.axes] == [title for title, _ in PANELS]
    line, network = figure.axes[0].lines
    assert line.get_xdata().tolist() == [0, 500, 1000, 2000]
    assert line.get_ydata().tolist() == pytest.approx([80.0, 90.5, 91.0, 92.0])
    assert network.get_ydata()[0] == 80.0


def test_one_budget_is_no_curve() -> None:
    with pytest.raises(SystemExit, match="two or more numbers"):
        curve({"results": [result("net", "model", 0, 80.0), result("net + 5 renders", "search", 5, 81.0)]})
