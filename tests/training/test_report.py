"""The report shows every number it was given, opens without a network, and refuses what it cannot show."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from html.parser import HTMLParser
from io import StringIO
from math import nan
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from store.errors import TrainingError
from store.records import Skipped, Utterance
from store.skipped_counts import count_skipped
from store.vocabulary import FOUR_CLASSES, SHARED_VOWELS
from training.baselines import LinearChoice
from training.guards import Floors, Ledger, check_split, floors
from training.records import AnchorScore, Epoch, Prediction, System
from training.reports import notes, text
from training.reports.evidence import is_anchor, overlap
from training.reports.figures import VowelToken, draw_anchors, draw_curves
from training.reports.page import ReportInput, write_report
from training.reports.summary import Comparison, summarise
from training.reports.terminal import footnotes, result_table
from training.results import Stamp, check_rows, score
from training.significance import PairedTest
from training.splits import folds

SYSTEMS = (
    System(model="linear"),
    System(model="linear", standardisation="speaker"),
    System(model="CL"),
    System(model="RA-CL", anchor_labels="pseudo"),
    System(model="GA-CL", anchor_labels="pseudo"),
    System(model="AGA-CL", anchor_labels="pseudo"),
    System(model="AGA-CL", anchor_labels="oracle_val"),
)
SKILL = (0.42, 0.55, 0.38, 0.37, 0.40, 0.41, 0.46)
ABSENT = {"aI": "source", "oU": "target"}


def utterances(corpus: str, language: str, n_speakers: int) -> tuple[Utterance, ...]:
    return tuple(
        Utterance(
            id=f"{corpus}/{speaker:02d}-{emotion}-{text}", corpus=corpus, path="x.wav",
            speaker=f"{speaker:02d}", gender="female" if speaker % 2 else "male",
            language=language, emotion=emotion, native_label=emotion,
            text=f"{corpus} {text}", text_id=f"{text}", group=None, n_samples=40000, sample_rate=16000,
            n_channels=1, audio_sha256=f"{corpus}{speaker}{emotion}{text}", licence="x",
        )
        for speaker in range(1, n_speakers + 1)
        for emotion in FOUR_CLASSES
        for text in range(5)
    )  # fmt: skip


SOURCE, TARGET = utterances("english", "en", 12), utterances("german", "de", 10)


def made_up_predictions() -> tuple[Prediction, ...]:
    rng = np.random.default_rng(5)
    fold_of = {name: fold.number for fold in folds(TARGET) for name in fold.test_speakers}
    ease = {name: rng.normal(0, 0.12) for name in fold_of}
    found = []
    for system, skill in zip(SYSTEMS, SKILL, strict=True):
        for seed in range(3):
            for item in TARGET:
                right = rng.random() < skill + ease[item.speaker]
                found.append(
                    Prediction(
                        system=system.label, seed=seed, fold=fold_of[item.speaker], utterance=item.id,
                        speaker=item.speaker, emotion=item.emotion, probabilities=(0.25,) * 4,
                        predicted=item.emotion if right else FOUR_CLASSES[int(rng.integers(4))],
                    )
                )  # fmt: skip
    return tuple(found)


def made_up_anchors() -> tuple[AnchorScore, ...]:
    rng = np.random.default_rng(6)
    found = []
    for system in SYSTEMS[3:]:
        for run in range(15):
            for e, emotion in enumerate(FOUR_CLASSES):
                for v, vowel in enumerate(SHARED_VOWELS):
                    absent = ABSENT.get(vowel, "")
                    value = (
                        float("nan") if absent else 0.5 + 0.03 * ((v * 7 + e * 3) % 11) + rng.normal(0, 0.02)
                    )
                    names = [] if absent else [n for n, bar in (("GA", 0.66), ("RA", 0.6)) if value > bar]
                    found.append(AnchorScore(
                        system=system.label, seed=run // 5, fold=run % 5, emotion=emotion, vowel=vowel,
                        cosine=value,
                        euclidean=value, combined=value, n_source=40, n_target=40, absent=absent,
                        chosen=",".join(names),
                    ))  # fmt: skip
    return tuple(found)


def made_up_vowels() -> tuple[VowelToken, ...]:
    rng = np.random.default_rng(7)
    places = {"i": (300, 2300), "E": (560, 1850), "@": (500, 1500), "A": (750, 1250), "O": (540, 950),
              "u": (330, 900), "eI": (450, 2050), "aU": (680, 1200)}  # fmt: skip
    return tuple(
        VowelToken(
            corpus=corpus, vowel=vowel, emotion="neutral",
            f1=f1 * shift * float(rng.lognormal(0, 0.05)), f2=f2 * float(rng.lognormal(0, 0.05)),
        )
        for corpus, shift in (("english", 1.08), ("german", 0.95))
        for vowel, (f1, f2) in places.items()
        for _ in range(20)
    )  # fmt: skip


def made_up_epochs() -> tuple[Epoch, ...]:
    rng = np.random.default_rng(8)
    found = []
    for system in SYSTEMS[2:]:
        for run in range(9):
            for epoch in range(1, int(rng.integers(9, 20))):
                triplets = 30 if epoch > 5 and system.model != "CL" else 0
                found.append(Epoch(
                    system=system.label, seed=run // 3, fold=run % 3, epoch=epoch, n_triplets=triplets,
                    emotion_loss=1.38 * float(np.exp(-epoch / 9)) + rng.normal(0, 0.03),
                    anchor_loss=0.25 + rng.normal(0, 0.02) if triplets else 0.0, kept=False,
                    validation_uar=0.75 - 0.5 * float(np.exp(-epoch / 4)) + rng.normal(0, 0.03),
                ))  # fmt: skip
    return tuple(found)


def ledger() -> Ledger:
    book = Ledger()
    for system in SYSTEMS:
        book.note(system.label, "training", "source", "train", "cross-entropy")
        book.note(system.label, "selection", "source", "validation", "early stopping on UAR")
        if system.anchor_labels == "oracle_val":
            book.note(system.label, "anchors", "target", "train", "centroids and triplets")
        book.note(system.label, "evaluation", "target", "test", "scores")
    return book


def made_up_input(synthetic: bool = True) -> ReportInput:
    predictions = made_up_predictions()
    stamp = Stamp(
        experiment="made-up", source="english", target="german", snapshot="s" * 64, manifest="m" * 64,
        configuration="c" * 64, code_version="0.1.0", synthetic=synthetic,
    )  # fmt: skip
    rows = score(
        predictions, classes=FOUR_CLASSES, stamp=stamp, ledger=ledger(),
        selected_on={system.label: "source validation UAR" for system in SYSTEMS},
    )  # fmt: skip
    first = folds(TARGET)[0].divide(TARGET)
    return ReportInput(
        title="Made-up <corpora>", source="english", target="german", source_language="en",
        target_language="de",
        synthetic=synthetic, classes=FOUR_CLASSES, systems=SYSTEMS, predictions=predictions, rows=rows,
        floors=floors(TARGET, folds(TARGET), FOUR_CLASSES), label_access=ledger().entries,
        digests={"snapshot": "ab" * 32, "manifest": "cd" * 32, "configuration": "ef" * 32,
                 "encoder weights": "01" * 32},
        anchors=made_up_anchors(), epochs=made_up_epochs(), vowels=made_up_vowels(),
        utterances=SOURCE + TARGET,
        choices=tuple(
            LinearChoice(system="linear", seed=seed, layer=4, strength=0.01, validation_uar=0.71, n_train=192,
                         n_validation=48, converged=True) for seed in range(3)
        ),
        skipped=(
            *(Skipped(utterance=f"german/{n}", corpus="german", path=f"{n}.wav", stage="align",
                      reason="no text") for n in range(3)),
            Skipped(utterance="", corpus="english", path="bad.wav", stage="ingest",
                    reason="cannot be read: <broken>"),
        ),
        splits=(check_split(*first, split="german, fold 0: train/test"),
                check_split(SOURCE, TARGET, split="source/target")),
        guards=check_rows(rows), protocol=("Five folds of two speakers over the target.",),
        configuration="seeds = [0]",
    )  # fmt: skip


class Collector(HTMLParser):
    """Gathers the text, the tags and the addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(tmp_path_factory.mktemp("report"), made_up_input())


