"""Draw quality against budget: `python -m benchmarks.budgets EVALUATION.json` writes docs/images/budgets.png.

The evaluation is one of `inversynth evaluate … --budgets 125,250,…`; its first network is the point at no render, and
the dashed line.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from inversynth.report.figures import PAPER, to_png

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "budgets.png"

PANELS = (
    ("MPR", lambda result: result["groups"]["All"]["mpr"]),
    ("STFT PCC, mean", lambda result: result["reconstruction"]["stft_pcc"]["mean"]),
    ("FT PCC, mean", lambda result: result["reconstruction"]["ft_pcc"]["mean"]),
    ("seconds a sound", lambda result: dict.fromkeys(("value", "low", "high"), result["seconds_per_sound"])),
)


def main() -> None:
    """Read the evaluation named on the command line and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("evaluation", type=Path, help="JSON file of `inversynth evaluate` with numbers as --budgets")
    evaluation = json.loads(parser.parse_args().evaluation.read_text(encoding="utf-8"))
    print(to_png(curve(evaluation), PICTURE))


def curve(evaluation: dict[str, Any]) -> Any:
    """Draw one panel a measure over renders spent, with intervals; returns the figure."""
    from matplotlib.figure import Figure

    searches = [result for result in evaluation["results"] if result["kind"] == "search"]
    network = next(result for result in evaluation["results"] if result["kind"] == "model")
    spent = {result["render_budget"]: result for result in searches if result["name"].endswith("renders")}
    # budgets overdrawn to the same number of renders are one point; the network by itself renders nothing
    points = [(0, network), *sorted(spent.items(), key=lambda point: point[0])]
    if len(points) < 3:
        raise SystemExit("an evaluation with two or more numbers as --budgets is needed")
    figure = Figure(figsize=(9.0, 2.4), layout="constrained")
    for axes, (title, measure) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        estimates = [measure(result) for _, result in points]
        renders = [spent for spent, _ in points]
        values = [estimate["value"] for estimate in estimates]
        axes.fill_between(
            renders, [e["low"] for e in estimates], [e["high"] for e in estimates], color=PAPER.match, alpha=0.2, lw=0
        )
        axes.plot(renders, values, "o-", color=PAPER.match, markersize=3)
        axes.axhline(measure(network)["value"], color=PAPER.target, lw=1, ls="--")
        axes.set_xlim(left=0)
        axes.set_title(title, fontsize=9, color=PAPER.ink)
        axes.tick_params(labelsize=8, colors=PAPER.ink)
        axes.grid(color=PAPER.line, lw=0.5)
        axes.set_xlabel("renders a sound", fontsize=8, color=PAPER.ink)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
