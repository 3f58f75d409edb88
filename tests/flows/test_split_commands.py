"""The split commands on a store of real RAVDESS speakers' names, and what training makes of their files."""

import json

import pytest

from flows.__main__ import main
from store.catalogue import Store
from store.errors import SplitError
from store.splits import Split, read_split, write_split
from tests.store.store_cases import utterance
from training.experiment import Experiment
from training.run import folds_for
from training.splits import folds, folds_of

SPEAKERS = {f"{number:02d}": ("male", "female")[number % 2 == 0] for number in range(1, 25)}
ITEMS = tuple(
    utterance(
        at, "ravdess", speaker=speaker, gender=gender, emotion=emotion, text_id=emotion, text=None, split=part
    )
    for at, (speaker, gender, emotion, part) in enumerate(
        (speaker, gender, emotion, "train" if emotion == "anger" else "test")
        for speaker, gender in SPEAKERS.items()
        for emotion in ("anger", "sadness")
    )
)


@pytest.fixture
def work(tmp_path):
    store = Store.create(tmp_path / "work/store")
    with store.writer() as writer:
        writer.commit(manifest=store.put_manifest(ITEMS, []), alignments=[], wanted=[], lineage={})
    return tmp_path / "work"


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_published_folds_become_a_file_that_fits_and_trains(work, tmp_path, capsys):
    file = tmp_path / "ravdess.json"
    assert run("split", "make", file, "--corpus", "ravdess", "--work", work) == 0
    assert "EmoBox" in capsys.readouterr().out
    assert run("split", "check", file, "--work", work, "--json") == 0
    fit = json.loads(capsys.readouterr().out)
    assert (fit["made_here"], fit["missing"], fit["surplus"]) == (True, [], [])
    assert {item["what"] for item in fit["overlaps"]} == {"texts"}
    experiment = Experiment(source="emodb", target="ravdess", split_file=str(file))
    assert folds_for(experiment, ITEMS) == folds(ITEMS)
    assert run("split", "show", file, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["digest"] == read_split(file).digest
    assert len(shown["folds"]) == 6


def test_folds_and_validation_speakers_are_disjoint_and_seeded(work, tmp_path, capsys):
    files = [tmp_path / f"{at}.json" for at in range(3)]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        arguments = ("--folds", 3, "--validation", 0.25, "--seed", seed, "--name", "mine", "--work", work)
        assert run("split", "make", file, "--corpus", "ravdess", *arguments) == 0
        assert run("split", "check", file, "--work", work) == 0
    made = [read_split(file) for file in files]
    assert made[0].digest == made[1].digest != made[2].digest
    assert [sorted(fold) for fold in made[0].folds] == [["test", "train", "validation"]] * 3
    assert sum(len(fold["test"]) for fold in made[0].folds) == len(ITEMS)
    assert run("split", "show", files[0]) == 0
    assert "validation 0.25" in capsys.readouterr().out


def test_an_official_split_may_share_speakers_only_if_asked(work, tmp_path, capsys):
    file = tmp_path / "own.json"
    assert run("split", "make", file, "--corpus", "ravdess", "--official", "--work", work) == 0
    assert run("split", "check", file, "--work", work) == 2
    assert "share speakers: ravdess/01" in capsys.readouterr().out
    assert run("split", "check", file, "--shared-speakers", "--work", work) == 0
    with pytest.raises(SplitError, match="01, 02, 03 in several"):
        folds_of(read_split(file), ITEMS)


def test_bad_input_is_named(work, tmp_path, capsys):
    file = tmp_path / "s.json"
    assert run("split", "make", file, "--corpus", "emodb", "--work", work) == 2
    assert "a corpus of the snapshot: ravdess" in capsys.readouterr().err
    assert run("split", "make", file, "--corpus", "ravdess", "--official", "--folds", 3, "--work", work) == 2
    assert run("split", "check", file, "--work", work) == 2
    assert "no such file" in capsys.readouterr().err
    assert not file.exists()
    gone = Split(name="gone", snapshot="", manifest="", folds=({"train": ("ravdess/u999",)},))
    write_split(file, gone)
    assert run("split", "check", file, "--work", work) == 2
    assert "not in the snapshot: 1 utterances: ravdess/u999" in capsys.readouterr().out
    with pytest.raises(SplitError, match="tests each of 24 speakers once"):
        folds_of(
            Split(name="x", snapshot="", manifest="", folds=({"test": (ITEMS[0].id, ITEMS[1].id)},)), ITEMS
        )
