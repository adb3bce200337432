"""The level of a note over time: it rises, is held and falls, in straight lines, without a decay.

As in the published code the rise lies inside the held part and the fall comes behind it. There a note that ended before
it had risen jumped to full level; here it falls from where it has got to.
"""

import numpy as np
from numpy.typing import NDArray


def envelope(held: int, *, attack: int, release: int) -> NDArray[np.float32]:
    """Return a level in 0..1 for each sample: `held` of them, with the rise inside, and `release` down to 0.

    Shapes: (held + release,).
    """
    rise = np.minimum(np.arange(held + 1) / attack, 1.0) if attack else np.ones(held + 1)
    fall = np.linspace(rise[held], 0.0, release)
    return np.concatenate([rise[:held], fall]).astype(np.float32)
