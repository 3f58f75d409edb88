"""A store with a history of three people, and a search through every byte of it, unpacked."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet

from store.arrays import geometry, open_array
from store.catalogue import Commit, Store
from store.feature_store import FeatureStore
from store.records import FeatureSpec, Utterance
from store.verify import verify
from tests.store.store_cases import Array, alignment, key, skipped, spec, utterance, values, wanted, write

MEL, DEEP = spec((16,)), spec((2, 8), dtype="float16", name="deep")
SPECS = (MEL, DEEP)
GONE = "Zaphod"
"""The speaker who is forgotten; the name and everything of the person's are found nowhere else."""


def people() -> tuple[Utterance, ...]:
    """Nine recordings of Anna, Zaphod and Cleo in turns; Cleo's u008 has the audio of Zaphod's u007."""
    names = ("Anna", GONE, "Cleo")
    items = [
        utterance(
            number,
            speaker=names[number % 3],
            path=f"wav/{names[number % 3]}/u{number:03d}.wav",
            text=f"{names[number % 3]}-says-{number}",
        )
        for number in range(9)
    ]
    items[8] = replace(items[8], audio_sha256=items[7].audio_sha256)
    return tuple(items)


def rows_of(items: tuple[Utterance, ...]) -> dict[str, dict[str, Array]]:
    """The rows of each recording, by spec digest and utterance; the same audio has the same rows."""
    return {
        feature.digest: {item.id: values(feature, 20 + 3 * _seed(item), _seed(item)) for item in items}
        for feature in SPECS
    }


def _seed(item: Utterance) -> int:
    return int(item.audio_sha256, 16)


def put(store: Store, items, rows, features=SPECS, item_size=4) -> Commit:
    """Commit some recordings, writing what is not there in work items of ``item_size`` recordings."""
    with store.writer() as writer:
        for feature in features:
            there = writer.placed(feature, "toy")
            new = [item for item in items if key(feature, item) not in there]
            distinct = list({key(feature, item): item for item in new}.values())
            for first in range(0, len(distinct), item_size):
                write(store, writer, feature, distinct[first : first + item_size], rows[feature.digest])
        table = store.put_alignments("toy", "a" * 64, [alignment(item) for item in items], [skipped(2)])
        manifest = store.put_manifest(items, [skipped(1)])
        return writer.commit(
            manifest=manifest,
            alignments={"toy": table},
            wanted=[wanted(f, item, len(rows[f.digest][item.id])) for f in features for item in items],
            lineage={"manifest": manifest, "alignments": {"toy": {"table": table}}},
        )


@dataclass(frozen=True)
class History:
    """Commits: Anna and Zaphod (tagged first); everybody; everybody's mel; Anna alone (tagged late)."""

    items: tuple[Utterance, ...]
    rows: dict[str, dict[str, Array]]
    commits: tuple[Commit, ...]

    @property
    def gone(self) -> list[Utterance]:
        return [item for item in self.items if item.speaker == GONE]

    @property
    def left(self) -> tuple[Utterance, ...]:
        return tuple(item for item in self.items if item.speaker != GONE)


def history(store: Store) -> History:
    items = people()
    rows = rows_of(items)
    early = tuple(item for item in items if item.speaker != "Cleo")[:4]
    alone = tuple(item for item in items if item.speaker == "Anna")
    commits = (
        put(store, early, rows),
        put(store, items, rows),
        put(store, items, rows, features=(MEL,)),
        put(store, alone, rows),
    )
    store.tag("first", commits[0].snapshot)
    store.tag("late", commits[3].snapshot)
    return History(items, rows, commits)


def unpacked(path: Path) -> bytes:
    """Return the bytes of a file and, where it is Parquet, of everything in it as text."""
    data = path.read_bytes()
    if path.suffix == ".parquet":
        data += repr(pyarrow.parquet.ParquetFile(path).read().to_pylist()).encode()
        data += repr(pyarrow.parquet.ParquetFile(path).schema_arrow).encode()
    return data


def traces(root: Path, words: list[str]) -> list[tuple[str, str]]:
    """Return (file, word) for every word found in a name or the unpacked bytes of any file below a folder."""
    found = []
    for path in sorted(item for item in root.rglob("*") if item.is_file()):
        data = unpacked(path) + path.relative_to(root).as_posix().encode()
        found += [(path.relative_to(root).as_posix(), word) for word in words if word.encode() in data]
    return found


def stored_rows(store: Store) -> set[bytes]:
    """Return every row of values in every chunk of every array, decoded, referenced or not."""
    rows: set[bytes] = set()
    for feature in SPECS:
        folder = store.layout.array(feature.digest, "toy")
        if folder.exists():
            whole = np.asarray(open_array(folder, checking=True)[:])
            assert whole.dtype == geometry(feature).dtype
            rows |= {row.tobytes() for row in whole}
    return rows


def words_of(items) -> list[str]:
    """Return all that names these recordings in a store: ids, speakers, paths, texts, audio and row keys."""
    plain = [word for i in items for word in (i.id, i.speaker, i.path, i.text or "-", i.audio_sha256)]
    keys = [key(feature, item) for item in items for feature in SPECS]
    return [*plain, *keys, *(alignment(item).key for item in items)]


def whole(store: Store) -> None:
    """Every commit of the log verifies."""
    for commit in store.commits():
        assert verify(store, commit.snapshot) == (), commit.number


def readable(store: Store, made: History, ref: str | None, features: tuple[FeatureSpec, ...]) -> set[str]:
    """Read all of a snapshot and compare; return its utterances."""
    reader = FeatureStore.open(store.path, ref)
    for feature in features:
        for item in reader.utterances:
            np.testing.assert_array_equal(reader.read(feature, item.id), made.rows[feature.digest][item.id])
    return {item.id for item in reader.utterances}
