"""The ledger of exports: what was registered comes back, in order, and damage is named."""

from dataclasses import replace

import pytest

from store.errors import StoreError
from store.export_log import Export, listed, now, record, this_host

ENTRY = Export(
    created=now(),
    format="parquet",
    destination="/data/ö export",
    host=this_host(),
    snapshot="a" * 64,
    commit=3,
    features=("mel",),
    specs=("b" * 64,),
    corpora=("toy",),
    licences=("CC0",),
    layers=(0, 5),
    utterances=7,
    files=2,
    bytes=1000,
)


def test_exports_come_back_oldest_first(store):
    late = replace(ENTRY, created="2031-01-02T03:04:05+00:00", corpora=("other", "toy"))
    early = replace(ENTRY, created="2001-01-02T03:04:05+00:00", layers=())
    for entry in (late, ENTRY, early):
        record(store.layout, entry)
    assert listed(store.layout) == (early, ENTRY, late)
    assert listed(store.layout, {"other"}) == (late,)
    assert listed(store.layout, {"toy"}) == (early, ENTRY, late)
    assert listed(store.layout, ()) == ()


def test_two_exports_of_one_second_are_both_kept(store):
    other = replace(ENTRY, destination="/elsewhere")
    record(store.layout, ENTRY)
    record(store.layout, other)
    assert set(listed(store.layout)) == {ENTRY, other}


def test_a_store_without_exports_lists_none(store):
    assert listed(store.layout) == ()


def test_a_damaged_entry_is_named(store):
    record(store.layout, ENTRY)
    (path,) = store.layout.exports.iterdir()
    path.write_text(path.read_text().replace("toy", "boy"))
    with pytest.raises(StoreError, match=path.name):
        listed(store.layout)
