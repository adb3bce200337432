"""The page of benchmarks: each module rewrites its own section, and no section names the machine."""

import platform
import subprocess
import sys

from benchmarks import machine
from benchmarks.page import HEAD, SECTIONS, Section, markdown_table, publish, replace_section


def section(name, cell="1"):
    return Section(name, name.title(), 3, ("what", "speed"), [["this", cell], ["that", "20"]], "before", "after")


def test_a_section_is_replaced_and_the_others_stay(tmp_path, capsys):
    path = tmp_path / "benchmarks.md"
    for name in reversed(SECTIONS):
        publish(section(name), path)
    publish(section("dataset", "7,000"), path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith(HEAD)
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [name.title() for name in SECTIONS]
    assert text.count("7,000") == 1
    assert text.count("<!-- ") == 2 * len(SECTIONS)
    assert "| that |    20 |" in capsys.readouterr().out
    assert replace_section(text, "dataset", section("dataset", "7,000").to_markdown()) == text


def test_narrow_columns_have_a_rule_that_markdown_takes_for_one():
    table = markdown_table(("a", "n", ""), [["x", "1", ""], ["", "22", ""]])
    assert table.splitlines() == [
        "| a   |   n |     |",
        "| --- | --: | --: |",
        "| x   |   1 |     |",
        "|     |  22 |     |",
    ]


def test_a_section_says_how_it_was_measured():
    markdown = section("training").to_markdown()
    assert "median of n = 3" in markdown
    assert "`python -m benchmarks.training`" in markdown
    assert machine.describe() in markdown
    assert markdown.index("before") < markdown.index("| what |") < markdown.index("after")


def test_the_machine_is_described_without_its_name():
    described = f"{machine.describe()}; {machine.software('numpy', 'no-such-package')}"
    assert "core" in described
    assert " GB of memory" in described
    assert "no-such-package" not in described
    assert (platform.node() or "?") not in described.split()
    assert machine.peak_memory() > 1e6


def test_the_peak_of_a_process_is_its_own_and_not_that_of_its_parent():
    held = bytearray(400_000_000)
    held[::4096] = b"x" * len(held[::4096])
    code = "from benchmarks import machine; print(machine.peak_memory())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert machine.peak_memory() > len(held)
    assert float(done.stdout) < 200e6
