"""The table of published counts: every corpus is in it, it adds up, and its marks are read."""

import pytest

from pipeline.corpora import published as module
from pipeline.corpora.corpus import registered
from pipeline.corpora.published import Count, count, published
from pipeline.labels import label_table
from store.errors import ConfigurationError


def test_every_corpus_that_people_spoke_is_listed_and_no_other() -> None:
    assert set(published()) == {corpus.name for corpus in registered() if not corpus.synthetic}


@pytest.mark.parametrize("name", sorted(published()))
def test_classes_are_labels_of_the_corpus_and_add_up(name: str) -> None:
    entry = published()[name]
    assert set(entry.classes) <= set(label_table()[name])
    assert entry.title
    assert entry.obtain
    assert entry.layout
    assert entry.source
    total = entry.usable or entry.recordings
    if entry.classes and name != "shemo":  # two lists of one corpus
        assert sum(number.low for number in entry.classes.values()) in total


@pytest.mark.parametrize(
    ("cell", "expected", "shown"),
    [
        (604, Count(604, 604), "604"),
        ("604?", Count(604, 604, True), "604?"),
        ("500-605?", Count(500, 605, True), "500-605?"),
    ],
)
def test_counts(cell: int | str, expected: Count, shown: str) -> None:
    assert count(cell) == expected
    assert str(expected) == shown


def test_a_damaged_entry_is_one_clear_error(tmp_path, monkeypatch) -> None:
    (tmp_path / "published.toml").write_text('[emodb]\nrecordings = "many"\n')
    monkeypatch.setattr(module, "TABLE", tmp_path / "published.toml")
    published.cache_clear()
    with pytest.raises(ConfigurationError, match=r"\[emodb\].*many"):
        published()
    published.cache_clear()
