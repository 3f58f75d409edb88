"""The two documents of every export: README.md for people and export.json for programs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from store.digests import short
from store.exports.selection import Column, Selection
from store.wording import row_times

CARD, PROVENANCE = "README.md", "export.json"

READ_BACK = {
    "parquet": """from datasets import load_dataset

data = load_dataset("parquet", data_files="data/*.parquet", split="train").with_format("numpy")
print(data[0]["id"], data[0]["emotion"], {{name: data[0][name].shape for name in {names}}})""",
    "lhotse": """from lhotse import CutSet

cuts = CutSet.from_file("cuts.jsonl.gz")  # paths are relative to this folder
cut = next(iter(cuts))
print(cut.id, cut.supervisions[0].custom["emotion"], cut.custom)""",
    "webdataset": """import webdataset

data = webdataset.WebDataset("shard-{{000000..{last:06d}}}.tar", shardshuffle=False).decode()
sample = next(iter(data))
print(sample["json"]["id"], sample["json"]["emotion"], list(sample))""",
}


def provenance(selection: Selection, kind: str) -> dict[str, Any]:
    """Return where an export comes from, as plain JSON that does not depend on when and where it is made."""
    commit = selection.reader.commit
    return {
        "format": kind,
        "snapshot": commit.snapshot,
        "manifest": commit.manifest,
        "alignments": list(commit.alignments),
        "lineage": dict(commit.lineage),
        "features": [_feature(column, selection.rows[column.name]) for column in selection.columns],
        "corpora": _corpora(selection),
        "licences": list(selection.licences),
        "utterances": len(selection.utterances),
    }


def write_card(folder: Path, selection: Selection, described: Mapping[str, Any], shards: int) -> None:
    """Write README.md and export.json into ``folder``."""
    text = json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / PROVENANCE).write_text(text, encoding="utf-8")
    (folder / CARD).write_text(_card(selection, described, shards), encoding="utf-8")


def _feature(column: Column, rows: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": column.name,
        "shape": ["rows", *column.dims],
        "layers": list(column.layers),
        "utterances": len(rows),
        "rows": sum(rows.values()),
        "digest": column.spec.digest,
        "spec": column.spec.canonical(),
    }


def _corpora(selection: Selection) -> list[dict[str, Any]]:
    groups = {
        name: [item for item in selection.utterances if item.corpus == name] for name in selection.corpora
    }
    return [
        {
            "corpus": name,
            "licences": sorted({item.licence for item in own}),
            "languages": sorted({item.language for item in own}),
            "synthetic": any(item.synthetic for item in own),
            "utterances": len(own),
            "speakers": len({item.speaker for item in own}),
            "hours": round(sum(item.seconds for item in own) / 3600, 6),
        }
        for name, own in groups.items()
    ]


def _card(selection: Selection, described: Mapping[str, Any], shards: int) -> str:
    kind = described["format"]
    names = [column.name for column in selection.columns]
    front = ["---", "configs:", "- config_name: default", '  data_files: "data/*.parquet"', "---", ""]
    corpora, features = described["corpora"], described["features"]
    lines = [
        *(front if kind == "parquet" else []),
        "# Speech features with emotion labels",
        "",
        f"Exported by Phonanchor as {kind} from snapshot `{described['snapshot']}`.",
        "`export.json` has the parameters of every feature and what the snapshot was made from.",
        "",
        "## Corpora and licences",
        "",
        "The licence of a corpus holds for features computed from it too.",
        "",
        *_table(
            ("corpus", "licence", "language", "utterances", "speakers", "hours", "synthetic"),
            (
                (row["corpus"], ", ".join(row["licences"]), ", ".join(row["languages"]), row["utterances"],
                 row["speakers"], f"{row['hours']:.3f}", "SYNTHETIC" if row["synthetic"] else "no")
                for row in corpora
            ),
        ),
        "",
        "## Features",
        "",
        "Time is the first axis of every value. An utterance without rows of a feature (not aligned, or left",
        "out) has none here either.",
        "",
        *_table(
            ("feature", "shape", "number type", "rows", "utterances", "time", "layers", "digest"),
            (
                (row["name"], f"({', '.join(map(str, row['shape']))})", row["spec"]["dtype"], row["rows"],
                 row["utterances"], row_times(column.spec), ", ".join(map(str, row["layers"])) or "–",
                 short(row["digest"]))
                for row, column in zip(features, selection.columns, strict=True)
            ),
        ),
        "",
        "Layers count from 0 among those that the store holds; phones are timed in samples at 16 kHz.",
        "",
        "## Reading",
        "",
        "```python",
        READ_BACK[kind].format(names=names, last=max(shards - 1, 0)),
        "```",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Return the lines of a Markdown table; nothing in a cell can end it or become markup."""
    heads = tuple(heads)
    lines = [heads, ("---",) * len(heads), *(tuple(_cell(value) for value in row) for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(value: object) -> str:
    text = " ".join(str(value).split())
    for char in "\\`*_[]<>|&":
        text = text.replace(char, f"&#{ord(char)};")
    return text
