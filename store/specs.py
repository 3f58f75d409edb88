"""Feature specs as the store keeps them: one JSON document for each, named by its digest."""

from collections.abc import Collection, Iterable
from typing import Any

from store.documents import read_document, write_document
from store.errors import StoreError
from store.layout import Layout
from store.records import FeatureSpec, FrameLaw

DIGEST_LENGTH = 64


def write_spec(layout: Layout, spec: FeatureSpec) -> None:
    """Store a spec unless it is there."""
    path = layout.spec(spec.digest)
    if not path.exists():
        write_document(path, spec.canonical())


def load_spec(layout: Layout, digest: str) -> FeatureSpec:
    """Return the spec of a digest.

    Raises
    ------
    StoreError
        If there is none, or it is damaged.
    """
    path = layout.spec(digest)
    content = read_document(path)
    try:
        spec = _from_json(content)
        found = spec.digest
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"a feature spec in {path}", "another document", "restore it") from error
    if found != digest:
        raise StoreError(f"spec {digest[:12]} in {path}", f"spec {found[:12]}", "restore it")
    return spec


def _from_json(content: dict[str, Any]) -> FeatureSpec:
    law = content["law"]
    return FeatureSpec(
        name=content["name"],
        version=content["version"],
        params=content["params"],
        dims=tuple(content["dims"]),
        dtype=content["dtype"],
        sample_rate=content["sample_rate"],
        law=FrameLaw(
            kind=law["kind"],
            hop=law["hop"],
            kernels=tuple(law["kernels"]),
            strides=tuple(law["strides"]),
            rows=law.get("rows", 0),
        ),
        uses=tuple(content["uses"]),
        parent=content["parent"],
    )


def known_specs(layout: Layout) -> tuple[FeatureSpec, ...]:
    """Return all specs of a store, by name and version."""
    paths = sorted(layout.specs.glob("[0-9a-f]*.json"))
    return in_order(load_spec(layout, path.stem) for path in paths)


def in_order(specs: Iterable[FeatureSpec]) -> tuple[FeatureSpec, ...]:
    """Return specs by name, version and digest."""
    return tuple(sorted(specs, key=lambda spec: (spec.name, spec.version, spec.digest)))


def choose(specs: Collection[FeatureSpec], digest_or_name: str, preferred: Collection[str]) -> FeatureSpec:
    """Return the one spec of a digest or name; of several of a name, the one among ``preferred`` digests.

    Raises
    ------
    StoreError
        If there is none, or more than one, listing what there is.
    """
    named = [spec for spec in specs if digest_or_name in (spec.digest, spec.name)]
    if len(named) > 1:
        named = [spec for spec in named if spec.digest in preferred] or named
    if len(named) == 1:
        return named[0]
    several = ", ".join(f"{spec.name} {spec.digest[:12]}" for spec in named or specs)
    raise StoreError(
        f"one feature {digest_or_name[:80]}",
        f"{len(named)} of that name; there are: {several or 'no features'}",
        "name one of these by its name or digest",
    )
