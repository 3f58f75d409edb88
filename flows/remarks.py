"""What a reader of the page must know of the features and alignments behind a run."""

from collections.abc import Iterable, Mapping

from flows.configuration import Configuration
from pipeline.align import seed_only
from pipeline.aligners.embedded import SEED_ONLY
from store.catalogue import Store
from store.records import FeatureSpec, Utterance


def remarks(
    configuration: Configuration, specs: Iterable[FeatureSpec], utterances: Iterable[Utterance], store: Store
) -> tuple[str, ...]:
    """Return the remarks for the page: aligner, Whisper's padding and synthetic corpora, as they apply."""
    return (
        *_aligners(configuration, store),
        *_padding(specs),
        *_synthetic({item.corpus: item.synthetic for item in utterances}),
    )


def _aligners(configuration: Configuration, store: Store) -> tuple[str, ...]:
    build, experiment = configuration.build, configuration.experiment
    named = {name: build.aligners.get(name, build.aligner) for name in (experiment.source, experiment.target)}
    fitted = [name for name, aligner in named.items() if aligner == "embedded"]
    if not fitted:
        return ()
    return (
        f"The embedded aligner was fitted on all recordings and transcripts of {' and '.join(fitted)}, those "
        "of test speakers included; it reads no emotion labels.",
        *(f"Alignment of {name}: {SEED_ONLY}." for name in fitted if seed_only(store, name)),
    )


def _padding(specs: Iterable[FeatureSpec]) -> tuple[str, ...]:
    kinds = {spec.name: spec.params["padding"] for spec in specs if "padding" in spec.params}
    return tuple(
        f"Frames {name}: Whisper's 30 s of padding is computed exactly."
        if kind == "exact"
        else f"Frames {name}: Whisper's 30 s of padding is approximated by landmarks (padding = exact "
        "computes all of it), so values differ slightly from the encoder's own."
        for name, kind in kinds.items()
    )


def _synthetic(corpora: Mapping[str, bool]) -> tuple[str, ...]:
    names = [name for name, synthetic in corpora.items() if synthetic]
    if not names:
        return ()
    return (
        f"SYNTHETIC speech, spoken by espeak-ng: {', '.join(names)}. The scores say that the machinery works "
        "and nothing about people.",
    )
