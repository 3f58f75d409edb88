"""Alignments made elsewhere: both TextGrid forms, MFA's JSON and CSV, and files that do not serve."""

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.align import align
from pipeline.aligners.aligner import tiled
from pipeline.aligners.hand import HandAligner
from pipeline.aligners.imported import ImportedAligner, phone_tier, read_tiers
from pipeline.aligners.textgrid import read_textgrid
from store.errors import AlignmentError, ConfigurationError
from store.records import Alignment, PhoneInterval, Skipped, Utterance
from store.vocabulary import COMMON_RATE

GOLDEN = Path(__file__).parent / "golden" / "mfa" / "expected"
SECONDS = {"alice_plain": 2.9858125, "alice_oov": 2.7575, "bob_pause_clitic": 4.35775, "dialogue": 5.5339375}
FORMS = ("long_textgrid", "short_textgrid", "json", "csv")


def make(stem: str, speaker: str, *, seconds: float = 1.0) -> Utterance:
    n_samples = round(SECONDS.get(stem, seconds) * COMMON_RATE)
    return Utterance(
        id=f"golden/{stem}", corpus="golden", path=f"{speaker}/{stem}.wav", speaker=speaker, gender="unknown",
        language="en", emotion="neutral", native_label="n", text="x", text_id=None, group=None,
        n_samples=n_samples, sample_rate=COMMON_RATE, n_channels=1, audio_sha256=stem, licence="none",
    )  # fmt: skip


def load(utterance: Utterance) -> NDArray[np.float32]:
    return np.zeros(utterance.n_samples, np.float32)


def only(folder: Path, utterance: Utterance) -> Alignment | Skipped:
    return next(iter(ImportedAligner(folder).align([utterance], load)))


def phones(alignment: Alignment | Skipped) -> list[str]:
    assert isinstance(alignment, Alignment), alignment
    return [item.phone for item in alignment.phones]


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_give_the_same_phones_and_times(form: str) -> None:
    for stem, speaker in (("alice_plain", "alice"), ("alice_oov", "alice"), ("bob_pause_clitic", "bob")):
        reference, found = (only(GOLDEN / name, make(stem, speaker)) for name in ("long_textgrid", form))
        assert phones(found) == phones(reference)
        assert isinstance(found, Alignment)
        assert isinstance(reference, Alignment)
        for one, other in zip(found.intervals, reference.intervals, strict=True):
            assert abs(one.start - other.start) <= 1
            assert one.vowel == other.vowel


def test_the_ordinary_case_in_detail() -> None:
    found = only(GOLDEN / "short_textgrid", make("alice_plain", "alice"))
    assert isinstance(found, Alignment)
    assert len(found.phones) == 23
    assert found.intervals[0] == PhoneInterval(phone="", vowel=None, start=0, stop=3040, score=0.0)
    assert found.intervals[-1].stop == round(SECONDS["alice_plain"] * COMMON_RATE)
    assert "oʊ" in phones(found)
    assert all(a.stop == b.start for a, b in pairwise(found.intervals))


def test_an_unknown_word_is_silence_and_pauses_stay() -> None:
    found = only(GOLDEN / "json", make("alice_oov", "alice"))
    assert isinstance(found, Alignment)
    assert any(item.phone == "" and (item.start, item.stop) == (16160, 32000) for item in found.intervals)
    assert "spn" not in phones(found)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_two_speakers_gives_each_his_own(form: str) -> None:
    folder = GOLDEN / f"multi_{form}"
    alice, bob = (only(folder, make("dialogue", name)) for name in ("alice", "bob"))
    assert isinstance(alice, Alignment)
    assert isinstance(bob, Alignment)
    assert alice.phones[-1].stop <= round(2.74 * COMMON_RATE) <= bob.phones[0].start
    stranger = only(folder, make("dialogue", "carol"))
    assert isinstance(stranger, Skipped)
    assert "no phone tier" in stranger.reason


def test_what_mfa_could_not_align_is_a_row_with_a_reason() -> None:
    row = only(GOLDEN / "csv", make("bob_too_long", "bob"))
    assert isinstance(row, Skipped)
    assert row.reason == "no TextGrid (nor JSON, CSV or phseg) of this name"
    assert row.stage == "align"


class NoStore:
    def put_model(self, name: str, data: bytes) -> str:
        raise NotImplementedError

    def latest_model(self, name: str) -> tuple[str, bytes] | None:
        raise NotImplementedError

    def latest_alignments(self, corpus: str, aligner_digest: str) -> tuple[Alignment, ...]:
        return self.kept if (corpus, len(aligner_digest)) == ("golden", 64) else ()

    kept: tuple[Alignment, ...] = ()


