"""Tables 3 and 4 of the InverSynth paper (arXiv 1812.06349), printed rows and ours side by side, as Markdown.

The printed numbers are in `inversynth/evaluation/paper/`. They cannot be compared directly with ours: the paper has
another synthesizer of the same description, whose code was never released, other sounds, and an F-delta of an unknown
logarithm.
"""

import csv
from importlib.resources import files

from inversynth.evaluation.scores import ALL, Evaluation, Result, with_interval

NOT_COMPARABLE = (
    "Printed: the paper's numbers, on its own synthesizer and sounds; its F-delta has another logarithm. "
    "Ours: this toolkit's `fm`. Only the order of rows within one block can be compared without reservation."
)


def printed(table: str) -> dict[str, dict[str, float]]:
    """Read a printed table: by column name, then by the first cell of each row. `table` is a file of `paper/`."""
    text = files("inversynth.evaluation").joinpath("paper", table).read_text(encoding="utf-8")
    first, *rows = csv.reader(text.splitlines())
    return {name: {row[0]: float(row[place]) for row in rows} for place, name in enumerate(first) if place}


def paper_tables(evaluation: Evaluation) -> str:
    """Lay out both tables, with what they were measured on."""
    card = evaluation.dataset
    head = (
        f"{evaluation.n} sounds of `{card['synth']}` ({card['length']:g} s at {card['sample_rate']} Hz) from a dataset "
        f"of seed {card['seed']}, condition {evaluation.condition}; drawn with seed {evaluation.seed}; 95 % bootstrap "
        f"intervals over sounds in brackets; {evaluation.software}."
    )
    return "\n\n".join([head, NOT_COMPARABLE, _table_3(evaluation), _table_4(evaluation)]) + "\n"


def _table_3(evaluation: Evaluation) -> str:
    paper, results = printed("table3_mpr.csv"), evaluation.results
    subjects = list(next(iter(paper.values())))
    known = results[0].parameters
    head = ["parameter", *(f"{name}, printed" for name in paper), *(f"**{result.name}**" for result in results)]
    rows = []
    for subject in [subject for subject in subjects if subject in known] + ["mean"]:
        cells = [f"{column[subject]:.1f}" for column in paper.values()]
        for result in results:
            scores = result.groups[ALL] if subject == "mean" else result.parameters[subject]
            cells.append(with_interval(scores["mpr"], 1) if subject == "mean" else f"{scores['mpr'].value:.1f}")
        rows.append([f"`{subject}`" if subject != "mean" else "**mean**", *cells])
    top1 = [f"{100 * result.groups[ALL]['top1'].value:.1f}" for result in results]
    rows.append(["top-1 %", *([""] * len(paper)), *top1])
    title = "### Table 3: mean percentile rank (100 perfect, 50 chance)"
    return f"{title}\n\n{markdown_table(head, rows)}"


def _table_4(evaluation: Evaluation) -> str:
    paper = printed("table4_reconstruction.csv")
    scores = ["STFT PCC mean", "median", "FT PCC mean", "median", "F-delta mean", "median"]
    head = ["row", "", "log-mel distance, dB, mean", "median", *scores, "s a sound", "renders"]
    rows = [
        [name, "printed", "", "", *(f"{column[measure]:.2f}" for measure in _MEASURES), "", ""]
        for name, column in paper.items()
    ]
    rows += [[f"**{result.name}**", "ours", *_reconstruction(result)] for result in evaluation.results]
    return f"### Table 4: the sounds of the estimates\n\n{markdown_table(head, rows)}"


_MEASURES = ("stft_pcc_mean", "stft_pcc_median", "ft_pcc_mean", "ft_pcc_median", "f_delta_mean", "f_delta_median")


def _reconstruction(result: Result) -> list[str]:
    cells = []
    for measure in ("log_mel_distance_mean", "log_mel_distance_median", *_MEASURES):
        name, statistic = measure.rsplit("_", 1)
        estimate = result.reconstruction[name][statistic]
        decimals = 2 if name != "f_delta" else 1
        cells.append(with_interval(estimate, decimals) if statistic == "mean" else f"{estimate.value:.{decimals}f}")
    return [*cells, f"{result.seconds_per_sound:.4f}", str(result.render_budget)]


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Write a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
