"""Forgets people: takes their utterances out of every file of a store, so that it may be cut off anywhere."""

import difflib
import secrets
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from store.atomic import exclusive_lock
from store.catalogue import Store
from store.errors import ConfigurationError, StoreError
from store.forget_finish import abandon, finish
from store.forget_journal import PREPARE, Journal, check_finished, read_journal, write_journal
from store.forget_plan import ForgetPlan, Knowledge, plan_forget, survey
from store.forget_prepare import prepare
from store.forgotten import Forgotten
from store.garbage import remove, size_of
from store.layout import plain_name
from store.readers import await_readers
from store.tombstones import AUDIO, SPEAKER, UTTERANCE, Tombstones, read_tombstones, write_tombstones
from store.writer import StoreWriter

__all__ = ["Knowledge", "Request", "Sighting", "forget", "look", "models_of", "resume", "revoke"]

NEAR = 3
"""How many names like an unknown one are given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who is to be forgotten: speaker keys (``corpus/speaker``) and utterance ids (``corpus/stem``)."""

    speakers: tuple[str, ...] = ()
    utterances: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a request concerns, before anything is changed.

    ``tombstones`` are the new ones; ``twins`` are utterances that stay although their audio is that of a
    forgotten one.
    """

    plan: ForgetPlan
    tombstones: Tombstones
    speakers: int
    twins: tuple[str, ...]

    @property
    def utterances(self) -> frozenset[str]:
        """The ids that are forgotten, whether they were read or left out."""
        return self.plan.survey.gone


def look(store: Store, request: Request, knowledge: Knowledge | None = None) -> Sighting:
    """Return what a request concerns; nothing is changed.

    Raises
    ------
    ConfigurationError
        If the request is empty or names somebody unknown, with the nearest names.
    StoreError
        If the store is damaged, or a forgetting is unfinished.
    """
    check_finished(store.layout)
    store.log.check_head()
    speakers, utterances = _normalised(request.speakers), _normalised(request.utterances)
    identifier = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    before = read_tombstones(store.layout)
    asked = [*((SPEAKER, name) for name in speakers), *((UTTERANCE, name) for name in utterances)]
    stones = replace(before, stones=()).added(identifier, asked)
    found = survey(store, stones, knowledge or Knowledge())
    known = {key for keys in found.speakers.values() for key in keys}
    _check_known(store, before, SPEAKER, speakers, known)
    _check_known(store, before, UTTERANCE, utterances, found.speakers.keys())
    if not asked:
        raise ConfigurationError(
            "somebody to forget", "no name", "pass --speaker CORPUS/SPEAKER or --utterance CORPUS/STEM"
        )
    audio = {item.audio_sha256 for item in found.utterances if item.id in found.gone}
    twins = {item for item in found.utterances if item.id not in found.gone and item.audio_sha256 in audio}
    unshared = audio - {item.audio_sha256 for item in twins}
    things = [*asked, *((UTTERANCE, name) for name in found.gone), *((AUDIO, item) for item in unshared)]
    return Sighting(
        plan=plan_forget(store, found),
        tombstones=replace(before, stones=()).added(identifier, things),
        speakers=len(speakers),
        twins=tuple(sorted({item.id for item in twins})),
    )


def forget(
    store: Store, request: Request, *, wait: float = 0.0, knowledge: Knowledge | None = None
) -> Forgotten:
    """Take people out of all snapshots and files of a store, holding the writer's lock; return the receipt.

    A snapshot that held them gets a new id, its commits and tags name that one, and the old id resolves to
    "forgotten, see NEW". Rows of others that lie in a shard with theirs are copied to new shards; committed
    shards are never written again, but removed. Tombstones keep later builds from taking them in again.
    A kill leaves the store as it was, or one that `resume` finishes.

    ``wait`` is how many seconds open readers may take to end.

    Raises
    ------
    ConfigurationError
        As `look`.
    StoreError
        If a build or a reader holds the store, naming the process; if a forgetting is unfinished; or if the
        store is damaged or cannot be written.
    """
    knowledge = knowledge or Knowledge()
    with _held(store) as writer:
        seen = look(store, request, knowledge)
        await_readers(store.layout, wait)
        journal = Journal(
            identifier=seen.tombstones.stones[0].receipt,
            when=datetime.now(UTC).isoformat(timespec="microseconds"),  # receipts are ordered by it
            phase=PREPARE,
            tombstones=seen.tombstones,
            speakers=seen.speakers,
            bytes_before=size_of(store.layout.root),
        )
        write_journal(store.layout, journal)
        return _carry_out(store, writer, journal, seen.plan, wait=wait, knowledge=knowledge)


def resume(store: Store, *, wait: float = 0.0, knowledge: Knowledge | None = None) -> Forgotten | None:
    """Finish a forgetting that was cut off; return its receipt, or None where there is none.

    Raises
    ------
    StoreError
        As `forget`.
    """
    if not store.layout.journal.exists():
        return None
    knowledge = knowledge or Knowledge()
    with _held(store) as writer:
        journal = read_journal(store.layout)
        if journal is None:
            return None
        if journal.phase == PREPARE:
            plan = plan_forget(store, survey(store, journal.tombstones, knowledge))
            return _carry_out(store, writer, journal, plan, wait=wait, knowledge=knowledge)
        await_readers(store.layout, wait)
        return finish(store, journal)


def revoke(store: Store, identifier: str) -> int:
    """Remove the tombstones of one forgetting, after consent was given again; return how many there were.

    What was removed does not come back: the next build reads the recordings anew.

    Raises
    ------
    ConfigurationError
        If there are none, listing the forgettings that have some.
    StoreError
        If a build holds the store, or it cannot be written.
    """
    with _held(store):
        check_finished(store.layout)
        stones = read_tombstones(store.layout)
        stay = tuple(stone for stone in stones.stones if stone.receipt != identifier)
        if len(stay) == len(stones.stones):
            known = ", ".join(sorted({stone.receipt for stone in stones.stones})) or "none"
            raise ConfigurationError("a forgetting with tombstones", f"{identifier!r}; there are: {known}",
                                     "name one of these")  # fmt: skip
        write_tombstones(store.layout.tombstones, replace(stones, stones=stay))
        return len(stones.stones) - len(stay)


def models_of(store: Store, corpora: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the newest aligner models of some corpora."""
    endings = tuple(f"-{corpus}" for corpus in corpora)
    names = [plain_name(path.stem) for path in sorted((store.layout.models / "latest").glob("[!.]*.json"))]
    return tuple(name for name in names if name.endswith(endings))


