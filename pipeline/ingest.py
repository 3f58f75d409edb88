"""Turns a corpus folder into utterances with content hashes; what is unfit becomes a row with a reason."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from pipeline.corpora.corpus import Corpus, CorpusItem
from pipeline.corpora.layout import SELECTION
from pipeline.hash_cache import AudioFacts, HashCache, measure, opened, stamp_of
from pipeline.labels import canonical
from store.errors import CorpusError
from store.records import EmotionShare, Skipped, Utterance
from store.tombstones import AUDIO, Tombstones

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

STAGE = "ingest"


@dataclass(frozen=True)
class Ingested:
    """What one corpus gave.

    ``utterances`` are sorted by id. ``quarantined`` are files that cannot be used, ``excluded`` recordings
    that are not wanted: of classes that are not asked for, or left out by the corpus's own rules (they are
    not read), or forgotten on request (rows without a name). ``hashed`` files were read in this run,
    ``cached`` ones were known by size and modification time.
    """

    corpus: str
    utterances: tuple[Utterance, ...]
    quarantined: tuple[Skipped, ...]
    hashed: int
    cached: int
    excluded: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    item: CorpusItem
    emotion: str
    path: Path


def ingest(
    corpus: Corpus, root: Path, cache: Path, *, classes: Sequence[str] | None = None, rehash: bool = False,
    forgotten: Tombstones | None = None, progress: Progress | None = None,
) -> Ingested:  # fmt: skip
    """Read the corpus at ``root`` and return its utterances.

    Parameters
    ----------
    corpus, root
        The adapter and the folder of the corpus itself (see `Corpus.folder`).
    cache
        Folder of the caches of content hashes; one file a corpus, written in one step.
    classes
        Canonical emotions to keep; None keeps all.
    rehash
        Read every file, whatever the cache knows.
    forgotten
        The tombstones of the store: what they name is not read, and neither its name nor its audio is kept;
        a row without a name stands for it.
    progress
        Called with (``"ingest"``, files done, files in all).

    Raises
    ------
    CorpusError
        The folder is missing, holds no recording of the corpus or none of the classes, or a label is unknown.
    StoreError
        The cache cannot be written.
    """
    rows = _listed(corpus, root)
    items, skipped, gone = _remembered(corpus, *rows, forgotten) if forgotten else (*rows, set[str]())
    quarantined = [row for row in skipped if row.stage != SELECTION]
    kept, excluded = _of_classes(corpus, items, classes)
    excluded += [row for row in skipped if row.stage == SELECTION]
    candidates = [_Candidate(item, emotion, root / item.path) for item, emotion in kept]
    with opened(cache / f"{corpus.name}.json") as known:
        facts, cached = _facts(candidates, known, rehash, progress)
        hashed = len(candidates) - cached
        if forgotten:
            heard = [isinstance(fact, AudioFacts) and forgotten.holds(AUDIO, fact.sha256) for fact in facts]
            gone |= {_id(corpus, c.item) for c, held in zip(candidates, heard, strict=True) if held}
            known.drop(lambda _, fact: forgotten.holds(AUDIO, fact.sha256))
            candidates = [c for c, held in zip(candidates, heard, strict=True) if not held]
            facts = [fact for fact, held in zip(facts, heard, strict=True) if not held]
            excluded += [forgotten.row(name) for name in sorted(gone)]
    utterances = [
        _utterance(corpus, candidate, fact)
        for candidate, fact in zip(candidates, facts, strict=True)
        if isinstance(fact, AudioFacts)
    ]
    quarantined += [
        _skipped(corpus, candidate.item, fact)
        for candidate, fact in zip(candidates, facts, strict=True)
        if isinstance(fact, str)
    ]
    _require_readable(corpus, root, utterances, quarantined, len(gone))
    return Ingested(
        corpus.name, tuple(sorted(utterances, key=lambda row: row.id)), tuple(quarantined),
        hashed=hashed, cached=cached, excluded=tuple(excluded),
    )  # fmt: skip


def _listed(corpus: Corpus, root: Path) -> tuple[list[CorpusItem], list[Skipped]]:
    """List a corpus folder, or say in one line why it is not one."""
    expected = f"a folder with recordings of {corpus.name}"
    if not os.path.isdir(root):  # unlike Path.is_dir, it does not raise on a locked parent
        found = f"{root}, which is a file" if os.path.exists(root) else f"no folder {root}"
        raise CorpusError(expected, found, "pass --corpora with the folder that holds the corpus folders")
    rows = list(corpus.items(root))
    items = [row for row in rows if isinstance(row, CorpusItem)]
    skipped = [row for row in rows if isinstance(row, Skipped)]
    if not rows:
        raise CorpusError(
            expected, f"no sound file in {root}", f"unpack the recordings of {corpus.name} there"
        )
    if not items:
        found = f"{len(skipped)} unfit in {root}, the first {skipped[0].path} ({skipped[0].reason})"
        raise CorpusError(
            expected, found, "check that the folder holds this corpus under its published names"
        )
    return items, skipped


def _remembered(
    corpus: Corpus, items: list[CorpusItem], skipped: list[Skipped], forgotten: Tombstones
) -> tuple[list[CorpusItem], list[Skipped], set[str]]:
    """Return what is not forgotten by the names of its recording or speaker, and the ids of what is."""
    gone = {
        _id(corpus, item)
        for item in items
        if forgotten.names(_id(corpus, item), f"{corpus.name}/{item.speaker}")
    }
    gone |= {row.utterance for row in skipped if forgotten.names(row.utterance)}
    stay = [item for item in items if _id(corpus, item) not in gone]
    return stay, [row for row in skipped if row.utterance not in gone], gone


def _of_classes(
    corpus: Corpus, items: list[CorpusItem], classes: Sequence[str] | None
) -> tuple[list[tuple[CorpusItem, str]], list[Skipped]]:
    """Split into (item, canonical emotion) of the classes in use and rows for the others."""
    labelled = [(item, canonical(corpus.name, item.emotion_label, corpus.labels)) for item in items]
    if classes is None:
        return labelled, []
    kept = [(item, emotion) for item, emotion in labelled if emotion in classes]
    if not kept:
        present = sorted({emotion for _, emotion in labelled})
        raise CorpusError(
            f"recordings of {', '.join(classes)} in {corpus.name}", f"only {', '.join(present)}",
            "choose classes that the corpus has",
        )  # fmt: skip
    others = [(item, emotion) for item, emotion in labelled if emotion not in classes]
    return kept, [_skipped(corpus, item, f"class not in use: {emotion}") for item, emotion in others]


def _facts(
    candidates: list[_Candidate], known: HashCache, rehash: bool, progress: Progress | None
) -> tuple[list[AudioFacts | str], int]:
    """Return facts or the reason of failure for each candidate in order, and how many came from the cache."""
    stamps = [
        stamp_of(candidate.path) for candidate in candidates
    ]  # before reading: a later write is noticed
    facts: dict[int, AudioFacts | str] = {}
    for index, (candidate, stamp) in enumerate(zip(candidates, stamps, strict=True)):
        fact = known.facts(_key(candidate.path), stamp) if stamp and not rehash else None
        if fact is not None:
            facts[index] = fact
    cached = len(facts)
    missing = [index for index in range(len(candidates)) if index not in facts]
    _report(progress, cached, len(candidates))
    for index, result in zip(missing, _measured([candidates[index].path for index in missing]), strict=True):
        facts[index] = result
        stamp = stamps[index]
        if isinstance(result, AudioFacts) and stamp is not None:
            known.remember(_key(candidates[index].path), stamp, result)
        _report(progress, len(facts), len(candidates))
    return [facts[index] for index in range(len(candidates))], cached


def _measured(paths: list[Path]) -> Iterator[AudioFacts | str]:
    """Yield the result of `measure` for each path in order, by one thread a core (decoding frees the GIL)."""
    executor = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        yield from executor.map(measure, paths)
    finally:
        executor.shutdown(cancel_futures=True)


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(STAGE, done, total)


def _key(path: Path) -> str:
    return os.path.abspath(path)


def _id(corpus: Corpus, item: CorpusItem) -> str:
    return f"{corpus.name}/{item.stem}"


def _utterance(corpus: Corpus, candidate: _Candidate, facts: AudioFacts) -> Utterance:
    item = candidate.item
    return Utterance(
        id=_id(corpus, item),
        corpus=corpus.name,
        path=item.path,
        speaker=normalize("NFC", item.speaker),  # else one person might be two speakers
        gender=item.gender,
        language=item.language or corpus.language,
        emotion=candidate.emotion,
        native_label=item.emotion_label,
        text=item.text,
        text_id=item.text_id,
        group=item.group,
        n_samples=facts.n_samples,
        sample_rate=facts.rate,
        n_channels=facts.channels,
        audio_sha256=facts.sha256,
        licence=item.licence or corpus.licence,
        synthetic=corpus.synthetic,
        split=item.split,
        perceived=_perceived(corpus, item.perceived),
        arousal=item.arousal,
        valence=item.valence,
        dominance=item.dominance,
    )


def _perceived(corpus: Corpus, native: Mapping[str, float]) -> tuple[EmotionShare, ...]:
    """Return the listeners' shares by canonical emotion, the largest first, equal ones by name."""
    shares: dict[str, float] = {}
    for label, share in native.items():
        emotion = canonical(corpus.name, label, corpus.labels)
        shares[emotion] = shares.get(emotion, 0.0) + share
    ranked = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(EmotionShare(emotion=emotion, share=share) for emotion, share in ranked)


def _skipped(corpus: Corpus, item: CorpusItem, reason: str) -> Skipped:
    return Skipped(
        utterance=_id(corpus, item), corpus=corpus.name, path=item.path, stage=STAGE, reason=reason
    )


def _require_readable(
    corpus: Corpus, root: Path, utterances: list[Utterance], quarantined: list[Skipped], forgotten: int
) -> None:
    """Refuse a corpus of which not one file could be read."""
    if not utterances:
        last = f", the last {quarantined[-1].path} ({quarantined[-1].reason})" if quarantined else ""
        more = f", {forgotten} forgotten on request" if forgotten else ""
        found = f"{len(quarantined)} unusable in {root}{last}{more}"
        raise CorpusError(
            f"recordings of {corpus.name} that can be read", found, "restore the files from the corpus"
        )
