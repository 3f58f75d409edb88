"""The commands `split make`, `split show` and `split check`: splits as files beside a store."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.store_options import JSON, SNAPSHOT, WORK, LocalPath, counted, opened, print_json, some
from store.catalogue import Commit, Store
from store.digests import Json, short
from store.errors import ConfigurationError, SplitError
from store.records import Utterance
from store.splits import Fit, Split, check_split, official_split, read_split, write_split

FILE = click.argument("file", type=LocalPath())


@click.group("split")
def split_group() -> None:
    """Make, show and check split files.

    They say which utterance is in which part of which fold.
    """


@split_group.command("make")
@FILE
@SNAPSHOT
@click.option("--corpus", required=True, help="The corpus to split.")
@click.option("--official", is_flag=True, help="Take the partition that the corpus was published with.")
@click.option("--folds", type=click.IntRange(2), help="Speaker folds (the published ones, else 5).")
@click.option(
    "--validation", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="SHARE",
    help="Share of each fold's training speakers to validate on (none).",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the validation speakers.")
@click.option("--name", help="Name of the split (the file's).")
@WORK
def make_command(
    file: Path, snapshot: str | None, *, work: Path, corpus: str, name: str | None, official: bool, **how: Any
) -> None:
    """Write FILE: speaker-disjoint folds over one corpus of a snapshot.

    Each speaker is tested once.
    """
    if official and (how["folds"] or how["validation"]):
        raise ConfigurationError(
            "either --official or --folds and --validation", "both", "leave one of them out"
        )
    store = opened(work)
    commit = store.resolve(snapshot)
    items = _corpus(store, commit, corpus)
    called = name or file.stem
    if official:
        made = official_split(called, items, snapshot=commit.snapshot, manifest=commit.manifest)
    else:
        made = _by_speaker(called, items, commit, **how)
    write_split(file, made)
    for line in _lines(made):
        click.echo(line)


@split_group.command("show")
@FILE
@JSON
def show_command(file: Path, as_json: bool) -> None:
    """Show how the split in FILE was made, and the size of its parts."""
    split = read_split(file)
    if as_json:
        print_json({"digest": split.digest, **split.canonical()})
        return
    for line in _lines(split):
        click.echo(line)


@split_group.command("check")
@FILE
@SNAPSHOT
@click.option("--shared-speakers", is_flag=True, help="Accept speakers in several parts.")
@WORK
@JSON
def check_command(file: Path, snapshot: str | None, shared_speakers: bool, work: Path, as_json: bool) -> None:
    """Say whether a split fits a snapshot, and what its parts share.

    That is what of FILE the snapshot lacks, and speakers, recordings and texts that several parts have.
    Ends with code 2 where the snapshot lacks utterances, or parts share speakers or recordings.
    """
    store = opened(work)
    commit = store.resolve(snapshot)
    fit = check_split(read_split(file), store.manifest(commit.manifest), commit.manifest)
    if as_json:
        print_json(asdict(fit))
    else:
        for line in _findings(fit):
            click.echo(line)
    leaks = fit.leaks(shared_speakers=shared_speakers)
    if fit.surplus or leaks:
        raise SplitError(
            f"a split that fits snapshot {short(commit.snapshot)}",
            f"{len(fit.surplus)} utterances that it lacks, and {len(leaks)} pairs of parts that share "
            "speakers or recordings",
            "make the split anew, or name the snapshot it was made on",
        )


def _corpus(store: Store, commit: Commit, corpus: str) -> list[Utterance]:
    utterances = store.manifest(commit.manifest)
    items = [item for item in utterances if item.corpus == corpus]
    if not items:
        there = ", ".join(sorted({item.corpus for item in utterances})) or "none"
        raise ConfigurationError(f"a corpus of the snapshot: {there}", repr(corpus), "name one of these")
    return items


def _by_speaker(
    name: str,
    items: Sequence[Utterance],
    commit: Commit,
    *,
    folds: int | None,
    validation: float | None,
    seed: int,
) -> Split:
    """Return the folds that training uses as a split; validation speakers come from the training ones."""
    from training.splits import folds as speaker_folds
    from training.splits import published_source, source_split

    parts = []
    for fold in speaker_folds(items, folds):
        train, test = fold.divide(items)
        sides = {"train": [item.id for item in train], "test": [item.id for item in test]}
        if validation is not None:
            kept, held_out = source_split(train, seed, validation)
            sides = {**sides, "train": sorted(kept), "validation": sorted(held_out)}
        parts.append({part: tuple(ids) for part, ids in sides.items()})
    corpus = items[0].corpus
    published = published_source(corpus) if folds is None else None
    made: dict[str, Json] = {
        "by": "speaker folds", "corpora": [corpus], "protocol": published or "balanced by gender",
        "validation": validation, "seed": None if validation is None else seed,
    }  # fmt: skip
    return Split(name=name, snapshot=commit.snapshot, manifest=commit.manifest, made=made, folds=tuple(parts))


def _lines(split: Split) -> Iterator[str]:
    how = ", ".join(f"{key} {value}" for key, value in split.made.items() if value is not None)
    yield f"{split.name}  {short(split.digest)}"
    yield f"    made on snapshot {short(split.snapshot)}, manifest {short(split.manifest)}: {how}"
    for number, fold in enumerate(split.folds):
        sizes = ", ".join(f"{part} {len(ids)}" for part, ids in sorted(fold.items()))
        yield f"    fold {number}: {sizes}"


def _findings(fit: Fit) -> Iterator[str]:
    yield "made on this manifest" if fit.made_here else "made on another manifest"
    yield f"in no part: {counted(fit.missing)}"
    yield f"not in the snapshot: {counted(fit.surplus)}"
    totals = Counter(item.what for item in fit.overlaps)
    yield f"pairs of parts that share: {dict(totals) or 'nothing'}"
    for item in fit.overlaps:
        if item.what != "texts":
            yield f"    fold {item.fold}, {' and '.join(item.parts)} share {item.what}: {some(item.names)}"
