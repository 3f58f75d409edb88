"""Extractors of other packages, found through the entry point group ``phonanchor.extractors``."""

from importlib.metadata import EntryPoint, entry_points

from features.contract import Extractor
from store.errors import ConfigurationError
from store.records import FeatureSpec

GROUP = "phonanchor.extractors"


def names() -> tuple[str, ...]:
    """Return the names under which installed packages offer extractors, sorted."""
    return tuple(sorted({point.name for point in _points()}))


def claims(name: str) -> bool:
    """Tell whether an installed package offers an extractor of this name."""
    return any(point.name == name for point in _points())


def owner(name: str) -> str:
    """Return which packages offer an extractor of this name, in words."""
    return " and ".join(_owner(point) for point in _points() if point.name == name)


def load(name: str) -> Extractor:
    """Return the one installed extractor of a name.

    The entry point names a class, or a function, that gives the extractor without arguments. Raises
    `ConfigurationError` where two packages offer the name, the entry point cannot be imported or called, or
    what it gives is no extractor of that name.
    """
    points = [point for point in _points() if point.name == name]
    if len(points) > 1:
        raise ambiguous(name, " and ".join(_owner(point) for point in points[1:]), points[0])
    (point,) = points
    try:
        made = point.load()()
        found = made.spec if isinstance(made, Extractor) else None
    except Exception as error:  # whatever the other team's code raises, the user learns whose it is
        raise _useless(point, f"{type(error).__name__}: {error}") from error
    if not isinstance(found, FeatureSpec):
        raise _useless(point, f"{type(made).__name__}, which has no spec and extract_many")
    if found.name != name:
        raise _useless(point, f"an extractor whose spec is named {found.name!r}")
    return made  # type: ignore[no-any-return]


def ambiguous(name: str, other: str, point: EntryPoint | None = None) -> ConfigurationError:
    """Return the error of a name that two offer."""
    first = point or next(point for point in _points() if point.name == name)
    return ConfigurationError(
        f"one extractor named {name!r}",
        f"{_owner(first)} and {other} both offer it",
        "remove one of the packages, or have its author rename the entry point and the spec",
    )


def _points() -> tuple[EntryPoint, ...]:
    """Return the entry points of the group; a package that is found twice on the path counts once."""
    return tuple(
        {(point.name, point.value, _owner(point)): point for point in entry_points(group=GROUP)}.values()
    )


def _owner(point: EntryPoint) -> str:
    return f"the package {point.dist.name}" if point.dist else point.value


def _useless(point: EntryPoint, found: str) -> ConfigurationError:
    return ConfigurationError(
        f"an extractor from {_owner(point)} ({point.name} = {point.value})",
        found,
        "mend or remove that package; docs/extractors.md says what an extractor is",
    )
