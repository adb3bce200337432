"""Latents of GANSynth: spherical interpolation between them, and files of them.

Latents are drawn from N(0, I), whose mass lies near a sphere, so the path between two of them is an arc. The angle is
that between their directions, while the latents that are mixed keep their own lengths.
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

CONTENT = Content("latents", "a file of latents, as inversynth gansynth random makes")

STRAIGHT = 1e-6
"""Sine of the angle below which two directions count as parallel or opposed: the weights of slerp lose precision."""


def slerp(first: ArrayLike, last: ArrayLike, part: float) -> NDArray[np.float64]:
    """Interpolate along the arc from one latent to another; `part` 0 and 1 return the ends themselves.

    For parallel directions, or a latent of length 0, the interpolation is linear. For opposed directions no arc is the
    shortest: one fixed arc is taken, and the length changes linearly.

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
    return length * (np.cos(part * np.pi) * one + np.sin(part * np.pi) * _orthogonal(one))


def _orthogonal(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an orthogonal direction, towards the axis of the smallest component; 0 in one dimension."""
    axis = np.zeros_like(direction)
    axis[np.argmin(np.abs(direction))] = 1.0
    across = axis - (axis @ direction) * direction
    return across / max(float(np.linalg.norm(across)), STRAIGHT)


def arc(first: ArrayLike, last: ArrayLike, steps: int) -> NDArray[np.float32]:
    """Return latents at even steps along an arc, both ends included. Shapes: (latent,) twice -> (steps, latent)."""
    return np.stack([slerp(first, last, part) for part in np.linspace(0.0, 1.0, steps)]).astype(np.float32)


# --- files -----------------------------------------------------------------------------------------------------


def write_latents(path: str | os.PathLike[str], latents: NDArray[Any], gansynth: "GanSynthModel") -> Path:
    """Write latents (n, latent) to an .npz file, with the fingerprint of their model. Raises DatasetError."""
    return write_arrays(path, latents=np.asarray(latents, np.float32), fingerprint=np.asarray(gansynth.fingerprint))


def read_latents(path: str | os.PathLike[str], gansynth: "GanSynthModel") -> NDArray[np.float32]:
    """Read latents for a model: a file of `write_latents`, or an .npy array (n, latent) or (latent,).

    Latents of another model of the same width are accepted, with a log line: there they are other timbres.
    Returns: (n, latent) float32. Raises: DatasetError for a file of another kind, or of another width.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        latents, fingerprint = read_array(path, CONTENT), ""
    else:
        held = read_arrays(path, ("latents", "fingerprint"), CONTENT)
        latents, fingerprint = held["latents"], str(held["fingerprint"])
    latents = finite_floats(np.atleast_2d(latents), CONTENT, path)
    if latents.ndim != 2 or not latents.size or latents.shape[1] != gansynth.latent:
        raise DatasetError(
            f"latents for {gansynth.name} have shape (n, {gansynth.latent}). Received: {latents.shape} in {path}. "
            "Name the model that they were drawn for with --model"
        )
    if fingerprint not in ("", gansynth.fingerprint):
        log.info("%s were drawn for another model: in %s the same latents are other timbres", path, gansynth.name)
    return latents


def read_latent(text: str, gansynth: "GanSynthModel") -> NDArray[np.float32]:
    """Read one latent, (latent,), given as FILE or FILE:ROW with rows from 0. Raises DatasetError as `read_latents`."""
    found = None if Path(text).exists() else re.fullmatch(r"(.+):(\d+)", text)
    latents = read_latents(found[1] if found else text, gansynth)
    row = int(found[2]) if found else 0
    if row >= len(latents):
        raise DatasetError(f"rows of {found[1] if found else text} run from 0 to {len(latents) - 1}. Received: {row}")
    latent: NDArray[np.float32] = latents[row]
    return latent
