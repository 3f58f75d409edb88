"""A scripted stand-in for the `mfa` program 3.4.3: its command lines, its outputs and its silent failures."""

import csv
import json
import os
import sys
import wave
from pathlib import Path


def option(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


def fail(message: str, code: int = 1) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


def pronunciations(path: Path) -> dict[str, list[str]]:
    words: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, phones = line.split(None, 1)
        words.setdefault(word, phones.split())
    return words


def seconds(path: Path) -> float:
    try:
        with wave.open(str(path)) as file:
            return file.getnframes() / file.getframerate()
    except wave.Error:
        return fail(f"LibsndfileError: Error opening {path}") or 0.0


def textgrid(phones: list[str], duration: float) -> str:
    edges = [0.1 + (duration - 0.2) * k / len(phones) for k in range(len(phones) + 1)]
    rows = [(0.0, 0.1, ""), *zip(edges, edges[1:], phones, strict=False), (edges[-1], duration, "")]
    body = "".join(f'{start}\n{stop}\n"{label}"\n' for start, stop, label in rows)
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n{duration}\n<exists>\n1\n'
    return f'{head}"IntervalTier"\n"phones"\n0\n{duration}\n{len(rows)}\n{body}'


def train(dictionary: Path, model: Path) -> None:
    if not os.path.isabs(option("-t")):
        fail("Traceback: train crashes with a relative temporary folder")
    phones = sorted({phone for word in pronunciations(dictionary).values() for phone in word})
    topology = Path(option("--topology_path")).read_text(encoding="utf-8")
    if any(f"'{phone}':\n  min_states: 3\n  max_states: 3\n" not in topology for phone in phones):
        fail("a phone without topology")
    model.write_text(json.dumps(phones), encoding="utf-8")
    model.with_name(dictionary.stem + ".dict").write_bytes(dictionary.read_bytes())


def align(corpus: Path, dictionary: Path, model: Path, output: Path) -> None:
    words, known = pronunciations(dictionary), set(json.loads(model.read_text(encoding="utf-8")))
    output.mkdir(parents=True, exist_ok=True)
    table = []
    for sound in sorted(corpus.rglob("*.wav")):
        duration, label = seconds(sound), sound.with_suffix(".lab")
        text = label.read_text(encoding="utf-8").split() if label.is_file() else []
        if not text or duration < 0.1 or sound.stem in os.environ.get("STANDIN_DROP", "").split(","):
            continue  # exit code 0, no TextGrid, no row
        phones: list[str] = []
        for word in text:
            spoken = words.get(word.lower().strip(".,!?"), ["?"])
            phones += spoken if set(spoken) <= known else ["spn"]
        aligned = len(phones) * 0.03 < duration
        scores = ["-50.0", "-60.0", "1.2"] if aligned else ["", "", ""]
        table.append([sound.stem, "0.0", str(duration), sound.parent.name, *scores])
        if aligned:
            (output / sound.parent.name).mkdir(exist_ok=True)
            target = output / sound.parent.name / f"{sound.stem}.TextGrid"
            target.write_text(textgrid(phones, duration), encoding="utf-8")
    with (output / "alignment_analysis.csv").open("w", newline="", encoding="utf-8") as file:
        header = ["file", "begin", "end", "speaker", "overall_log_likelihood", "speech_log_likelihood"]
        csv.writer(file).writerows([[*header, "phone_duration_deviation"], *table])


def main() -> None:
    command, places = sys.argv[1], [Path(item) for item in sys.argv[2:6]]
    if command == "version":
        print(os.environ.get("STANDIN_VERSION", "3.4.3"))
        return
    with Path(os.environ["STANDIN_LOG"]).open("a", encoding="utf-8") as log:
        files = {str(p.relative_to(places[0])): p.with_suffix(".lab").read_text(encoding="utf-8")
                 for p in sorted(places[0].rglob("*.wav"))}  # fmt: skip
        entry = {"arguments": sys.argv[1:], "root": os.environ.get("MFA_ROOT_DIR"), "files": files,
                 "seed": os.environ.get("PYTHONHASHSEED")}  # fmt: skip
        log.write(json.dumps(entry) + "\n")
    if os.environ.get("STANDIN_EXIT"):
        fail("CorpusError: There were no files found", int(os.environ["STANDIN_EXIT"]))
    for sound in places[0].rglob("*.wav"):
        seconds(sound)  # one unreadable file ends the whole run
    if command == "train":
        train(places[1], places[2])
    else:
        align(places[0], places[1], places[2], places[3])


main()
