"""The command `align` through the command line: hand labels, folders, notes and what is refused."""

import csv
import shutil
from pathlib import Path

import pytest

from flows.configuration import load
from flows.stages import alignment_folder
from pipeline.corpora.corpus import corpus_by_name

SHARED = Path(__file__).parents[2].parent / "shared" / "corpora" / "emodb"
STEMS = ("03a01Fa", "03a01Nc", "08a01Wa")
real = pytest.mark.skipif(not SHARED.is_dir(), reason="the EMO-DB recordings are not beside the project")


@pytest.fixture
def few(tmp_path):
    """A folder of corpora with three recordings of EMO-DB; the third has an empty label file."""
    folder = tmp_path / "corpora" / "emodb"
    (folder / "wav").mkdir(parents=True)
    (folder / "lablaut").mkdir()
    for stem in STEMS:
        shutil.copy(next((SHARED / "wav").glob(f"{stem}.*")), folder / "wav")
        shutil.copy(next((SHARED / "lablaut").glob(f"{stem}*.lablaut")), folder / "lablaut")
    return folder.parent


def rows_of(file):
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


@real
def test_hand_labels_of_the_corpus_are_exported(phonanchor, few, tmp_path):
    file = tmp_path / "hand.csv"
    code, out, err = phonanchor(
        "align", "--corpus", "emodb", "--corpora", few, "--aligner", "hand", "--export", file
    )
    assert code == 0, err
    assert "2 aligned (2 now), 1 not aligned" in out
    assert "not aligned: emodb/08a01Wa: 08a01Waxx.lablaut holds no labels" in out
    spoken = sum(bool(row["phone"]) for row in rows_of(file))
    assert f"{spoken} phones and {len(rows_of(file)) - spoken} pauses, a row each, in {file}" in out
    assert f"of {spoken} phones last no longer than 30 ms" in out
    rows = [row for row in rows_of(file) if row["utterance"] == "03a01Fa" and row["phone"]]
    text = (few / "emodb" / "lablaut" / "03a01Faxx.lablaut").read_text(encoding="latin-1")
    assert f"{float(rows[0]['start_s']):.4f}"[:5] in text  # the first phone starts where the file says


@real
def test_a_build_says_that_a_part_of_a_published_corpus_is_there(phonanchor, few):
    command = ("features", "--corpus", "emodb", "--corpora", few, "--workers", "0")
    code, out, err = phonanchor(*command, "--set", "features=energy")
    assert code == 0, err
    assert "emodb: a part of the corpus, 3 of 535 published recordings (" in out


@real
def test_hand_labels_in_another_folder(phonanchor, few, tmp_path):
    (few / "emodb" / "lablaut").rename(tmp_path / "labels")
    command = ("align", "--corpus", "emodb", "--corpora", few, "--aligner", "hand")
    assert phonanchor(*command, "--textgrids", tmp_path / "labels")[0] == 0
    code, _, err = phonanchor(*command)
    assert code == 2
    assert "pass EMO-DB's lablaut folder" in err


def test_a_corpus_without_hand_labels_is_refused(phonanchor, pair):
    code, _, err = phonanchor("align", "--corpus", "sample-en", "--corpora", pair, "--aligner", "hand")
    assert code == 2
    assert "found none in" in err


def test_an_unknown_aligner_is_refused_before_anything_is_read(phonanchor, pair, tmp_path):
    for command in (
        ("align", "--corpus", "sample-en", "--aligner", "magic"),
        ("features", "--set", 'aligners={sample-en="magic"}'),
    ):
        code, _, err = phonanchor(*command, "--corpora", pair)
        assert code == 2
        assert "an aligner (embedded, mfa, textgrid, hand); found 'magic'" in err
    assert not (tmp_path / "work").exists()


