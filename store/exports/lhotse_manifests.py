"""Writes a selection as lhotse manifests, with the values copied into HDF5, since lhotse reads no Zarr."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np

from store.errors import ConfigurationError, install
from store.exports.labels import labels_as_json, number_or_none
from store.exports.naming import attribute_name, distinct, sample_key
from store.exports.selection import Column, Sample, Selection
from store.exports.space import require_space
from store.records import FeatureSpec, PhoneInterval, Utterance
from store.vocabulary import COMMON_RATE

MAIN = "logmel80"
"""The feature that becomes the cuts' ``features`` where it is chosen; else the first with frames in time."""
_IN_TIME = ("centred", "ceil", "convolutional")


def write_lhotse(folder: Path, selection: Selection, described: Mapping[str, Any], shard_bytes: int) -> int:  # noqa: ARG001
    """Write recordings, supervisions and cuts (.jsonl.gz) and one HDF5 file a feature; return their number.

    Paths are relative to ``folder``. One feature, `MAIN` if there, is the cuts' ``features``; the others are
    custom arrays under their names made Python identifiers, those with layers one array a layer
    (``<name>_layer03``), with a frame shift where their rows are frames in time. Phones and vowels are
    alignments of the supervision. A cut lasts as long as lhotse's rule gives for the number of rows, up to
    half a frame shift beyond the end of the recording, so that ``load_features`` returns every row.

    Raises
    ------
    ConfigurationError
        If lhotse or h5py is not installed.
    """
    return _Writer(folder, selection, described).write()


def _lhotse() -> Any:
    try:
        import h5py  # noqa: F401
        import lhotse
    except ImportError as error:
        raise ConfigurationError(
            "lhotse and h5py for this format", str(error), install("lhotse", "h5py")
        ) from error
    return lhotse


