"""The command `extractors`, and an extractor of another package from its folder to the store."""

import json
import sys
from pathlib import Path

import pytest

from features.extractor import OPERATIONS, names
from features.registry import BUILT_IN
from flows.__main__ import main
from flows.extractor_list import OPERATION_NOTES, extractor_lines
from store.feature_store import FeatureStore

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "extractors.md").read_text(encoding="utf-8")
EXAMPLE = GUIDE.split("`team_loudness.py`:")[1].split("```python\n")[1].split("```")[0]
"""The extractor that the documentation shows."""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a tiny package into a folder of its own: a module and the metadata that pip would write."""
    made = []

    def install(name="team_loudness", code=EXAMPLE, entry="loudness = team_loudness:Loudness"):
        site = tmp_path / "site"
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}.py").write_text(code, encoding="utf-8")
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8"
        )
        (info / "entry_points.txt").write_text(f"[phonanchor.extractors]\n{entry}\n", encoding="utf-8")
        if not made:
            monkeypatch.syspath_prepend(str(site))
        made.append(name)

    yield install
    for name in made:
        sys.modules.pop(name, None)


def build(phonanchor, folder, features, *options):
    settings = ("--set", f"features={features}", *options)
    return phonanchor("features", "--corpus", "sample-en", "--corpora", folder, *settings)


@pytest.mark.slow
def test_extractors_of_other_packages_are_built_from_the_command_line(package, part, phonanchor, tmp_path):
    """On a worker process: one that keeps its law, and one whose rows are left out with the reason."""
    package()
    broken = EXAMPLE.replace('kind="ceil", hop=SECOND', 'kind="utterance"').replace('"loudness"', '"broken"')
    package("team_broken", broken, "broken = team_broken:Loudness")
    folder = part("sample-en", emotions=("neutral",)).parent
    options = ("--workers", "1", "--max-quarantined", "100", "--set", "gate=false")
    code, out, err = build(phonanchor, folder, "loudness,utterance-mean:loudness,broken", *options)
    assert code == 0, err
    assert "broken: expected (1, 1) by its frame law, found (" in out + err
    store = FeatureStore.open(tmp_path / "work" / "store")
    assert len(store.utterances) == 6
    for utterance in store.utterances:
        rows = store.read("loudness", utterance.id)
        assert rows.shape == (-(-utterance.n_samples // 16_000), 1)
        mean = store.read("utterance-mean-loudness", utterance.id)
        assert mean[0] == pytest.approx(rows.mean(axis=0), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"entry": "loudness = team_loudness:Nothing"}, "AttributeError"),
        ({"entry": "loudness = nowhere_to_be_found:Loudness"}, "No module named 'nowhere_to_be_found'"),
        ({"code": "raise RuntimeError('broken on purpose')"}, "broken on purpose"),
        ({"entry": "loudness = team_loudness:SECOND"}, "not callable"),
        ({"entry": "quietness = team_loudness:Loudness"}, "spec is named 'loudness'"),
        ({"code": "class Loudness:\n    spec = None\n"}, "no spec and extract_many"),
        ({"entry": "mfcc13 = team_loudness:Loudness"}, "and Phonanchor itself both offer it"),
    ],
)
def test_an_entry_point_that_cannot_serve_is_one_line_with_its_package(
    package, phonanchor, tmp_path, changes, said
):
    package(**changes)
    name = changes.get("entry", "loudness =").split(" ")[0]
    code, _, err = build(phonanchor, tmp_path, name)
    assert code == 2
    assert said in err
    assert "team_loudness" in err
    assert "Traceback" not in err

    lines = list(extractor_lines(as_json=False))
    assert any(line.startswith(f"{name} ") and "!!" in line and said in line for line in lines)


def test_two_packages_of_one_name_are_refused(package, phonanchor, tmp_path):
    package()
    package("other_loudness", entry="loudness = other_loudness:Loudness")
    code, _, err = build(phonanchor, tmp_path, "loudness")
    assert code == 2
    assert "one extractor named 'loudness'" in err
    assert "team_loudness" in err
    assert "other_loudness" in err


def test_the_list_shows_every_extractor_with_its_shape(package):
    package()
    content = json.loads("".join(extractor_lines(as_json=True)))
    listed = {item["name"]: item for item in content["extractors"]}
    assert set(listed) == set(names())
    assert listed["lmf23"]["dims"] == [23]
    assert listed["lmf23"]["rows"] == "302 always"
    assert listed["formants"]["depends"] == ["gender"]
    assert listed["wave144k"]["rate"] == 0
    assert listed["loudness"]["package"] == "the package team_loudness"
    assert set(content["operations"]) == set(OPERATIONS) == set(OPERATION_NOTES)


def test_the_command_prints_the_list(capsys):
    assert main(["extractors"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(any(line.startswith(f"{name} ") for line in lines) for name in names())


def test_the_documentation_names_every_extractor_and_operation():
    assert all(f"`{name}`" in GUIDE for name in BUILT_IN if not name.startswith("waveform-"))
    assert all(f"| `{name}` |" in GUIDE for name in OPERATIONS)
    assert 'loudness = "team_loudness:Loudness"' in GUIDE
