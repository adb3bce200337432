"""What all commands of `inversynth wae` share: settings, a model and what makes sound of its pictures, and mixtures."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from generators.errors import ModelError, SettingsError
from generators.notes.pitches import note_name
from inversynth.patches.patch import write_text
from inversynth.report.audio_page import SHARED, ShowingSettings, with_bar
from inversynth.report.tables import csv_text

if TYPE_CHECKING:
    from models.wae.inference import Renderer, WaeModel

MAKER = "WAE-Fader"
"""What pages are headed with."""

NOTES_FILE = "notes.csv"
"""What each sound was made of."""

LONGEST_SLUG = 80
"""Characters of a mixture in the name of a file."""

STYLES = "violin, a mixture such as violin:0.5,clarinet:0.5 of any weights, or several of them parted by ;"
"""How styles are named, in the words of a flag."""


class WaeSettings(ShowingSettings):
    """What the commands of the group share."""

    flags_only: ClassVar = SHARED | {"renderer", "mcnn", "rounds"}

    model: str = Field("wae", description="a bundled model, a run folder, or a .keras file")
    renderer: Literal["mcnn", "griffinlim"] = Field(
        "mcnn", description="what makes sound of pictures: a network in one pass, or a search for phases, which is slow"
    )
    mcnn: str = Field("mcnn", description="that network: a bundled one, a run folder, or a .keras file")
    rounds: int = Field(200, ge=0, le=10_000, description="of that search (Griffin-Lim)")


@dataclass(frozen=True)
class Mixture:
    """Weights of a model's styles: `text` as they were asked for, `weights` (styles,)."""

    text: str
    weights: NDArray[np.float32]

    @property
    def caption(self) -> str:
        """Name it for a reader: `violin`, `violin 0.5 + clarinet 0.5`."""
        return " + ".join(part.strip().replace(":", " ") for part in self.text.split(","))

    @property
    def slug(self) -> str:
        """Name it within the name of a file."""
        return slug(self.text.replace(":", "").replace(",", "+"))


@dataclass(frozen=True)
class Studio:
    """A model, and what makes sound of its pictures; `rendered_by` says what that is."""

    maker: "WaeModel"
    renderer: "Renderer"
    rendered_by: str
    batch_size: int = 8

    @property
    def sample_rate(self) -> int:
        return self.maker.analysis.sample_rate

    def sounds(self, latents: ArrayLike, notes: ArrayLike, weights: ArrayLike) -> NDArray[np.float32]:
        """Make notes, with a bar on a terminal.

        Shapes: (n, latent), (n,), (n, styles) -> (n, samples). Raises: ModelError.
        """
        make = partial(self.maker.sounds, latents, notes, weights, renderer=self.renderer, batch_size=self.batch_size)
        return with_bar(make, len(np.atleast_1d(notes)), f"{self.maker.name} with {self.rendered_by}")

    def facts(self) -> dict[str, str]:
        """Return what a page tells of them."""
        maker = self.maker
        known = f"{len(maker.styles)} of {maker.label}: {', '.join(maker.styles)}"
        span = f"{note_name(maker.notes[0])} to {note_name(maker.notes[-1])}"
        return {
            "Model": f"{maker.name} ({maker.fingerprint}), {maker.kind}, {maker.latent} numbers a note of "
            f"{maker.seconds:.3g} s at {self.sample_rate:,} Hz, {span}",
            "Styles": known,
            "Sound": f"by {self.rendered_by}",
        }


def check_renderer(settings: WaeSettings) -> None:
    """Raise SettingsError for a flag of the renderer that is not asked for."""
    for flag, renderer in (("rounds", "griffinlim"), ("mcnn", "mcnn")):
        if flag in settings.model_fields_set and settings.renderer != renderer:
            raise SettingsError(
                f"--{flag} goes with --renderer {renderer}. Received: --renderer {settings.renderer}. Leave one out"
            )


def open_studio(settings: WaeSettings) -> Studio:
    """Find and load the model and the renderer that settings name. Raises ModelError, SettingsError."""
    from inversynth.pretrained import find_model

    check_renderer(settings)
    path = find_model(settings.model)

    from models.wae.inference import load_wae

    maker = load_wae(path)

    from models.wae.vocoders import griffin_lim_renderer, mcnn_renderer

    if settings.renderer == "griffinlim":
        renderer = griffin_lim_renderer(maker.analysis, settings.rounds, settings.seed)
        return Studio(maker, renderer, f"Griffin-Lim, {settings.rounds} rounds", settings.batch_size)
    try:
        renderer = mcnn_renderer(find_model(settings.mcnn), maker.analysis)
    except ModelError as error:
        raise ModelError(f"{error}. Or take --renderer griffinlim") from None
    return Studio(maker, renderer, f"MCNN {settings.mcnn}", settings.batch_size)


def check_told(maker: "WaeModel") -> None:
    """Raise ModelError for a model that is not told styles: none of them would change anything."""
    if not maker.traits.style:
        raise ModelError(
            f"styles are changed by a model that is told them, wae-style or wae-fader. Received: {maker.kind} in "
            f"{maker.loaded.path}"
        )


def mixtures(text: str, maker: "WaeModel") -> list[Mixture]:
    """Read mixtures parted by `;`; every style of the model where nothing is named. Raises ModelError."""
    if text.strip():
        return [mixture(part, maker) for part in text.split(";") if part.strip()]
    return [Mixture(name, row) for name, row in zip(maker.styles, np.eye(len(maker.styles), dtype="f"), strict=True)]


def mixture(text: str, maker: "WaeModel") -> Mixture:
    """Read one mixture. Raises ModelError for an unknown style, and weights that are none."""
    return Mixture(text.strip(), maker.weights(text))


def parse_latent(numbers: Sequence[float], maker: "WaeModel") -> NDArray[np.float32]:
    """Return the latent that was typed, (1, latent). Raises ModelError for another count of numbers."""
    if len(numbers) != maker.latent:
        raise ModelError(f"a latent of {maker.name} is {maker.latent} numbers. Received: {len(numbers)}")
    return np.asarray([numbers], np.float32)


def told_latent(latent: NDArray[Any]) -> str:
    """Write a latent as `--latent` takes it."""
    return ",".join(f"{number:.3f}" for number in latent)


def slug(text: str) -> str:
    """Return what of a text a file can be named after."""
    return re.sub(r"[^\w.+#-]+", "_", text)[:LONGEST_SLUG].strip("._") or "sound"


def apart(names: Iterable[str]) -> list[str]:
    """Give names that occur again a number."""
    given: dict[str, int] = {}
    found = []
    for name in names:
        given[name] = given.get(name, 0) + 1
        found.append(name if given[name] == 1 else f"{name}-{given[name]}")
    return found


def write_notes(
    folder: Path,
    maker: "WaeModel",
    names: Sequence[str],
    latents: NDArray[np.float32],
    notes: Sequence[int] | NDArray[np.intp],
    weights: NDArray[np.float32],
) -> Path:
    """Write a line for each sound: its name, its note, its latent and the weight of each style. Raises InversynthError.

    Shapes: latents (n, latent), notes (n,), weights (n, styles).
    """
    head = ["name", "note", *(f"latent{number}" for number in range(1, maker.latent + 1)), *maker.styles]
    rows = [
        [name, int(note), *map(float, latent), *map(float, row)]
        for name, note, latent, row in zip(names, notes, latents, weights, strict=True)
    ]
    return write_text(folder / NOTES_FILE, csv_text(head, rows))
