"""Replace operations that ONNX or LiteRT lack by products, sums and other basic operations."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock

from generators.errors import ModelError
from inversynth.export.matrix_fft import irfft, rfft

if TYPE_CHECKING:
    import keras

ROOT_HALF = 0.5**0.5


@contextlib.contextmanager
def plain_operations(networks: "Iterable[keras.Model]") -> Iterator[None]:
    """Replace Fourier transforms by products of matrices, GELU by the error function, and log1p and expm1 by log(1 + x)
    and exp(x) - 1, within this context.

    LiteRT has no inverse transform, and tf2onnx translates neither one, nor the complement of the error function by
    which Keras computes GELU, nor log1p and expm1.
    """
    import keras

    with contextlib.ExitStack() as stack:
        for name, plain in PLAIN.items():
            stack.enter_context(mock.patch.object(keras.ops, name, plain))
        for layer in _layers(networks):
            if getattr(layer, "activation", None) is keras.activations.gelu:
                stack.enter_context(mock.patch.object(layer, "activation", _gelu))
        yield


def _layers(networks: "Iterable[keras.Model]") -> "Iterator[keras.layers.Layer]":
    """Yield all layers, also those of nested networks."""
    for network in networks:
        for layer in network.layers:
            yield from _layers([layer]) if hasattr(layer, "layers") else [layer]


def _gelu(inputs: Any) -> Any:
    from keras import ops

    return 0.5 * inputs * (1.0 + ops.erf(ROOT_HALF * inputs))


def _log1p(inputs: Any) -> Any:
    from keras import ops

    return ops.log(1.0 + inputs)


def _expm1(inputs: Any) -> Any:
    from keras import ops

    return ops.exp(inputs) - 1.0


def _rfft(signal: Any, fft_length: int | None = None) -> tuple[Any, Any]:
    """Stand in for `keras.ops.rfft`."""
    from keras import ops

    _check(fft_length, signal.shape[-1])
    return rfft(signal, ops)


def _irfft(parts: tuple[Any, Any], fft_length: int | None = None) -> Any:
    """Stand in for `keras.ops.irfft`."""
    from keras import ops

    _check(fft_length, 2 * (parts[0].shape[-1] - 1))
    return irfft(*parts, ops)


def _check(asked: int | None, length: int) -> None:
    if asked not in (None, length):
        raise ModelError(f"a Fourier transform by matrices has the length of its input. Received: {asked} for {length}")


PLAIN = {"rfft": _rfft, "irfft": _irfft, "log1p": _log1p, "expm1": _expm1}
"""Replacements of operations in `keras.ops`."""
