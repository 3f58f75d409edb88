"""Rows, summaries and paper values: completeness, pooling, references and flags."""

import dataclasses
from math import isnan

import pytest

from store.errors import TrainingError
from store.vocabulary import FOUR_CLASSES
from training.guards import Ledger
from training.metrics import uar
from training.records import Prediction, ResultRow, System
from training.reports import text
from training.reports.paper import paper_values
from training.reports.summary import Summary, summarise
from training.results import POOLED, Stamp, check_rows, pooled, score
from training.significance import holm, paired_t

CL, RA, AGA = (
    System(model="CL"),
    System(model="RA-CL", anchor_labels="pseudo"),
    System(model="AGA-CL", anchor_labels="pseudo"),
)
ORACLE = System(model="AGA-CL", anchor_labels="oracle_val")
SYSTEMS = (CL, RA, AGA, ORACLE)
STAMP = Stamp(
    experiment="e", source="a", target="b", snapshot="s", manifest="m", configuration="c", code_version="v",
    synthetic=True,
)  # fmt: skip


def predictions(systems: tuple[System, ...] = SYSTEMS, seeds: int = 3) -> list[Prediction]:
    """Four speakers in two folds; the share of right items grows with system, seed and speaker."""
    found = []
    for level, system in enumerate(systems):
        for seed in range(seeds):
            for speaker in range(4):
                for place in range(16):
                    emotion = FOUR_CLASSES[place % 4]
                    right = place < 4 + 2 * level + (seed * (level + 1)) % 4 + speaker
                    found.append(
                        Prediction(
                            system=system.label,
                            seed=seed,
                            fold=speaker // 2,
                            utterance=f"{speaker}/{place}",
                            speaker=str(speaker),
                            emotion=emotion,
                            predicted=emotion if right else FOUR_CLASSES[(place + 1) % 4],
                            probabilities=(0.25,) * 4,
                        )
                    )
    return found


def rows_of(items: list[Prediction], systems: tuple[System, ...] = SYSTEMS) -> tuple[ResultRow, ...]:
    return score(
        items,
        classes=FOUR_CLASSES,
        stamp=STAMP,
        ledger=ledger(),
        selected_on={s.label: "rule" for s in systems},
    )


def ledger() -> Ledger:
    book = Ledger()
    for system in SYSTEMS:
        book.note(system.label, "training", "source", "train", "cross-entropy")
    book.note(ORACLE.label, "anchors", "target", "train", "centroids")
    return book


def summaries(items: list[Prediction], systems: tuple[System, ...] = SYSTEMS) -> tuple[Summary, ...]:
    return summarise(rows_of(items, systems), items, systems, classes=FOUR_CLASSES, ledger=ledger())


def test_rows_per_fold_and_pooled() -> None:
    items = predictions()
    rows = rows_of(items)
    assert len(rows) == len(SYSTEMS) * 3 * 3
    assert [row.fold for row in rows[:3]] == [0, 1, POOLED]
    for row in rows:
        own = [
            i for i in items if (i.system, i.seed) == (row.system, row.seed) and row.fold in (POOLED, i.fold)
        ]
        assert row.n == len(own)
        assert row.uar == uar([i.emotion for i in own], [i.predicted for i in own], FOUR_CLASSES)
        assert (row.snapshot, row.manifest, row.configuration, row.synthetic) == ("s", "m", "c", True)
        assert (row.selected_on, row.label_access[:14]) == ("rule", "source: train ")
    assert [row.seed for row in pooled(rows, CL.label)] == [0, 1, 2]


def test_incomplete_or_doubled_runs_are_refused() -> None:
    items = predictions()
    with pytest.raises(TrainingError, match="65 predictions of 64"):
        rows_of([*items, items[-1]])
    with pytest.raises(TrainingError, match="63 predictions of 63"):
        rows_of(items[:-1])
    with pytest.raises(TrainingError, match="selection rule of AGA-CL"):
        rows_of(items, (CL, RA))


def test_arithmetic_guards_find_impossible_rows() -> None:
    rows = rows_of(predictions())
    assert all(finding.passed for finding in check_rows(rows))
    odd = dataclasses.replace(rows[0], wa=0.1234567, macro_f1=0.99, uar=0.3)
    findings = check_rows((odd, *rows[1:]))
    assert [finding.passed for finding in findings] == [False, False]
    assert "not CL seed 0 fold 0" in findings[0].detail


def test_summary_means_tests_and_holm() -> None:
    items = predictions()
    found = summaries(items)
    rows = rows_of(items)
    scores = {s.label: {row.seed: row.uar for row in pooled(rows, s.label)} for s in SYSTEMS}
    assert [row.system for row in found] == list(SYSTEMS)
    assert found[2].uar.mean == pytest.approx(sum(scores[AGA.label].values()) / 3)
    tests = [item for row in found for item in row.comparisons]
    assert tests[0].test == paired_t(scores[RA.label], scores[CL.label])
    assert [item.p_holm for item in tests] == list(holm([item.test.p for item in tests]))
    assert [[item.against for item in row.comparisons] for row in found] == [
        [], ["CL"], ["CL", "RA-CL (pseudo)"], ["CL"],
    ]  # fmt: skip
    assert found[2].against("RA-CL") is found[2].comparisons[1]
    assert found[0].against("CL") is None
    assert [row.unsupervised for row in found] == [True, True, True, False]


def test_a_single_seed_has_no_sd_and_no_p() -> None:
    found = summaries(predictions(seeds=1))
    assert isnan(found[2].uar.sd)
    assert isnan(found[2].comparisons[0].p_holm)
    assert text.spread(found[2].uar) == text.percent(found[2].uar.mean)
    assert "p" not in text.comparison(found[2].comparisons[0])


def test_a_system_without_results_is_named() -> None:
    items = predictions((CL,))
    with pytest.raises(TrainingError, match="results of RA-CL"):
        summarise(rows_of(items, (CL,)), items, (CL, RA), classes=FOUR_CLASSES, ledger=ledger())


def test_paper_values_are_those_of_table_5_both() -> None:
    published = {
        model: [v.value for v in paper_values(model, FOUR_CLASSES)]
        for model in ("CL", "BA-CL", "GA-CL", "AGA-CL")
    }
    assert published == {
        "CL": [52.01, 49.15], "BA-CL": [54.26, 53.31], "GA-CL": [57.49, 54.12], "AGA-CL": [58.14, 55.49],
    }  # fmt: skip
    assert [v.direction for v in paper_values("WA-CL", FOUR_CLASSES)] == ["M→B", "B→M"]


def test_no_paper_value_without_a_published_cell() -> None:
    assert paper_values("RA-CL", FOUR_CLASSES) == ()
    assert paper_values("linear", FOUR_CLASSES) == ()
    assert paper_values("CL", (*FOUR_CLASSES, "fear")) == ()


def test_a_flagged_cell_keeps_its_mark() -> None:
    value = dataclasses.replace(paper_values("CL", FOUR_CLASSES)[0], flagged=True)
    assert value.text == "52.01 ?"


def test_numbers_are_written_with_true_signs() -> None:
    assert text.p_value(0.0004) == "<0.001"
    assert text.p_value(0.0314) == "0.031"
    assert text.signed(-0.318) == "−0.32"
    assert text.percent(0.12345) == "12.3"
