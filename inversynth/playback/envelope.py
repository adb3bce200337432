"""Envelope of a note: linear attack, hold and release, without a decay.

As in the published code the attack lies inside the held part and the release follows it. There, a note that ended
within its attack jumped to full level; here it falls from the level it has reached.
"""

import numpy as np
from numpy.typing import NDArray


def envelope(held: int, *, attack: int, release: int) -> NDArray[np.float32]:
    """Return a level in 0..1 per sample: `held` samples that include the attack, then `release` samples down to 0.

    Shapes: (held + release,).
    """
    rise = np.minimum(np.arange(held + 1) / attack, 1.0) if attack else np.ones(held + 1)
    fall = np.linspace(rise[held], 0.0, release)
    return np.concatenate([rise[:held], fall]).astype(np.float32)
