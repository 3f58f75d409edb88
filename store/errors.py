"""Named errors: each says what was expected, what was found and what to do, in one line."""

import shlex
import sys
from pathlib import Path


class PhonanchorError(Exception):
    """An error a user can act on; the command line prints it as one line.

    Parameters
    ----------
    expected, found, remedy
        Short clauses without a final full stop, e.g. ``"a folder of EMO-DB"``, ``"no wav/ in x"``,
        ``"pass --corpora with the parent folder"``.

    ``exit_code`` is what the command line returns for it.
    """

    exit_code = 2

    def __init__(self, expected: str, found: str, remedy: str) -> None:
        self.expected, self.found, self.remedy = expected, found, remedy
        super().__init__(expected, found, remedy)  # all three, so that the error survives pickling by Dask

    def __str__(self) -> str:
        """Return the whole message on one line, whatever the clauses contain."""
        clauses = (f"expected {self.expected}", f"found {self.found}", f"to mend it: {self.remedy}")
        return "; ".join(" ".join(clause.split()) for clause in clauses)


class ConfigurationError(PhonanchorError):
    """A setting, name or command-line argument that is not valid."""


class CorpusError(PhonanchorError):
    """A corpus that is missing, empty or not laid out as published."""


class CorpusDiffersError(CorpusError):
    """A corpus that can be read and is not what is published of it."""

    exit_code = 1


class AudioError(PhonanchorError):
    """One audio file that cannot be used; ingest turns it into a quarantine row."""


class AlignmentError(PhonanchorError):
    """An aligner, its model, its language or its phone set that cannot serve."""


class ExtractionError(PhonanchorError):
    """A feature extractor or encoder that cannot serve."""


class StoreError(PhonanchorError):
    """A store that is missing, damaged, locked, unwritable or of another format version."""


class ObjectStoreError(PhonanchorError):
    """An object store that does not answer or refuses: what lies there is unknown, which is no damage."""


class TooManyQuarantinedError(PhonanchorError):
    """More recordings of a corpus cannot be used than were allowed; nothing was committed."""

    exit_code = 3


class TrainingError(PhonanchorError):
    """An experiment that cannot be run as asked."""


class SplitError(TrainingError):
    """A split that shares speakers, texts or audio where it must not."""


def install(*packages: str) -> str:
    """Return the command that adds packages to the environment that runs this, such as a clone's .venv."""
    python, here = Path(sys.executable), Path.cwd()
    shown = python.relative_to(here) if python.is_relative_to(here) else python
    return f"{shlex.quote(str(shown))} -m pip install {' '.join(packages)}"
