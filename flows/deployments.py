"""Serves the rebuild flow on a schedule, with a Prefect server of its own unless the user names one."""

from typing import Any

from prefect.schedules import Cron, Interval, Schedule

from flows.configuration import Configuration
from flows.rebuild import rebuild_features
from store.errors import ConfigurationError

NAME = "scheduled"


def schedule_of(cron: str, every: float | None) -> Schedule:
    """Return the schedule of a cron line in UTC, or of an interval in seconds.

    Raises
    ------
    ConfigurationError
        If the cron line is not valid.
    """
    if every is not None:
        return Interval(every)
    try:
        return Cron(cron, timezone="UTC")
    except ValueError as error:
        raise ConfigurationError(
            "a cron line of five fields", f"{cron!r} ({error})", "write for instance --cron '0 3 * * *'"
        ) from error


def serve(configuration: Configuration, schedule: Schedule) -> None:
    """Serve the rebuild flow until the process is told to stop; one rebuild runs at a time.

    Raises
    ------
    KeyboardInterrupt
        When it has stopped: Prefect takes Ctrl-C for a normal end, the command line says 130.
    """
    parameters: dict[str, Any] = {"configuration": configuration.model_dump(mode="json"), "scheduled": True}
    rebuild_features.serve(
        name=NAME,
        schedule=schedule,
        parameters=parameters,
        limit=1,
        print_starting_message=False,
        pause_on_shutdown=True,
    )
    raise KeyboardInterrupt
