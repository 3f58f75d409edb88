"""Whether the disk has room for what an export is about to write."""

import shutil
from pathlib import Path

from store.errors import StoreError
from store.wording import size

MARGIN = 0.1
"""Share of the estimated size that must be free beside it."""


def require_space(folder: Path, needed: int) -> None:
    """Refuse to go on where less than ``needed`` bytes and `MARGIN` are free on the disk of ``folder``.

    Raises
    ------
    StoreError
        If they are not.
    """
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if needed * (1 + MARGIN) > free:
        raise StoreError(
            f"{size(needed * (1 + MARGIN))} free in {place} for the export ({MARGIN:.0%} margin)",
            size(free),
            "free space, choose another folder, or export fewer features, layers or corpora",
        )
