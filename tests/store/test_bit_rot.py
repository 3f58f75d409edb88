"""Every region of every file is flipped; each is truncated and deleted: all is reported and mended."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from store.catalogue import Store
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.forget import Request, forget
from store.garbage import collect, find_garbage
from store.repair import repair
from store.verify import verify
from store.verify_history import repair_history, verify_history
from tests.store.forget_cases import history
from tests.store.store_cases import alignment, fill, key, skipped, spec, utterance, values, wanted, write

FEATURES = (spec((16,)), spec((3, 8), "float16", name="layers"))
ITEMS = tuple(utterance(number) for number in range(5))
ROWS = {
    feature.digest: {item.id: values(feature, 40 + 9 * number, number) for number, item in enumerate(ITEMS)}
    for feature in FEATURES
}
REGIONS = 3
LOCKS = {"writer.lock", "tags.lock"}
"""Files without content."""


def build(store: Store, items=ITEMS) -> tuple[str, set[str]]:
    """Do as a build does: tables, missing rows, a commit; return its id and whose rows were missing."""
    made: set[str] = set()
    manifest = store.put_manifest(items, [skipped(1)])
    aligned = store.put_alignments("toy", "a" * 64, [alignment(item) for item in items], [skipped(2)])
    with store.writer() as writer:
        for feature in FEATURES:
            there = writer.placed(feature, "toy")
            missing = [item for item in items if key(feature, item) not in there]
            for first in range(0, len(missing), 2):
                write(store, writer, feature, missing[first : first + 2], ROWS[feature.digest])
            made |= {item.id for item in missing}
        rows = [wanted(f, item, len(ROWS[f.digest][item.id])) for f in FEATURES for item in items]
        done = writer.commit(manifest=manifest, alignments=[aligned], wanted=rows, lineage={})
    return done.snapshot, made


HISTORY = {"HEAD", "commits", "tags", "models", "alignments"}


@dataclass(frozen=True)
class Case:
    """A working folder whose store has two commits, a tag and a model; an untouched copy; the snapshots."""

    work: Path
    whole: Path
    old: str
    new: str

    @property
    def store(self) -> Store:
        return Store.open(self.work / "store")

    def files(self) -> list[Path]:
        found = (path.relative_to(self.whole) for path in self.whole.rglob("*") if path.is_file())
        return sorted(path for path in found if path.name not in LOCKS)

    def renew(self) -> None:
        shutil.rmtree(self.work / "store")
        shutil.copytree(self.whole, self.work / "store")


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    work = tmp_path_factory.mktemp("rot")
    store = Store.create(work / "store")
    store.put_model("aligner-toy", b"trained" * 20)
    old, _ = build(store, ITEMS[:3])
    store.tag("kept", old)
    new, _ = build(store)
    shutil.copytree(work / "store", work / "whole")
    return Case(work, work / "whole", old, new)


@pytest.fixture(autouse=True)
def renewed(case):
    """Each test begins with the whole store."""
    case.renew()


def complaints(case: Case) -> list[tuple[str, tuple[str, ...]]]:
    """What is reported of the history and of both snapshots: where, or the error, and whose rows."""
    try:
        found = [(problem.where, problem.utterances) for problem in verify_history(case.store)]
    except StoreError as error:
        return [(str(error), ())]
    for snapshot in (case.new, case.old):
        if found:
            break
        try:
            found += [(problem.where, problem.utterances) for problem in verify(case.store, snapshot)]
        except StoreError as error:
            found.append((str(error), ()))
    return found


def test_the_store_is_whole_before(case):
    assert complaints(case) == []
    kinds = {path.parts[0] for path in case.files()}
    assert kinds == {
        "HEAD", "phonanchor.json", "commits", "tags", "specs", "arrays", "receipts", "manifests",
        "alignments", "models", "snapshots",
    }  # fmt: skip


@pytest.mark.slow
def test_no_flipped_region_goes_unreported(case):
    for file in case.files():
        path = case.work / "store" / file
        data = path.read_bytes()
        for region in range(REGIONS):
            place = min(len(data) - 1, len(data) * (2 * region + 1) // (2 * REGIONS))
            path.write_bytes(data[:place] + bytes([data[place] ^ 0x21]) + data[place + 1 :])
            found = complaints(case)
            assert any(_about(file, where) for where, _ in found), (file, region, found)
            if file.parts[0] in ("arrays", "receipts", "snapshots", "specs"):
                assert any(names for _, names in found), (file, region, found)
        path.write_bytes(data)
    assert complaints(case) == []


def _about(file: Path, where: str) -> bool:
    """Whether a report is about a file, or about the pair or folder that it is part of."""
    return any(part in where for part in (file.as_posix(), file.name.split(".")[0], file.parent.as_posix()))


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncate", "delete", "flip"])
def test_what_was_damaged_is_mended_and_just_that_is_made_anew(case, damage):
    for file in case.files():
        if damage != "delete" and file.parts[0] not in HISTORY:
            continue  # see test_store_repair
        path = case.work / "store" / file
        if damage == "truncate":
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        elif damage == "flip":
            data = path.read_bytes()
            path.write_bytes(
                data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0x21]) + data[len(data) // 2 + 1 :]
            )
        else:
            path.unlink()
        found = complaints(case)
        if damage == "delete" and (file.parts[0] == "tags" or "latest" in file.parts):
            assert found == []  # no other place says that there was one
        else:
            assert found, file
        if file.name != "phonanchor.json":
            check_mended(case, file, {name for _, names in found for name in names})
        case.renew()


def check_mended(case: Case, file: Path, named: set[str]) -> None:
    """Repair and build: the newest snapshot is as before, and only rows of named utterances were made."""
    repair_history(case.store)
    for commit in case.store.commits():
        repair(case.store, commit.snapshot)
    snapshot, made = build(case.store)
    assert snapshot == case.new, file
    assert made <= named, file
    assert verify_history(case.store) == verify(case.store) == (), file
    reader = FeatureStore.open(case.work / "store")
    for feature in FEATURES:
        for name, rows in ROWS[feature.digest].items():
            np.testing.assert_array_equal(reader.read(feature, name), rows)


def test_a_lost_head_of_the_only_commit_lets_nothing_go(store):
    made = fill(store, FEATURES[0], [5, 6]).commit
    store.layout.head.unlink()
    for change in (find_garbage, collect, lambda store: forget(store, Request(utterances=("toy/u000",)))):
        with pytest.raises(StoreError, match="one commit, and no HEAD"):
            change(store)
    assert [item.where for item in verify_history(store)] == ["HEAD"]
    assert [item.where for item in repair_history(store)] == ["HEAD"]
    assert verify_history(store) == verify(store) == ()
    assert store.head() == made


def test_a_tag_of_a_commit_that_went_goes_too(store):
    made = history(store)
    store.tag("middle", made.commits[1].snapshot)
    store.layout.commit(2).write_bytes(b"")
    assert [item.where for item in repair_history(store)] == ["commits/00000002.json", "tags/middle.json"]
    assert verify_history(store) == ()
    assert sorted(store.tags()) == ["first", "late"]


@pytest.mark.parametrize("file", ["HEAD", "commits/00000002.json", "commits/00000001.json", "tags/kept.json"])
def test_damaged_history_through_the_command_line(case, capsys, file):
    (case.work / "store" / file).write_bytes(b"\0" * 40)
    assert main(["store", "verify", "--json", "--work", str(case.work)]) == 2
    out, err = capsys.readouterr()
    assert file in [problem["where"] for problem in json.loads(out)["problems"]]
    assert len(err.strip().splitlines()) == 1
    assert main(["store", "repair", "--work", str(case.work)]) == 0
    assert f"damaged    {file}" in capsys.readouterr().out
    assert main(["store", "verify", "--work", str(case.work)]) == 0
    assert build(case.store)[0] == case.new
    assert main(["store", "log", "--work", str(case.work)]) == 0
    assert case.new[:12] in capsys.readouterr().out
