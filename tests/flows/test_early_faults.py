"""What a user mistypes is said before a library is loaded that the fault does not need."""

import json
import subprocess
import sys

import pytest

SLOW = ("dask.array", "distributed", "matplotlib", "numba", "prefect", "sklearn", "torch", "transformers")
RUN = """
import json, sys
from flows.__main__ import main
code = main(sys.argv[2:])
print(json.dumps({"code": code, "loaded": [name for name in sys.argv[1].split(",") if name in sys.modules]}))
"""


def run(*arguments, cwd):
    """Return exit code, the SLOW libraries that were loaded, and standard error of a command."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, ",".join(SLOW), *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    return *json.loads(done.stdout.splitlines()[-1]).values(), done.stderr


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("features", "--corpus", "emodbb"), "did you mean emodb?"),
        (("features", "--corpus", "emodb"), "--corpora DIR"),
        (("features", "--corpus", "emodb", "--corpora", "none"), "no folder none/emodb"),
        (("features", "--set", "features=logmel8"), "did you mean 'logmel80'?"),
        (("train-crosslingual", "--source", "ravdes", "--target", "emodb"), "did you mean ravdess?"),
        (("train-crosslingual", "--set", "epoch=3"), "did you mean 'epochs'?"),
        (("train-crosslingual", "--encoder", "whisper-bas"), "did you mean whisper-base?"),
        (("train-crosslingual", "--only", "train"), "found no phonanchor.json"),
        (("schedule", "--aligner", "embeded"), "embedded, mfa, textgrid, hand"),
        (("align", "--corpus", "sample-en", "--aligner", "embeded"), "embedded, mfa, textgrid, hand"),
        (("show", "--corpus", "sample-en"), "found no phonanchor.json"),
        (("report",), "no run yet"),
    ],
)
def test_a_fault_is_said_before_slow_libraries_are_loaded(tmp_path, arguments, found):
    code, loaded, error = run(*arguments, cwd=tmp_path)
    assert (code, loaded) == (2, [])
    assert found in error
    assert not list(tmp_path.iterdir())


def test_aligning_what_is_aligned_loads_no_compiler(phonanchor, pair, tmp_path):
    arguments = ("align", "--corpus", "sample-en", "--corpora", pair)
    assert phonanchor(*arguments)[0] == 0
    code, loaded, _ = run(*arguments, "--work", tmp_path / "work", cwd=tmp_path)
    assert (code, loaded) == (0, [])
