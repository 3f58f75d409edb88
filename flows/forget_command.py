"""The command `store forget`: takes people out of a store, and says what it cannot reach."""

import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from flows.store_options import JSON, WORK, opened, print_json, size
from store.catalogue import Store
from store.digests import short
from store.errors import ConfigurationError
from store.export_log import Export, listed
from store.forget import Request, Sighting, forget, look, models_of, resume, revoke
from store.forgotten import Forgotten
from store.tombstones import SPEAKER, UTTERANCE, read_tombstones


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """What a forgetting cannot reach: exports, runs and files that name the person, models, twins.

    ``unknown`` counts recordings that were left out of the corpora concerned and whose speaker nobody could
    tell.
    """

    exports: tuple[Export, ...]
    holders: tuple[str, ...]
    models: tuple[str, ...]
    twins: tuple[str, ...]
    unknown: int


@click.command("forget")
@click.option("--speaker", "speakers", multiple=True, metavar="CORPUS/SPEAKER", help="Whom; repeatable.")
@click.option("--utterance", "utterances", multiple=True, metavar="CORPUS/STEM", help="Which; repeatable.")
@click.option("--revoke", "revoked", metavar="RECEIPT", help="Lift the tombstones: consent was given again.")
@click.option("--corpora", type=click.Path(path_type=Path), help="Folder that holds the corpus folders.")
@click.option("--wait", type=click.FloatRange(0), default=0, metavar="SECONDS", help="For open readers (0).")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@WORK
@JSON
def forget_command(
    *,
    speakers: tuple[str, ...],
    utterances: tuple[str, ...],
    revoked: str | None,
    corpora: Path | None,
    wait: float,
    dry_run: bool,
    yes: bool,
    work: Path,
    as_json: bool,
) -> None:
    """Take speakers or utterances out of every snapshot, for good.

    They are kept out of later builds too.
    """
    if revoked is not None and (speakers or utterances or dry_run):
        raise ConfigurationError(
            "--revoke alone", "it with --speaker, --utterance or --dry-run", "run one command after the other"
        )
    store = opened(work)
    if revoked is not None:
        _say_revoked(revoked, revoke(store, revoked), as_json)
        return
    request = Request(speakers=speakers, utterances=utterances)
    if not dry_run and store.layout.journal.exists():
        request = _resumed(store, request, corpora, wait, as_json)
        if request == Request():
            return
    _forget(store, request, _Options(work, corpora, wait, dry_run, yes, as_json))


@dataclass(frozen=True, slots=True)
class _Options:
    work: Path
    corpora: Path | None
    wait: float
    dry_run: bool
    yes: bool
    as_json: bool


def _forget(store: Store, request: Request, options: _Options) -> None:
    from flows.forget_elsewhere import clean_caches, holders, knowledge

    known = knowledge(options.corpora)
    seen = look(store, request, known)
    names = {*seen.utterances, *request.speakers}
    if options.dry_run:
        stay = tuple(name for name in holders(options.work, names) if not name.startswith("cache/"))
        _say(store, None, seen, _beyond(store, seen, stay), options.as_json)
        return
    _outdated(store, (), None)  # a damaged ledger is an error now, not after all is done
    if not options.yes:
        _confirm(seen)
    cleaned = clean_caches(options.work, seen)  # first: what is cached can be made again after a kill
    done = forget(store, request, wait=options.wait, knowledge=known)
    beyond = _beyond(store, seen, holders(options.work, names))
    if not options.as_json:
        click.echo(f"caches: {cleaned.hashes} hashes, {cleaned.training} saved training runs removed")
    _say(store, done, seen, beyond, options.as_json)


def _confirm(seen: Sighting) -> None:
    if not sys.stdin.isatty():
        raise ConfigurationError("a decision", "no terminal to ask on", "pass --yes, or --dry-run to look")
    click.confirm(f"remove {len(seen.utterances)} utterances from every snapshot, for good?", abort=True)


