"""Finding synths: by name, by entry point, by reference; every fault in one line, before any sound is made."""

import sys
from pathlib import Path

import numpy as np
import pytest

from generators import registry
from generators.dataset import Dataset
from generators.errors import ParameterError
from generators.fm_generator import FmSynth
from generators.parameters import Parameter, ParameterSpace
from generators.registry import all_synths, build_synth, declared_oscillators, find_synth, is_synth, register_synth
from generators.sine_generator import SineSynth
from generators.synth import Synth

TOY = '''
import numpy as np

from generators.parameters import Parameter, ParameterSpace
from generators.synth import Synth


class Toy(Synth):
    """A sine of two frequencies."""

    name = "toy"
    description = "a sine of two frequencies"
    space = ParameterSpace("toy", (Parameter("f", (200.0, 400.0), "Hz", "frequency", "Notes"),))

    def synthesize(self, values, xp=np):
        return xp.sin(2 * np.pi * values[:, :1] * np.arange(self.samples) / self.sample_rate)


class Wide(Toy):
    """Makes its space when it is built, as a plug-in would."""

    def __init__(self, sample_rate=16384, length=1.0):
        super().__init__(sample_rate, length)
        self.space = ParameterSpace("toy", (Parameter("f", (200.0, 400.0, 600.0), "Hz"),))
'''


@pytest.fixture(autouse=True)
def clean_registry(monkeypatch):
    """Leave no synth, module or folder of a test to the next one."""
    monkeypatch.setattr(registry, "SYNTHS", dict(registry.SYNTHS))
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("toy", "broken")):
            del sys.modules[name]
    registry._referenced.cache_clear()
    registry._from_entry_point.cache_clear()


def write_entry_point(folder: Path, name: str, value: str) -> None:
    """Install a package that offers one synth, as pip would."""
    info = folder / "toy_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[inversynth.synths]\n{name} = {value}\n")


def test_a_reference_leads_to_a_synth_of_the_working_folder(tmp_path):
    (tmp_path / "toy_synth.py").write_text(TOY)
    synth = build_synth("toy_synth:Toy", 4000, 0.1)
    assert (synth.name, synth.space.synth, synth.short_name) == ("toy_synth:Toy", "toy_synth:Toy", "Toy")
    assert synth.description == "a sine of two frequencies"
    assert synth.render([[200.0]]).shape == (1, 400)
    assert synth.render_note([200.0], 0.05).shape == (220,)
    assert repr(synth) == "Toy(sample_rate=4000, length=0.1)"
    assert isinstance(synth, sys.modules["toy_synth"].Toy)
    assert find_synth("toy_synth:Toy") is find_synth("toy_synth:Toy")


def test_a_space_made_by_the_constructor_has_the_reference_too(tmp_path):
    (tmp_path / "toy_wide.py").write_text(TOY)
    space = build_synth("toy_wide:Wide").space
    assert (space.synth, space.sizes) == ("toy_wide:Wide", (3,))


def test_a_reference_to_a_built_in_synth_is_that_synth():
    assert find_synth("generators.sine_generator:SineSynth") is SineSynth


def test_a_working_folder_does_not_hide_packages_of_this_project(tmp_path):
    (tmp_path / "generators").mkdir()
    (tmp_path / "toy_behind.py").write_text(TOY)
    find_synth("toy_behind:Toy")
    assert sys.path[-1] == str(tmp_path)


def test_an_entry_point_is_found_by_its_name_and_listed(tmp_path, monkeypatch):
    (tmp_path / "toy_installed.py").write_text(TOY)
    write_entry_point(tmp_path, "shiny", "toy_installed:Toy")
    assert "shiny" not in all_synths()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert is_synth("shiny")
    assert find_synth("shiny").space.synth == "shiny"  # the entry point's name, by which others will look for it
    assert list(all_synths()) == ["fm", "sine", "envelope", "shiny"]
    with pytest.raises(ParameterError, match=r"^unknown synth 'shinny'. Did you mean 'shiny'\?"):
        find_synth("shinny")


def test_a_broken_entry_point_is_left_out_of_the_list_in_a_line(tmp_path, monkeypatch, caplog):
    write_entry_point(tmp_path, "shiny", "broken_absent:Toy")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(all_synths()) == ["fm", "sine", "envelope"]
    assert "synth 'shiny' is left out: cannot import synth entry point 'shiny' (broken_absent:Toy)" in caplog.text


