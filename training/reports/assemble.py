"""From the outcome of an experiment to its rows, tables on disk and the input of the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from store.records import Skipped, Utterance
from store.tables import write_records
from store.vocabulary import COMMON_RATE
from training.baselines import LinearChoice
from training.guards import Floors, floors
from training.metrics import confusion, out_of_set
from training.records import AnchorScore, Epoch, LabelAccess, Machine, Prediction, ResultRow
from training.reports.figures import VowelToken
from training.reports.notes import synthetic_warning
from training.reports.page import ReportInput
from training.reports.summary import Summary, summarise
from training.results import GuardFinding, Stamp, check_rows, score
from training.run import Outcome

ANCHOR_LABELS = {
    "pseudo": "pseudo: target segments carry the model's own predictions, so no target label is read",
    "oracle_val": "oracle_val: anchors and triplets read the labels of the target's training speakers",
    "none": "none: any target token of the vowel is an anchor",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The scores of one experiment: rows, the table's summaries, floors and the outcome of the guards."""

    rows: tuple[ResultRow, ...]
    summaries: tuple[Summary, ...]
    floors: Floors
    guards: tuple[GuardFinding, ...]
    warning: str = ""
    """Names the synthetic corpora, empty where there is none."""


def measure(outcome: Outcome, stamp: Stamp) -> Measured:
    """Score an outcome; see `training.results.score` and `training.reports.summary.summarise` for errors."""
    classes = outcome.experiment.classes
    rows = score(
        outcome.predictions,
        classes=classes,
        stamp=stamp,
        ledger=outcome.ledger,
        selected_on=dict.fromkeys((system.label for system in outcome.systems), outcome.selected_on),
    )
    return Measured(
        rows=rows,
        summaries=summarise(
            rows,
            outcome.predictions,
            outcome.systems,
            classes=classes,
            ledger=outcome.ledger,
            epochs=outcome.epochs,
            anchors=outcome.anchors,
            choices=outcome.choices,
        ),
        floors=floors(outcome.target, outcome.folds, classes),
        warning=synthetic_warning({item.corpus: item.synthetic for item in outcome.source + outcome.target}),
        guards=(*_split_guards(outcome), *_label_guards(outcome), *check_rows(rows)),
    )


