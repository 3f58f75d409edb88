import math
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import StoreError
from store.records import Alignment, Utterance
from store.tables import content_digest, read_records, read_table, write_records
from tests.store.store_cases import alignment, utterance


@dataclass(frozen=True)
class Leaf:
    name: str | None
    weight: float


@dataclass(frozen=True)
class Tree:
    title: str
    count: int
    score: float | None
    ripe: bool
    sizes: tuple[int, ...]
    leaves: tuple[Leaf, ...]
    nested: tuple[tuple[str, ...], ...]
    best: Leaf


text = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.floats(allow_nan=False)
leaves = st.builds(Leaf, st.none() | text, numbers)
trees = st.builds(
    Tree,
    text,
    st.integers(-(2**63), 2**63 - 1),
    st.none() | numbers,
    st.booleans(),
    st.lists(st.integers(0, 9), max_size=3).map(tuple),
    st.lists(leaves, max_size=3).map(tuple),
    st.lists(st.lists(text, max_size=2).map(tuple), max_size=2).map(tuple),
    leaves,
)


@given(st.lists(trees, max_size=5))
def test_records_come_back_as_they_were_in_order(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("t") / "sub" / "t.parquet"
    write_records(path, records, Tree)
    assert read_records(path, Tree) == tuple(records)


def test_the_records_of_the_project_come_back(tmp_path):
    items = [utterance(1), utterance(2, text=None, group="g")]
    write_records(tmp_path / "u", items, Utterance)
    assert read_records(tmp_path / "u", Utterance) == tuple(items)
    write_records(tmp_path / "a", [alignment(item) for item in items], Alignment)
    (first, _) = read_records(tmp_path / "a", Alignment)
    assert first.intervals[0] == alignment(items[0]).intervals[0]
    assert math.isnan(first.intervals[1].score)


def test_a_table_is_read_without_this_code(tmp_path):
    write_records(tmp_path / "u.parquet", [utterance(7)], Utterance)
    (row,) = pq.read_table(tmp_path / "u.parquet").to_pylist()
    assert row["id"] == "toy/u007"
    assert row["text_id"] is None


def test_a_value_that_does_not_fit_is_refused_and_nothing_is_written(tmp_path):
    for changes in ({"n_samples": 1.5}, {"speaker": None}, {"n_samples": 2**70}, {"path": "\udcff"}):
        with pytest.raises(StoreError):
            write_records(tmp_path / "u", [utterance(1, **changes)], Utterance)
    assert list(tmp_path.iterdir()) == []


def test_a_field_that_has_no_column_is_a_programming_error(tmp_path):
    @dataclass(frozen=True)
    class Odd:
        pair: tuple[int, str]

    with pytest.raises(TypeError, match="no column"):
        write_records(tmp_path / "o", [Odd((1, "a"))], Odd)


def test_a_field_younger_than_the_file_takes_its_default(tmp_path):
    write_records(tmp_path / "u", [utterance(1)], Utterance)
    table = pq.read_table(tmp_path / "u")
    pq.write_table(table.drop_columns(["synthetic"]), tmp_path / "u")
    assert read_records(tmp_path / "u", Utterance) == (utterance(1),)
    pq.write_table(table.drop_columns(["speaker"]), tmp_path / "u")
    with pytest.raises(StoreError, match="speaker"):
        read_records(tmp_path / "u", Utterance)


def test_another_kind_version_or_a_foreign_table_is_refused(tmp_path):
    write_records(tmp_path / "u", [utterance(1)], Utterance)
    with pytest.raises(StoreError, match=r"a table of Alignment.*found Utterance"):
        read_records(tmp_path / "u", Alignment)
    table = pq.read_table(tmp_path / "u")
    newer = {b"phonanchor": b'{"kind": "Utterance", "version": 99}'}
    pq.write_table(table.replace_schema_metadata(newer), tmp_path / "u")
    with pytest.raises(StoreError, match="version 99"):
        read_records(tmp_path / "u", Utterance)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "u")
    with pytest.raises(StoreError, match="another kind"):
        read_records(tmp_path / "u", Utterance)


def test_a_missing_or_truncated_table_is_a_clear_error(tmp_path):
    with pytest.raises(StoreError, match="no such file"):
        read_records(tmp_path / "u", Utterance)
    write_records(tmp_path / "u", [utterance(1)], Utterance)
    (tmp_path / "u").write_bytes((tmp_path / "u").read_bytes()[:-40])
    with pytest.raises(StoreError, match="run verify"):
        read_table(tmp_path / "u")


def test_a_flipped_byte_of_a_page_is_noticed_on_reading(tmp_path):
    items = [utterance(number) for number in range(50)]
    write_records(tmp_path / "u", items, Utterance)
    data = bytearray((tmp_path / "u").read_bytes())
    data[60] ^= 0x10
    (tmp_path / "u").write_bytes(data)
    with pytest.raises(StoreError):
        read_records(tmp_path / "u", Utterance)


def test_the_content_digest_follows_content_and_order():
    items = [utterance(1), utterance(2)]
    once = content_digest(items, Utterance)
    assert once == content_digest(tuple(items), Utterance)
    assert once != content_digest(items[::-1], Utterance)
    assert once != content_digest([items[0], replace(items[1], emotion="fear")], Utterance)
    assert content_digest([alignment(items[0])], Alignment) == content_digest(
        [alignment(items[0])], Alignment
    )