@pytest.fixture(scope="module")
def page(written: Path) -> Collector:
    collector = Collector()
    collector.feed(written.read_text(encoding="utf-8"))
    return collector


def test_the_page_needs_no_network(page: Collector) -> None:
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "img", "object")]
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)


def test_its_stylesheet_loads_nothing(written: Path) -> None:
    styles = re.findall(r"<style.*?</style>", written.read_text(encoding="utf-8"), flags=re.S)
    assert styles
    assert not [style for style in styles if "@import" in style or re.search(r"url\((?!#)", style)]


def test_all_sections_and_figures_are_there(page: Collector, written: Path) -> None:
    ids = [attributes.get("id") for _, attributes in page.tags]
    for name in (
        "results",
        "labels",
        "confusion",
        "anchors",
        "vowels",
        "curves",
        "guards",
        "data",
        "digests",
    ):
        assert name in ids
    names = ("scores", "confusion", "anchors", "vowel-space", "vowel-polygons", "learning-curves")
    for name in names:
        assert f"figure-{name}" in ids
    assert sorted(file.stem for file in (written.parent / "figures").iterdir()) == sorted(names)
    used = [name for name in ids if name]
    assert len(used) == len(set(used))


def test_figure_files_are_well_formed_vectors(written: Path) -> None:
    for file in (written.parent / "figures").iterdir():
        tree = ET.fromstring(file.read_text(encoding="utf-8"))  # noqa: S314 - written by the test itself
        assert tree.tag.endswith("svg")
        assert not list(tree.iter("{http://www.w3.org/2000/svg}image"))


