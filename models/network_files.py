"""Rebuild networks from `.keras` files that anybody may have written: nothing of them is believed before it is checked.

The archive is checked before anything is unpacked, its description of the network before Keras sees it, and the weights
before anything is allocated for them. What a network may hold is a list: layers of this project, and those of Keras
that compute with numbers alone. Keras itself would build a layer of 4 TB, or one that opens files.
"""

import io
import json
import math
import shutil
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from generators.archives import ArchiveError, NoArchiveError, open_archive, read_member
from generators.errors import ModelError, os_reason, shown
from generators.files import scratch_folder
from generators.json_reader import MAX_BYTES, JsonError, parse_json
from models.backend import explained_wait, start_keras

if TYPE_CHECKING:
    import keras

CARD_MEMBER = "inversynth.json"
CONFIG_MEMBER = "config.json"
METADATA_MEMBER = "metadata.json"
WEIGHTS_MEMBER = "model.weights.h5"
MEMBERS = (METADATA_MEMBER, CONFIG_MEMBER, WEIGHTS_MEMBER, CARD_MEMBER)
"""All that a model file holds. Keras unpacks further members into a folder as it loads."""

MAX_WEIGHTS_BYTES = 4 << 30
"""A thousand million numbers; the largest network here has 200 million, three times that with its optimiser."""

MAX_UNPACKED = 20
SMALL_BYTES = 16 << 20
"""How many times larger than what it is packed into the weights can be, beyond this size. Trained weights hardly pack:
those of the bundled models by 1.1; zeros by a thousand."""

MAX_GROUPS = 32
"""Groups within each other in a file of weights: the deepest here are 9."""

MAX_OBJECTS = 10_000
"""Layers, initialisers and the like in a network: a WaveNet autoencoder has some 2,000."""

MAX_INTEGER = 1 << 16
"""Any number of a layer that counts: units, filters, channels, FFT lengths; the largest here is 2,048."""

MAX_EXTENT = 1 << 24
"""Samples of a sound and hertz of its rate; ten minutes at 16 kHz are 9.6 million."""

MAX_WINDOW = 1 << 14
"""Samples of a window of a Fourier transform: a matrix of its bins by its bins has 0.5 GB; the longest has 2,048."""

MAX_STEPS = 256
"""Numbers by which a layer repeats something in its graph; the largest here is 12."""

EXTENTS = (
    "batch_shape",
    "input_shape",
    "output_shape",
    "shape",
    "shapes_dict",
    "target_shape",
    "sample_rate",
    "samples",
)
STEPS = ("rounds", "reach", "repeats")
BOUNDS = dict.fromkeys(EXTENTS, MAX_EXTENT) | dict.fromkeys(STEPS, MAX_STEPS) | {"fft_length": MAX_WINDOW}
"""Bounds of numbers by their keys in a configuration; those of others are MAX_INTEGER."""

UNBOUNDED = ("seed", "shared_object_id", "value")
"""Keys of numbers from which nothing grows."""

SPARE_WEIGHTS = 1 << 20
"""Numbers that may be built beyond twice those stored: systems build some of their networks twice."""

KERAS_LAYERS = frozenset(
    name
    for names in (
        "InputLayer Identity Masking Activation ELU LeakyReLU PReLU ReLU Softmax",
        "Dense Embedding MultiHeadAttention GRU LSTM SimpleRNN Bidirectional TimeDistributed",
        "Conv1D Conv2D Conv1DTranspose Conv2DTranspose DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D",
        "AveragePooling1D AveragePooling2D MaxPooling1D MaxPooling2D",
        "GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D",
        "BatchNormalization GroupNormalization LayerNormalization RMSNormalization UnitNormalization Normalization",
        "AlphaDropout Dropout GaussianDropout GaussianNoise SpatialDropout1D SpatialDropout2D",
        "Add Average Concatenate Dot Maximum Minimum Multiply Subtract",
        "Cropping1D Cropping2D Flatten Permute RepeatVector Reshape Resizing Rescaling CategoryEncoding",
        "UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D",
    )
    for name in names.split()
)
"""Layers of Keras that hold no code, read no file and call no other library."""

