"""Each fault of the input ends in one line on standard error, exit code 2, and nothing half-written."""

import json

import pytest

from flows.cron import check_cron
from pipeline.corpora import corpus as registry
from pipeline.corpora.layout import FolderCorpus
from pipeline.corpora.sample import reader
from store.catalogue import Store

TRAIN = ("train-crosslingual", "--workers", "0")


@pytest.fixture
def refused(phonanchor, tmp_path):
    """Run a command that must fail; return its one line after checking what every failure has in common."""

    def run(*arguments, work=None):
        code, out, err = phonanchor(*arguments, work=work)
        assert code == 2, out + err
        assert len(err.strip().splitlines()) == 1, err
        line = err.strip()
        assert line.startswith("phonanchor: expected ")
        assert "; found " in line
        assert "; to mend it: " in line
        assert "Traceback" not in out + err
        place = work or tmp_path / "work"
        assert not list(place.glob("runs/*"))
        assert not list(place.rglob("*.tmp-*"))
        assert not list(place.glob("store/snapshots/*"))
        return line

    return run


def test_a_missing_corpus_folder(refused, tmp_path):
    line = refused(*TRAIN, "--source", "ravdess", "--target", "emodb", "--corpora", tmp_path / "none")
    assert "no folder" in line
    assert "--corpora" in line
    assert not (tmp_path / "work").exists()


def test_the_folder_of_a_corpus_in_place_of_the_one_that_holds_it(refused, tmp_path):
    (tmp_path / "corpora" / "emodb").mkdir(parents=True)
    line = refused("features", "--corpus", "emodb", "--corpora", tmp_path / "corpora" / "emodb")
    assert line.endswith(f"pass --corpora {tmp_path / 'corpora'}")


def test_no_corpora_folder_at_all(refused):
    assert "--corpora DIR" in refused(*TRAIN, "--source", "ravdess", "--target", "emodb")


def test_an_empty_corpus(refused, tmp_path):
    for name in ("ravdess", "emodb"):
        (tmp_path / "corpora" / name).mkdir(parents=True)
    line = refused(*TRAIN, "--source", "ravdess", "--target", "emodb", "--corpora", tmp_path / "corpora")
    assert "found no sound file in" in line


def test_an_unknown_corpus(refused, tmp_path):
    assert "did you mean ravdess" in refused(
        *TRAIN, "--source", "ravdes", "--target", "emodb", "--corpora", tmp_path
    )


def test_an_unknown_encoder(refused, tmp_path, pair):
    line = refused(*TRAIN, "--corpora", pair, "--encoder", tmp_path / "no-such-encoder")
    assert "no-such-encoder" in line
    assert not (tmp_path / "work").exists()


def test_a_folder_that_is_no_encoder(refused, tmp_path, pair):
    (tmp_path / "hollow").mkdir()
    assert "config.json" in refused(*TRAIN, "--corpora", pair, "--encoder", tmp_path / "hollow")


def test_a_language_that_the_aligner_lacks(refused, pair, monkeypatch):
    strange = FolderCorpus("sample-cmn", "xx", "none", folders=(), reader=reader, synthetic=True)
    others = tuple(item for item in registry.registered() if item.name != "sample-cmn")
    monkeypatch.setattr(registry, "_REGISTRY", (*others, strange))
    line = refused(*TRAIN, "--corpora", pair)
    assert "'xx'" in line or " xx" in line


def test_a_corpus_with_one_emotion_only(refused, part, tmp_path):
    part("sample-en")
    part("sample-cmn", emotions=("neutral",))
    line = refused(*TRAIN, "--corpora", tmp_path / "corpora")
    assert "at least two of the classes" in line
    assert "found only neutral" in line
    assert not (tmp_path / "work" / "store").exists()


def test_a_target_without_any_vowel_in_common(refused, part, tmp_path):
    part("sample-en")
    part("sample-cmn", text="妈妈妈妈")
    line = refused(*TRAIN, "--corpora", tmp_path / "corpora", "--set", "vowels=diph")
    assert "at least one vowel in both corpora" in line
    assert "target none" in line


def test_an_unwritable_store(refused, tmp_path, pair):
    (tmp_path / "file").write_text("in the way")
    line = refused(*TRAIN, "--corpora", pair, work=tmp_path / "file" / "work")
    assert "--work" in line


