"""Who may import whom, and which module owns which heavy library, read off the syntax trees."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "store": set(),
    "features": {"store"},
    "pipeline": {"features", "store"},
    "training": {"features", "store"},
    "flows": {"pipeline", "features", "training", "store"},
}
FEATURES_MAY_USE = {"store.records", "store.errors", "store.digests", "store.vocabulary"}
TRAINING_MAY_USE = {"features.segments", "features.framing"}
OWNERS = {
    "prefect": ("flows/",),
    "distributed": ("pipeline/cluster.py",),
    "soundfile": ("pipeline/audio.py",),
    "soxr": ("pipeline/audio.py",),
    "parselmouth": ("features/formants.py", "features/pitch.py"),
    "opensmile": ("features/egemaps.py",),
    "transformers": ("features/",),
    "librosa": ("features/", "pipeline/"),
    "espeakng_loader": ("pipeline/espeak.py",),
    "zarr": ("store/",),
    "zarrs": ("store/",),
    "torch": ("features/", "training/", "store/torch_dataset.py", "flows/doctor.py"),
    "matplotlib": ("training/reports/",),
    "click": ("flows/",),
    "lhotse": ("store/exports/",),
    "h5py": ("store/exports/",),
    "datasets": (),
    "webdataset": (),
    "rich": ("flows/", "training/reports/terminal.py"),
}
STANDARD_NAMES_TO_AVOID = {"ast", "ssl", "statistics", "select", "types", "utils"}


def sources():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@cache
def imports(path):
    """Return (dotted name, whether it runs only for type checkers) of every import, lazy ones too."""
    return tuple(_imports(path))


def _imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from ((name, node in typing_only) for name in names)


def relative(path):
    return path.relative_to(ROOT).as_posix()


def test_there_is_something_to_check():
    assert {relative(path).split("/")[0] for path in sources()} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_lies_below_it(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        ours = {name.split(".")[0] for name, _ in imports(path)} & PACKAGES.keys()
        assert ours - {package} <= PACKAGES[package], f"{relative(path)} imports {ours - {package}}"


def modules_of(package, user):
    """Every module of ``package`` that ``user`` imports, by file."""
    for path in sorted((ROOT / user).rglob("*.py")):
        for name, _ in imports(path):
            parts = name.split(".")
            if parts[0] == package and len(parts) > 1:
                yield relative(path), ".".join(parts[:2])


def test_features_use_records_and_errors_of_the_store_only():
    assert {name for _, name in modules_of("store", "features")} <= FEATURES_MAY_USE


def test_training_uses_only_arithmetic_of_the_features():
    assert {name for _, name in modules_of("features", "training")} <= TRAINING_MAY_USE


@pytest.mark.parametrize("library", OWNERS)
def test_a_heavy_library_has_one_owner(library):
    users = {
        relative(path) for path in sources() if library in {name.split(".")[0] for name, _ in imports(path)}
    }
    strangers = {user for user in users if not user.startswith(OWNERS[library])}
    assert not strangers


def test_the_dask_scheduler_is_used_in_one_place():
    users = {
        relative(path)
        for path in sources()
        for name, _ in imports(path)
        if name.split(".")[0] == "dask" and not name.startswith("dask.array")
    }
    assert users <= {"pipeline/cluster.py"}


def test_the_environment_is_read_in_one_place():
    users = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "putenv"}) or (
                isinstance(node, ast.ImportFrom)
                and node.module == "os"
                and {alias.name for alias in node.names} & {"environ", "getenv"}
            ):
                users.add(relative(path))
    assert users <= {"store/settings.py"}


def test_no_module_is_named_like_a_standard_one_and_each_says_what_it_is_for():
    for path in sources():
        assert path.stem not in STANDARD_NAMES_TO_AVOID, relative(path)
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), relative(path)


def test_nothing_pickles():
    users = {
        relative(path)
        for path in sources()
        if {"pickle", "joblib"} & {n.split(".")[0] for n, _ in imports(path)}
    }
    assert not users


def test_nothing_evaluates_text_or_loads_objects():
    """No call of eval or exec, and none that may unpickle: numpy with allow_pickle=False, no torch.load."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name, where = ast.unparse(node.func), f"{relative(path)}:{node.lineno}"
            assert name not in {"eval", "exec", "compile", "__import__", "torch.load", "np.fromstring"}, where
            if name in {"np.load", "np.save", "numpy.load", "numpy.save"}:
                pickles = {word.arg: ast.unparse(word.value) for word in node.keywords}.get("allow_pickle")
                assert pickles == "False", where