def _carry_out(
    store: Store,
    writer: StoreWriter,
    journal: Journal,
    plan: ForgetPlan,
    *,
    wait: float,
    knowledge: Knowledge,
) -> Forgotten:
    remove(store.layout.staging)  # of a first try that was cut off
    try:
        removals = prepare(store, writer, journal, plan, knowledge)
        journal = journal.ready(removals, plan.survey.corpora)
        writer.held()
        write_journal(store.layout, journal)  # from here on nobody can open a reader
        await_readers(store.layout, wait)
    except StoreError:
        writer.held()  # where the lock was lost, another writer goes on with this forgetting
        abandon(store)
        raise
    return finish(store, journal)


@contextmanager
def _held(store: Store) -> Iterator[StoreWriter]:
    """Keep builds and tags still; unlike `Store.writer`, an unfinished forgetting may go on."""
    with exclusive_lock(store.layout.lock) as held, exclusive_lock(store.layout.tags_lock):
        yield StoreWriter(store.layout, store.log, held)


def _normalised(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({unicodedata.normalize("NFC", name) for name in names}))


def _check_known(
    store: Store, before: Tombstones, kind: str, names: Iterable[str], known: Iterable[str]
) -> None:
    """Raise `ConfigurationError` for the first name that no table has."""
    there = set(_normalised(known))
    for name in names:
        if name in there:
            continue
        if before.holds(kind, name):
            stone = next(stone for stone in before.stones if stone.hash == before.hash(kind, name))
            found = f"{name!r}, which was forgotten already by {stone.receipt}"
        else:
            near = difflib.get_close_matches(name, there, n=NEAR, cutoff=0.5)
            found = f"{name!r}; near names: {', '.join(near) or 'none'}"
        raise ConfigurationError(f"{_article(kind)} of {store.layout.root}", found, "name it as CORPUS/NAME")


def _article(kind: str) -> str:
    return "a speaker" if kind == SPEAKER else "an utterance"
