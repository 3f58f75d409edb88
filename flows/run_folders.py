"""Finds the folder of a finished run, before anything that writes reports is loaded."""

from pathlib import Path

from store.errors import ConfigurationError


def find_run(work: Path, name: str | None) -> Path:
    """Return the folder of a run by its id, or of the newest; raises `ConfigurationError` if none."""
    runs = sorted(path for path in (work / "runs").glob("[!.]*") if (path / "configuration.json").is_file())
    if not runs:
        raise ConfigurationError(
            f"a run in {work / 'runs'}",
            "no run yet",
            "run 'phonanchor train-crosslingual' first, or name --work",
        )
    if name is None:
        return runs[-1]
    found = [path for path in runs if path.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(path.name for path in runs[-5:])
    raise ConfigurationError(
        f"one run in {work / 'runs'}", f"{len(found)} called {name!r}; there are: {known}", "name one of them"
    )
