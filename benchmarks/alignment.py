"""Measures the embedded aligner: boundaries, cost, agreement with pocketsphinx, and wrong texts found.

Usage: python -m benchmarks.alignment [CORPORA [SCORER]]

CORPORA holds emodb/ and ravdess/, SCORER is the program that compares intervals with EMO-DB's hand labels; by
default both are those in the folder shared/ beside the project. Choices were made by the speakers other
than 13-16.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pocketsphinx import Decoder

from flows.stages import loader
from pipeline.aligners.aligner import Load
from pipeline.aligners.embedded import EmbeddedAligner
from pipeline.corpora.corpus import corpus_by_name
from pipeline.ingest import ingest
from store.catalogue import Store
from store.records import Alignment, Utterance

SHARED = Path(__file__).parents[2] / "shared"
TextOf = Callable[[Utterance], str]
HELD_OUT = frozenset({"13", "14", "15", "16"})
CLIPS = 200
SAMPA = {
    "AA": "A", "AE": "{", "AH": "@", "AO": "O", "AW": "aU", "AY": "aI", "EH": "E", "ER": "3", "EY": "eI",
    "IH": "I", "IY": "i", "OW": "o", "OY": "OI", "UH": "U", "UW": "u", "NG": "N", "HH": "h", "CH": "tS",
    "JH": "tS", "SH": "S", "ZH": "Z", "Y": "j", "DH": "z", "TH": "s",
}  # fmt: skip
"""ARPABET to a SAMPA symbol of the class that the scorer compares; the others have their small letters."""


@dataclass(frozen=True)
class Aligned:
    """One corpus through the command line: its rows, and what the command cost."""

    corpus: str
    root: Path
    utterances: tuple[Utterance, ...]
    table: Path
    model: bytes
    cpu_s: float
    peak_mb: float

    @property
    def audio_s(self) -> float:
        """Seconds of audio in the corpus."""
        return sum(u.seconds for u in self.utterances)

    def load(self, utterance: Utterance) -> NDArray[np.float32]:
        """Return the samples of an utterance at 16 kHz."""
        return loader(self.root)(utterance)


def aligned(corpus: str, corpora: Path, work: Path) -> Aligned:
    """Run the command in a working folder of its own, with an empty store."""
    table = work / f"{corpus}.parquet"
    command = [sys.executable, "-m", "flows", "align", "--corpus", corpus, "--corpora", str(corpora)]
    with (work / f"{corpus}.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--work", str(work / corpus), "--export", str(table)], stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit((work / f"{corpus}.log").read_text())
    found = Store.open(work / corpus / "store").latest_model(f"embedded-{corpus}")
    assert found is not None
    root = corpora / corpus
    utterances = ingest(corpus_by_name(corpus), root, work / corpus / "cache").utterances
    peak = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    return Aligned(corpus, root, utterances, table, found[1], usage.ru_utime + usage.ru_stime, peak)


def scored(run: Aligned, chosen: Iterable[Utterance], labels: Path, scorer: Path) -> dict[str, float]:
    """Return the scorer's figures for some utterances of a run."""
    stems = [u.id.split("/", 1)[1] for u in chosen]
    table = pq.read_table(run.table)
    with tempfile.TemporaryDirectory() as folder:
        part, audio = Path(folder) / "part.parquet", Path(folder) / "audio"
        audio.mkdir()
        for stem in stems:
            (audio / stem).touch()
        pq.write_table(table.filter(pc.is_in(table["utterance"], pa.array(stems))), part)
        command = [sys.executable, str(scorer), str(part), "--lablaut", str(labels), "--audio", str(audio)]
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def say(name: str, score: dict[str, float], more: str = "") -> None:
    print(
        f"{name:28s} {score['vowel_median_ms']:5.1f} ms  {score['vowel_within_20_pct']:5.1f} % <= 20 ms"
        f"  {score['vowel_within_50_pct']:5.1f} % <= 50 ms  mid-hit {score['vowel_mid_hit_pct']:5.1f} %"
        f"  precision {score['vowel_precision_pct']:5.1f} %  recall {score['vowel_recall_pct']:5.1f} %"
        f"  n = {score['utterances']}{more}",
        flush=True,
    )


