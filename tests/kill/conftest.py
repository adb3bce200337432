"""What the tests of killed work share with the hostile ones."""

from tests.hostile.conftest import materials_folder

__all__ = ["materials_folder"]
