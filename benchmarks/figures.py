"""A measured figure beside its target, and how a list of them is printed and kept as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One figure; ``target`` is in words, ``met`` None where there is none."""

    part: str
    what: str
    value: float
    unit: str = ""
    target: str = ""
    met: bool | None = None

    def line(self) -> str:
        """Return the figure as a line of the table."""
        mark = {True: "met   ", False: "MISSED", None: "      "}[self.met]
        aim = f" (target {self.target})" if self.target else ""
        return f"{mark}  {self.what}: {self.value:,.4g} {self.unit}".rstrip() + aim


def at_least(part: str, what: str, value: float, target: float, unit: str = "") -> Figure:
    return Figure(part, what, value, unit, f">= {target:g}", value >= target)


def at_most(part: str, what: str, value: float, target: float, unit: str = "") -> Figure:
    return Figure(part, what, value, unit, f"<= {target:g}", value <= target)


def summary(name: str, figures: Sequence[Figure], failed: Sequence[str]) -> str:
    """Return the one line that stands last."""
    aims = [figure for figure in figures if figure.met is not None]
    missed = [figure.what for figure in aims if not figure.met]
    text = f"{name}: {len(aims) - len(missed)} of {len(aims)} targets met"
    text += f"; missed: {'; '.join(missed)}" if missed else ""
    return text + (f"; failed: {'; '.join(failed)}" if failed else "")


def keep(path: Path, figures: Sequence[Figure], failed: Sequence[str]) -> None:
    content = {"figures": [asdict(figure) for figure in figures], "failed": list(failed)}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
