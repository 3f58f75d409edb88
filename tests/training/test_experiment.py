import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

import training
from store.errors import ConfigurationError
from training.experiment import Experiment

MINIMAL = {"source": "one", "target": "two"}
parse = Experiment.model_validate
SHIPPED = sorted(Path(training.__file__).with_name("experiments").glob("*.toml"))


def test_presets_and_modes_are_defaults_that_settings_override() -> None:
    assert parse(MINIMAL).epochs == 20
    paper = parse({**MINIMAL, "preset": "paper", "mode": "paper", "epochs": 30})
    assert paper.learning_rate == 1e-4
    assert (paper.epochs, paper.patience, paper.seeds, paper.class_weights) == (
        30,
        10,
        tuple(range(10)),
        "none",
    )
    assert parse(MINIMAL).class_weights == "inverse_frequency"


def test_systems_are_the_rows_of_the_table() -> None:
    labels = [system.label for system in parse(MINIMAL).systems]
    assert labels == [
        "linear", "linear (per-speaker z)", "CL", "RA-CL (pseudo)", "GA-CL (pseudo)", "GA-CL (oracle_val)",
        "AGA-CL (pseudo)", "AGA-CL (oracle_val)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "one"}, "expected two corpora; found 'one'"),
        ({"epochs": 5}, "warm-up's 5; found 5"),
        ({"classes": ["anger"]}, "two or more classes; found anger"),
        ({"classes": ["anger", "joy"]}, "choose of .*happiness"),
        ({"relabel": {"joy": "happiness"}}, "joy = 'happiness'"),
        ({"relabel": {"anger": "happiness"}}, "anger = 'happiness'"),
        ({"relabel": {"excitement": "surprise"}}, "one of neutral"),
        ({"seeds": [1, 1]}, "each of experiment.seeds once; found 1, 1"),
        ({"models": []}, "one of experiment.models; found none"),
        ({"seeds": []}, "one of experiment.seeds; found none"),
        ({"d_model": 30}, "multiple"),
        ({"batch_size": 0}, "batch_size"),
        ({"beta": "x"}, "beta"),
        ({"models": ["XL"]}, "models"),
        ({"layer": "first"}, "layer"),
        ({"ed_scale": -1.0}, "ed_scale"),
    ],
)
def test_bad_values_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises((ConfigurationError, ValidationError), match=message):
        parse({**MINIMAL, **changes})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_experiments_are_valid(path: Path) -> None:
    assert parse(tomllib.loads(path.read_text(encoding="utf-8"))["experiment"]).systems


def test_there_are_shipped_experiments() -> None:
    assert {path.stem for path in SHIPPED} >= {"sample"}


def test_digest_ignores_only_the_number_of_processes() -> None:
    assert parse(MINIMAL).digest == parse({**MINIMAL, "workers": 2}).digest
    assert parse(MINIMAL).digest != parse({**MINIMAL, "beta": 0.6}).digest


def test_experiments_are_frozen_and_every_setting_is_documented() -> None:
    experiment = parse(MINIMAL)
    with pytest.raises(ValidationError, match="frozen"):
        experiment.beta = 1.0  # type: ignore[misc]
    undocumented = [name for name, field in Experiment.model_fields.items() if not field.description]
    assert undocumented == []


def test_scaling_by_speaker_is_named_in_every_row_that_uses_it() -> None:
    experiment = parse({"source": "a", "target": "b", "input_scaling": "speaker", "models": ["CL", "GA-CL"]})
    assert [system.label for system in experiment.systems] == [
        "CL (per-speaker z)", "GA-CL (pseudo, per-speaker z)", "GA-CL (oracle_val, per-speaker z)",
    ]  # fmt: skip


def test_paper_mode_is_the_published_procedure_whatever_the_preset() -> None:
    for preset in ("quick", "paper"):
        paper = parse({"source": "a", "target": "b", "mode": "paper", "preset": preset})
        assert (paper.learning_rate, paper.ed_scale, paper.input_scaling) == (1e-4, 6.0, "none")
        assert paper.anchor_labels[0] == "oracle_val"
        assert {"BA-CL", "WA-CL"} <= set(paper.models)
