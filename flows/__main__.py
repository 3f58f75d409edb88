"""The command line: `phonanchor`, or `python -m flows`."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.build_options import BUILD, FOLDER, SUMMARY, TRAIN, configuration_of
from flows.corpora_commands import corpora_group
from flows.cron import check_cron
from flows.run_folders import find_run
from flows.split_commands import split_group
from flows.store_commands import store_group
from flows.store_options import ONLY_WORK, WORK
from store.catalogue import Store
from store.errors import ConfigurationError, PhonanchorError

if TYPE_CHECKING:
    from flows.configuration import Configuration

# Commands import what they run inside their functions: `store ls` must not wait for torch and Prefect, and
# Prefect reads its settings when it is imported. What can be checked before that is, so that a misspelt name
# is said at once.


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Turn emotional speech into aligned, versioned features once, and train across languages on them."""


commands.add_command(store_group)
commands.add_command(corpora_group)
commands.add_command(split_group)


@commands.command("train-crosslingual")
@BUILD
@TRAIN
@click.option("--only", type=click.Choice(["features", "train"]), help="Run one half of the job.")
@SUMMARY
def train_command(only: str | None, summary: Path | None, **options: Any) -> None:
    """Run the main job, from audio to the result table.

    Ingest, align, extract, commit, verify, train, report.
    """
    if only == "features":  # the other half needs alignments whatever the features
        options["assignments"] = ("build.align=true", *options["assignments"])
    configuration = configuration_of(options)
    if only == "features":
        _build(configuration, summary)
    elif only == "train":
        if summary is not None:
            raise click.UsageError("--summary tells of a rebuild: leave --only train out")
        Store.open(configuration.place)
        from flows.train_commands import train_only

        train_only(configuration)
    else:
        from flows import stages

        stages.check(configuration)
        from flows.build_commands import check_summary
        from flows.frames import check_frames

        check_frames(configuration)

        check_summary(summary)
        from flows.train_commands import train_crosslingual

        train_crosslingual(configuration, summary)


@commands.command("features")
@click.option("--corpus", "names", multiple=True, help="A corpus to build with all its emotions; repeatable.")
@BUILD
@SUMMARY
def features_command(summary: Path | None, **options: Any) -> None:
    """Ingest, align, extract, commit and verify; no training.

    Without --corpus, it is the pair of the experiment, in the experiment's classes.
    """
    _build(configuration_of(options), summary)


@commands.command("report")
@click.argument("run_id", required=False)
@ONLY_WORK
def report_command(run_id: str | None, work: Path) -> None:
    """Write the report of a run anew, by default the newest.

    Nothing is trained: the tables of the run are read again.
    """
    find_run(work, run_id)
    from flows.train_commands import report_again

    report_again(work, run_id)


@commands.command("align")
@click.option("--corpus", required=True, help="Name of the corpus; see 'phonanchor corpora'.")
@click.option("--corpora", type=FOLDER, help="Folder that holds the corpus folders.")
@click.option("--aligner", help="embedded (the default), mfa, textgrid or hand.")
@click.option(
    "--textgrids",
    type=FOLDER,
    help="Folder of the alignments for --aligner textgrid, or of hand labels that lie outside the corpus.",
)
@click.option("--tier", help="Name of the phone tier for --aligner textgrid; found by itself if left out.")
@click.option("--mfa-model", type=FOLDER, help="Pretrained acoustic model (zip) for --aligner mfa.")
@click.option("--mfa-dictionary", type=FOLDER, help="The dictionary of --mfa-model.")
@click.option("--export", type=FOLDER, help="Write one row a phone to FILE.parquet or FILE.csv.")
@click.option("--report", type=FOLDER, help="Write a page with pictures of the alignment to FILE.html.")
@click.option("--utterance", "utterances", multiple=True, help="An utterance to draw; repeatable.")
@click.option("--workers", type=click.IntRange(0), help="Parallel jobs.")
@click.option("--retrain", is_flag=True, help="Train the aligner anew.")
@click.option("--rehash", is_flag=True, help="Read every audio file again.")
@click.option("--config", type=FOLDER, help="A TOML or YAML file with [build].")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting; repeatable.")
@click.option("--work", type=FOLDER, help="Working folder (work).")
def align_command(**options: Any) -> None:
    """Align one corpus: keep or export phones with times."""
    from flows.alignment import AlignRequest, run_align

    run_align(AlignRequest(**options))


