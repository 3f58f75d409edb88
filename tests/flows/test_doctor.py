"""The command `doctor`: what is there, what is absent and optional, and how a clone gets it."""

import re
import sys

from flows.__main__ import main


def test_what_is_optional_is_absent_and_not_ok(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("flows.doctor.OPTIONAL", {"no-such-package": "nothing"})
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^ok +espeak-ng +\d", out, re.MULTILINE)
    assert re.search(r"^ok +prefect +\d", out, re.MULTILINE)
    what = "optional, for nothing: .venv/bin/python -m pip install no-such-package"
    assert re.search(rf"^absent +no-such-package +{re.escape(what)}$", out, re.MULTILINE)
    assert re.search(r"^absent +mfa +optional, for --aligner mfa: install", out, re.MULTILINE)
    assert not list(tmp_path.iterdir())
