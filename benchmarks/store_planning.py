"""Plans a rebuild of N unchanged manifest rows in a process of its own: seconds and memory above the imports.

Usage: python -m benchmarks.store_planning N
"""

import json
import resource
import sys
import time

from features.framing import resampled_length, row_count
from features.mel import LOG_MEL_SPEC
from pipeline.plan import plan
from store.catalogue import Placement
from store.digests import digest
from store.records import Utterance

SAMPLES = 53_000


def utterance(number: int) -> Utterance:
    return Utterance(
        id=f"bench/{number:07d}", corpus="bench", path=f"wav/{number:07d}.wav", speaker=f"{number % 500:03d}",
        gender="female", language="de", emotion="anger", native_label="W", text=None, text_id="a01",
        group=None, n_samples=SAMPLES, sample_rate=16_000,
        n_channels=1, audio_sha256=f"{number:064x}", licence="CC0-1.0",
    )  # fmt: skip


def peak() -> float:
    """Return the most memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    count = int(sys.argv[1])
    imported = peak()
    spec = LOG_MEL_SPEC
    length = row_count(spec.law, resampled_length(SAMPLES, 16_000, spec.sample_rate), 0)
    utterances = tuple(utterance(number) for number in range(count))
    there, name = {}, spec.digest  # reckoned once: it costs more than a row key
    for number, item in enumerate(utterances):
        key = digest({"audio": item.audio_sha256, "spec": name, "gender": None, "alignment": None})
        there[key] = Placement(
            spec=name, corpus="bench", utterance="", row_key=key, start=number * length, length=length
        )
    manifest = peak()
    started, processor = time.perf_counter(), time.process_time()
    found = plan(utterances, {}, [spec], {(spec.digest, "bench"): there})
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    assert found.kept == count
    assert not found.items
    print(json.dumps({
        "rows": count, "seconds": seconds, "processor": processor,
        "mb": peak() - imported, "mb_of_plan": peak() - manifest,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