def write_results(folder: Path, outcome: Outcome, rows: Sequence[ResultRow]) -> dict[str, Path]:
    """Write the Parquet tables of an experiment into ``folder``; return their paths by name.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    paths = {
        name: folder / f"{name}.parquet"
        for name in (
            "results",
            "predictions",
            "anchors",
            "epochs",
            "choices",
            "label_access",
            "left_out",
            "machine",
        )
    }
    write_records(paths["results"], rows, ResultRow)
    write_records(paths["predictions"], outcome.predictions, Prediction)
    write_records(paths["anchors"], outcome.anchors, AnchorScore)
    write_records(paths["epochs"], outcome.epochs, Epoch)
    write_records(paths["choices"], outcome.choices, LinearChoice)
    write_records(paths["label_access"], outcome.ledger.entries, LabelAccess)
    write_records(paths["left_out"], outcome.skipped, Skipped)
    machine = Machine(precision=outcome.precision, device=outcome.device)
    write_records(paths["machine"], (machine,), Machine)
    return paths


def report_input(
    outcome: Outcome,
    measured: Measured,
    stamp: Stamp,
    *,
    title: str,
    digests: Mapping[str, str],
    skipped: Sequence[Skipped] = (),
    vowels: Sequence[VowelToken] = (),
    remarks: Sequence[str] = (),
    configuration: str = "",
) -> ReportInput:
    """Return what the page shows of an outcome.

    ``digests`` adds specs, aligner and weights to the snapshot, manifest, configuration and code version of
    ``stamp``; ``skipped`` adds the rows of ingest, alignment and extraction to those of training.
    """
    return ReportInput(
        title=title, source=stamp.source, target=stamp.target,
        source_language=_language(outcome.source), target_language=_language(outcome.target),
        synthetic=stamp.synthetic, classes=outcome.experiment.classes, systems=outcome.systems,
        predictions=outcome.predictions, rows=measured.rows, floors=measured.floors,
        label_access=outcome.ledger.entries, anchors=outcome.anchors, epochs=outcome.epochs,
        choices=outcome.choices, vowels=tuple(vowels), utterances=outcome.source + outcome.target,
        skipped=(*skipped, *outcome.skipped), splits=outcome.splits, guards=measured.guards,
        protocol=(*protocol_lines(outcome), *remarks), configuration=configuration,
        star_usage="paper" if outcome.experiment.mode == "paper" else "usual",
        digests={
            "snapshot": stamp.snapshot, "manifest": stamp.manifest, "configuration": stamp.configuration,
            "code version": stamp.code_version, **digests,
        },
    )  # fmt: skip


def protocol_lines(outcome: Outcome) -> tuple[str, ...]:
    """Return the protocol in sentences, as it was run."""
    settings = outcome.experiment
    used = dict.fromkeys(system.anchor_labels for system in outcome.systems if "-CL" in system.model)
    machine = f"{outcome.precision} on {outcome.device}" if outcome.precision else "arithmetic not recorded"
    lines = [
        f"Mode {settings.mode}, preset {settings.preset}: at most {settings.epochs} epochs, "
        f"patience {settings.patience}, seeds {', '.join(map(str, settings.seeds))}; {machine}.",
        f"Closed set: utterances of other emotions than {', '.join(settings.classes)} are left out of both "
        "corpora by their labels, the target's adaptation and test utterances included, so the target is "
        "known to hold these classes only.",
        *(f"Recordings of {emotion} count as {counted}." for emotion, counted in settings.relabel.items()),
        f"{len(outcome.folds)} speaker-disjoint folds over {settings.target}: adaptation sees the training "
        "speakers' recordings without labels, every speaker is scored once a seed while held out.",
        f"{100 * settings.validation_share:.0f} % of the {settings.source} speakers choose the epoch (for "
        "the linear baseline, layer and C); which ones depends on the seed.",
        f"Frames {settings.frames}, layer {settings.layer} (the linear baseline chooses among all layers).",
        *(f"Anchor labels {ANCHOR_LABELS[mode]}." for mode in used),
    ]
    if outcome.absent_vowels:
        absent = ", ".join(f"/{vowel}/ ({side})" for vowel, side in outcome.absent_vowels.items())
        lines.append(f"Vowels that a side lacks, left out: {absent}.")
    return (*lines, *rate_lines(outcome.source, outcome.target))


def rate_lines(source: Sequence[Utterance], target: Sequence[Utterance]) -> tuple[str, ...]:
    """Return the native sampling rates, and a warning where a band is narrow or differs between corpora."""
    rates = {name: sorted({item.sample_rate for item in side}) for name, side in _sides(source, target)}
    written = ", ".join(
        f"{name} {' and '.join(f'{rate / 1000:g}' for rate in found)}" for name, found in rates.items()
    )
    lines = [
        f"Native sampling rates (kHz): {written}; all features are computed at {COMMON_RATE / 1000:g} kHz."
    ]
    bands = {min(rate, COMMON_RATE) / 2000 for found in rates.values() for rate in found}
    if min(bands) < COMMON_RATE / 2000:
        lines.append(
            f"WARNING: recordings below {COMMON_RATE / 1000:g} kHz have nothing above "
            f"{', '.join(f'{band:g}' for band in sorted(bands) if band < COMMON_RATE / 2000)} kHz"
            + (
                ": bandwidth differs between recordings and may stand for the corpus."
                if len(bands) > 1
                else "."
            )
        )
    return tuple(lines)


def _sides(
    source: Sequence[Utterance], target: Sequence[Utterance]
) -> tuple[tuple[str, Sequence[Utterance]], ...]:
    return tuple((side[0].corpus, side) for side in (source, target) if side)


def _split_guards(outcome: Outcome) -> tuple[GuardFinding, ...]:
    leaky = [report.split for report in outcome.splits if not report.clean]
    tested = [name for fold in outcome.folds for name in fold.test_speakers]
    speakers = {item.speaker for item in outcome.target}
    return (
        GuardFinding(
            guard="no speaker or recording on both sides of a split",
            passed=not leaky,
            detail=f"{len(outcome.splits) - len(leaky)} of {len(outcome.splits)} splits"
            + (f"; not {', '.join(leaky)}" if leaky else ""),
        ),
        GuardFinding(
            guard="every target speaker is tested once",
            passed=sorted(tested) == sorted(speakers),
            detail=f"{len(tested)} tests of {len(speakers)} speakers",
        ),
    )


def _label_guards(outcome: Outcome) -> tuple[GuardFinding, ...]:
    classes = outcome.experiment.classes
    supervised = [s.label for s in outcome.systems if not outcome.ledger.unsupervised(s.label)]
    marked = [s.label for s in outcome.systems if s.anchor_labels == "oracle_val"]
    hidden = [name for name in supervised if name not in marked]
    unnoted = [name for name in marked if name not in supervised]
    strangers = out_of_set(
        confusion(
            [item.emotion for item in outcome.predictions],
            [item.predicted for item in outcome.predictions],
            classes,
        )
    )
    return (
        GuardFinding(
            guard="target labels are read by systems marked so only",
            passed=not hidden,
            detail=f"read by {', '.join(supervised) or 'none'}",
        ),
        GuardFinding(
            guard="systems marked so have their reading of target labels in the ledger",
            passed=not unnoted,
            detail=f"{len(marked) - len(unnoted)} of {len(marked)}"
            + (f"; not {', '.join(unnoted)}" if unnoted else ""),
        ),
        GuardFinding(
            guard="no prediction names a class that the target lacks",
            passed=not strangers,
            detail=f"{strangers} of {len(outcome.predictions)} predictions",
        ),
    )


def _language(utterances: Sequence[Utterance]) -> str:
    return ", ".join(sorted({item.language for item in utterances}))