class Registered(Synth):
    """One level, silent."""

    name = "registered"
    space = ParameterSpace("registered", (Parameter("level", (0.0, 1.0)),))

    def synthesize(self, values, xp=np):
        return xp.zeros((len(values), self.samples))


def test_a_registered_synth_is_found_by_its_name():
    assert not is_synth("registered")
    assert register_synth(Registered) is Registered
    assert find_synth("registered") is register_synth(Registered) is Registered


def test_a_name_belongs_to_one_synth():
    class Other(Registered):
        name = "fm"

    with pytest.raises(
        ParameterError, match=r"^synth 'fm' is registered already, as generators\.fm_generator:FmSynth$"
    ):
        register_synth(Other)
    Other.name = "toy:Other"
    with pytest.raises(ParameterError, match=r"^a synth to register has a plain name. Received: 'toy:Other'"):
        register_synth(Other)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "broken_absent:Toy",
            "cannot import synth 'broken_absent:Toy': no module 'broken_absent'. Name it as package.module:Class, as "
            "Python finds it from this folder",
        ),
        (
            "antigravity:Toy",
            "synth 'antigravity:Toy' must be in a module of yours. Received: Python's own module 'antigravity'",
        ),
        ("broken_code:Toy", "cannot import synth 'broken_code:Toy': ZeroDivisionError: division by zero."),
        (
            "broken_space:Toy",
            "synth 'broken_space:Toy' is at fault: a parameter space needs one or more distinct names. Received: []",
        ),
        (
            "broken_import:Toy",
            "cannot import synth 'broken_import:Toy': ModuleNotFoundError: No module named 'absent'.",
        ),
        ("toy_ways:Tow", "unknown synth in module toy_ways: 'Tow'. Did you mean 'Toy'? Known: Toy, Bare, Spaceless"),
        (
            "toy_ways:number",
            "'toy_ways:number' must be a subclass of generators.synth.Synth. Received: 3",
        ),
        ("toy_ways:Bare", "synth 'toy_ways:Bare' lacks what it must define: synthesize"),
        (
            "toy_ways:Spaceless",
            "synth 'toy_ways:Spaceless' needs a ParameterSpace as its attribute space. Received: None",
        ),
    ],
)
def test_a_faulty_reference_is_refused_in_one_line(tmp_path, reference, message):
    (tmp_path / "broken_code.py").write_text("1 / 0\n")
    (tmp_path / "broken_import.py").write_text("import absent\n")
    (tmp_path / "broken_space.py").write_text(
        "from generators.parameters import ParameterSpace\nParameterSpace('toy', ())\n"
    )
    (tmp_path / "toy_ways.py").write_text(
        TOY.split("class Wide")[0] + "number = 3\n\n\nclass Bare(Synth):\n    space = Toy.space\n\n\n"
        "class Spaceless(Toy):\n    space = None\n"
    )
    with pytest.raises(ParameterError) as fault:
        find_synth(reference)
    assert str(fault.value) == message


def test_oscillators_that_the_space_lacks_are_refused(tmp_path):
    (tmp_path / "toy_apart.py").write_text(
        TOY + "\n\nfrom generators.oscillator_spec import Oscillator\n"
        "Toy.oscillators = (Oscillator('sine', 'f', 'rate', 'amplitude', 'depth'),)\n"
    )
    with pytest.raises(ParameterError, match=r"^unknown parameter 'rate'. Known: f$"):
        find_synth("toy_apart:Toy")


def test_a_space_whose_synth_is_unknown_here_declares_no_oscillators():
    assert declared_oscillators(FmSynth.space) == FmSynth.oscillators
    assert declared_oscillators(ParameterSpace("elsewhere:Synth", FmSynth.space.parameters)) == ()


@pytest.mark.parametrize("words", [["toy_made:Toy"], ["--synth", "toy_made:Toy"], ["--synth=toy_made:Toy"]])
def test_a_dataset_carries_the_reference_and_has_a_plain_name(tmp_path, words):
    (tmp_path / "toy_made.py").write_text(TOY)
    assert registry.main(["--num_examples", "3", *words, "--no-wavefiles", "--sample_rate", "4000"]) == 0
    with Dataset(tmp_path / "test_datasets" / "Toy.hdf5") as dataset:
        assert (dataset.card.synth, dataset.space.synth) == ("toy_made:Toy", "toy_made:Toy")
