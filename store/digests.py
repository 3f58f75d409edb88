"""Content digests: one canonical form, one hash, so that equal content has one name everywhere."""

import hashlib
import json
from collections.abc import Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def canonical_json(value: Json) -> str:
    """Return ``value`` as JSON with sorted keys and no spaces; NaN and infinity are refused (ValueError)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Json) -> str:
    """Return the SHA-256 (64 hex digits) of the canonical form of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def short(identifier: str) -> str:
    """Return the twelve leading digits of a digest, for people."""
    return identifier[:12]
