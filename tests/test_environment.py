"""environment.yml offers what requirements.lock and pyproject.toml ask for, at the same versions."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {
    "huggingface-hub": "huggingface_hub",
    "torch": "pytorch",
    "soxr": "soxr-python",
    "soundfile": "pysoundfile",
    "matplotlib": "matplotlib-base",
    "dask": "dask-core",
}
ONLY_CONDA = {"python", "pip", "montreal-forced-aligner"}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def lock():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normal(name): version for name, version in pins}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def environment():
    return yaml.safe_load((ROOT / "environment.yml").read_text())


@pytest.fixture(scope="module")
def offered(environment):
    """By name on PyPI: the version that environment.yml asks for."""
    pypi_names = {conda: pypi for pypi, conda in CONDA_NAMES.items()}
    versions = {}
    for entry in environment["dependencies"]:
        if isinstance(entry, dict):
            versions |= {
                normal(name): version for name, version in (line.split("==") for line in entry["pip"])
            }
        else:
            name, _, version = entry.partition("=")
            versions[pypi_names.get(name, name)] = version
    return versions


def test_the_lock_file_pins_each_package_once_and_names_no_index():
    text = (ROOT / "requirements.lock").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line) for line in lines)
    names = [normal(line.split("==")[0]) for line in lines]
    assert len(names) == len(set(names)) > 50
    assert "://" not in text
    assert "--index" not in text


def test_no_index_address_in_what_installs():
    for name in ("Makefile", ".ci/run", "environment.yml", "pyproject.toml"):
        assert "://" not in (ROOT / name).read_text(), name


def test_every_dependency_of_the_project_is_locked_and_offered_to_conda(lock, project, offered):
    asked = project["dependencies"] + project["optional-dependencies"]["test"]
    names = {normal(re.match(r"[A-Za-z0-9._-]+", item)[0]) for item in asked}
    assert names <= lock.keys()
    assert names <= offered.keys()


def test_conda_gets_the_locked_versions(lock, offered):
    shared = {name: version for name, version in offered.items() if name not in ONLY_CONDA}
    assert shared == {name: lock.get(name) for name in shared}


def test_conda_adds_the_forced_aligner_on_the_python_of_the_project(offered, environment, project):
    assert offered["montreal-forced-aligner"] == "3.4.3"
    assert offered["python"] == "3.11"
    assert project["requires-python"] == ">=3.11,<3.12"
    assert "conda-forge" in environment["channels"]


def test_the_lock_file_keeps_to_versions_that_start_prefect(lock):
    minor = int(lock["fastapi"].split(".")[1])
    assert lock["prefect"] == "3.8.8"
    assert 135 <= minor <= 150
    # SQLAlchemy 2.1 breaks the scheduler of Prefect 3.8.8 ("Can't evaluate bulk DML"): no run ever starts.
    assert lock["sqlalchemy"].startswith("2.0.")
    assert lock["torch"] == "2.13.0"
