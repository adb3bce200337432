"""`.env.example` and docs/settings.md name exactly the settings that the commands read."""

import re

import pytest

from docs import write_settings
from generators.settings import Settings
from models.training.settings import TrainingSettings

VARIABLE = re.compile(r"^#([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def found():
    return write_settings.variables()


def test_the_example_names_every_setting_with_its_default(found):
    text = write_settings.EXAMPLE.read_text(encoding="utf-8")
    assert dict(VARIABLE.findall(text)) == {variable.name: variable.default for variable in found}
    assert text == write_settings.example(found), "run: python -m docs.write_settings"
    assert write_settings.BUNDLED_EXAMPLE.read_text(encoding="utf-8") == text


def test_the_page_names_every_setting(found):
    text = write_settings.PAGE.read_text(encoding="utf-8")
    assert text == write_settings.page(text), "run: python -m docs.write_settings"


def test_every_field_of_every_command_is_there_or_is_a_flag_only(found):
    named = {name for variable in found for name in (variable.name, *variable.others)}
    for settings in write_settings.settings_classes().values():
        for field in settings.model_fields:
            bare = {name for name in settings.variables(field) if not name.startswith("INVERSYNTH_")}
            assert bare <= named
            assert bare or field in settings.flags_only, f"{field} cannot be set without the prefix"
    assert {"MODEL", "ARCHITECTURE", "EPOCHS", "DATASET_NAME", "NUM_EXAMPLES"} <= named


def test_every_setting_is_explained(found):
    for variable in found:
        assert all(variable.meanings), f"{variable.name} has no description"


def test_the_example_changes_nothing_until_a_line_is_uncommented(tmp_path):
    text = write_settings.EXAMPLE.read_text(encoding="utf-8")
    before = TrainingSettings.parse([])
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert TrainingSettings.parse([]) == before
    (tmp_path / ".env").write_text(text.replace("#EPOCHS=100", "EPOCHS=7"), encoding="utf-8")
    assert TrainingSettings.parse([]) == before.model_copy(update={"epochs": 7})


def test_the_example_with_every_line_uncommented_is_valid_and_says_the_defaults(tmp_path):
    text = re.sub(r"^#([A-Z])", r"\1", write_settings.EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    before = {name: settings.parse(needed(settings)) for name, settings in write_settings.settings_classes().items()}
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    for name, settings in write_settings.settings_classes().items():
        after = settings.parse(needed(settings))
        changed = {field for field in settings.model_fields if getattr(after, field) != getattr(before[name], field)}
        own = {field for field in settings.model_fields if write_settings.has_own_default(name, field)}
        assert changed <= {"name", *own}, name


def needed(settings: type[Settings]) -> list[str]:
    """Words for what a command cannot do without."""
    words = []
    for name, info in settings.model_fields.items():
        if info.is_required():
            positional = "Positional" in repr(info.metadata)
            words += ["x"] if positional else [f"--{name}", "x"]
    return words
