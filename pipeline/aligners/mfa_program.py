"""Runs the Montreal Forced Aligner as a program: finds it, checks its version, shields its environment."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from store.errors import AlignmentError
from store.settings import environment

INSTALL = (
    "install montreal-forced-aligner 3.4 from conda-forge (conda env create -f environment.yml),"
    " or use --aligner embedded"
)
SUPPORTED_MAJOR = 3
"""`align` and `train` are announced to change their meaning in 4.0."""


@dataclass(frozen=True)
class MfaProgram:
    """The `mfa` program of one version; each run gets a private root and an absolute temporary folder."""

    path: str
    version: str

    def run(self, arguments: Sequence[str], scratch: Path, *, jobs: int) -> None:
        """Run one `mfa` command with everything it writes under ``scratch`` (absolute); failure raises.

        A relative temporary folder silently switches speaker adaptation off, the default root is the user's
        own, and training is repeatable only with a fixed hash seed and one job.
        """
        scratch = scratch.resolve()
        (scratch / "root").mkdir(parents=True, exist_ok=True)
        command = [
            self.path, *arguments, "-t", str(scratch / "tmp"), "--clean", "--overwrite", "--no_use_postgres",
            "-j", str(max(1, jobs)),
        ]  # fmt: skip
        shielded = {**environment(), "MFA_ROOT_DIR": str(scratch / "root"), "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=shielded, cwd=scratch)
        if done.returncode != 0:
            raise AlignmentError(
                f"mfa {arguments[0]} to end well", f"exit code {done.returncode}: {_last_line(done)}",
                "see the message, or use --aligner embedded",
            )  # fmt: skip


def find_mfa() -> MfaProgram:
    """Return the `mfa` on the search path.

    Raises
    ------
    AlignmentError
        If there is none, it does not start, or its major version is not the one this adapter knows.
    """
    path = shutil.which("mfa", path=environment().get("PATH"))
    if path is None:
        raise AlignmentError("the program mfa on the PATH", "none", INSTALL)
    try:
        done = subprocess.run([path, "version"], capture_output=True, text=True, check=False, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AlignmentError("a working mfa", f"{path}: {error}", INSTALL) from error
    version = re.search(r"\d+(\.\w+)+", done.stdout)
    if done.returncode != 0 or version is None:
        raise AlignmentError("a working mfa", f"{path} version: {_last_line(done)}", INSTALL)
    if int(version.group().split(".")[0]) != SUPPORTED_MAJOR:
        raise AlignmentError(f"mfa {SUPPORTED_MAJOR}.x", f"version {version.group()}", INSTALL)
    return MfaProgram(path, version.group())


def _last_line(done: "subprocess.CompletedProcess[str]") -> str:
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip(" │╭╮╰╯─")]
    return lines[-1] if lines else "no message"
