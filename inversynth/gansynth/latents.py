"""Timbres as the numbers that a generator takes: on the way from one to another, and in files.

Latents are drawn from N(0, I), whose mass lies near a sphere. A way between two of them that keeps to it is an arc:
the angle is that of the directions, while what is mixed keeps its own length.
Source: Shoemake 1985, "Animating rotation with quaternion curves"; mixed unnormalised as in the code of GANSynth.
"""

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generators.errors import DatasetError
from inversynth.npz import Content, finite_floats, read_array, read_arrays, write_arrays

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel

log = logging.getLogger(__name__)

CONTENT = Content("latents", "inversynth gansynth random")

STRAIGHT = 1e-6
"""Sine of the angle below which two directions count as one, or as opposed: there the arc's weights lose all digits."""


def slerp(first: ArrayLike, last: ArrayLike, part: float) -> NDArray[np.float64]:
    """Go along the arc from one latent to another; `part` 0 and 1 are the ends themselves.

    Where the directions coincide, or one has no length, the way is straight. Where they are opposed no arc is the
    shortest: one is taken, always the same, and the length goes evenly from one to the other.

    Shapes: (latent,), (latent,) -> (latent,).
    """
    a, b = np.asarray(first, np.float64), np.asarray(last, np.float64)
    if part in (0, 1):
        return (b if part else a).copy()
    length_a, length_b = np.linalg.norm(a), np.linalg.norm(b)
    if not length_a or not length_b:
        return (1.0 - part) * a + part * b
    one, other = a / length_a, b / length_b
    angle = 2.0 * np.arctan2(np.linalg.norm(other - one), np.linalg.norm(other + one))
    if np.sin(angle) > STRAIGHT:
        return (np.sin((1.0 - part) * angle) * a + np.sin(part * angle) * b) / np.sin(angle)
    if angle < 1.0:
        return (1.0 - part) * a + part * b
    length = (1.0 - part) * length_a + part * length_b
    return length * (np.cos(part * np.pi) * one + np.sin(part * np.pi) * _across(one))


def _across(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a direction at a right angle, nearest to the axis that it has least of; in one dimension there is none."""
    axis = np.zeros_like(direction)
    axis[np.argmin(np.abs(direction))] = 1.0
    across = axis - (axis @ direction) * direction
    return across / max(float(np.linalg.norm(across)), STRAIGHT)


def arc(first: ArrayLike, last: ArrayLike, steps: int) -> NDArray[np.float32]:
    """Return latents at even steps along an arc, both ends among them. Shapes: (latent,) twice -> (steps, latent)."""
    return np.stack([slerp(first, last, part) for part in np.linspace(0.0, 1.0, steps)]).astype(np.float32)


# --- files -----------------------------------------------------------------------------------------------------


def write_latents(path: str | os.PathLike[str], latents: NDArray[Any], player: "GanSynthModel") -> Path:
    """Write latents (n, latent) into an .npz file, with the fingerprint of their model. Raises DatasetError."""
    return write_arrays(path, latents=np.asarray(latents, np.float32), fingerprint=np.asarray(player.fingerprint))


def read_latents(path: str | os.PathLike[str], player: "GanSynthModel") -> NDArray[np.float32]:
    """Read latents for a model: what `write_latents` wrote, or an .npy array (n, latent) or (latent,).

    Those of another model of the same size are taken, and it is logged: they are other timbres there.
    Returns: (n, latent) float32. Raises: DatasetError for a file that holds none, or of another width.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        latents, fingerprint = read_array(path, CONTENT), ""
    else:
        held = read_arrays(path, ("latents", "fingerprint"), CONTENT)
        latents, fingerprint = held["latents"], str(held["fingerprint"])
    latents = finite_floats(np.atleast_2d(latents), CONTENT, path)
    if latents.ndim != 2 or not latents.size or latents.shape[1] != player.latent:
        raise DatasetError(
            f"latents for {player.name} have shape (n, {player.latent}). Received: {latents.shape} in {path}. "
            "Name the model that they were drawn for with --model"
        )
    if fingerprint not in ("", player.fingerprint):
        log.info("%s were drawn for another model: in %s the same numbers are other timbres", path, player.name)
    return latents


def read_latent(text: str, player: "GanSynthModel") -> NDArray[np.float32]:
    """Read one latent, (latent,), named as FILE or FILE:ROW, rows from 0. Raises DatasetError as `read_latents`."""
    found = None if Path(text).exists() else re.fullmatch(r"(.+):(\d+)", text)
    latents = read_latents(found[1] if found else text, player)
    row = int(found[2]) if found else 0
    if row >= len(latents):
        raise DatasetError(f"rows of {found[1] if found else text} run from 0 to {len(latents) - 1}. Received: {row}")
    latent: NDArray[np.float32] = latents[row]
    return latent
