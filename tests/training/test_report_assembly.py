"""An outcome becomes rows, Parquet tables and a report without any number being typed again."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from store.errors import TrainingError
from store.records import Skipped, Utterance
from store.tables import read_records
from training.experiment import Experiment
from training.guards import Ledger, LockedLabels, check_split
from training.metrics import wa
from training.records import Prediction, ResultRow
from training.reports.assemble import measure, protocol_lines, rate_lines, report_input, write_results
from training.reports.page import write_report
from training.results import Stamp
from training.run import Outcome
from training.splits import folds

EXPERIMENT = Experiment.model_validate(
    {
        "source": "english",
        "target": "german",
        "models": ["CL", "AGA-CL"],
        "seeds": [0, 1],
        "classes": ["anger", "sadness"],
    }
)
STAMP = Stamp(
    experiment="toy", source="english", target="german", snapshot="s", manifest="m",
    configuration=EXPERIMENT.digest, code_version="0.1.0", synthetic=False,
)  # fmt: skip


def corpus(name: str) -> tuple[Utterance, ...]:
    return tuple(
        Utterance(
            id=f"{name}/{speaker}{emotion}{take}", corpus=name, path="x", speaker=speaker,
            gender="female" if speaker in "ab" else "male", language=name[:2], emotion=emotion,
            native_label=emotion, text=None, text_id="1", group=None, n_samples=16000, sample_rate=16000,
            n_channels=1, audio_sha256=f"{name}{speaker}{emotion}{take}", licence="x",
        )
        for speaker in "abcd"
        for emotion in EXPERIMENT.classes
        for take in range(2)
    )  # fmt: skip


@pytest.fixture
def outcome() -> Outcome:
    source, target = corpus("english"), corpus("german")
    protocol, ledger = folds(target), Ledger()
    fold_of = {name: fold.number for fold in protocol for name in fold.test_speakers}
    predictions = []
    for at, system in enumerate(EXPERIMENT.systems):
        ledger.note(system.label, "training", "source", "train", "cross-entropy")
        if system.anchor_labels == "oracle_val":
            ledger.note(system.label, "anchors", "target", "train", "centroids")
        for seed in EXPERIMENT.seeds:
            predictions += [
                Prediction(
                    system=system.label, seed=seed, fold=fold_of[item.speaker], utterance=item.id,
                    speaker=item.speaker, emotion=item.emotion, probabilities=(0.5, 0.5),
                    predicted=item.emotion if (place + seed) % (at + 2) else "anger",
                )
                for place, item in enumerate(target)
            ]  # fmt: skip
    return Outcome(
        experiment=EXPERIMENT, systems=EXPERIMENT.systems, folds=protocol, source=source, target=target,
        predictions=tuple(predictions), anchors=(), epochs=(), choices=(), ledger=ledger,
        splits=(check_split(source, target, split="source/target"),),
        skipped=(Skipped(utterance="german/z", corpus="german", path="z", stage="training",
                         reason="no rows"),),
        absent_vowels={"oU": "target"}, selected_on="source_val", precision="float32", device="cpu",
    )  # fmt: skip


def test_measured_rows_and_guards(outcome: Outcome) -> None:
    measured = measure(outcome, STAMP)
    assert len(measured.summaries) == len(EXPERIMENT.systems) == 3
    row = measured.rows[-1]
    own = [p for p in outcome.predictions if (p.system, p.seed) == (row.system, row.seed)]
    assert row.wa == wa([p.emotion for p in own], [p.predicted for p in own], EXPERIMENT.classes)
    assert (row.selected_on, row.configuration) == ("source_val", EXPERIMENT.digest)
    assert len(measured.guards) == 7
    assert all(guard.passed for guard in measured.guards)
    assert measured.floors.majority_wa == 0.5


def test_guards_fail_when_they_must(outcome: Outcome) -> None:
    first = outcome.source
    leak = check_split(first, first, split="leaky", strict=False)
    ledger = Ledger()
    ledger.extend(outcome.ledger.entries)
    ledger.note("CL", "training", "target", "train", "fine-tuning")
    damaged = dataclasses.replace(outcome, splits=(leak,), folds=outcome.folds[:-1], ledger=ledger)
    failed = {guard.guard: guard.detail for guard in measure(damaged, STAMP).guards if not guard.passed}
    assert failed == {
        "no speaker or recording on both sides of a split": "0 of 1 splits; not leaky",
        "every target speaker is tested once": "3 tests of 4 speakers",
        "target labels are read by systems marked so only": "read by CL, AGA-CL (oracle_val)",
    }


def test_a_system_that_reads_target_labels_unmarked_is_caught(outcome: Outcome) -> None:
    """The ledger is written by what hands the labels over, so a leaking system cannot keep it quiet."""
    ledger = Ledger()
    ledger.extend(outcome.ledger.entries)
    locked = LockedLabels(np.zeros(len(outcome.target), dtype=np.int64), "target", ledger)

    def leaking_training() -> None:
        locked.hand_over(np.arange(4), system="CL", stage="training", split="train", purpose="cross-entropy")

    leaking_training()
    measured = measure(dataclasses.replace(outcome, ledger=ledger), STAMP)
    assert [guard.guard for guard in measured.guards if not guard.passed] == [
        "target labels are read by systems marked so only"
    ]
    assert not next(row for row in measured.summaries if row.system.label == "CL").unsupervised


def test_a_marked_system_without_its_entry_is_caught(outcome: Outcome) -> None:
    silent = Ledger()
    silent.extend(entry for entry in outcome.ledger.entries if entry.stage != "anchors")
    failed = [g for g in measure(dataclasses.replace(outcome, ledger=silent), STAMP).guards if not g.passed]
    assert [(guard.guard, guard.detail) for guard in failed] == [
        (
            "systems marked so have their reading of target labels in the ledger",
            "0 of 1; not AGA-CL (oracle_val)",
        )
    ]


def test_tables_come_back_as_they_went(outcome: Outcome, tmp_path: Path) -> None:
    rows = measure(outcome, STAMP).rows
    paths = write_results(tmp_path, outcome, rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.parquet" for name in paths)
    assert read_records(paths["results"], ResultRow) == rows
    assert read_records(paths["predictions"], Prediction) == outcome.predictions
    assert read_records(paths["left_out"], Skipped) == outcome.skipped


def test_the_page_of_an_outcome(outcome: Outcome, tmp_path: Path) -> None:
    measured = measure(outcome, STAMP)
    lost = Skipped(utterance="", corpus="english", path="bad.wav", stage="ingest", reason="cannot be decoded")
    content = report_input(
        outcome,
        measured,
        STAMP,
        title="Toy",
        digests={"aligner": "f00d"},
        skipped=[lost],
        remarks=["A remark."],
    )
    assert [item.stage for item in content.skipped] == ["ingest", "training"]
    assert (content.source_language, content.target_language) == ("en", "ge")
    page = write_report(tmp_path, content).read_text(encoding="utf-8")
    for words in (
        "cannot be decoded",
        "f00d",
        EXPERIMENT.digest,
        "A remark.",
        "/oU/ (target)",
        "Mode strict",
    ):
        assert words in page


def test_the_protocol_names_the_anchor_labels_in_use(outcome: Outcome) -> None:
    lines = " ".join(protocol_lines(outcome))
    assert "Anchor labels pseudo" in lines
    assert "Anchor labels oracle_val" in lines
    assert "4 speaker-disjoint folds over german" in lines
    assert "Closed set: utterances of other emotions than anger, sadness are left out" in lines
    assert "english 16, german 16; all features are computed at 16 kHz" in lines
    assert "WARNING" not in lines


def test_a_narrow_band_is_a_warning(outcome: Outcome) -> None:
    wide = [dataclasses.replace(item, sample_rate=48000) for item in outcome.source]
    narrow = [dataclasses.replace(item, sample_rate=8000) for item in outcome.target]
    assert "english 48, german 16" in " ".join(rate_lines(wide, outcome.target))
    assert len(rate_lines(wide, outcome.target)) == 1
    assert "nothing above 4 kHz: bandwidth differs" in rate_lines(wide, narrow)[1]
    both = [dataclasses.replace(item, sample_rate=8000) for item in wide]
    assert rate_lines(both, narrow)[1].endswith("nothing above 4 kHz.")


def test_only_synthetic_corpora_are_called_so(outcome: Outcome) -> None:
    spoken = tuple(dataclasses.replace(item, synthetic=True) for item in outcome.target)
    mixed = dataclasses.replace(outcome, target=spoken)
    assert measure(outcome, STAMP).warning == ""
    warning = measure(mixed, STAMP).warning
    assert "SYNTHETIC SPEECH (german; english: recorded people)" in warning


def test_a_system_without_predictions_is_named(outcome: Outcome) -> None:
    few = tuple(p for p in outcome.predictions if p.system == "CL")
    with pytest.raises(TrainingError, match="results of AGA-CL"):
        measure(dataclasses.replace(outcome, predictions=few), STAMP)
