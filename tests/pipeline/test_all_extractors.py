"""Every extractor on real recordings of every format at hand, in one build with one decoding of each file."""

from collections import Counter

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from features.clip import Clip
from features.extractor import OPERATIONS, build_extractors, names
from features.segments import phone_offsets
from pipeline import work
from pipeline.audio import read_native, to_mono
from pipeline.build import BuildInputs, rebuild
from pipeline.corpora.corpus import corpus_by_name
from pipeline.ingest import ingest
from store.catalogue import Store
from store.feature_store import FeatureStore
from store.verify import verify
from tests.pipeline.build_cases import alignment
from tests.pipeline.corpus_trees import AT_HAND, CORPORA

ORIGINALS = CORPORA / "originals"
NAMES = (
    *(name for name in names() if name not in ("encoder", "egemaps88")),
    "waveform-24414", *(f"{operation}:mfcc13" for operation in OPERATIONS), "segments-interval-frames:f0",
    "utterance-mean:f0", "utterance-meanstd:lmf23",
)  # fmt: skip
HOLES = {"f0", "formants", "formants-bandwidths", "functionals88", "segments-interval-frames-f0"}


def nemo(folder):
    """Return a folder of nEMO: the originals come without the corpus's table."""
    (folder / "samples").mkdir(parents=True)
    (folder / "data.tsv").symlink_to(CORPORA / "nemo" / "data.tsv")
    for path in (ORIGINALS / "nemo" / "samples").iterdir():
        (folder / "samples" / path.name).symlink_to(path)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not ORIGINALS.is_dir(), reason="no folder shared/corpora/originals beside the clone")
def test_one_build_gives_all_features_of_all_formats(tmp_path, monkeypatch):
    extractors = build_extractors(NAMES, encoder=None)
    store = Store.create(tmp_path / "store")
    roots = {name: ORIGINALS / name for name in AT_HAND if name != "nemo"} | {"nemo": nemo(tmp_path / "nemo")}
    found = [ingest(corpus_by_name(name), roots[name], tmp_path / "cache") for name in AT_HAND]
    utterances = [utterance for ingested in found for utterance in ingested.utterances]
    formats = {(item.sample_rate, item.n_channels) for item in utterances}
    assert formats >= {(16_000, 1), (24_000, 1), (48_000, 1), (48_000, 2)}
    aligned = {item.id: alignment(item) for item in utterances}
    tables = {
        part.corpus: store.put_alignments(
            part.corpus, "0" * 64, tuple(aligned[item.id] for item in part.utterances), ()
        )
        for part in found
    }
    given = BuildInputs(
        utterances=utterances, alignments=aligned, roots=roots, manifest=store.put_manifest(utterances, ()),
        alignment_tables=tables,
    )  # fmt: skip
    decoded = Counter()
    monkeypatch.setattr(work, "read_native", lambda path: decoded.update([path]) or read_native(path))
    built = rebuild(store, given, extractors)

    assert built.report.quarantined == built.report.unavailable == ()
    assert set(decoded.values()) == {1}
    assert len(decoded) == len({item.audio_sha256 for item in utterances})
    assert verify(store) == ()

    reading = FeatureStore.open(store.path)
    for item in utterances:
        native = read_native(roots[item.corpus] / item.path)
        phones = aligned[item.id].phones
        for extractor in extractors:
            spec = extractor.spec
            rows = reading.read(spec.name, item.id)
            if spec.parent is None:
                rate = spec.sample_rate or native.rate
                with threadpool_limits(limits=1, user_api="blas"):  # as in a build, for the same bits
                    (expected,) = extractor.extract_many([Clip(to_mono(native, rate), rate, item.gender)])
                np.testing.assert_array_equal(rows, expected)
            assert spec.name in HOLES or np.isfinite(rows).all(), spec.name
            assert not np.isinf(rows).any()
            assert spec.parent or not np.isnan(rows).all(), spec.name
        frames = len(reading.read("mfcc13", item.id))
        offsets = phone_offsets(reading.spec("segments-frames-mfcc13"), phones, frames)
        assert offsets[-1] == len(reading.read("segments-frames-mfcc13", item.id))