def test_a_store_of_another_format_version(refused, tmp_path, pair):
    store = Store.create(tmp_path / "work" / "store")
    content = json.loads(store.layout.format.read_text())
    store.layout.format.write_text(json.dumps({**content, "version": 99}))
    assert "99" in refused(*TRAIN, "--corpora", pair)
    assert "99" in refused("store", "ls")


def test_an_unknown_key_in_the_configuration(refused, tmp_path):
    file = tmp_path / "experiment.toml"
    file.write_text("[build]\nencodr = 'logmel'\n")
    assert "did you mean 'encoder'" in refused(*TRAIN, "--config", file)
    assert not (tmp_path / "work").exists()


def test_a_missing_configuration_file(refused, tmp_path):
    assert "No such file" in refused(*TRAIN, "--config", tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("assignment", "found"),
    [
        ("epoch=3", "did you mean 'epochs'"),
        ("build.encodr=x", "did you mean 'build.encoder'"),
        ("epochs", "found 'epochs'"),
        ("epochs=many", "experiment.epochs"),
        ("workers=2", "which both have"),
        ("models=linear,XL", "experiment.models"),
        ("seeds=[]", "expected at least one of experiment.seeds; found none"),
        ("features=[]", "found []; to mend it: give at least one, and each once"),
        ("epochs=0", "it should be greater than or equal to 1"),
    ],
)
def test_a_bad_assignment(refused, assignment, found):
    assert found in refused(*TRAIN, "--set", assignment)


def test_an_unknown_option_and_an_unknown_command(refused):
    assert "--sauce" in refused(*TRAIN, "--sauce", "x")
    assert "found No such command" in refused("trane")


def test_a_store_that_is_not_there(refused, tmp_path):
    assert str(tmp_path / "work" / "store") in refused("store", "show")


def test_a_report_of_no_run(refused):
    assert "no run yet" in refused("report", "20260101")


def test_an_export_of_another_format(refused, pair):
    line = refused("align", "--corpus", "sample-en", "--corpora", pair, "--export", "phones.xlsx")
    assert ".parquet or .csv" in line


@pytest.mark.parametrize(
    ("assignments", "found"),
    [
        (["features=mfcc13,formants"], "add 'segments:encoder' to build.features"),
        (["frames=mfcc13"], "add 'segments:mfcc13' to build.features"),
        (["frames=whisper-0"], "set experiment.frames to encoder or logmel80"),
    ],
)
def test_frames_that_the_build_does_not_give(refused, tmp_path, pair, assignments, found):
    options = [word for assignment in assignments for word in ("--set", assignment)]
    line = refused(*TRAIN, "--corpora", pair, *options)
    assert found in line
    assert "build.features gives" in line
    assert not (tmp_path / "work").exists()


def test_one_corpus_as_both_or_only_one(refused, tmp_path):
    line = refused(*TRAIN, "--source", "sample-en", "--target", "sample-en")
    assert "found 'sample-en' as source and as target; to mend it: name another" in line
    assert "pass --source NAME and --target NAME" in refused(*TRAIN, "--source", "sample-en")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("part", ["cache", "cache/training", "runs", "sample", "store", "prefect"])
def test_a_file_where_a_folder_should_be(refused, tmp_path, pair, part):
    place = tmp_path / "work" / part
    place.parent.mkdir(parents=True)
    place.write_text("in the way")
    assert str(place) in refused("features", "--workers", "0", "--corpora", pair)
    assert place.read_text() == "in the way"


@pytest.mark.parametrize("cron", ["nonsense", "61 * * * *", "0 3 * *", "0 3 * * fry", "*/0 * * * *"])
def test_a_cron_line_that_is_none(refused, tmp_path, pair, cron):
    assert repr(cron) in refused("schedule", "--cron", cron, "--corpora", pair)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("cron", ["0 3 * * *", "*/5 0-6,22 1 jan-MAR mon,7"])
def test_a_cron_line_that_is_one(cron):
    check_cron(cron)


def test_training_without_a_store_makes_nothing(refused, tmp_path):
    assert str(tmp_path / "work" / "store") in refused(*TRAIN, "--only", "train")
    assert not (tmp_path / "work").exists()


def test_a_report_before_any_run(refused):
    assert "found no run yet; to mend it: run 'phonanchor train-crosslingual' first" in refused("report")
