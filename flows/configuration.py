"""One TOML or YAML file per experiment, command-line overrides on top: read, validated, digested, written."""

import difflib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.settings import BuildSettings
from store.digests import digest
from store.errors import ConfigurationError
from store.objects import place
from training.experiment import Experiment

SAMPLE = Path(str(files("training"))) / "experiments" / "sample.toml"
"""The experiment of the embedded sample: what runs when neither a file nor a corpus is named."""
MOST_WORKERS = 8
_BOTH = "pass --source NAME and --target NAME; 'phonanchor corpora' lists the names"
OPTIONS = {"experiment.source": _BOTH, "experiment.target": _BOTH}
"""How to give what has no default."""
_WITHOUT_EFFECT_ON_RESULTS = {
    "build": {
        "align",
        "alignments",
        "mirror",
        "workers",
        "scheduler",
        "rehash",
        "retrain",
        "max_quarantined",
    },
    "experiment": {"workers"},
}


class Configuration(BaseModel):
    """Everything one run of the main job depends on; frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    work: Path = Path("work")
    """Working folder: store (unless it lies elsewhere), caches, sample, runs and Prefect's home lie in it."""
    store: str | None = None
    """Folder or s3://bucket/prefix of the feature store; left out, ``store`` in the working folder."""
    corpora: Path | None = None
    """Folder that holds the corpus folders; the embedded sample needs none."""
    build: BuildSettings = Field(default_factory=BuildSettings)
    """Ingesting, aligning and extracting."""
    experiment: Experiment
    """Training and scoring."""

    @property
    def corpus_names(self) -> tuple[str, ...]:
        """The corpora that a build reads: those of ``build.names``, else the experiment's pair."""
        return self.build.names or (self.experiment.source, self.experiment.target)

    @property
    def emotions(self) -> tuple[str, ...] | None:
        """The emotions that a build keeps; None keeps all."""
        return None if self.build.names else self.experiment.emotions

    @property
    def place(self) -> Path:
        """Where the store lies."""
        return place(self.store) if self.store else self.work / "store"

    @property
    def digest(self) -> str:
        """SHA-256 of everything that may change a result: no folders, no numbers of workers."""
        skipped: dict[str, Any] = {"work": True, "store": True, "corpora": True, **_WITHOUT_EFFECT_ON_RESULTS}
        return digest(self.model_dump(mode="json", exclude=skipped))

    def to_json(self) -> str:
        """Return the resolved configuration, with its digest, as indented JSON."""
        return json.dumps({**self.model_dump(mode="json"), "digest": self.digest}, indent=2) + "\n"


def load(
    path: Path | None = None,
    *,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
    assignments: Sequence[str] = (),
    top: Mapping[str, object] | None = None,
) -> Configuration:
    """Return the validated configuration.

    Later sources win: the file at ``path``, ``top`` (``work``, ``store``, ``corpora``) and ``overrides`` (by
    table, from command-line options), ``assignments`` (``table.key=value`` from ``--set``). Where no corpus
    is named, what is left open is that of the embedded sample.

    Raises
    ------
    ConfigurationError
        On a missing or malformed file, an unknown key (naming the nearest valid one) or an invalid value.
    """
    asked: dict[str, Any] = {}
    file = read_file(path) if path else {}
    for source in (file, top or {}, overrides or {}, *(assigned(assignment) for assignment in assignments)):
        _merge(asked, source)
    experiment = asked.get("experiment")
    named = isinstance(experiment, dict) and experiment.keys() & {"source", "target"}
    given = {} if named else read_file(SAMPLE)
    _merge(given, asked)
    _fill_workers(given)
    return validated(given)


def validated(given: Mapping[str, object]) -> Configuration:
    """Return the configuration of a nested mapping; raises `ConfigurationError` for the first fault."""
    try:
        return Configuration.model_validate({key: value for key, value in given.items() if key != "digest"})
    except ValidationError as error:
        raise _explained(error) from error