KERAS_OBJECTS: dict[str | None, frozenset[str] | None] = {
    "keras.layers": KERAS_LAYERS,
    "keras": frozenset({"DTypePolicy", "Functional", "Sequential"}),
    "keras.models": frozenset({"Functional", "Sequential"}),
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.src.models.sequential": frozenset({"Sequential"}),
    "keras.dtype_policies": frozenset({"DTypePolicy"}),
    None: frozenset({"__keras_tensor__", "__slice__", "__tuple__", "__ellipsis__"}),
    "keras.initializers": None,
    "keras.regularizers": None,
    "keras.constraints": None,
    "keras.src.ops.numpy": None,
    "keras.src.ops.math": None,
    "keras.src.ops.nn": None,
}
"""What a network may hold of Keras by module; None for all of it: these are functions of numbers."""

OURS = "inversynth>"
"""Begins the registered names of this project."""

NO_DATE = "1980-01-01@00:00:00"
"""Stands in a file for when it was saved, as Keras writes it: the date of members of a zip archive that have none."""

_building = threading.Lock()


def save_network(model: "keras.Model", path: Path) -> None:
    """Write a network as Keras does, but so that equal networks give equal files.

    Keras writes the time and the addresses of shared objects into the file. Here a fixed date and running numbers stand
    in their place, and loading means the same.

    Raises: OSError.
    """
    with scratch_folder(path.parent) as folder:
        written = folder / "network.keras"
        model.save(written)
        with zipfile.ZipFile(written) as old, zipfile.ZipFile(path, "w") as new:
            described = {
                METADATA_MEMBER: {**json.loads(old.read(METADATA_MEMBER)), "date_saved": NO_DATE},
                CONFIG_MEMBER: number_shared_objects(json.loads(old.read(CONFIG_MEMBER))),
            }
            for member in old.infolist():
                if member.filename in described:
                    write_member(new, member.filename, json.dumps(described[member.filename]).encode())
                else:
                    with old.open(member) as source:
                        write_member(new, member.filename, source, member.file_size)


def write_member(archive: zipfile.ZipFile, name: str, content: bytes | IO[bytes], size: int | None = None) -> None:
    """Add a member without a date to an archive, where `writestr` would note the time.

    Args:
        content: bytes, or an open file of `size` bytes.
    """
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    member = zipfile.ZipInfo(name)
    member.file_size = len(content) if isinstance(content, bytes) else size or 0  # beyond 2 GB takes another header
    with archive.open(member, "w") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def number_shared_objects(config: Any) -> Any:
    """Return the description of a network in which objects that occur several times are numbered by their order."""
    numbers: dict[Any, int] = {}

    def numbered(content: Any) -> Any:
        if isinstance(content, list):
            return [numbered(each) for each in content]
        if not isinstance(content, dict):
            return content
        return {
            key: numbers.setdefault(value, len(numbers)) if key == "shared_object_id" else numbered(value)
            for key, value in content.items()
        }

    return numbered(config)


