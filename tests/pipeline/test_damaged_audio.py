"""Some forty kinds of odd and damaged audio files: each is read, or refused with its reason."""

import re
import resource

import pytest

from pipeline.corpora.walk import sound_files
from pipeline.hash_cache import AudioFacts, measure
from tests.pipeline.damaged_audio import KINDS, READ

BY_NAME = {"a film"}
"""Kinds that are left out for their extension, before they are read; see test_corpora."""
MOST_MEMORY = 2 * 2**30


def test_there_are_enough_kinds_of_damage():
    assert len(KINDS) >= 25
    assert sum(kind.reason != READ for kind in KINDS.values()) >= 15


@pytest.mark.parametrize("name", sorted(KINDS.keys() - BY_NAME))
def test_a_file_is_found_and_read_or_refused_with_its_reason(tmp_path, name):
    kind = KINDS[name]
    path = tmp_path / "corpus" / f"x{kind.suffix}"
    path.parent.mkdir()
    kind.make(path)
    assert sound_files(path.parent) == ([path.name], [])
    facts = measure(path)
    if kind.reason == READ:
        assert isinstance(facts, AudioFacts)
        assert facts.n_samples >= 1
    else:
        assert isinstance(facts, str)
        assert re.search(kind.reason, facts)
        assert facts.count("\n") == 0
    # an hour of silence is 230 MB of samples
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < MOST_MEMORY
