"""The catalogue page: whole, self-contained, its numbers those of the statistics, hostile names harmless."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from store.catalogue import Store
from store.errors import StoreError
from store.feature_store import FeatureStore
from store.pages.catalogue import write_catalogue
from store.pages.histograms import BINS, histograms, spaced
from store.records import Skipped
from store.stats import stats
from tests.store.export_cases import FEATURES, HOSTILE, MEL, STATES, fill_all, opened
from tests.store.store_cases import fill, spec, utterance, values, wanted, write

VOID = {"meta", "br", "line", "path"}
EVIL = '"><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """Checks that every element is closed, and collects cells, code and attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.code, self.attributes, self.tags = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "data":
            self.rows[-1][-1] = dict(attrs)["value"]
        if tag == "code":
            self.code.append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "code" in self.open:
            self.code[-1] += data
        elif self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = fill_all(Store.create(tmp_path_factory.mktemp("page") / "store"))
    made.store.tag("paper <2>", None)
    return made


@pytest.fixture(scope="module")
def text(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("html") / "page.html"
    write_catalogue(opened(made), path)
    return path.read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_asks_no_network(text):
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(page.tags)
    assert not re.findall(r"https?:|url\(|@import|//[a-z]", text)
    links = [value for _, name, value in page.attributes if name in ("href", "src", "action")]
    assert links
    assert all(value.startswith("#") for value in links)
    anchors = {value for _, name, value in page.attributes if name == "id"}
    assert {value[1:] for value in links} <= anchors
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_the_numbers_are_those_of_the_statistics(made, text):
    found = stats(made.store)
    amounts = [*found.cells, *found.by_feature, *found.by_corpus, found.total]
    rows = [
        row
        for row in Page(text).rows
        if len(row) == 8 and row[0] in {spec.name for spec in FEATURES} | {"all"}
    ]
    assert len(rows) == len(amounts)
    for row, amount in zip(rows, amounts, strict=True):
        assert row[:2] == [amount.feature or "all", amount.corpus or "all"]
        assert [float(cell) for cell in row[2:7]] == [
            amount.utterances, amount.rows, amount.hours, amount.raw_bytes, amount.stored_bytes,
        ]  # fmt: skip


def test_every_spec_digest_and_parameter_is_there(made, text):
    for feature in FEATURES:
        assert feature.digest in text
        assert f"<h3>{feature.name}</h3>" in text
    commit = opened(made).commit
    for name in (commit.snapshot, commit.manifest, *commit.alignments):
        assert name in text
    assert "paper &lt;2&gt;" in text
    assert "CC-BY-4.0" in text
    assert "Synthetic speech: Ähre &amp; co" in text
    assert "no audio" in text


def test_the_examples_run_and_read_the_same(made, text):
    code = Page(text).code
    assert len(code) == 2 * len(FEATURES)
    reader = opened(made)
    for ours, plain in zip(code[::2], code[1::2], strict=True):
        first, second = {}, {}
        exec(compile(ours, "ours", "exec"), first)  # noqa: S102
        exec(compile(plain, "plain", "exec"), second)  # noqa: S102
        name = second["row"]["utterance"]
        assert first["values"].size
        np.testing.assert_array_equal(first["values"], second["values"])
        assert any(
            np.array_equal(first["values"], reader.read(spec, name), equal_nan=True) for spec in FEATURES
        )


def test_hostile_names_stay_text(tmp_path):
    feature = spec((2,), name=f"mel{EVIL}")
    item = utterance(1, id=f"toy/{HOSTILE}{EVIL}", licence=EVIL, emotion="</td><script>", speaker=EVIL)
    store = Store.create(tmp_path / "store")
    rows = {item.id: values(feature, 3)}
    left_out = Skipped(utterance=EVIL, corpus=EVIL, path=EVIL, stage="ingest", reason=f"{EVIL} after 3 s")
    with store.writer() as writer:
        write(store, writer, feature, [item], rows)
        writer.commit(
            manifest=store.put_manifest([item], [left_out]), alignments=[],
            wanted=[wanted(feature, item, 3)], lineage={"specs": EVIL},
        )  # fmt: skip
    write_catalogue(FeatureStore.open(store.path), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "img"} & set(page.tags)
    assert "after N s" in text
    assert any(EVIL in row[4] for row in page.rows if len(row) == 5)


def test_a_page_is_the_same_each_time_and_needs_a_file_name(made, tmp_path):
    for name in ("a.html", "b.html"):
        write_catalogue(opened(made), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    with pytest.raises(StoreError, match="the name of a file"):
        write_catalogue(opened(made), tmp_path)


def test_histograms_count_every_sampled_value(store):
    feature = spec((3,))
    made = fill(store, feature, [40] * 5)
    made_up = np.concatenate([made.rows[item.id].reshape(-1) for item in made.utterances])
    (found,) = histograms(FeatureStore.open(store.path), feature, ["toy"])
    assert found.values == made_up.size
    assert len(found.counts) == BINS
    assert sum(found.counts) == round((1 - found.beyond) * made_up.size)
    expected, _ = np.histogram(made_up, bins=BINS, range=(found.low, found.high))
    assert found.counts == tuple(expected)
    assert found.median == pytest.approx(np.median(made_up))
    heights = [float(part.split("H")[0]) for part in found.path.split("V")[1:-1]]
    assert min(heights) == 0


def test_a_histogram_says_what_is_not_a_number(made):
    toy, other = histograms(opened(made), STATES, ["toy", "Ähre & co"])
    assert toy.missing > 0
    assert other.missing > 0
    assert (toy.low, toy.high) == (other.low, other.high)
    assert histograms(opened(made), MEL, ["toy"])[0].missing == 0


def test_the_sample_is_spread_over_the_corpus():
    names = [f"u{at:04d}" for at in range(1000)]
    chosen = spaced(names[::-1], 10)
    assert chosen == names[::100]
    assert spaced(names[:3]) == names[:3]


def test_a_narrow_screen_names_each_cell_as_its_column(text):
    labels, columns = [], []
    for table in re.findall(r"<table[^>]*stack.*?</table>", text, re.DOTALL):
        columns.append(re.findall(r"<th scope=\"col\"[^>]*>([^<]*)</th>", table)[1:])
        labels.append(
            [re.findall(r'<td[^>]* data-label="([^"]*)"', row) for row in re.split("<tr[^>]*>", table)[2:]]
        )
    assert len([names for names in columns if names]) >= 3
    for names, rows in zip(columns, labels, strict=True):
        assert all(row in (names, ["commit", *names]) for row in rows if names)
