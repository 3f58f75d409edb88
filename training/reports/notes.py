"""The notes below the result table, the same on the terminal and on the page."""

from collections.abc import Mapping, Sequence
from math import isnan

from training.reports.paper import PAPER_NOTE
from training.reports.summary import Summary

SYNTHETIC_WARNING = "SYNTHETIC SPEECH: these scores test the machinery; they say nothing about people."
SUPERVISED_NOTE = "† reads target labels outside evaluation: not unsupervised."
TRANSDUCTIVE_NOTE = (
    "‡ transductive: z-scores use all unlabelled recordings of a speaker, scored ones included."
)
PARTIAL_NOTE = "§ some runs had no triplet in the epoch that was kept: those runs did not adapt."
NO_SPREAD_NOTE = "p n/a: the difference is the same in every seed, so there is no spread to test with."
MUCH_ALIKE = 0.5
"""From this mean overlap on, the note says that the random control differs little."""


def marks(row: Summary) -> str:
    """Return the marks behind the name of a row."""
    adapted = row.adapted
    flags = {"†": not row.unsupervised, "‡": row.transductive, "§": adapted is not None and adapted.partial}
    return "".join(f" {mark}" for mark, holds in flags.items() if holds)


def synthetic_warning(corpora: Mapping[str, bool]) -> str:
    """Return the warning that names the synthetic ones of the corpora (name -> synthetic), else nothing."""
    synthetic = [name for name, is_synthetic in corpora.items() if is_synthetic]
    recorded = [name for name in corpora if name not in synthetic]
    if not synthetic:
        return ""
    other = f"; {', '.join(recorded)}: recorded people" if recorded else ""
    return SYNTHETIC_WARNING.replace("SPEECH", f"SPEECH ({', '.join(synthetic)}{other})")


def mark_notes(summaries: Sequence[Summary]) -> tuple[str, ...]:
    """Return what the marks in the table mean, as far as they occur."""
    used = "".join(marks(row) for row in summaries)
    tests = [item.test for row in summaries for item in row.comparisons]
    notes = {
        SUPERVISED_NOTE: "†" in used,
        TRANSDUCTIVE_NOTE: "‡" in used,
        PARTIAL_NOTE: "§" in used,
        NO_SPREAD_NOTE: any(test.no_spread for test in tests),
        PAPER_NOTE: any(row.paper for row in summaries),
    }
    return tuple(note for note, applies in notes.items() if applies)


def adaptation_notes(summaries: Sequence[Summary]) -> tuple[str, ...]:
    """Return how far each triplet system adapted, and how far RA differs from GA."""
    lines = [_adaptation(row) for row in summaries if row.adapted is not None]
    return (*lines, *(_overlap(row) for row in summaries if row.overlap is not None))


def _adaptation(row: Summary) -> str:
    found = row.adapted
    if found is None:
        return ""
    held = ", ".join(f"{name} {n}" for name, n in found.emotions) or "none"
    rest = f"; {found.n_runs - found.n_adapted} did not adapt" if found.partial else ""
    kind = "true" if row.system.anchor_labels == "oracle_val" else "pseudo"
    known = (
        "labels not recorded" if isnan(found.labelled) else f"{100 * found.labelled:.0f} % had a {kind} label"
    )
    share = "no label is used" if row.system.anchor_labels == "none" else known
    return (
        f"{row.system.shown}: triplets in the kept epoch of {found.n_adapted} of {found.n_runs} runs (seed, "
        f"fold){rest}. Runs with anchors: {held}. Adaptation utterances: {share}."
    )


def _overlap(row: Summary) -> str:
    found = row.overlap
    if found is None:
        return ""
    shared = f"{len(found.vowels)} shared vowels (/{' '.join(found.vowels)}/)"
    little = (
        f"; of {shared}, so the control differs little" if found.jaccard >= MUCH_ALIKE else f"; of {shared}"
    )
    return (
        f"{row.system.shown}: the random set is the good set (GA) in {found.n_same} of {found.n_cells} cells "
        f"(seed, fold, emotion), {100 * found.n_same / found.n_cells:.0f} %; mean Jaccard overlap "
        f"{found.jaccard:.2f}{little}."
    )


def access_notes(summaries: Sequence[Summary]) -> tuple[str, ...]:
    """Return label access and selection rule, one line for each group of rows that share them."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in summaries:
        groups.setdefault((row.label_access, row.selected_on), []).append(row.system.shown)
    return tuple(
        f"Labels read by {', '.join(names)}: {access or 'none noted'}. Selected on {rule}."
        for (access, rule), names in groups.items()
    )


def choice_notes(summaries: Sequence[Summary]) -> tuple[str, ...]:
    """Return what the source validation speakers chose for the linear baseline, seed by seed."""
    lines = []
    for row in summaries:
        chosen = "; ".join(f"seed {c.seed}: layer {c.layer}, C {c.strength:g}" for c in row.choices)
        if chosen:
            lines.append(f"{row.system.shown}, layer (from 0) and C: {chosen}.")
    return tuple(lines)
