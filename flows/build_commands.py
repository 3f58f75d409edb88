"""What the commands that build features do: look for faults, give Prefect its home, run the flow, report."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from flows import prefect_home, stages
from flows.configuration import Configuration
from flows.cron import check_cron
from flows.stages import Features
from flows.store_options import size
from pipeline.corpora.corpus import corpus_by_name
from store.digests import short
from store.objects import ObjectPath

FOLDERS_BY_CORPUS = ("alignments", "mfa_models", "mfa_dictionaries")
"""Settings that name a place for each corpus."""


def build_features(configuration: Configuration) -> None:
    """Run the flow "rebuild-features" and say what was done, or that there was nothing to do."""
    prepare(configuration)
    from flows.rebuild import rebuild_features  # Prefect reads its environment on import: after prepare

    say_features(rebuild_features(configuration.model_dump(mode="json")).made)


def serve_schedule(configuration: Configuration, cron: str, every: float | None) -> None:
    """Serve the flow "rebuild-features" on a schedule until Ctrl-C."""
    check_cron(cron)
    prepare(configuration)
    placed = resolved(configuration)
    with prefect_home.server(configuration.work) as address:
        from flows.deployments import schedule_of, serve  # see build_features

        schedule = schedule_of(cron, every)
        when = f"every {every:g} s" if every is not None else f"at '{cron}' (UTC)"
        say(f"rebuild-features runs {when}; server {address}; Ctrl-C stops it")
        serve(placed, schedule)


def prepare(configuration: Configuration) -> None:
    """Find every fault that can be found at once, before anything starts, and give Prefect its home."""
    for name in configuration.corpus_names:
        stages.check_corpus(configuration, corpus_by_name(name, configuration.corpora))
    stages.check_aligners(configuration)
    stages.extractors_of(configuration)
    stages.check_writable(configuration.work)
    stages.check_store(configuration)
    prefect_home.prepare(configuration.work)


def resolved(configuration: Configuration) -> Configuration:
    """Return the configuration with absolute folders: scheduled runs start elsewhere."""
    corpora = configuration.corpora.resolve() if configuration.corpora else None
    encoder = configuration.build.encoder
    if Path(encoder).expanduser().is_dir():
        encoder = str(Path(encoder).expanduser().resolve())
    named = {key: _absolute(getattr(configuration.build, key)) for key in FOLDERS_BY_CORPUS}
    mirror = stages.model_mirror(configuration.build.mirror)
    folder = str(mirror.expanduser().resolve()) if mirror else None
    place = configuration.place
    store = str(place if isinstance(place, ObjectPath) else place.resolve())
    build = configuration.build.model_copy(update={"encoder": encoder, "mirror": folder, **named})
    return configuration.model_copy(
        update={"work": configuration.work.resolve(), "store": store, "corpora": corpora, "build": build}
    )


def _absolute(places: Mapping[str, str]) -> dict[str, str]:
    return {corpus: str(Path(place).expanduser().resolve()) for corpus, place in places.items()}


def say_features(features: Features) -> None:
    """Print what the rebuild did, and what it left out, with reasons and counts."""
    counts = Counter((row.stage, row.corpus, row.reason) for row in features.skipped)
    for (stage, corpus, reason), count in sorted(counts.items()):
        say(f"left out by {stage}: {count} of {corpus}: {reason}")
    mark = " (SYNTHETIC sample)" if features.synthetic else ""
    if features.is_new or features.computed:
        done = (
            f"computed {features.computed} row blocks, kept {features.kept}, dropped {features.dropped}, "
            f"quarantined {features.failed} recordings, wrote {size(features.bytes_written)}"
        )
    elif features.failed:
        failed = f"{features.failed} failed again (see left out)"
        done = f"nothing new: {features.kept} row blocks are there, {failed}"
    else:
        done = f"nothing to do: all {features.kept} row blocks are there"
    say(f"snapshot {short(features.snapshot)}{mark}: {done}")


def say(line: str) -> None:
    """Print one line as it is: no markup, and not broken, so that paths can be copied."""
    Console().print(line, markup=False, highlight=False, soft_wrap=True)
