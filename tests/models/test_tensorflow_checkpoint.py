"""Checkpoints of TensorFlow, read without it: what a saver wrote comes back, and damaged files are refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from generators.errors import ModelError
from models.tensorflow_checkpoint import find_checkpoint, open_checkpoint
from tests.hostile.corpus.checkpoints import tables
from tests.published_checkpoints import HEADER, entry, save_checkpoint, table

VALUES = {f"layer_{number}/kernel": np.random.default_rng(number).normal(size=(3, number)) for number in range(300)}
VALUES |= {"half": np.float16([1.5, 2.5]), "double": np.float64(np.pi), "global_step": np.int64(-7), "i": np.int32([3])}
VALUES |= {"none": np.zeros((0, 4), np.float32), "text": np.array(["a", "b"], object)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    save_checkpoint(folder / "model.ckpt-9", {"a": np.zeros(2, np.float32)})
    return save_checkpoint(folder / "model.ckpt-10", VALUES)


def test_every_variable_of_a_saver_comes_back(saved: Path) -> None:
    checkpoint = open_checkpoint(saved)
    assert set(checkpoint.variables) == set(VALUES)
    for name, value in VALUES.items():
        if name != "text":
            read = checkpoint.read(name)
            assert (read.dtype, read.shape) == (value.dtype, value.shape)
            assert np.array_equal(read, value)
    assert [checkpoint.count(name) for name in ("global_step", "i", "double", "missing")] == [-7, None, None, None]
    with pytest.raises(ModelError, match=r"text of .* must hold numbers. Received: values of another kind"):
        checkpoint.read("text")


def test_a_folder_means_the_checkpoint_that_its_state_names_else_that_of_the_most_steps(saved, tmp_path) -> None:
    folder = shutil.copytree(saved.parent, tmp_path / "copied")
    assert find_checkpoint(folder).name == "model.ckpt-10"
    (folder / "checkpoint").write_text('model_checkpoint_path: "/home/someone/model.ckpt-9"\n')
    assert find_checkpoint(folder).name == "model.ckpt-9"
    (folder / "checkpoint").unlink()
    assert find_checkpoint(folder).name == "model.ckpt-10"  # 10 is more than 9, though it sorts before
    for end in ("", ".index", ".data-00000-of-00001", ".meta"):
        assert find_checkpoint(folder / f"model.ckpt-9{end}") == folder / "model.ckpt-9"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none", "no such checkpoint of TensorFlow"),
        ("empty", "empty holds no checkpoint of TensorFlow"),
        ("all_instruments.zip", "an archive. Unpack it first"),
        ("model.ckpt-1", "a checkpoint has a file .*model.ckpt-1.index. Received: .*model.ckpt-1 without it"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, name, said) -> None:
    (tmp_path / "empty").mkdir()
    for file in ("all_instruments.zip", "model.ckpt-1"):
        (tmp_path / file).write_bytes(bytes(100))
    with pytest.raises(ModelError, match=said):
        find_checkpoint(tmp_path / name)


READABLE = ("header-alone", "shape-of-zeros", "no-shape", "three-axes", "offset-of-2-63", "type-of-text", "type-999")
"""Tables that are whole; what they list is refused where it is read."""


@pytest.mark.parametrize(("name", "content"), list(tables()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_table_that_lies_is_refused_in_one_line(tmp_path, name, content) -> None:
    (tmp_path / "m.index").write_bytes(content)
    (tmp_path / "m.data-00000-of-00001").write_bytes(bytes(100))
    if name in READABLE:
        checkpoint = open_checkpoint(tmp_path / "m")
        wanted = dict.fromkeys(checkpoint.variables, (7, 7)) or {"absent/W": (1,)}
        with pytest.raises(ModelError, match=r"must hold the variables of a network. Received: "):
            checkpoint.read_all(wanted, "a network", ("/W",))
        return
    with pytest.raises(ModelError, match=r"m.index must be the index of a whole checkpoint. Received: ") as raised:
        open_checkpoint(tmp_path / "m")
    assert "\n" not in str(raised.value)


def test_values_that_differ_from_their_checksum_or_end_early_are_refused(saved, tmp_path) -> None:
    folder = shutil.copytree(saved.parent, tmp_path / "copied")
    data = folder / "model.ckpt-10.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    checkpoint = open_checkpoint(folder / "model.ckpt-10")
    last = "layer_299/kernel"
    content[checkpoint.variables[last].offset + 100] ^= 1
    data.write_bytes(content)
    with pytest.raises(ModelError, match="must agree with their checksum"):
        checkpoint.read(last)
    data.write_bytes(content[:1000])
    with pytest.raises(ModelError, match="ends before the values of layer_299/kernel"):
        checkpoint.read(last)
    data.unlink()
    with pytest.raises(ModelError, match="no such file of a checkpoint"):
        checkpoint.read(last)


def test_differing_names_and_shapes_are_told_three_of_each(tmp_path) -> None:
    names = [f"{letter}/W".encode() for letter in "abcdefg"]
    (tmp_path / "m.index").write_bytes(table([(b"", HEADER), *((name, entry((2,), 0, 8)) for name in names)]))
    wanted = {"a/W": (3,), "x/W": (2,)}
    with pytest.raises(ModelError) as raised:
        open_checkpoint(tmp_path / "m").read_all(wanted, "a network", ("/W",))
    assert str(raised.value).endswith(
        "Received: no x/W; a/W of shape (2,), not (3,); in addition b/W, c/W, d/W and 3 more"
    )
