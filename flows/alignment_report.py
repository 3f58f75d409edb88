"""Makes the page of `align --report`: chooses utterances, loads samples, measures formants."""

from collections.abc import Sequence
from pathlib import Path

from features.formants import formants
from pipeline.align import AlignedCorpus
from pipeline.aligners.aligner import Load
from pipeline.gate import SHORTEST
from pipeline.phones import articulatory_class
from store.digests import short
from store.errors import ConfigurationError
from store.records import Alignment, Utterance
from training.reports.alignment_figures import draw_utterance
from training.reports.alignment_page import (
    AlignmentContent,
    group_reasons,
    phone_rows,
    phone_values,
    write_alignment_page,
)
from training.reports.figures import Drawing


def write_alignment_report(
    path: Path, aligned: AlignedCorpus, utterances: Sequence[Utterance], load: Load, names: Sequence[str]
) -> None:
    """Write the page of an aligned corpus, with a picture of each named utterance.

    Parameters
    ----------
    path, aligned, utterances, load
        The page's file, the corpus's alignments, its manifest and what gives an utterance's samples.
    names
        File stems or ids; without any, the utterance of the median score is drawn.

    Raises
    ------
    ConfigurationError
        If a named utterance is not there or has no alignment.
    StoreError
        If the file cannot be written.
    """
    by_id = {utterance.id: utterance for utterance in utterances}
    pictures = [
        _picture(number, by_id[row.utterance], row, load) for number, row in enumerate(chosen(aligned, names))
    ]
    values = phone_values(aligned.alignments)
    phones = [phone for row in aligned.alignments for phone in row.phones]
    content = AlignmentContent(
        title=f"Alignment of {aligned.corpus}",
        aligner=f"the aligner '{aligned.aligner}' (with its model: {short(aligned.identity)})",
        notes=aligned.notes,
        n_utterances=len(utterances),
        n_aligned=len(aligned.alignments),
        n_phones=len(phones),
        shortest_ms=round(1000 * SHORTEST),
        reasons=group_reasons(aligned.unaligned),
        left_out=aligned.unaligned,
        phones=phone_rows(
            values,
            {phone: articulatory_class(phone) for phone in values},
            {item.phone: item.vowel for item in phones if item.vowel is not None},
            SHORTEST,
        ),
    )
    write_alignment_page(path, content, pictures, values, SHORTEST)


def chosen(aligned: AlignedCorpus, names: Sequence[str]) -> list[Alignment]:
    """Return the alignments of the named utterances, or that of the median score."""
    if not names:
        ranked = sorted(aligned.alignments, key=lambda row: (row.score, row.utterance))
        return ranked[len(ranked) // 2 : len(ranked) // 2 + 1]
    found = {row.utterance: row for row in aligned.alignments}
    ids = [name if "/" in name else f"{aligned.corpus}/{name}" for name in names]
    reasons = {row.utterance: row.reason for row in aligned.unaligned}
    for name in ids:
        if name in reasons:
            raise ConfigurationError(
                "an utterance with an alignment",
                f"{name}, which has none: {reasons[name]}",
                "name another; --set gate=false lets what the gate rejects pass",
            )
        if name not in found:
            raise ConfigurationError(f"an utterance of {aligned.corpus}", name, "name the stem of its file")
    return [found[name] for name in ids]


def _picture(number: int, utterance: Utterance, row: Alignment, load: Load) -> Drawing:
    samples = load(utterance)
    caption = (
        f"{utterance.id} ({utterance.emotion}, {utterance.gender}): {utterance.text or 'no text'} "
        f"Score {row.score:.2f}."
    )
    return draw_utterance(
        f"utterance-{number}", caption, samples, formants(samples, utterance.gender), row.intervals
    )
