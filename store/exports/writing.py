"""Makes one export: checks place and disk, writes aside, enters it into the ledger, then renames it."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.atomic import sync, temporary_beside, unwritable
from store.errors import ConfigurationError, StoreError
from store.export_log import FORMATS, Export, Format, now, record, this_host
from store.exports.card import provenance, write_card
from store.exports.lhotse_manifests import write_lhotse
from store.exports.parquet_files import write_parquet
from store.exports.selection import Selection, Wanted
from store.exports.space import require_space
from store.exports.tar_shards import write_webdataset
from store.feature_store import FeatureStore
from store.objects import ObjectPath

SHARD_BYTES = 256 * 1024 * 1024
"""About how much one file of a sharded format holds before compression."""

_WRITERS: Mapping[str, Callable[[Path, Selection, Mapping[str, Any], int], int]] = {
    "parquet": write_parquet,
    "lhotse": write_lhotse,
    "webdataset": write_webdataset,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was exported; ``unregistered`` says why the store could not take note of it, "" if it did."""

    entry: Export
    unregistered: str


def export(
    reader: FeatureStore, kind: Format, folder: Path, wanted: Wanted, *, shard_bytes: int = SHARD_BYTES
) -> Exported:
    """Copy a part of a snapshot to a new folder; equal parts give equal bytes.

    It is entered into the store's ledger before it takes its name, so that none is there unnoted.

    Raises
    ------
    ConfigurationError
        If the format, a feature, corpus, licence or layer is not known, or a library is not installed.
    StoreError
        If the folder is not empty, the disk is too small or cannot be written, or values are damaged; nothing
        is left behind.
    """
    if kind not in FORMATS:
        raise ConfigurationError(f"a format: {', '.join(FORMATS)}", repr(kind), "name one of these")
    folder = folder.absolute()
    _check_place(folder, reader.store.path)
    selection = Selection(reader, wanted)
    require_space(folder, selection.bytes)
    described = provenance(selection, kind)
    with _published(folder) as aside:
        shards = _WRITERS[kind](aside, selection, described, shard_bytes)
        write_card(aside, selection, described, shards)
        entry = _entry(kind, folder, aside, selection)
        unregistered = _registered(reader, entry)
    return Exported(entry=entry, unregistered=unregistered)


def _entry(kind: str, folder: Path, aside: Path, selection: Selection) -> Export:
    files = [path for path in aside.rglob("*") if path.is_file()]
    commit = selection.reader.commit
    return Export(
        created=now(),
        format=kind,
        destination=str(folder),
        host=this_host(),
        snapshot=commit.snapshot,
        commit=commit.number,
        features=tuple(column.spec.name for column in selection.columns),
        specs=tuple(column.spec.digest for column in selection.columns),
        corpora=selection.corpora,
        licences=selection.licences,
        layers=tuple(sorted({layer for column in selection.columns for layer in column.layers})),
        utterances=len(selection.utterances),
        files=len(files),
        bytes=sum(path.stat().st_size for path in files),
    )


def _registered(reader: FeatureStore, entry: Export) -> str:
    """Enter an export into the ledger; return why that was not possible, "" if it was."""
    try:
        record(reader.store.layout, entry)
    except StoreError as error:
        return error.found
    return ""


def _check_place(folder: Path, store: Path) -> None:
    if not isinstance(store, ObjectPath) and folder.resolve().is_relative_to(store.resolve()):
        raise StoreError("a folder outside the store", str(folder), "choose another folder")
    try:
        occupied = os.path.lexists(folder) and (
            folder.is_symlink() or not folder.is_dir() or any(folder.iterdir())
        )
    except OSError as error:
        raise unwritable(folder, error) from error
    if occupied:
        raise StoreError("a new or an empty folder", f"{folder}, which is in use", "choose another folder")


@contextmanager
def _published(final: Path) -> Iterator[Path]:
    """Yield a fresh folder that becomes ``final`` in one step at the end, or vanishes if an error comes up.

    Unlike `store.atomic.folder_aside`, a ``final`` that somebody else filled in the meantime is an error.
    """
    aside = temporary_beside(final)
    try:
        aside.mkdir(parents=True)
        yield aside
        for folder, _, files in os.walk(aside):
            for name in files:
                sync(Path(folder) / name)
            sync(Path(folder))
        os.rename(aside, final)  # refuses a folder that is not empty
        sync(final.parent)
    except OSError as error:
        raise unwritable(final, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
