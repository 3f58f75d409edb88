"""Splits as files: written, read, damaged, and held against a manifest."""

import dataclasses
import json

import pytest

from store.documents import write_document
from store.errors import SplitError
from store.splits import Overlap, Split, check_split, official_split, part_name, read_split, write_split
from tests.store.store_cases import utterance

WHERE = {"snapshot": "a" * 64, "manifest": "b" * 64}


def split(*folds, name="s"):
    return Split(name=name, made={"by": "hand", "seed": 1}, folds=folds, **WHERE)


def test_a_split_survives_its_file_and_names_its_content(tmp_path):
    made = split({"train": ("toy/é", "toy/a"), "test": ("toy/b",)}, {"train": (), "test": ("toy/a",)})
    write_split(tmp_path / "s.json", made)
    again = read_split(tmp_path / "s.json")
    assert again.digest == made.digest
    assert again.parts(0) == {"toy/a": "train", "toy/é": "train", "toy/b": "test"}
    assert json.loads((tmp_path / "s.json").read_text())["sha256"] == made.digest
    reordered = split({"test": ("toy/b",), "train": ("toy/a", "toy/é")}, {"train": (), "test": ("toy/a",)})
    assert reordered.digest == made.digest
    assert split({"train": ("toy/a",)}, name="t").digest != split({"train": ("toy/a",)}).digest


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda text: text.replace("toy/a", "toy/z"), "another content than its checksum"),
        (lambda text: text[:40], "no readable document"),
    ],
)
def test_a_damaged_split_is_refused(tmp_path, damage, found):
    path = tmp_path / "s.json"
    write_split(path, split({"train": ("toy/a",)}))
    path.write_text(damage(path.read_text()))
    with pytest.raises(SplitError, match=found):
        read_split(path)


def test_what_is_no_split_is_refused(tmp_path):
    with pytest.raises(SplitError, match="no such file"):
        read_split(tmp_path / "none.json")
    twice = split({"train": ("toy/a",), "test": ("toy/a",)})
    write_split(tmp_path / "twice.json", twice)
    with pytest.raises(SplitError, match="1 more often: toy/a"):
        read_split(tmp_path / "twice.json")
    write_document(tmp_path / "other.json", {"format": "something else"})
    with pytest.raises(SplitError, match="another document"):
        read_split(tmp_path / "other.json")


def test_folds_are_named_where_there_are_several():
    two = split({"train": ("toy/a",)}, {"test": ("toy/a",)})
    assert two.parts(1) == {"toy/a": "test"}
    for fold in (None, 2, -1):
        with pytest.raises(SplitError, match="0 to 1"):
            two.parts(fold)


def test_the_fit_names_what_is_missing_surplus_and_shared():
    items = [
        utterance(0, speaker="s1", text="Ein Satz."),
        utterance(1, speaker="s1", text="ein satz"),
        utterance(2, speaker="s2", text=None, audio_sha256=f"{0:064x}"),
        utterance(3, speaker="s3"),
        utterance(4, "other"),
    ]
    made = split({"train": ("toy/u000",), "test": ("toy/u001", "toy/u002", "toy/gone")})
    fit = check_split(made, items, "b" * 64)
    assert (fit.missing, fit.surplus, fit.made_here) == (("toy/u003",), ("toy/gone",), True)
    assert fit.overlaps == tuple(
        Overlap(fold=0, parts=("test", "train"), what=what, names=(name,))
        for what, name in (("speakers", "toy/s1"), ("audio", f"{0:064x}"), ("texts", "ein satz"))
    )
    assert [item.what for item in fit.leaks()] == ["speakers", "audio"]
    assert [item.what for item in fit.leaks(shared_speakers=True)] == ["audio"]
    clean = check_split(split({"train": ("toy/u003",)}), items, "c" * 64)
    assert (clean.leaks(), clean.made_here) == ((), False)


def test_the_official_split_has_the_usual_part_names():
    natives = ("Train", "Development", "Test1", None)
    items = [dataclasses.replace(utterance(at), split=native) for at, native in enumerate(natives)]
    made = official_split("own", items, **WHERE)
    assert made.parts() == {"toy/u000": "train", "toy/u001": "validation", "toy/u002": "test1"}
    assert part_name(" dev ") == "validation"
    with pytest.raises(SplitError, match="none in the manifest"):
        official_split("own", items[3:], **WHERE)
