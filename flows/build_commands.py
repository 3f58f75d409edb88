"""What the commands that build features do: look for faults, start Prefect, run the flow, report."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from flows import prefect_home, stages
from flows.configuration import Configuration
from flows.cron import check_cron
from flows.summary import RunSummary
from flows.summary_text import lines
from pipeline.corpora.corpus import corpus_by_name
from store.errors import ConfigurationError
from store.objects import ObjectPath

FOLDERS_BY_CORPUS = ("alignments", "mfa_models", "mfa_dictionaries")
"""Settings that name a place for each corpus."""


def build_features(configuration: Configuration, summary: Path | None = None) -> None:
    """Run the flow "rebuild-features", say what was done, and write that to ``summary`` as JSON."""
    check_summary(summary)
    prepare(configuration)
    with prefect_home.server(configuration.work) as answering:
        from flows.rebuild import rebuild_features  # Prefect reads its environment on import

        answering()
        say_summary(rebuild_features(configuration.model_dump(mode="json")).summary, summary)


def serve_schedule(configuration: Configuration, cron: str, every: float | None) -> None:
    """Serve the flow "rebuild-features" on a schedule until Ctrl-C."""
    check_cron(cron)
    prepare(configuration)
    placed = resolved(configuration)
    with prefect_home.server(configuration.work) as answering:
        from flows.deployments import schedule_of, serve  # see build_features

        schedule = schedule_of(cron, every)
        when = f"every {every:g} s" if every is not None else f"at '{cron}' (UTC)"
        say(f"rebuild-features runs {when}; server {answering()}; Ctrl-C stops it")
        serve(placed, schedule)


def prepare(configuration: Configuration) -> None:
    """Find every fault that can be found at once, before anything starts."""
    for name in configuration.corpus_names:
        stages.check_corpus(configuration, corpus_by_name(name, configuration.corpora))
    stages.check_aligners(configuration)
    stages.extractors_of(configuration)
    stages.check_writable(configuration.work)
    stages.check_store(configuration)


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


def check_summary(path: Path | None) -> None:
    """Raise `ConfigurationError` where the file of a summary could not be written after the work."""
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise ConfigurationError(
            "a file in an existing folder for --summary", str(path), "name one, such as summary.json"
        )


def say_summary(summary: RunSummary, path: Path | None = None) -> None:
    """Print what the run did, and what it left out, with reasons and counts; write it to ``path`` as JSON."""
    if path is not None:
        summary.write(path)
    for line in lines(summary):
        say(line)


def say(line: str) -> None:
    """Print one line as it is: no markup, and not broken, so that paths can be copied."""
    Console().print(line, markup=False, highlight=False, soft_wrap=True)