def by_emotion(utterances: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    return {e: [u for u in utterances if u.emotion == e] for e in sorted({u.emotion for u in utterances})}


def report_emodb(run: Aligned, scorer: Path) -> dict[str, float]:
    """Print how far vowels lie from where people put them; return the figures for all."""
    tuned_on, held_out = ([u for u in run.utterances if (u.speaker in HELD_OUT) == h] for h in (False, True))
    groups = {"all": run.utterances, "speakers tuned on": tuned_on, "held out (13-16)": held_out}
    found = {}
    for name, chosen in {**groups, **by_emotion(run.utterances)}.items():
        found[name] = scored(run, chosen, run.root / "lablaut", scorer)
        say(f"emodb {name}", found[name])
    return found["all"]


def report_ravdess(run: Aligned, scorer: Path, labels: Path) -> dict[str, float]:
    """Print how far vowels lie from where pocketsphinx puts them, on clips drawn at random."""
    draw = sorted(np.random.default_rng(0).choice(len(run.utterances), CLIPS, replace=False).tolist())
    decoder = Decoder(lm=None, loglevel="FATAL")
    vowels = {}
    for utterance in (run.utterances[place] for place in draw):
        phones = pocketsphinx(decoder, utterance.text or "", run.load(utterance))
        if phones:
            vowels[utterance.id] = sum(label[:1] in "AOUEI@{3aeiou" for label, _ in phones)
            write_lablaut(labels / f"{utterance.id.split('/', 1)[1]}.lablaut", phones)
    clips = [u for u in run.utterances if u.id in vowels]
    print(f"ravdess: pocketsphinx aligned {len(clips)} of {CLIPS} clips drawn at random")
    found = {}
    for name, chosen in {"all": clips, **by_emotion(clips)}.items():
        found[name] = scored(run, chosen, labels, scorer)
        matched = round(found[name]["vowel_recall_pct"] / 100 * sum(vowels[u.id] for u in chosen))
        say(f"ravdess {name}", found[name], f" clips, {matched} vowels")
    return found["all"]


def pocketsphinx(decoder: Decoder, text: str, samples: NDArray[np.float32]) -> list[tuple[str, float]]:
    """Return (SAMPA, start in s) of each phone and ".", end; nothing where pocketsphinx finds no path."""
    pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    try:
        decoder.set_align_text(text.lower().strip(" .!?"))
        for second in (False, True):
            if second:
                decoder.set_alignment()
            decoder.start_utt()
            decoder.process_raw(pcm, full_utt=True)
            decoder.end_utt()
        alignment = decoder.get_alignment()
        phones = [] if alignment is None else list(alignment.phones())
    except RuntimeError:
        return []
    if not phones:
        return []
    rows = [(label(phone.name), phone.start / 100) for phone in phones]
    return [*rows, (".", (phones[-1].start + phones[-1].duration) / 100)]


def label(phone: str) -> str:
    return "(" if phone.startswith(("SIL", "+")) else SAMPA.get(phone, phone.lower())


def write_lablaut(path: Path, rows: Sequence[tuple[str, float]]) -> None:
    """Write phones in the form of EMO-DB's hand labels, the one that the scorer reads."""
    lines = [f"{start:.3f} 0 {name}" for name, start in rows]
    path.write_text("\n".join(["#", *lines, ""]), encoding="latin-1")


def scores(
    run: Aligned, chosen: Sequence[Utterance], text: TextOf, load: Load | None = None
) -> NDArray[np.float64]:
    """Return the score of each utterance with the text that ``text`` gives it, -inf without an alignment."""
    aligner = EmbeddedAligner(run.model)
    rows = aligner.align([replace(u, text=text(u)) for u in chosen], load or run.load)
    return np.array([row.score if isinstance(row, Alignment) else -np.inf for row in rows])


def other_text(texts: Sequence[str]) -> TextOf:
    """Return what gives an utterance another text of the corpus."""
    return lambda u: texts[(texts.index(u.text or "") + len(texts) // 2) % len(texts)]


def one_word_changed(texts: Sequence[str]) -> TextOf:
    """Return what puts a word of another text in the place of one word, drawn by the utterance's id."""

    def changed(utterance: Utterance) -> str:
        rng = np.random.default_rng(list(utterance.id.encode()))
        words, others = (utterance.text or "").split(), other_text(texts)(utterance).split()
        words[int(rng.integers(len(words)))] = others[int(rng.integers(len(others)))]
        return " ".join(words)

    return changed


def timed(run: Aligned, chosen: Sequence[Utterance]) -> tuple[NDArray[np.float64], float]:
    """Return the scores with the right texts, and the rate of aligning alone, which is printed."""
    scores(run, chosen[:1], lambda u: u.text or "")  # loads what is compiled
    started = time.process_time()
    decoded = {utterance.id: run.load(utterance) for utterance in chosen}
    between = time.process_time()
    found = scores(run, chosen, lambda u: u.text or "", lambda u: decoded[u.id])
    stopped = time.process_time()
    audio = sum(u.seconds for u in chosen)
    rate = audio / (stopped - started)
    print(
        f"{run.corpus} aligning alone: {rate:.0f} x real time, without reading and decoding "
        f"{audio / (stopped - between):.0f} x"
    )
    return found, rate


def report_texts(emodb: Aligned, ravdess: Aligned) -> tuple[float, float]:
    """Print how well the score tells wrong texts; return EMO-DB's AUC and the rate of aligning alone."""
    wrongs = {"another text": other_text, "one word changed": one_word_changed}
    shuffled = aligning = 0.0
    for run in (emodb, ravdess):
        texts = sorted({u.text or "" for u in run.utterances})
        chosen = run.utterances[:: max(1, len(run.utterances) // 300)]
        right, rate = timed(run, chosen)
        for name, make in wrongs.items():
            wrong = scores(run, chosen, make(texts))
            auc = float((right[:, None] > wrong[None]).mean())
            print(f"{run.corpus} {name}: AUC {auc:.3f} (n = {len(chosen)})", flush=True)
            if run is emodb and name == "another text":
                shuffled, aligning = auc, rate
    return shuffled, aligning


def main() -> None:
    corpora = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "corpora"
    scorer = Path(sys.argv[2]) if len(sys.argv) > 2 else SHARED / "tools" / "score_alignment.py"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        emodb, ravdess = (aligned(name, corpora, work) for name in ("emodb", "ravdess"))
        hand = report_emodb(emodb, scorer)
        labels = work / "labels"
        labels.mkdir()
        sphinx = report_ravdess(ravdess, scorer, labels)
        auc, aligning = report_texts(emodb, ravdess)
        for run in (emodb, ravdess):
            print(
                f"{run.corpus} cost: {run.audio_s / 60:.1f} minutes of audio in {run.cpu_s:.1f} s of CPU, "
                f"{run.audio_s / run.cpu_s:.0f} x real time, peak memory {run.peak_mb:.0f} MB, "
                f"model {len(run.model) / 1e6:.2f} MB"
            )
        print(
            f"summary: emodb {hand['vowel_median_ms']} ms, {hand['vowel_within_20_pct']} % <= 20 ms, "
            f"{hand['vowel_within_50_pct']} % <= 50 ms, mid-hit {hand['vowel_mid_hit_pct']} %, precision "
            f"{hand['vowel_precision_pct']} %; ravdess {sphinx['vowel_median_ms']} ms, "
            f"{sphinx['vowel_within_50_pct']} % <= 50 ms; {emodb.audio_s / emodb.cpu_s:.0f} x real time, "
            f"aligning alone {aligning:.0f} x, {emodb.peak_mb:.0f} MB; AUC {auc:.3f}"
        )


if __name__ == "__main__":
    main()