def test_the_page_shows_scores_tests_reasons_and_digests(page: Collector) -> None:
    content = made_up_input()
    words = " ".join(" ".join(page.text).split())
    summaries = summarise(
        content.rows, content.predictions, content.systems, classes=FOUR_CLASSES, ledger=ledger()
    )
    for row in summaries:
        assert row.system.shown in words
        assert f"{100 * row.uar.mean:.1f} ± {100 * row.uar.sd:.1f}" in words
        assert f"{100 * row.interval.low:.1f} to {100 * row.interval.high:.1f}" in words
    assert "58.14 / 55.49" in words
    assert "cannot be read: <broken>" in words
    assert "german/0" in words
    assert all(value in words for value in content.digests.values())
    assert "SYNTHETIC SPEECH" in words
    assert "transductive" in words
    assert "not unsupervised" in words


def test_text_is_escaped(written: Path) -> None:
    assert "<corpora>" not in written.read_text(encoding="utf-8")
    assert "Made-up &lt;corpora&gt;" in written.read_text(encoding="utf-8")


def test_the_same_input_gives_the_same_page(written: Path, tmp_path: Path) -> None:
    assert write_report(tmp_path, made_up_input()).read_bytes() == written.read_bytes()


def test_a_report_without_optional_parts_says_so(tmp_path: Path) -> None:
    bare = dataclasses.replace(
        made_up_input(synthetic=False), anchors=(), epochs=(), vowels=(),
        skipped=(), choices=(), splits=(),
        guards=(), utterances=(), protocol=(), configuration="",
    )  # fmt: skip
    collector = Collector()
    collector.feed(write_report(tmp_path, bare).read_text(encoding="utf-8"))
    ids = {attributes.get("id") for _, attributes in collector.tags}
    assert not ids & {"anchors", "vowels", "curves"}
    words = " ".join(collector.text)
    assert "No utterance was quarantined" in words
    assert "SYNTHETIC" not in words
    assert {file.stem for file in (tmp_path / "figures").iterdir()} == {"scores", "confusion"}


def test_the_terminal_table_carries_floors_marks_and_notes() -> None:
    content = made_up_input()
    summaries = summarise(
        content.rows, content.predictions, content.systems, classes=FOUR_CLASSES, ledger=ledger()
    )
    console = Console(width=200, record=True, file=StringIO())
    console.print(result_table(summaries, content.floors, title="English to German", synthetic=True))
    shown = console.export_text()
    for system in SYSTEMS:
        assert system.shown in shown
    assert "AGA-CL (oracle_val) †" in shown
    assert "logistic (mean+SD, per-speaker z) ‡" in shown
    assert "chance UAR 25.0" in shown
    assert "SYNTHETIC" in shown
    assert "58.14 / 55.49" in shown


def kept_epochs(system: str, triplets: Sequence[int]) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(system=system, seed=run, fold=0, epoch=epoch, emotion_loss=1.0, anchor_loss=0.0,
              n_triplets=count * epoch, validation_uar=0.5, kept=epoch == 1)
        for run, count in enumerate(triplets)
        for epoch in range(2)
    )  # fmt: skip


def one_anchor(emotion: str, vowel: str, chosen: str, **changes: object) -> AnchorScore:
    row = AnchorScore(
        system="RA-CL (pseudo)", seed=0, fold=0, emotion=emotion, vowel=vowel, cosine=0.5, euclidean=1.0,
        combined=0.5, n_source=4, n_target=4, absent="", chosen=chosen,
    )  # fmt: skip
    return dataclasses.replace(row, **changes)


def test_runs_without_triplets_are_counted_and_marked() -> None:
    content = made_up_input()
    epochs = (*kept_epochs("RA-CL (pseudo)", (3, 0, 2)), *kept_epochs("GA-CL (pseudo)", (1, 1, 1)))
    anchors = tuple(
        one_anchor(emotion, "i", "RA" if emotion == "anger" and seed else "", seed=seed, n_adapt=50,
                   n_labelled=10 * seed)
        for seed in range(3)
        for emotion in FOUR_CLASSES
    )  # fmt: skip
    summaries = summarise(
        content.rows, content.predictions, content.systems, classes=FOUR_CLASSES, ledger=ledger(),
        epochs=epochs, anchors=anchors,
    )  # fmt: skip
    by_name = {row.system.label: row for row in summaries}
    found = by_name["RA-CL (pseudo)"].adapted
    assert found is not None
    assert (found.n_adapted, found.n_runs, found.partial) == (2, 3, True)
    assert dict(found.emotions) == {"neutral": 0, "happiness": 0, "anger": 2, "sadness": 0}
    assert found.labelled == pytest.approx((0 + 4 * 10 / 50 + 4 * 20 / 50) / 3)
    assert notes.marks(by_name["RA-CL (pseudo)"]) == " §"
    assert notes.marks(by_name["GA-CL (pseudo)"]) == ""
    assert by_name["CL"].adapted is None
    lines = " ".join(notes.adaptation_notes(summaries))
    assert "triplets in the kept epoch of 2 of 3 runs (seed, fold); 1 did not adapt" in lines
    assert "80 % had a pseudo label" in lines
    assert notes.PARTIAL_NOTE in notes.mark_notes(summaries)


