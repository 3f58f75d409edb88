"""Finds the sound files below a folder and judges their names; knows nothing of any corpus."""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from pipeline.audio import AUDIO_SUFFIXES, UNREADABLE_SUFFIXES


def folders_in(folder: Path) -> list[str]:
    """Return the sorted names of the folders in ``folder``, none where it cannot be listed."""
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []


def folders_first(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (folder, names of its files) of ``root`` and everything below, the shallow ones first, sorted."""
    level, visited = [str(root)], {os.path.realpath(root)}
    while level:
        deeper: list[str] = []
        for folder in level:
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                continue  # sound_files reports it
            yield folder, [entry.name for entry in entries if entry.is_file()]
            deeper += [item.path for item in entries if item.is_dir() and _first_visit(item.path, visited)]
        level = deeper


def sound_files(root: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the relative paths of all sound files below ``root``, and (folder, reason) of unlistable ones.

    Folders reached through links are followed once each, so that a link in a circle ends.
    """
    paths: list[str] = []
    failures: list[tuple[str, str]] = []
    visited = {os.path.realpath(root)}

    def note(error: OSError) -> None:
        place = Path(os.path.relpath(error.filename, root)).as_posix()
        failures.append((place, f"the folder cannot be listed ({error.strerror})"))

    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=note):
        subfolders[:] = [
            name for name in sorted(subfolders) if _first_visit(os.path.join(folder, name), visited)
        ]
        relative = Path(os.path.relpath(folder, root))
        # A folder with the name of a recording is one too: reading it says what is wrong with it.
        paths.extend((relative / name).as_posix() for name in (*names, *subfolders) if _is_sound(name))
    return sorted(paths, key=lambda path: (path.count("/"), path)), failures


def stem_of(path: str) -> str:
    """Return the file name of a relative path without its extension, in NFC."""
    return unicodedata.normalize("NFC", os.path.splitext(path.rsplit("/", 1)[-1])[0])


def hostile(path: str) -> str | None:
    """Return why a path must not enter an index (unprintable characters, a step upwards), or None."""
    if not path.isprintable():
        return "the name holds characters that cannot be printed"
    if ".." in path.split("/") or path.rsplit("/", 1)[-1].startswith(".."):
        return "the name steps out of its folder"
    return None


def printable(text: str) -> str:
    """Return ``text`` with everything that cannot be printed (line ends, broken Unicode) as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _is_sound(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES | UNREADABLE_SUFFIXES


def _first_visit(folder: str, visited: set[str]) -> bool:
    real = os.path.realpath(folder)
    if real in visited:
        return False
    visited.add(real)
    return True