def test_aligning_a_corpus_from_textgrids_reuses_unchanged_files(tmp_path: Path) -> None:
    source = GOLDEN / "long_textgrid" / "alice" / "alice_plain.TextGrid"
    copy = tmp_path / "alice_plain.TextGrid"
    copy.write_bytes(source.read_bytes())
    store, corpus = NoStore(), [make("alice_plain", "alice"), make("missing", "alice")]
    first = align(store, "golden", corpus, load, aligner="textgrid", textgrids=tmp_path)
    assert (len(first.alignments), len(first.unaligned), first.computed) == (1, 1, 1)
    store.kept = first.alignments
    again = align(store, "golden", corpus, load, aligner="textgrid", textgrids=tmp_path)
    assert (again.reused, again.computed) == (1, 0)
    copy.write_bytes(source.read_bytes().replace(b"0.19", b"0.20"))
    changed = align(store, "golden", corpus, load, aligner="textgrid", textgrids=tmp_path)
    assert (changed.reused, changed.computed) == (0, 1)
    with pytest.raises(ConfigurationError, match="folder of alignments"):
        align(store, "golden", corpus, load, aligner="textgrid")
    with pytest.raises(AlignmentError, match="no folder"):
        align(store, "golden", corpus, load, aligner="textgrid", textgrids=tmp_path / "none")


def test_equal_names_are_told_apart_by_folder(tmp_path: Path) -> None:
    for speaker, stem in (("alice", "alice_plain"), ("bob", "alice_oov")):
        (tmp_path / speaker).mkdir()
        source = GOLDEN / "long_textgrid" / "alice" / f"{stem}.TextGrid"
        (tmp_path / speaker / "s1.TextGrid").write_bytes(source.read_bytes())
    aligner = ImportedAligner(tmp_path)
    assert aligner.find(make("s1", "bob")) == tmp_path / "bob" / "s1.TextGrid"
    assert aligner.find(replace(make("s1", "carol"), path="s1.wav")) is None


