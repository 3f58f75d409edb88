"""Predictions become result rows, one for each system, seed and fold, and one pooled over the folds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from store.errors import TrainingError
from training.guards import Ledger, f1_is_possible, grim
from training.metrics import confusion, macro_f1_of, uar_of, wa_of, weighted_f1_of
from training.records import Prediction, ResultRow

POOLED = -1
"""The number of the fold that stands for all folds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What every row of one experiment carries beside its scores: names and digests."""

    experiment: str
    source: str
    target: str
    snapshot: str
    manifest: str
    configuration: str
    code_version: str
    synthetic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFinding:
    """The outcome of one guard, in one line."""

    guard: str
    passed: bool
    detail: str


def score(
    predictions: Iterable[Prediction],
    *,
    classes: Sequence[str],
    stamp: Stamp,
    ledger: Ledger,
    selected_on: Mapping[str, str],
) -> tuple[ResultRow, ...]:
    """Return the rows of all systems: per fold, then pooled over folds (``fold`` -1), for each seed.

    ``selected_on`` names for each system the rule that chose its model, e.g. ``source validation UAR``.
    Systems keep the order in which they first occur.

    Raises
    ------
    TrainingError
        If an utterance is predicted twice in one seed, seeds of one system score different utterances, or a
        system has no selection rule.
    """
    runs = _runs(predictions)
    _check_complete(runs)
    rows = []
    for (system, seed), items in runs.items():
        if system not in selected_on:
            raise TrainingError(f"the selection rule of {system}", "none", "name it in selected_on")
        for fold in (*sorted({item.fold for item in items}), POOLED):
            part = [item for item in items if fold in (POOLED, item.fold)]
            rows.append(
                _row(
                    part,
                    stamp,
                    system=system,
                    seed=seed,
                    fold=fold,
                    classes=classes,
                    label_access=ledger.summary(system),
                    selected_on=selected_on[system],
                )
            )
    return tuple(rows)


def pooled(rows: Iterable[ResultRow], system: str) -> tuple[ResultRow, ...]:
    """Return the rows of one system pooled over folds, by seed."""
    found = [row for row in rows if row.system == system and row.fold == POOLED]
    return tuple(sorted(found, key=lambda row: row.seed))


def check_rows(rows: Iterable[ResultRow]) -> tuple[GuardFinding, ...]:
    """Return what the arithmetic guards say of the rows: GRIM on every printed accuracy, F1 against UAR."""
    items = tuple(rows)
    odd = [row for row in items if not grim(round(100 * row.wa, 2), row.n)]
    high = [row for row in items if not f1_is_possible(row.macro_f1, row.uar)]
    return (
        GuardFinding(guard="GRIM: every accuracy is k/n", passed=not odd, detail=_detail(odd, len(items))),
        GuardFinding(guard="macro-F1 ≤ 2 UAR / (1 + UAR)", passed=not high, detail=_detail(high, len(items))),
    )


def _detail(failed: Sequence[ResultRow], n: int) -> str:
    names = ", ".join(f"{row.system} seed {row.seed} fold {row.fold}" for row in failed[:3])
    return f"{n - len(failed)} of {n} rows" + (f"; not {names}" if failed else "")


def _runs(predictions: Iterable[Prediction]) -> dict[tuple[str, int], list[Prediction]]:
    runs: dict[tuple[str, int], list[Prediction]] = {}
    for item in predictions:
        runs.setdefault((item.system, item.seed), []).append(item)
    return runs


def _check_complete(runs: Mapping[tuple[str, int], Sequence[Prediction]]) -> None:
    """Refuse runs that score an utterance twice or another set of utterances than the first run."""
    reference: set[str] | None = None
    for (system, seed), items in runs.items():
        names = {item.utterance for item in items}
        reference = names if reference is None else reference
        if len(names) != len(items) or names != reference:
            raise TrainingError(
                f"each of {len(reference)} utterances once in every run",
                f"{len(items)} predictions of {len(names)} utterances in {system}, seed {seed}",
                "score the same held-out utterances with every system",
            )


def _row(
    items: Sequence[Prediction],
    stamp: Stamp,
    *,
    system: str,
    seed: int,
    fold: int,
    classes: Sequence[str],
    label_access: str,
    selected_on: str,
) -> ResultRow:
    counts = confusion([item.emotion for item in items], [item.predicted for item in items], classes)
    return ResultRow(
        experiment=stamp.experiment, source=stamp.source, target=stamp.target,
        system=system, seed=seed, fold=fold,
        uar=uar_of(counts), wa=wa_of(counts), macro_f1=macro_f1_of(counts),
        weighted_f1=weighted_f1_of(counts),
        n=len(items), snapshot=stamp.snapshot, manifest=stamp.manifest, configuration=stamp.configuration,
        code_version=stamp.code_version, label_access=label_access, selected_on=selected_on,
        synthetic=stamp.synthetic,
    )  # fmt: skip