def test_the_random_sets_are_compared_with_the_good_ones() -> None:
    found = overlap(
        "RA-CL (pseudo)",
        (
            one_anchor("anger", "i", "GA,RA"),
            one_anchor("anger", "u", "GA"),
            one_anchor("sadness", "i", "GA,RA"),
            one_anchor("sadness", "u", "WA"),
            one_anchor("neutral", "E", "", absent="unlabelled"),
            one_anchor("neutral", "eI", "", absent="source"),
        ),
    )
    assert found is not None
    assert (found.n_same, found.n_cells) == (1, 2)
    assert found.jaccard == pytest.approx((0.5 + 1) / 2)
    assert found.vowels == ("i", "E", "u")
    assert overlap("RA-CL (pseudo)", (one_anchor("anger", "i", ""),)) is None


def test_the_terminal_says_what_was_read_and_chosen() -> None:
    content = made_up_input()
    summaries = summarise(
        content.rows, content.predictions, content.systems, classes=FOUR_CLASSES, ledger=ledger(),
        epochs=content.epochs, anchors=content.anchors, choices=content.choices,
    )  # fmt: skip
    lines = footnotes(summaries, content.floors)
    read = [line for line in lines if line.startswith("Labels read by")]
    assert len(read) == 2
    assert "Labels read by AGA-CL (oracle_val): source: train (training)" in read[1]
    assert all(line.endswith("Selected on source validation UAR.") for line in read)
    assert "logistic (mean+SD), layer (from 0) and C: seed 0: layer 4, C 0.01;" in " ".join(lines)


def test_equal_differences_are_marked_not_starred() -> None:
    test = PairedTest(n=3, mean_difference=0.021, t=nan, df=2, p=nan, d_z=nan)
    assert text.comparison(Comparison(against="CL", test=test)) == "+2.1, p n/a"
    single = dataclasses.replace(test, n=1)
    assert text.comparison(Comparison(against="CL", test=single)) == "+2.1"


def test_a_vowel_without_labels_is_drawn_unlike_an_absent_one() -> None:
    nothing = {"combined": nan, "cosine": nan, "euclidean": nan}
    absent = draw_anchors([one_anchor("anger", "i", "", absent="source", **nothing)], ("anger",)).svg
    unlabelled = draw_anchors([one_anchor("anger", "i", "", absent="unlabelled", **nothing)], ("anger",)).svg
    assert absent != unlabelled


def test_a_narrow_figure_is_not_blown_up(written: Path) -> None:
    one = draw_curves([row for row in made_up_epochs() if row.system == "CL"])
    assert one.width == pytest.approx(3.1)
    assert 'id="figure-learning-curves" class="wide" style="--natural: ' in written.read_text(
        encoding="utf-8"
    )


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="a folder to write the report to"):
        write_report(tmp_path / "file", made_up_input())


def test_skipped_are_counted_by_stage_corpus_and_reason() -> None:
    counted = count_skipped(made_up_input().skipped)
    assert [(row.stage, row.corpus, row.n, row.example) for row in counted] == [
        ("align", "german", 3, "german/0"),
        ("ingest", "english", 1, "bad.wav"),
    ]


def test_an_anchor_is_of_the_systems_own_set() -> None:
    row = next(item for item in made_up_anchors() if item.chosen == "GA,RA")
    assert is_anchor(dataclasses.replace(row, system="AGA-CL (pseudo)", chosen="BA,GA"))
    assert not is_anchor(dataclasses.replace(row, system="RA-CL (pseudo)", chosen="BA,GA"))
    assert is_anchor(dataclasses.replace(row, system="BA-CL", chosen="BA"))


def test_floors_are_shown_as_given(tmp_path: Path) -> None:
    odd = Floors(chance_uar=0.251, majority_wa=0.617, text_uar=0.333, text_wa=0.444)
    written = write_report(tmp_path, dataclasses.replace(made_up_input(), floors=odd)).read_text(
        encoding="utf-8"
    )
    for value in ("25.1", "61.7", "33.3", "44.4"):
        assert f">{value}<" in written
