"""Gives Prefect a private home in the working folder, a server as long as the command runs, and silence."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import which
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from store.atomic import unwritable
from store.errors import ConfigurationError
from store.settings import default_variable, environment, temporary_variable, variable

HOST = "127.0.0.1"
START_SECONDS = 120
"""How long a server may take to start, on a slow disk and the first time."""

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",  # errors are reported once, by the command line
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}


def prepare(work: Path) -> None:
    """Set up the environment that Prefect reads when it is imported; call before the first import of it.

    Whatever the user has set stays. Raises `StoreError` where ``work/prefect`` cannot be made.
    """
    home = (work / "prefect").resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)  # Prefect makes the last folder of its home only
    except OSError as error:
        raise unwritable(home, error) from error
    default_variable("PREFECT_HOME", str(home))
    for name, value in QUIET.items():
        default_variable(name, value)
    if variable("PREFECT_API_URL") is None:
        default_variable("PREFECT_LOGGING_TO_API_ENABLED", "false")


@contextmanager
def server(work: Path) -> Iterator[Callable[[], str]]:
    """Yield what waits for a server and returns its address: the user's, or a temporary one for the block.

    The temporary one, with its database in ``work/prefect``, starts while the block goes on: imports of
    Prefect and what the flows need take as long, and may begin before it answers.

    Raises
    ------
    ConfigurationError
        When waited for: if the own server does not start, or the user's does not answer.
    """
    prepare(work)
    address = variable("PREFECT_API_URL")
    if address is not None:
        yield partial(_answering, address)
        return
    port = _free_port()
    address = f"http://{HOST}:{port}/api"
    process = _start(port)
    try:
        with temporary_variable("PREFECT_API_URL", address):
            yield partial(_wait, process, address)
    finally:
        _stop(process)


def _answering(address: str) -> str:
    if not _healthy(address):
        raise ConfigurationError(
            f"a Prefect server at PREFECT_API_URL={address}",
            "no answer",
            "start it, or unset PREFECT_API_URL",
        )
    return address


def _start(port: int) -> subprocess.Popen[bytes]:
    outlived = ["setpriv", "--pdeathsig", "TERM"] if which("setpriv") else []  # ends if we are killed
    command = ["-m", "prefect", "server", "start", "--host", HOST, "--port", str(port), "--no-ui"]
    return subprocess.Popen(
        [*outlived, sys.executable, *command],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches us alone, so that the server outlives the last request to it
    )


def _wait(process: subprocess.Popen[bytes], address: str) -> str:
    began = monotonic()
    while not _healthy(address):
        if process.poll() is not None or monotonic() - began > START_SECONDS:
            found = "none" if process.poll() is None else f"it ended with code {process.returncode}"
            raise ConfigurationError(
                f"an own Prefect server within {START_SECONDS} s",
                found,
                "look at 'prefect server start', or set PREFECT_API_URL to a running one",
            )
        sleep(0.2)
    return address


def _healthy(address: str) -> bool:
    try:
        with urlopen(f"{address}/health", timeout=5) as answer:  # noqa: S310, http by construction
            return bool(answer.status == 200)
    except (URLError, OSError, ValueError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
