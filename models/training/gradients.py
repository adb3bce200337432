"""Gradients that Keras has no interface for: of a loss for given variables, and of a function for its input.

An adversarial system trains two networks in turn, each on a loss of its own, and the gradient penalty of WGAN-GP
differentiates a gradient once more. Both are three lines on TensorFlow and three others on PyTorch; they stand here
and nowhere else. JAX would need the variables as arguments, all the way up to `fit`, and is refused.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from generators.errors import ModelError

Loss = Callable[[], tuple[Any, Any]]
"""Computes a scalar to minimise, and any further values, from variables that it holds."""


def loss_gradients(loss: Loss, variables: Sequence[keras.Variable]) -> tuple[Any, Any, list[Any]]:
    """Compute a loss and its gradients for some variables.

    Returns: what `loss` returned, the scalar and the rest, and one gradient a variable in the shape of it; zeros where
    the loss does not depend on a variable.
    Raises: ModelError on another backend than TensorFlow and PyTorch.
    """
    values = [variable.value for variable in variables]
    if adversarial_backend() == "torch":
        import torch

        scalar, rest = loss()
        found = torch.autograd.grad(scalar, values, allow_unused=True)
    else:
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            scalar, rest = loss()
        found = tape.gradient(scalar, values)
    pairs = zip(found, values, strict=True)
    return scalar, rest, [keras.ops.zeros_like(value) if one is None else one for one, value in pairs]


def input_gradients(function: Callable[[Any], Any], inputs: Any) -> Any:
    """Compute d(sum of function(inputs)) / d(inputs), which can itself be differentiated for variables.

    Where `function` keeps the items of a batch apart, as a critic does, that is one gradient an item.
    Shapes: inputs (batch, …) -> the same. `function` may return any shape.
    Raises: ModelError on another backend than TensorFlow and PyTorch.
    """
    if adversarial_backend() == "torch":
        import torch

        if not inputs.requires_grad:
            inputs = inputs.detach().requires_grad_()
        return torch.autograd.grad(function(inputs).sum(), inputs, create_graph=True)[0]
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        outputs = function(inputs)
    return tape.gradient(outputs, inputs)


def descend(loss: Loss, optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> tuple[Any, Any]:
    """Take one step of an optimiser down a loss. Returns what `loss` returned, from before the step."""
    scalar, rest, gradients = loss_gradients(loss, variables)
    if adversarial_backend() == "torch":
        import torch

        with torch.no_grad():
            optimizer.apply(gradients, list(variables))
    else:
        optimizer.apply(gradients, list(variables))
    return scalar, rest


def adversarial_backend() -> str:
    """Return the name of the backend. Raises ModelError for a backend without such gradients."""
    backend = str(keras.backend.backend())
    if backend not in ("tensorflow", "torch"):
        raise ModelError(
            "adversarial systems train on TensorFlow and PyTorch. "
            f"Received: KERAS_BACKEND={backend}. Set it to tensorflow or torch"
        )
    return backend
