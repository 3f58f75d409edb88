"""The result table: mean and SD over seeds, tests against CL and RA-CL, interval, the paper's value."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from statistics import fmean, stdev

from store.errors import TrainingError
from training.baselines import LinearChoice
from training.guards import Ledger
from training.records import AnchorScore, Epoch, Prediction, ResultRow, System
from training.reports.evidence import Adapted, Overlap, adapted, overlap
from training.reports.paper import PaperValue, paper_values
from training.results import pooled
from training.significance import Interval, PairedTest, bootstrap_speakers, holm, paired_t

REFERENCES = ("CL", "RA-CL")
"""The models that every other system is tested against: no adaptation, and random vowels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A paired test of one system against a reference, with its p value adjusted over the whole table."""

    against: str
    test: PairedTest
    p_holm: float = nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean and sample SD (ddof 1) over seeds, as fractions; the SD of one seed is NaN."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One row of the result table."""

    system: System
    n_seeds: int
    n: int
    uar: Spread
    wa: Spread
    macro_f1: Spread
    weighted_f1: Spread
    interval: Interval
    comparisons: tuple[Comparison, ...]
    paper: tuple[PaperValue, ...]
    selected_on: str
    label_access: str
    unsupervised: bool
    adapted: Adapted | None = None
    overlap: Overlap | None = None
    choices: tuple[LinearChoice, ...] = ()

    @property
    def transductive(self) -> bool:
        """Whether the system saw all unlabelled recordings of the speakers it was scored on."""
        return self.system.standardisation == "speaker"

    def against(self, model: str) -> Comparison | None:
        """Return the comparison with the reference ``CL`` or ``RA-CL``, if there is one."""
        return next((item for item in self.comparisons if item.against.split(" ")[0] == model), None)


def summarise(
    rows: Sequence[ResultRow],
    predictions: Sequence[Prediction],
    systems: Sequence[System],
    *,
    classes: Sequence[str],
    ledger: Ledger,
    epochs: Sequence[Epoch] = (),
    anchors: Sequence[AnchorScore] = (),
    choices: Sequence[LinearChoice] = (),
) -> tuple[Summary, ...]:
    """Return the table's rows in the order of ``systems``; p values are Holm-adjusted over the whole table.

    RA-CL serves as reference for the systems with its own mode of anchor labels. ``epochs``, ``anchors`` and
    ``choices`` say how far each system adapted and what the linear baseline chose.

    Raises
    ------
    TrainingError
        If a system has no pooled row.
    """
    summaries = [
        _summary(system, systems, rows, predictions, classes=classes, ledger=ledger) for system in systems
    ]
    p_values = iter(holm([item.test.p for summary in summaries for item in summary.comparisons]))
    return tuple(
        replace(
            summary,
            comparisons=tuple(replace(item, p_holm=next(p_values)) for item in summary.comparisons),
            adapted=adapted(summary.system.label, epochs, anchors) if _has_triplets(summary.system) else None,
            overlap=overlap(summary.system.label, anchors) if summary.system.model == "RA-CL" else None,
            choices=tuple(choice for choice in choices if choice.system == summary.system.label),
        )
        for summary in summaries
    )


def _summary(
    system: System,
    systems: Sequence[System],
    rows: Sequence[ResultRow],
    predictions: Sequence[Prediction],
    *,
    classes: Sequence[str],
    ledger: Ledger,
) -> Summary:
    own = pooled(rows, system.label)
    if not own:
        raise TrainingError(
            f"results of {system.label}", "none", "run the system or leave it out of the table"
        )
    scores = {row.seed: row.uar for row in own}
    return Summary(
        system=system,
        n_seeds=len(own),
        n=own[0].n,
        uar=_spread([row.uar for row in own]),
        wa=_spread([row.wa for row in own]),
        macro_f1=_spread([row.macro_f1 for row in own]),
        weighted_f1=_spread([row.weighted_f1 for row in own]),
        interval=bootstrap_speakers([p for p in predictions if p.system == system.label], classes),
        comparisons=tuple(
            Comparison(
                against=other.label,
                test=paired_t(scores, {row.seed: row.uar for row in pooled(rows, other.label)}),
            )
            for other in _references(system, systems)
        ),
        paper=paper_values(system.model, classes),
        selected_on=own[0].selected_on,
        label_access=own[0].label_access,
        unsupervised=ledger.unsupervised(system.label),
    )


def _has_triplets(system: System) -> bool:
    return system.model.endswith("-CL")


def _references(system: System, systems: Sequence[System]) -> list[System]:
    found = []
    for model in REFERENCES:
        modes = ("none",) if model == "CL" else (system.anchor_labels, "none")
        same = [s for s in systems if s.model == model and s.anchor_labels in modes and s != system]
        if same and system.model != model and not (system.model == "CL" and model == "RA-CL"):
            found.append(same[0])
    return found


def _spread(values: Sequence[float]) -> Spread:
    return Spread(mean=fmean(values), sd=stdev(values) if len(values) > 1 else nan)
