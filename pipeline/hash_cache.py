"""Remembers the content hash of each audio file by path, size and time of change, so that it is read once."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.audio import NativeAudio, content_hash, read_native
from store.atomic import write_text
from store.errors import AudioError

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What ingest keeps of a file: digest of the decoded samples, samples a channel, rate, channels."""

    sha256: str
    n_samples: int
    rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """Size in bytes and modification time in nanoseconds: equal stamps are taken for equal content."""

    size: int
    mtime_ns: int


class HashCache:
    """Facts by absolute path, valid while the file's stamp stays the same.

    A file that is rewritten with its old size and its old modification time is not noticed; reading all again
    (``--rehash``) notices it. A cache that is damaged or of another format counts as empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = _read(path)
        self._changed = False

    def facts(self, path: str, stamp: Stamp) -> AudioFacts | None:
        """Return what is known of the file at absolute ``path``, or None if it is new or was changed."""
        known, facts = self._entries.get(path, (None, None))
        return facts if known == stamp else None

    def remember(self, path: str, stamp: Stamp, facts: AudioFacts) -> None:
        """Keep the facts of the file at absolute ``path``."""
        self._entries[path] = (stamp, facts)
        self._changed = True

    def drop(self, unwanted: Callable[[str, AudioFacts], bool]) -> int:
        """Remove the facts of each file that is ``unwanted``, by its path and facts; return how many went."""
        gone = [path for path, (_, facts) in self._entries.items() if unwanted(path, facts)]
        for path in gone:
            del self._entries[path]
        self._changed |= bool(gone)
        return len(gone)

    def save(self) -> None:
        """Write the cache in one step, if it changed; raises `StoreError` where that is not possible."""
        if not self._changed:
            return
        entries = {path: [asdict(stamp), asdict(facts)] for path, (stamp, facts) in self._entries.items()}
        write_text(self.path, json.dumps({"format": _FORMAT, "files": entries}))
        self._changed = False


@contextmanager
def opened(path: Path) -> Iterator[HashCache]:
    """Yield the cache at ``path`` and save it at the end, also when the run is broken off."""
    cache = HashCache(path)
    try:
        yield cache
    finally:
        cache.save()


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file, or None where there is none to be had (reading it then says why)."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns)


def measure(path: Path) -> AudioFacts | str:
    """Read a file; return its facts, or the reason why it cannot be used."""
    try:
        audio: NativeAudio = read_native(path)
    except AudioError as error:
        return str(error)
    return AudioFacts(content_hash(audio), audio.n_samples, audio.rate, audio.channels)


def _read(path: Path) -> dict[str, tuple[Stamp, AudioFacts]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            return {}
        return {
            name: (Stamp(**stamp), AudioFacts(**facts)) for name, (stamp, facts) in content["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
