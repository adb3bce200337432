"""`inversynth start`: create `.env`, the data folders and a folder of examples in the working folder.

Run again, it creates what is missing and keeps what exists; an existing `.env` is never overwritten.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from generators.command import run_command
from generators.errors import SettingsError
from generators.files import written_whole
from generators.settings import ENV_FILE, Settings
from inversynth.examples import SONG, bundled_sounds, song

EXAMPLE = ".env.example"

BUNDLED_EXAMPLE = Path(__file__).with_name("env.example")
"""A copy of `.env.example` for installations without the checkout; docs/write_settings.py writes both."""


class StartSettings(Settings):
    """Create .env, the folders of datasets, WAV files and training runs, and examples to try the commands on."""

    other_names: ClassVar = {"dataset_directory": ("dataset_dir",)}
    flags_only: ClassVar = frozenset({"examples_dir"})

    dataset_directory: Path = Field(Path("test_datasets"), description="folder of the datasets")
    wavefile_directory: Path = Field(Path("test_waves"), description="folder of the WAV files")
    output_dir: Path = Field(Path("runs"), description="folder of the runs")
    examples_dir: Path = Field(Path("examples"), description="folder of five sounds and a MIDI file")


def create_env_file(folder: Path) -> bool:
    """Copy `.env.example` to `.env` in `folder`, unless there is one.

    Returns: whether it was created. Raises: SettingsError where `.env` is a folder.
    """
    target = folder / ENV_FILE
    if target.is_dir():
        raise SettingsError(f"{target} must be a file. Received: a folder. Move it away")
    if target.exists() or target.is_symlink():
        return False
    content = _example(folder).read_bytes()
    with target.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:  # a full disk: half an `.env` would pass for the user's own next time
            target.unlink()
            raise
    return True


def _example(folder: Path) -> Path:
    """Return the example in the working folder, else the bundled one."""
    return folder / EXAMPLE if (folder / EXAMPLE).is_file() else BUNDLED_EXAMPLE


def write_examples(folder: Path) -> bool:
    """Write the bundled sounds and a song as a MIDI file into a folder, those that it lacks.

    Returns: whether any was written.
    """
    files = {path.name: path.read_bytes() for path in bundled_sounds()} | {SONG: song()}
    missing = {name: content for name, content in files.items() if not (folder / name).exists()}
    for name, content in missing.items():
        with written_whole(folder / name) as partial:
            partial.write_bytes(content)
    return bool(missing)


def create_folder(path: Path) -> bool:
    """Create a folder, unless it exists.

    Returns: whether it was created. Raises: SettingsError where a file has its name.
    """
    if path.is_dir():
        return False
    try:
        path.mkdir(parents=True)
    except (FileExistsError, NotADirectoryError):
        raise SettingsError(f"{path} must be a folder. Received: a file there. Move it away, or name another") from None
    return True


def start(settings: StartSettings) -> None:
    """Create what is missing, and print what was created and what was kept."""
    created = create_env_file(Path())
    print(f"created {ENV_FILE} from {EXAMPLE}" if created else f"kept {ENV_FILE}")
    for folder in (settings.dataset_directory, settings.wavefile_directory, settings.output_dir):
        print(f"created {folder}" if create_folder(folder) else f"kept {folder}")
    create_folder(settings.examples_dir)
    written = write_examples(settings.examples_dir)
    print(f"{'created' if written else 'kept'} {settings.examples_dir}: five sounds and {SONG}")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth start") -> int:
    """Create the files and folders; returns the exit code."""
    return run_command(StartSettings, start, argv, prog)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.start"))