def test_each_corpus_of_a_job_may_have_its_own_aligner_and_folder():
    build = load(assignments=['aligners={emodb="hand"}', 'alignments={ravdess="grids"}', "corpora=all"])
    assert build.build.aligners == {"emodb": "hand"}
    emodb, ravdess = corpus_by_name("emodb"), corpus_by_name("ravdess")
    assert alignment_folder(build, emodb, "hand") == emodb.folder(Path("all")) / "lablaut"
    assert alignment_folder(build, emodb, "embedded") is None
    assert alignment_folder(build, ravdess, "textgrid") == Path("grids")
    assert build.digest != load(assignments=["corpora=all"]).digest
    moved = load(assignments=['aligners={emodb="hand"}', 'alignments={ravdess="elsewhere"}'])
    assert moved.digest == build.digest  # what counts are the files' contents, which are in each key


def test_a_short_corpus_is_said_to_be_less_certain(phonanchor, part):
    folder = part("sample-en", emotions=("neutral",))
    code, out, err = phonanchor("align", "--corpus", "sample-en", "--corpora", folder.parent)
    assert code == 0, err
    assert "note: under a minute of speech" in out


def test_the_report_draws_the_utterances_asked_for(phonanchor, pair, tmp_path):
    command = ("align", "--corpus", "sample-en", "--corpora", pair)
    stems = sorted(path.stem for path in (pair / "sample-en" / "wav").iterdir())[:2]
    page = tmp_path / "page.html"
    code, out, err = phonanchor(
        *command, "--report", page, "--utterance", stems[0], "--utterance", f"sample-en/{stems[1]}"
    )
    assert code == 0, err
    assert f"report {page}" in out
    text = page.read_text(encoding="utf-8")
    assert all(f"sample-en/{stem} (" in text for stem in stems)
    assert text.count("<svg") == 4
    assert phonanchor(*command, "--report", page)[0] == 0
    assert page.read_text(encoding="utf-8").count("<svg") == 3  # the one of the median score

    code, _, err = phonanchor(*command, "--report", page, "--utterance", "nobody")
    assert code == 2
    assert "sample-en/nobody" in err
    strict = ("--set", "gate_score=0", "--set", "gate_score_spread=100")
    code, out, err = phonanchor(*command, *strict)
    assert code == 0, err
    assert "0 aligned" in out
    assert "24 of 24 alignments rejected by the gate" in out
    code, _, err = phonanchor(*command, *strict, "--report", page, "--utterance", stems[0])
    assert code == 2
    assert "--set gate=false" in err


def test_a_report_needs_a_page(phonanchor, pair):
    command = ("align", "--corpus", "sample-en", "--corpora", pair)
    assert "ends in .html" in phonanchor(*command, "--report", "page.pdf")[2]
    assert "add --report" in phonanchor(*command, "--utterance", "x")[2]


@pytest.mark.parametrize(
    ("option", "meant"),
    [("--textgrids", "textgrid or hand"), ("--tier", "textgrid"), ("--mfa-model", "mfa"),
     ("--mfa-dictionary", "mfa")],
)  # fmt: skip
def test_an_option_of_another_aligner_is_refused(phonanchor, pair, tmp_path, option, meant):
    code, _, err = phonanchor("align", "--corpus", "sample-en", "--corpora", pair, option, tmp_path / "x")
    assert code == 2
    assert f"--aligner {meant} with {option}" in err
    assert not (tmp_path / "work").exists()


def test_a_corpus_of_the_folder_that_the_configuration_names_is_found(phonanchor, tmp_path):
    (tmp_path / "corpora" / "mine").mkdir(parents=True)
    (tmp_path / "corpora" / "mine" / "manifest.csv").write_text("path,speaker,language,emotion\n")
    (tmp_path / "job.toml").write_text(f'corpora = "{tmp_path / "corpora"}"\n')
    code, _, err = phonanchor("align", "--corpus", "mine", "--config", tmp_path / "job.toml")
    assert code == 2
    assert "no sound file in" in err