def _resumed(store: Store, request: Request, corpora: Path | None, wait: float, as_json: bool) -> Request:
    """Finish what was cut off; return the part of a request that it did not cover."""
    from flows.forget_elsewhere import knowledge

    done = resume(store, wait=wait, knowledge=knowledge(corpora))
    stones = read_tombstones(store.layout)
    rest = Request(
        speakers=tuple(name for name in request.speakers if not stones.holds(SPEAKER, name)),
        utterances=tuple(name for name in request.utterances if not stones.holds(UTTERANCE, name)),
    )
    if done is not None and not as_json:
        click.echo(f"finished the forgetting {done.identifier}, which was cut off")
    if done is not None and rest == Request():
        exports = _outdated(store, {commit.snapshot for commit in store.commits()}, None)
        _say_done(store, done, as_json, exports)
    return rest


def _outdated(store: Store, kept: Collection[str], corpora: Collection[str] | None) -> tuple[Export, ...]:
    """Return the exports of other snapshots than ``kept``, of some corpora or of all."""
    return tuple(item for item in listed(store.layout, corpora) if item.snapshot not in kept)


def _beyond(store: Store, seen: Sighting, held: tuple[str, ...]) -> Beyond:
    survey = seen.plan.survey
    unknown = [
        name
        for name, keys in survey.speakers.items()
        if not keys and name not in survey.gone and name.split("/", 1)[0] in survey.corpora
        and not name.split("/", 1)[1].startswith("forgotten-")
    ]  # fmt: skip
    return Beyond(
        exports=_outdated(store, set(seen.plan.renewed.values()), survey.corpora),
        holders=held,
        models=models_of(store, survey.corpora),
        twins=seen.twins,
        unknown=len(unknown),
    )


def _say(store: Store, done: Forgotten | None, seen: Sighting, beyond: Beyond, as_json: bool) -> None:
    """Print what was, or would be, removed and what stays out of reach."""
    if as_json:
        print_json({
            "dry_run": done is None,
            "receipt": None if done is None else asdict(done),
            "utterances": len(seen.utterances),
            "blocks": seen.plan.blocks,
            "shared": seen.plan.shared,
            "snapshots": {old: new for old, new in seen.plan.renewed.items() if old != new},
            **asdict(beyond),
        })  # fmt: skip
        return
    if done is None:
        changed = {old: new for old, new in seen.plan.renewed.items() if old != new}
        click.echo(f"would remove {len(seen.utterances)} utterances, {seen.plan.blocks} row blocks")
        _say_snapshots(changed)
    else:
        _say_done(store, done, as_json)
    for line in _lines(beyond):
        click.echo(line)


def _say_done(store: Store, done: Forgotten, as_json: bool, exports: tuple[Export, ...] = ()) -> None:
    if as_json:
        print_json({
            "dry_run": False, "receipt": asdict(done), "exports": [asdict(item) for item in exports],
        })  # fmt: skip
        return
    click.echo(
        f"removed {done.utterances} utterances, {done.blocks} row blocks, {size(done.bytes)}; "
        f"{done.rewritten} row blocks of others moved to new shards"
    )
    _say_snapshots(dict(done.snapshots))
    click.echo(f"receipt {done.identifier} in {store.layout.forgotten}")
    for item in exports:
        click.echo(_export_line(item))


def _say_snapshots(changed: dict[str, str]) -> None:
    for old, new in changed.items():
        click.echo(f"snapshot {short(old)} becomes {short(new)}")


def _lines(beyond: Beyond) -> Iterator[str]:
    """Yield what stays, and what to do about it."""
    for name in beyond.twins:
        yield f"stays: {name}, with the audio of a forgotten utterance; forget it too if that is meant"
    for name in beyond.models:
        yield f"stays: aligner model {name}, trained on the audio; build with --retrain to replace it"
    for item in beyond.exports:
        yield _export_line(item)
    for name in beyond.holders:
        yield f"out of reach: {name} in the working folder names the forgotten; remove it by hand"
    if beyond.unknown:
        yield (
            f"not known: who speaks in {beyond.unknown} recordings that were left out; "
            "--corpora DIR lets the file names tell"
        )
    yield "not seen: readers on a read-only mount, backups, and copies that were made without 'store export'"


def _export_line(item: Export) -> str:
    return f"out of reach: {item.format} export of {item.created} in {item.destination} on {item.host}"


def _say_revoked(identifier: str, count: int, as_json: bool) -> None:
    if as_json:
        print_json({"revoked": identifier, "tombstones": count})
    else:
        click.echo(f"lifted {count} tombstones of {identifier}; the next build reads the recordings again")
