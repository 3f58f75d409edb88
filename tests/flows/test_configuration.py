"""Reading, overriding, validating and digesting configurations."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.configuration import load, nearest, read_file
from pipeline.settings import BuildSettings
from store.errors import ConfigurationError
from training.experiment import Experiment


def test_the_defaults_are_the_embedded_sample():
    configuration = load()
    assert configuration.experiment.source == "sample-en"
    assert configuration.experiment.target == "sample-cmn"
    assert configuration.build.encoder == "logmel"
    assert configuration.corpora is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", "corpora='x'\n[build]\nencoder='e'\n[experiment]\nsource='ravdess'\ntarget='emodb'\n"),
        ("a.yaml", "corpora: x\nbuild: {encoder: e}\nexperiment: {source: ravdess, target: emodb}\n"),
        (
            "a.json",
            '{"corpora": "x", "build": {"encoder": "e"}, '
            '"experiment": {"source": "ravdess", "target": "emodb"}}',
        ),
    ],
)  # fmt: skip
def test_a_file_gives_the_same_in_every_format(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    configuration = load(tmp_path / name)
    assert str(configuration.corpora) == "x"
    assert configuration.build.encoder == "e"
    assert (configuration.experiment.source, configuration.experiment.target) == ("ravdess", "emodb")


def test_options_win_over_the_file_and_assignments_over_options(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("[experiment]\nepochs = 7\npatience = 2\nbatch_size = 3\n")
    configuration = load(
        file, overrides={"experiment": {"patience": 4, "batch_size": 8}}, assignments=["batch_size=9"]
    )
    experiment = configuration.experiment
    assert (experiment.epochs, experiment.patience, experiment.batch_size) == (7, 4, 9)


def test_assignments_read_values_and_lists():
    configuration = load(
        assignments=[
            "models=linear,CL",
            "build.layers=[2, 4]",
            "beta=0.25",
            "corpora=some/folder",
            "layer=-1",
        ]
    )
    assert configuration.experiment.models == ("linear", "CL")
    assert configuration.build.layers == (2, 4)
    assert configuration.experiment.beta == 0.25
    assert str(configuration.corpora) == "some/folder"
    assert configuration.experiment.layer == -1


@pytest.mark.parametrize("table", ["build", "experiment"])
@given(data=st.data())
def test_a_misspelt_key_is_refused_and_the_right_one_named(table, data):
    model = {"build": BuildSettings, "experiment": Experiment}[table]
    name = data.draw(st.sampled_from(sorted(key for key in model.model_fields if len(key) > 5)))
    position = data.draw(st.integers(1, len(name) - 1))
    wrong = name[:position] + "_q" + name[position:]
    with pytest.raises(ConfigurationError, match=f"did you mean '{name}'"):
        load(overrides={table: {wrong: 1}})


def test_an_unknown_table_is_refused():
    with pytest.raises(ConfigurationError, match="did you mean 'experiment'"):
        load(overrides={"experimnt": {}})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "[build\n", "valid TOML"),
        ("a.yaml", "a: [1\n", "valid TOML or YAML"),
        ("a.yaml", "- 1\n", "holds a list"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_file(tmp_path / name)


def test_the_digest_follows_what_may_change_results_only():
    base = load().digest
    assert load(assignments=["work=elsewhere", "corpora=there", "build.workers=3"]).digest == base
    assert load(assignments=["experiment.workers=1", "rehash=true"]).digest == base
    assert load(assignments=["epochs=19"]).digest != base
    assert load(assignments=["build.dtype=float32"]).digest != base
    merged = load(assignments=['relabel={excitement="happiness"}'])
    assert merged.digest != base
    assert merged.emotions == (*merged.experiment.classes, "excitement")


def test_what_is_written_reads_back_the_same(tmp_path):
    configuration = load(assignments=["models=linear", "seeds=4,5", "build.layers=all"])
    (tmp_path / "configuration.json").write_text(configuration.to_json())
    assert load(tmp_path / "configuration.json") == configuration
    assert json.loads(configuration.to_json())["digest"] == configuration.digest


def test_the_nearest_name():
    assert nearest("encodr", ["encoder", "epochs"]) == "encoder"
