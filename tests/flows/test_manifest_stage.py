"""A folder with a manifest.csv goes through the stages by its name, as source or target."""

import pytest

from flows import stages
from flows.configuration import load
from pipeline.corpora.corpus import corpus_by_name
from store.errors import ConfigurationError
from tests.pipeline.corpus_trees import tone


def test_the_stages_find_a_manifest_corpus_by_name(tmp_path):
    folder = tmp_path / "corpora" / "mine"
    tone(folder / "a.wav")
    tone(folder / "b.wav", hertz=300)
    (folder / "manifest.csv").write_text(
        "path,speaker,language,emotion\na.wav,ann,nl,anger\nb.wav,bob,fy,neutral\n"
    )
    configuration = load(
        overrides={"experiment": {"source": "mine", "target": "emodb"}},
        top={"work": tmp_path / "work", "corpora": tmp_path / "corpora"},
    )
    stages.check_corpus(configuration, corpus_by_name("mine", configuration.corpora))
    ingested = stages.ingest_corpus(configuration, "mine")
    assert [(row.id, row.language) for row in ingested.utterances] == [("mine/a", "nl"), ("mine/b", "fy")]
    with pytest.raises(ConfigurationError, match=r"a folder of that name with a manifest\.csv"):
        stages.ingest_corpus(configuration, "mine2")
