"""Finds and reads the tables of a corpus; a missing or damaged one is an error with a remedy."""

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.corpora.walk import folders_first
from store.errors import CorpusError

csv.field_size_limit(1 << 24)


def find_table(root: Path, *names: str) -> Path | None:
    """Return the file of one of ``names`` (in any case) that lies highest below ``root``, or None."""
    wanted = [name.casefold() for name in names]
    for folder, files in folders_first(root):
        found = {name.casefold(): name for name in files}
        for name in wanted:
            if name in found:
                return Path(folder, found[name])
    return None


def require_table(root: Path, remedy: str, *names: str) -> Path:
    """Return the path of a table that must be there, see `find_table`; raises `CorpusError` without it."""
    path = find_table(root, *names) if os.path.isdir(root) else None
    if path is None:
        raise CorpusError(f"the table {' or '.join(names)} of the corpus", f"none in {root}", remedy)
    return path


def find_folder(root: Path, name: str) -> Path | None:
    """Return the folder ``name`` (in any case) that lies highest below ``root``, or None."""
    for folder, _ in folders_first(root):
        if Path(folder).name.casefold() == name.casefold() and folder != str(root):
            return Path(folder)
    return None


def read_text(path: Path, expected: str, remedy: str) -> str:
    """Return the text of a UTF-8 file with or without a mark; raises `CorpusError`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise CorpusError(expected, f"{path} unreadable ({reason})", remedy) from error


def read_table(path: Path, columns: Sequence[str], remedy: str) -> list[dict[str, str]]:
    """Return the rows of a table with a header line, blanks around values removed.

    A ``.csv`` has commas and quotes as in RFC 4180; any other table has tabs and no quotes. A header without
    a name for its first column (as R writes it) calls it "".

    Raises
    ------
    CorpusError
        The table is missing, is not UTF-8, lacks a column, or has a row of another width.
    """
    expected = f"a table {path.name} with the columns {', '.join(columns)}"
    lines = io.StringIO(read_text(path, expected, remedy), newline="")
    if path.suffix.lower() == ".csv":
        reader = csv.reader(lines)
    else:
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        header = [value.strip() for value in next(reader, [])]
        if missing := [name for name in columns if name not in header]:
            raise CorpusError(expected, f"{path} without {', '.join(missing)}", remedy)
        rows = [
            (reader.line_num, [value.strip() for value in row]) for row in reader if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise CorpusError(expected, f"{path}, line {reader.line_num}: {error}", remedy) from error
    for number, row in rows:
        if len(row) != len(header):
            raise CorpusError(expected, f"{len(row)} instead of {len(header)} values in row {number}", remedy)
    return [dict(zip(header, row, strict=True)) for _, row in rows]


def read_json(path: Path, remedy: str) -> Any:
    """Return the content of a JSON file; raises `CorpusError` where it is missing or damaged."""
    expected = f"a JSON file {path.name}"
    try:
        return json.loads(read_text(path, expected, remedy))
    except json.JSONDecodeError as error:
        raise CorpusError(expected, f"{path}: {error}", remedy) from error


def read_jsonl(path: Path, columns: Sequence[str], remedy: str) -> list[dict[str, Any]]:
    """Return the objects of a file with one JSON object a line, each with all ``columns``.

    Raises
    ------
    CorpusError
        The file is missing or damaged, or an object lacks a column.
    """
    expected = f"a table {path.name}, one JSON object a line with {', '.join(columns)}"
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(read_text(path, expected, remedy).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise CorpusError(expected, f"{path}, line {number}: {error}", remedy) from error
        if not isinstance(row, dict) or not set(columns) <= row.keys():
            raise CorpusError(expected, f"{path}, line {number} without one of them", remedy)
        rows.append(row)
    return rows


def number(text: object) -> float | None:
    """Return a rating as a number, or None where the table has none."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return None if math.isnan(value) else value


def gender(text: str) -> str:
    """Return female, male or unknown for the usual spellings: F, Female, female, M, Male, Unknown, ""."""
    return {"f": "female", "m": "male"}.get(text.strip().casefold()[:1], "unknown")