class _Writer:
    """One export; holds lhotse, which is loaded only when it is needed."""

    def __init__(self, folder: Path, selection: Selection, described: Mapping[str, Any]) -> None:
        self.lhotse, self.folder, self.selection = _lhotse(), folder, selection
        self.snapshot = str(described["snapshot"])
        self.main = _main(selection.columns)
        self.names = distinct(selection.columns, attribute_name)

    def write(self) -> int:
        (self.folder / "features").mkdir()
        columns = self.selection.columns
        with ExitStack() as stack:
            lines = {
                name: stack.enter_context(_json_lines(self.folder / f"{name}.jsonl.gz"))
                for name in ("recordings", "supervisions", "cuts")
            }
            self.storage = {column.name: stack.enter_context(self._storage(column)) for column in columns}
            left = self.selection.bytes
            for batch in self.selection.batches(self.selection.utterances):
                require_space(self.folder, left)  # HDF5 may crash the process on a disk that is full
                left -= sum(self.selection.size(sample.utterance) for sample in batch)
                for sample in batch:
                    self._write(sample, lines)
        return len(lines) + len(columns)

    def _storage(self, column: Column) -> Any:
        return self.lhotse.NumpyHdf5Writer(self.folder / self._path(column))

    def _path(self, column: Column) -> str:
        return f"features/{self.names[column.name]}.h5"

    def _write(self, sample: Sample, lines: Mapping[str, TextIOWrapper]) -> None:
        recording = self._recording(sample.utterance)
        supervision = self._supervision(sample)
        cut = self._cut(sample, recording, supervision)
        for name, item in (("recordings", recording), ("supervisions", supervision), ("cuts", cut)):
            lines[name].write(json.dumps(item.to_dict(), ensure_ascii=False) + "\n")

    def _recording(self, item: Utterance) -> Any:
        channels = list(range(item.n_channels))
        source = self.lhotse.AudioSource(type="file", channels=channels, source=f"{item.corpus}/{item.path}")
        return self.lhotse.Recording(
            id=item.id,
            sources=[source],
            sampling_rate=item.sample_rate,
            num_samples=item.n_samples,
            duration=item.seconds,
            channel_ids=channels,
        )

    def _supervision(self, sample: Sample) -> Any:
        item, alignment = sample.utterance, sample.alignment
        labels = labels_as_json(item, alignment)
        own = {"id", "text", "language", "gender", "speaker", "phones"}
        phones = alignment.intervals if alignment is not None else ()
        tiers = {"phone": phones, "vowel": [phone for phone in phones if phone.vowel]}
        return self.lhotse.SupervisionSegment(
            id=item.id,
            recording_id=item.id,
            start=0.0,
            duration=item.seconds,
            channel=0,
            text=item.text,
            language=item.language,
            speaker=item.speaker_key,
            gender=item.gender,
            custom={
                **{name: value for name, value in labels.items() if name not in own and value is not None},
                "snapshot": self.snapshot,
            },
            alignment=None
            if alignment is None
            else {name: list(self._tier(name, tier)) for name, tier in tiers.items()},
        )  # fmt: skip

    def _tier(self, name: str, phones: Iterable[PhoneInterval]) -> Iterator[Any]:
        for phone in phones:
            yield self.lhotse.supervision.AlignmentItem(
                symbol=(phone.vowel or "") if name == "vowel" else phone.phone,
                start=phone.start / COMMON_RATE,
                duration=(phone.stop - phone.start) / COMMON_RATE,
                score=number_or_none(phone.score),
            )

    def _cut(self, sample: Sample, recording: Any, supervision: Any) -> Any:
        item = sample.utterance
        main = self.main if self.main is not None and self.main.name in sample.values else None
        features = self._features(sample, main) if main is not None else None
        arrays = {
            name: array
            for column in self.selection.columns
            if column is not main and column.name in sample.values
            for name, array in self._arrays(column, item.id, sample.values[column.name])
        }
        return self.lhotse.MonoCut(
            id=item.id,
            start=0.0,
            duration=item.seconds if features is None else features.duration,
            channel=0,
            supervisions=[supervision],
            features=features,
            recording=recording,
            custom=arrays or None,
        )

    def _features(self, sample: Sample, column: Column) -> Any:
        values, spec = sample.values[column.name], column.spec
        item = sample.utterance
        key = self.storage[column.name].write(_key(item.id), values)
        return self.lhotse.Features(
            type=spec.name,
            num_frames=len(values),
            num_features=spec.dims[0],
            frame_shift=spec.law.hop / spec.sample_rate,
            sampling_rate=spec.sample_rate,
            start=0.0,
            duration=_duration(spec, len(values), item.seconds),
            storage_type=self.storage[column.name].name,
            storage_path=self._path(column),
            storage_key=key,
            recording_id=item.id,
            channels=0,
        )

    def _arrays(self, column: Column, utterance: str, values: Any) -> Iterator[tuple[str, Any]]:
        """Store the values of a feature; yield a name and a manifest for each layer, or for all."""
        name, key = self.names[column.name], _key(utterance)
        parts = (
            {f"_layer{layer:02d}": values[:, at] for at, layer in enumerate(column.layers)}
            if column.layers
            else {"": values}
        )  # fmt: skip
        shift = _shift(column.spec)
        timed = {} if shift is None else {"frame_shift": shift, "temporal_dim": 0, "start": 0.0}
        for suffix, part in parts.items():
            stored = self.storage[column.name].store_array(f"{key}{suffix}", part, **timed)
            array = stored if shift is None else stored.array
            array.storage_path = self._path(column)
            yield f"{name}{suffix}", stored


def _main(columns: Iterable[Column]) -> Column | None:
    framed = [
        column for column in columns if column.spec.law.kind in ("centred", "ceil") and len(column.dims) == 1
    ]
    return next((column for column in framed if column.spec.name == MAIN), framed[0] if framed else None)


def _key(utterance: str) -> str:
    """Return the name of a dataset in HDF5, where a slash would make a group."""
    return sample_key(utterance).replace("/", ":")


def _shift(spec: FeatureSpec) -> float | None:
    """Return the seconds between rows, or None where rows are not frames in time."""
    if spec.law.kind not in _IN_TIME:
        return None
    return (spec.law.hop or int(np.prod(spec.law.strides))) / spec.sample_rate


def _duration(spec: FeatureSpec, rows: int, seconds: float) -> float:
    """Return how long features last so that lhotse counts ``rows`` frames: ``seconds`` if that fits.

    lhotse's number of frames is samples / hop, a half rounded up; a centred frame law has one frame more
    where the recording ends in the first half of a hop.
    """
    hop = spec.law.hop
    if (round(seconds * spec.sample_rate) + hop // 2) // hop == rows:
        return seconds
    return (rows * hop - hop // 2) / spec.sample_rate


@contextmanager
def _json_lines(path: Path) -> Iterator[TextIOWrapper]:
    """Open a compressed file whose bytes depend on its content alone."""
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        TextIOWrapper(packed, encoding="utf-8") as text,
    ):
        yield text