def read_file(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML, YAML or JSON file; raises `ConfigurationError` where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        parsed = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigurationError(
            "a configuration file", f"{path} ({reason})", "name an existing TOML or YAML file"
        ) from error
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError("valid TOML or YAML", f"{path}: {error}", "correct the file") from error
    if parsed is not None and not isinstance(parsed, dict):
        raise ConfigurationError(
            "tables [build] and [experiment]",
            f"{path} holds a {type(parsed).__name__}",
            "write key = value lines",
        )
    return parsed or {}


def assigned(assignment: str) -> dict[str, Any]:
    """Return ``table.key=value`` as a nested mapping; a bare ``key`` is enough where one table has it.

    Raises
    ------
    ConfigurationError
        Without ``=``, for an unknown key, or for a bare key that both tables have.
    """
    name, equals, text = assignment.partition("=")
    name = name.strip()
    if not equals or not name:
        raise ConfigurationError("--set key=value", repr(assignment), "write for instance --set epochs=10")
    table, key = _located(name)
    field = _fields(table)[key]
    value = _parsed_value(text.strip(), several="tuple" in str(field.annotation))
    return {table: {key: value}} if table else {key: value}


def nearest(name: str, valid: Sequence[str]) -> str:
    """Return the valid name most like ``name``."""
    return difflib.get_close_matches(name, valid, n=1, cutoff=0.0)[0]


def _located(name: str) -> tuple[str, str]:
    """Return (table, key) of a dotted or bare name."""
    table, dot, key = name.rpartition(".")
    if dot:
        if table not in ("build", "experiment") or key not in _fields(table):
            raise _unknown(name, _all_keys())
        return table, key
    owners = [owner for owner in ("", "build", "experiment") if name in _fields(owner)]
    if name in ("build", "experiment") or not owners:
        raise _unknown(name, [key.rpartition(".")[2] for key in _all_keys()])
    if len(owners) > 1:
        choices = " or ".join(f"{owner}.{name}" for owner in owners)
        raise ConfigurationError("a key of one table", f"{name!r}, which both have", f"write {choices}")
    return owners[0], name


def _fields(table: str) -> Mapping[str, Any]:
    models: dict[str, type[BaseModel]] = {"": Configuration, "build": BuildSettings, "experiment": Experiment}
    return models[table].model_fields


def _all_keys() -> list[str]:
    return [
        "work",
        "store",
        "corpora",
        *(f"{table}.{key}" for table in ("build", "experiment") for key in _fields(table)),
    ]


def _unknown(name: str, valid: Sequence[str]) -> ConfigurationError:
    return ConfigurationError(
        "a known setting", f"the unknown key {name!r}", f"did you mean {nearest(name, valid)!r}?"
    )


def _parsed_value(text: str, *, several: bool) -> object:
    """Return a TOML value, else the text; ``a,b`` becomes a list where the setting takes several."""
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if not several or isinstance(value, list) or value in ("all", "auto"):
        return value
    return [_parsed_value(item.strip(), several=False) for item in text.split(",") if item.strip()]


def _merge(into: dict[str, Any], source: Mapping[str, Any]) -> None:
    """Lay ``source`` over ``into``, table by table; what is no table replaces, and is validated later."""
    for key, value in source.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            into[key].update(value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _fill_workers(given: dict[str, Any]) -> None:
    """Share the cores of this machine where the number of workers is left open."""
    cores = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    for table in ("build", "experiment"):
        values = given.setdefault(table, {})
        if isinstance(values, dict):
            values.setdefault("workers", cores if cores > 1 else 0)


def _explained(error: ValidationError) -> ConfigurationError:
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"]]
    name = ".".join(parts) or "configuration"
    if first["type"] == "extra_forbidden":
        table = parts[0] if len(parts) > 1 else ""
        valid = [key for key in _all_keys() if "." in key] if not table else list(_fields(table))
        suggestions = [*valid, "work", "store", "corpora", "build", "experiment"] if not table else valid
        return ConfigurationError(
            f"the settings of [{table}]" if table else "the tables [build] and [experiment]",
            f"the unknown key {name!r}",
            f"did you mean {_suggested(parts[-1], suggestions)!r}?",
        )
    if first["type"] == "missing":
        return ConfigurationError(f"a value of {name}", "none", OPTIONS.get(name, f"set {name}"))
    advice = first["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
    advice = advice.replace("expected ", "give ")
    return ConfigurationError(f"a valid value of {name}", f"{first['input']!r}"[:80], advice)


def _suggested(name: str, valid: Sequence[str]) -> str:
    """Return the nearest of possibly dotted names, judged by their last part."""
    by_last = {key.rpartition(".")[2]: key for key in valid}
    return by_last[nearest(name, list(by_last))]