LONG = GOLDEN / "long_textgrid" / "alice" / "alice_plain.TextGrid"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "no TextGrid header"), (b"RIFF....WAVE", "no TextGrid header"),
        (LONG.read_bytes()[:900], "its end where"), (b"\xff\xfe\x00\xd8" + b"\x00\xd8" * 3, "neither UTF-8"),
        (LONG.read_bytes().replace(b"xmax = 0.37", b"xmax = 0.57"), "overlaps"),
        (LONG.read_bytes().replace(b"IntervalTier", b"SpectrumTier"), "class 'SpectrumTier'"),
        (LONG.read_bytes().replace(b"xmin = 0.19", b'xmin = "a"'), "where a number belongs"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_a_row_that_names_it(tmp_path: Path, data: bytes, found: str) -> None:
    (tmp_path / "broken.TextGrid").write_bytes(data)
    row = only(tmp_path, make("broken", "alice"))
    assert isinstance(row, Skipped)
    assert found in row.reason
    assert "broken.TextGrid" in row.reason


@pytest.mark.parametrize("name", ["broken.json", "broken.csv"])
@pytest.mark.parametrize("data", [b"[]", b"{", b"Begin,End\n1,x\n", b'{"tiers": {"phones": {}}}'])
def test_a_damaged_table_is_a_row(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    row = only(tmp_path, make("broken", "alice"))
    assert isinstance(row, Skipped)


def test_a_table_with_an_endless_field_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_text("Begin,End,Label,Type,Speaker\n0,1,a,phones,alice\n")
    limit = csv.field_size_limit(3)
    try:
        row = only(tmp_path, make("broken", "alice"))
    finally:
        csv.field_size_limit(limit)
    assert isinstance(row, Skipped)
    assert "field limit" in row.reason


def test_a_file_that_cannot_be_read_any_more_is_a_row(tmp_path: Path) -> None:
    labels = tmp_path / "a.lablaut"
    labels.write_text("#\n")
    hand, utterance = HandAligner(tmp_path), make("a", "alice")
    labels.unlink()
    assert hand.key(utterance)
    (row,) = hand.align([utterance], lambda _: np.zeros(16_000, dtype=np.float32))
    assert isinstance(row, Skipped)
    assert "cannot be read" in row.reason


def test_phones_after_the_end_and_unknown_phones_are_reported(tmp_path: Path) -> None:
    (tmp_path / "a.TextGrid").write_bytes(LONG.read_bytes())
    row = only(tmp_path, make("a", "alice", seconds=0.1))
    assert isinstance(row, Skipped)
    assert "after the end of the recording" in row.reason
    (tmp_path / "a.TextGrid").write_bytes(LONG.read_bytes().replace(b'"s"', b'"S99"'))
    row = only(tmp_path, make("a", "alice", seconds=3.0))
    assert isinstance(row, Skipped)
    assert "S99" in row.reason


def test_arpabet_utf16_and_point_tiers(tmp_path: Path) -> None:
    text = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exists>\n2\n"TextTier"\n"clicks"\n0\n'
        '1\n1\n0.5\n"x ""y"" 7"\n"IntervalTier"\n"Phones"\n0\n1\n3\n0\n0.25\n"K"\n0.25\n0.75\n"AA1"\n'
        '0.75\n1\n"sil"\n'
    )
    (tmp_path / "a.textgrid").write_bytes(text.encode("utf-16"))
    aligner = ImportedAligner(tmp_path)
    found = next(iter(aligner.align([make("a", "alice")], load)))
    assert aligner.phone_set == "arpabet"
    assert phones(found) == ["k", "ɑ"]
    assert isinstance(found, Alignment)
    assert [item.vowel for item in found.phones] == [None, "A"]


def test_strings_with_numbers_and_quotes_survive(tmp_path: Path) -> None:
    path = tmp_path / "q.TextGrid"
    path.write_text(
        '"ooTextFile"\n"TextGrid"\n0 1 <exists> 1 "IntervalTier" "a ""b"" [3]:" 0 1 1 0 1 "xmin = 5"'
    )
    (tier,) = read_textgrid(path)
    assert tier.name == 'a "b" [3]:'
    assert tier.intervals[0].label == "xmin = 5"
    assert phone_tier([tier]) is None


def test_every_golden_file_is_read() -> None:
    files = [path for path in GOLDEN.rglob("*") if path.is_file() and path.stem != "alignment_analysis"]
    assert len(files) == 16
    assert all(read_tiers(path) for path in files)


@given(
    st.lists(
        st.tuples(st.integers(-50, 900), st.integers(1, 300), st.sampled_from(["a", "t", ""])), max_size=8
    ),
    st.integers(1, 800),
)
def test_tiling_covers_the_recording_exactly_once(rows: list[tuple[int, int, str]], n_samples: int) -> None:
    pieces = [PhoneInterval(phone=p, vowel=None, start=s, stop=s + n, score=0.0) for s, n, p in sorted(rows)]
    result = tiled(pieces, n_samples)
    assert result[0].start == 0
    assert result[-1].stop == n_samples
    assert all(a.stop == b.start and a.start < a.stop for a, b in pairwise(result))
    assert not any(a.phone == b.phone == "" for a, b in pairwise(result))


PHSEG = """\t SFrm  EFrm    SegAScr Phone
\t    0    11     -52231 SIL
\t   12    19    -229083 HH SIL AW b
\t   20    41    -229083 AW HH SIL e
\t   42    50     -52231 ++NOISE++
 Total score:     -562628
"""


def test_sphinx_files_of_iemocap_are_read(tmp_path: Path) -> None:
    (tmp_path / "Ses01F_impro01_F000.phseg").write_text(PHSEG)
    found = only(tmp_path, make("Ses01F_impro01_F000", "x"))
    assert isinstance(found, Alignment)
    spoken = [(item.phone, item.vowel, item.start, item.stop) for item in found.phones]
    assert spoken == [("h", None, 1920, 3200), ("aʊ", "aU", 3200, 6720)]


def praat(*tiers: tuple[str, list[tuple[float, float, str]]]) -> str:
    body = "".join(
        f'"IntervalTier"\n"{name}"\n0\n1\n{len(rows)}\n' + "".join(f'{a}\n{b}\n"{c}"\n' for a, b, c in rows)
        for name, rows in tiers
    )
    return f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exists>\n{len(tiers)}\n{body}'


WORDS = ("Wort", [(0.0, 1.0, "guten")])
SOUNDS = ("Laute", [(0.0, 0.3, "ɡ"), (0.3, 0.6, "uː"), (0.6, 1.0, "t")])


def test_a_tier_of_any_name_is_found_by_its_labels(tmp_path: Path) -> None:
    (tmp_path / "a.TextGrid").write_text(praat(WORDS, SOUNDS), encoding="utf-8")
    assert phones(only(tmp_path, make("a", "x"))) == ["ɡ", "uː", "t"]


def test_a_named_tier_is_taken_and_a_wrong_name_lists_what_is_there(tmp_path: Path) -> None:
    other = ("phones", [(0.0, 1.0, "a")])
    (tmp_path / "a.TextGrid").write_text(praat(WORDS, SOUNDS, other), encoding="utf-8")
    assert phones(only(tmp_path, make("a", "x"))) == ["a"]
    (row,) = ImportedAligner(tmp_path, tier="Laute").align([make("a", "x")], load)
    assert phones(row) == ["ɡ", "uː", "t"]
    (row,) = ImportedAligner(tmp_path, tier="Segmente").align([make("a", "x")], load)
    assert isinstance(row, Skipped)
    assert row.reason == "no tier Segmente in a.TextGrid (tiers: Wort, Laute, phones)"
    assert ImportedAligner(tmp_path, tier="Laute").identity != ImportedAligner(tmp_path).identity


def test_two_tiers_that_could_be_phones_are_not_guessed_between(tmp_path: Path) -> None:
    again = ("zwei", SOUNDS[1])
    (tmp_path / "a.TextGrid").write_text(praat(SOUNDS, again), encoding="utf-8")
    row = only(tmp_path, make("a", "x"))
    assert isinstance(row, Skipped)
    assert "no phone tier" in row.reason
