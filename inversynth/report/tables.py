"""Tables: plain text for a terminal, words to the left and numbers to the right, and CSV for programs."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

NUMBER = re.compile(r"[-+0-9.,\[\] %]*")


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align the columns: to the right where every row has numbers, else to the left.

    Returns: lines joined by newlines, without trailing blanks.
    """
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    numeric = [bool(rows) and all(NUMBER.fullmatch(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write a table for a spreadsheet or a data frame: every digit, lines that end in a newline."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()