@contextmanager
def open_model_file(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a `.keras` file whose members may be read. Raises: ModelError for any other file."""
    try:
        with open_archive(path, MAX_WEIGHTS_BYTES + 3 * MAX_BYTES) as archive:
            for member in archive.infolist():
                if member.filename != WEIGHTS_MEMBER and member.file_size > MAX_BYTES:
                    raise ArchiveError(
                        f"must hold at most {MAX_BYTES:,} bytes beside weights. Received: {member.file_size:,}"
                    )
            weights = archive.NameToInfo.get(WEIGHTS_MEMBER)
            if weights is not None and weights.file_size > MAX_UNPACKED * weights.compress_size + SMALL_BYTES:
                raise ArchiveError(
                    f"must pack weights at most {MAX_UNPACKED} times. Received: {weights.file_size:,} bytes in "
                    f"{weights.compress_size:,}"
                )
            yield archive
    except NoArchiveError:
        if path.stat().st_size == 0:
            raise ModelError(f"{path} is empty. Train it again") from None
        raise ModelError(f"{path} is no model file, or a truncated one (not a zip archive)") from None
    except ArchiveError as error:
        raise ModelError(f"{path} is damaged: it {error}. Copy it again, or train it again") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {os_reason(error)}") from None


def check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise ModelError where an archive holds something that no model file does."""
    others = [name for name in archive.namelist() if name not in MEMBERS]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise ModelError(f"{path} must hold {', '.join(MEMBERS)}. Received: also '{shown(others[0], 60)}'{more}")


def read_network_config(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """Read how a model file describes its network, checked by `check_config`. Raises: ModelError."""
    try:
        config = parse_json(read_member(archive, CONFIG_MEMBER, MAX_BYTES))
    except JsonError as error:
        raise ModelError(f"{CONFIG_MEMBER} of {path} {error}. Copy it again, or train it again") from None
    if not isinstance(config, dict):
        raise ModelError(f"{CONFIG_MEMBER} of {path} must describe a network. Received: {type(config).__name__}")
    config.pop("compile_config", None)  # how it was trained; networks are loaded without
    check_config(config, path)
    return config


def check_config(config: Mapping[str, Any], path: Path) -> None:
    """Check that a network holds nothing but known classes, and that none of its numbers is beyond its bound.

    Raises: ModelError naming the first thing that does not fit.
    """
    waiting: list[tuple[str, Any]] = [("", config)]
    objects = 0
    while waiting:
        key, content = waiting.pop()
        if isinstance(content, Mapping):
            if "class_name" in content:
                objects += 1
                _check_class(content, path)
            if isinstance(content.get("layers"), list):
                _check_names(content["layers"], path)
            waiting.extend(content.items())
        elif isinstance(content, list):
            waiting.extend((key, each) for each in content)
        elif isinstance(content, int | float) and key not in UNBOUNDED:
            bound = BOUNDS.get(key, MAX_INTEGER)
            if abs(content) > bound:
                raise ModelError(
                    f"'{shown(key, 60)}' in the network of {path} must be at most {bound}. Received: {content}"
                )
    if objects > MAX_OBJECTS:
        raise ModelError(f"the network of {path} must have at most {MAX_OBJECTS:,} parts. Received: {objects:,}")


def _check_names(layers: list[Any], path: Path) -> None:
    names = [layer["name"] for layer in layers if isinstance(layer, Mapping) and isinstance(layer.get("name"), str)]
    if len(set(names)) < len(names):
        raise ModelError(f"layers of the network of {path} must have names of their own. Received: one of them twice")


def _check_class(described: Mapping[str, Any], path: Path) -> None:
    name, module, registered = (described.get(key) for key in ("class_name", "module", "registered_name"))
    if isinstance(name, str) and (isinstance(module, str) or module is None):
        is_class = name.isidentifier() and name[0].isupper()  # else a function, or code
        if is_class and isinstance(registered, str) and registered.startswith(OURS):
            return
        allowed = KERAS_OBJECTS.get(module, frozenset())
        if is_class if allowed is None else name in allowed:
            return
    named = f"{module}.{name}" if module else str(name)
    raise ModelError(
        f"the network of {path} must consist of layers of inversynth and of Keras that only compute. "
        f"Received: {shown(named, 80)}. Use a model file from a source that you trust"
    )


def load_network(path: Path) -> "keras.Model":
    """Load the network of a model file, for prediction; executes no code from it.

    Raises: ModelError for a file that is no such file, is damaged, or describes what is beyond the bounds.
    """
    with open_model_file(path) as archive:
        check_members(archive, path)
        config = read_network_config(archive, path)
        stored = _count_weights(read_weights_member(archive), path)
    start_keras()
    import keras

    import models.layers  # noqa: F401 - registers every layer that a saved network may hold

    _check_registered(config, path)
    with _limited_weights(2 * stored + SPARE_WEIGHTS, path):
        try:
            with explained_wait("loading the network"):
                model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except ModelError:
            raise
        except Exception as error:  # Keras raises whatever Python does where a description is no network
            lines = str(error).strip().splitlines()
            reason = shown(lines[0] if lines else type(error).__name__, 300)
            raise ModelError(f"{path} cannot be rebuilt by Keras {keras.__version__}: {reason}") from None
    if not isinstance(model, keras.Model):
        raise ModelError(f"{path} must hold a network. Received: a single {type(model).__name__}")
    return model


def read_weights_member(archive: zipfile.ZipFile) -> bytes:
    """Read the HDF5 file of a model's weights into memory."""
    return read_member(archive, WEIGHTS_MEMBER, MAX_WEIGHTS_BYTES)


def check_hdf5_arrays(file: Any, size: int, path: Path) -> dict[str, Any]:
    """Return all arrays in an open HDF5 file of `size` bytes, by name, as h5py datasets that may be read.

    Together they have at most MAX_UNPACKED times the size of the file.

    Raises: ModelError for links, other types than numbers, data outside the file, and more of it than a file can hold.
    """
    import h5py

    found: dict[str, Any] = {}
    waiting = [(file["/"], "")]
    total = 0
    while waiting:
        group, prefix = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ModelError(f"the weights of {path} must not contain links. Received: one at '{shown(name, 60)}'")
            item, full = group[name], f"{prefix}{name}"
            if full.count("/") > MAX_GROUPS:
                raise ModelError(f"the weights of {path} must be in at most {MAX_GROUPS} groups. Received: more")
            if isinstance(item, h5py.Group):
                waiting.append((item, f"{full}/"))
                continue
            if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub" or item.is_virtual or item.external:
                raise ModelError(f"the weights of {path} must be numbers in the file. Received: '{shown(full, 60)}'")
            total += item.nbytes
            if total > MAX_UNPACKED * size + SMALL_BYTES:
                raise ModelError(
                    f"the weights of {path} must fit its {size:,} bytes. Received: '{shown(full, 60)}' of shape "
                    f"{shown(str(item.shape), 60)}"
                )
            found[full] = item
    return found


def _count_weights(weights: bytes, path: Path) -> int:
    """Return how many numbers a file of weights holds."""
    import h5py

    try:
        with h5py.File(io.BytesIO(weights)) as file:
            arrays = check_hdf5_arrays(file, len(weights), path)
            return sum(math.prod(array.shape) for array in arrays.values())
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, OverflowError) as error:
        raise ModelError(f"{path} has weights that cannot be read: {shown(str(error), 300)}") from None


def _check_registered(config: Mapping[str, Any], path: Path) -> None:
    """Raise ModelError where a class of this project, by its name, is none."""
    import keras

    waiting: list[Any] = [config]
    while waiting:
        content = waiting.pop()
        if isinstance(content, Mapping):
            name = content.get("registered_name")
            if isinstance(name, str) and name.startswith(OURS) and keras.saving.get_registered_object(name) is None:
                raise ModelError(
                    f"the network of {path} must consist of known layers. Received: {shown(name, 80)}. "
                    "Update inversynth, or train it again"
                )
            waiting.extend(content.values())
        elif isinstance(content, list):
            waiting.extend(content)


@contextmanager
def _limited_weights(limit: int, path: Path) -> Iterator[None]:
    """Refuse to allocate more weights than `limit` numbers while Keras builds a network.

    Only building tells what a description needs, and Keras has no place to ask in between: so for that time every
    layer's `add_weight` counts, in whatever thread.
    """
    import keras

    original = keras.Layer.add_weight
    count = 0

    def counting(layer: Any, shape: Any = None, *options: Any, **named: Any) -> Any:
        nonlocal count
        if shape is not None:
            count += math.prod(int(extent) for extent in (shape if isinstance(shape, list | tuple) else (shape,)))
        if count > limit:
            raise ModelError(
                f"the network of {path} must not need more than the weights in the file. Received: "
                f"'{shown(layer.name, 60)}' of shape {shown(str(shape), 60)}"
            )
        return original(layer, shape, *options, **named)

    with _building:
        keras.Layer.add_weight = counting
        try:
            yield
        finally:
            keras.Layer.add_weight = original