@commands.command("phones")
@click.argument("language")
@click.argument("other", required=False)
def phones_command(language: str, other: str | None) -> None:
    """Show the vowels of a language, or what two share.

    Which shared vowel each vowel of LANGUAGE is, and what it has in common with OTHER.
    """
    from flows.phone_tables import phone_lines

    for line in phone_lines(language, other):
        click.echo(line)


@commands.command("show")
@click.argument("utterance", required=False)
@click.option("--corpus", help="Draw the recordings of a corpus: emotions, speakers, durations.")
@click.option("--corpora", type=FOLDER, help="Folder that holds the corpus folders, for the waveform.")
@click.option("--snapshot", help="Tag or id; the newest by default.")
@click.option("--to", type=FOLDER, help="The SVG file to write.")
@WORK
def show_command(**options: Any) -> None:
    """Draw an utterance or a corpus of the store.

    Sound, log-mel, formants and phones of UTTERANCE (CORPUS/STEM), or a whole --corpus.
    """
    from flows.show import ShowRequest, show

    show(ShowRequest(**options))


@commands.command("schedule")
@click.option("--cron", default="0 3 * * *", show_default=True, help="When to rebuild, in UTC.")
@click.option("--every", type=click.FloatRange(min=1), hidden=True, help="Seconds, instead of --cron.")
@BUILD
def schedule_command(cron: str, every: float | None, **options: Any) -> None:
    """Rebuild the features on a schedule until Ctrl-C."""
    check_cron(cron)
    configuration = configuration_of(options)
    from flows import stages

    stages.check(configuration)
    from flows.build_commands import serve_schedule

    serve_schedule(configuration, cron, every)


@commands.command("encoders")
@click.option("--mirror", type=FOLDER, help="Folder of models; PHONANCHOR_MODELS by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def encoders_command(mirror: Path | None, as_json: bool) -> None:
    """List the speech encoders that have a short name.

    Others go by hub id or folder.
    """
    from flows.encoder_list import encoder_lines

    for line in encoder_lines(mirror, as_json=as_json):
        click.echo(line)


@commands.command("extractors")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def extractors_command(as_json: bool) -> None:
    """List the features that can be asked for.

    With shape, rate, what they depend on and their source.
    """
    from flows.extractor_list import extractor_lines

    for line in extractor_lines(as_json=as_json):
        click.echo(line)


@commands.command("doctor")
@ONLY_WORK
def doctor_command(work: Path) -> None:
    """Say what this machine offers and what is missing."""
    from flows.doctor import examine

    for finding in examine(work):
        click.echo(finding)


def _build(configuration: "Configuration", summary: Path | None) -> None:
    from flows import stages

    stages.check(configuration)
    from flows.build_commands import build_features

    build_features(configuration, summary)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0; 1, 2 or 3 after an error that a user can mend; or 130 when interrupted.

    1 means that a corpus is not as published (`phonanchor corpora check`), 3 that too many recordings were
    unusable, see `flows.guards.check_quarantined`.
    """
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop is a Ctrl-C
        commands.main(args=arguments, prog_name="phonanchor", standalone_mode=False)
    except PhonanchorError as error:
        click.echo(f"phonanchor: {error}", err=True)
        return error.exit_code
    except click.UsageError as error:
        usage = ConfigurationError("a valid command line", error.format_message(), "see phonanchor --help")
        click.echo(f"phonanchor: {usage}", err=True)
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("phonanchor: interrupted; finished work is kept, run the command again to go on", err=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
