"""What each control of a macro model does: `inversynth macros RUN`.

One control at a time moves from end to end while the others stay in the middle. Every position is rendered and saved
with its patch, and one page plays them beside the knobs that they move. The ends of a slider are quantiles of the
training patches (2 % and 98 %), so that no position is far from them.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg
from tqdm import tqdm

from generators.audio import full_scale_gain, write_audio
from generators.command import run_command
from generators.errors import one_line
from generators.files import write_text
from generators.parameters import ParameterSpace
from generators.settings import Settings
from inversynth.inversion.inversion import model_synth
from inversynth.patches.patch import Patch, write_patch
from inversynth.report import charts, report
from inversynth.report.controls import format_value

if TYPE_CHECKING:
    from generators.synth import Synth
    from models.macros.recipe import MacroControls

Floats = NDArray[np.floating[Any]]

ENDS = (0.02, 0.98)
"""Quantiles at the ends of a slider: beyond them lie only the outermost training patches."""

MOVED = 0.05
"""Fraction of its range that a knob must move to be named."""

MOST_KNOBS = 8
"""Knobs drawn at first; the rest can be expanded."""


@dataclass(frozen=True)
class Position:
    """A position of a control: the slider (0..1 from end to end), its patch and its sound (samples,)."""

    slider: float
    patch: Patch
    audio: NDArray[np.float32]


@dataclass(frozen=True)
class Control:
    """A control, numbered from 1 by falling effect, its fraction of the variance of the training patches."""

    number: int
    effect: float
    positions: list[Position]

    @property
    def unit(self) -> Floats:
        """Knob positions (positions, parameters)."""
        return np.stack([one.patch.space.values_to_unit(one.patch.values) for one in self.positions])

    @property
    def moved(self) -> list[int]:
        """Columns of the knobs that move, the largest movement first."""
        travel = np.ptp(self.unit, axis=0)
        return [int(column) for column in np.argsort(-travel, kind="stable") if travel[column] >= MOVED]


def turn_controls(controls: "MacroControls", count: int, progress: bool = False) -> list[Control]:
    """Render each control at `count` positions from low to high, with the others in the middle. Raises ModelError."""
    synth = model_synth(controls.loaded.card)
    sliders = np.linspace(0.0, 1.0, count)
    turned = []
    with tqdm(total=count * controls.count, desc="positions", leave=False, disable=not progress) as bar:
        for place in range(controls.count):
            settings = np.full((count, controls.count), 0.5)
            settings[:, place] = np.interp(sliders, [0.0, 1.0], ENDS)
            positions = []
            for number, unit in enumerate(controls.unit(settings)):
                source = {"macro": place + 1, "slider": float(sliders[number]), "run": controls.loaded.path.parent.name}
                positions.append(_position(synth, unit, float(sliders[number]), source))
                bar.update()
            turned.append(Control(place + 1, float(controls.effects[controls.order[place]]), positions))
    return turned


def _position(synth: "Synth", unit: Floats, slider: float, source: dict[str, Any]) -> Position:
    values = synth.space.unit_to_values(unit)
    patch = Patch(synth.space, values, synth.sample_rate, synth.length, model="macros", source=source, root=synth.root)
    return Position(slider, patch, synth.render(values))


def write_controls(folder: Path, turned: Sequence[Control], controls: "MacroControls") -> Path:
    """Write macros.html, and a folder with sound and patch for each position; returns the path of the page."""
    gain = np.float32(full_scale_gain(position.audio for control in turned for position in control.positions))
    for control in turned:
        for number, position in enumerate(control.positions, start=1):
            place = folder / f"macro_{control.number}" / f"position_{number}"
            write_audio(place / "sound.wav", gain * position.audio, position.patch.sample_rate)
            write_patch(place / "patch.json", position.patch)
    return write_text(folder / "macros.html", render_controls(turned, controls))


def render_controls(turned: Sequence[Control], controls: "MacroControls") -> str:
    """Return the page as HTML."""
    sounds = [position.audio for control in turned for position in control.positions]
    players, _ = report.embed_sounds(sounds, turned[0].positions[0].patch.sample_rate)
    limits = charts.decibel_limits(sounds)
    count = len(turned[0].positions)
    test = controls.loaded.card.scores["test"]
    return report.render(
        "controls.html",
        title=f"{len(turned)} macro control{'' if len(turned) == 1 else 's'} over {controls.space.synth}",
        controls=[
            _view(control, controls.space, players[count * place : count * (place + 1)], limits)
            for place, control in enumerate(turned)
        ],
        positions=count,
        ends=[f"{100 * end:.0f}" for end in ENDS],
        explained=f"{100 * test['explained_variance']['All']:.1f}",
        pca=f"{100 * test['pca_explained_variance']['All']:.1f}",
        n=test["n"],
        knobs=len(controls.space),
        colours=charts.colour_stops(),
        limits=limits,
    )


def describe(control: Control) -> str:
    """Name the knobs that a control moves most, and their directions: `f_cut up, attack down`."""
    space, unit = control.positions[0].patch.space, control.unit
    words = [f"{space.names[column]} {_direction(unit[:, column])}" for column in control.moved[:4]]
    return ", ".join(words) or "hardly anything"


def _direction(places: Floats) -> str:
    """Name the direction of a knob: up or down where it ends far from its start, else up and down or down and up."""
    change, reach = float(places[-1] - places[0]), float(np.ptp(places))
    if abs(change) >= 0.5 * reach:
        return "up" if change > 0 else "down"
    return "up and down" if places[1:-1].max() - max(places[0], places[-1]) > 0.25 * reach else "down and up"


def _view(
    control: Control, space: ParameterSpace, players: Sequence[str], limits: tuple[float, float]
) -> dict[str, Any]:
    unit = control.unit
    knobs = [_knob(space, column, unit[:, column], control.positions) for column in control.moved]
    return {
        "number": control.number,
        "effect": f"{100 * control.effect:.0f}",
        "words": describe(control),
        "positions": [
            {
                "number": number,
                "slider": f"{100 * position.slider:.0f}",
                "player": player,
                "picture": report.data_uri("image/png", charts.spectrogram_png(position.audio, limits, pairs=True)),
            }
            for number, (position, player) in enumerate(zip(control.positions, players, strict=True), start=1)
        ],
        "knobs": knobs[:MOST_KNOBS],
        "more": knobs[MOST_KNOBS:],
        "still": len(space) - len(knobs),
    }


def _knob(space: ParameterSpace, column: int, places: Floats, positions: Sequence[Position]) -> dict[str, str]:
    parameter = space.parameters[column]
    along = np.linspace(2.0, 94.0, len(places))
    points = " ".join(f"{x:.1f},{24.0 - 22.0 * y:.1f}" for x, y in zip(along, places, strict=True))
    first, last = (format_value(float(positions[end].patch.values[column]), parameter.unit) for end in (0, -1))
    return {
        "name": parameter.name,
        "description": parameter.description,
        "points": points,
        "first": first,
        "last": last,
        "way": _direction(places),
    }


class MacrosSettings(Settings):
    """Render what each control of a macro model does: a page to listen to, sounds and patches."""

    flags_only: ClassVar = frozenset({"run", "positions", "output_dir"})
    renamed: ClassVar = {"output_directory": "output_dir"}

    run: CliPositionalArg[Path] = Field(
        description="a run folder of `inversynth train --model macros`, or its .keras file"
    )
    positions: int = Field(9, ge=2, le=25, description="slider positions of each control, from low to high")
    output_dir: Path = Field(Path("output/macros"), description="where macros.html and the sounds are written")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth macros") -> int:
    """Render the controls of a run; returns the exit code."""
    return run_command(MacrosSettings, _run, argv, prog, resumes=False)


def _run(settings: MacrosSettings) -> None:
    from models.macros.recipe import check_card, open_controls
    from models.model_files import load_model, read_card

    check_card(read_card(settings.run), settings.run)  # before Keras starts
    controls = open_controls(load_model(settings.run))
    turned = turn_controls(controls, settings.positions, progress=sys.stderr.isatty())
    path = write_controls(settings.output_dir, turned, controls)
    for control in turned:
        print(f"macro {control.number} ({100 * control.effect:.0f} % of the variance): {describe(control)}")
    print(one_line(path))


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.macros"))
