"""Native emotion labels and their canonical names."""

from pathlib import Path

import pytest

from pipeline import labels
from pipeline.corpora.corpus import registered
from pipeline.labels import canonical, label_table
from store.errors import ConfigurationError, CorpusError
from store.vocabulary import EMOTIONS, FOUR_CLASSES


@pytest.mark.parametrize(
    ("corpus", "native", "emotion"),
    [
        ("emodb", "W", "anger"), ("emodb", "T", "sadness"), ("emodb", "A", "fear"), ("emodb", "L", "boredom"),
        ("emovo", "gio", "happiness"), ("emovo", "pau", "fear"), ("ravdess", "02", "calm"),
        ("ravdess", "06", "fear"), ("nemo", "surprised", "surprise"), ("sample-en", "anger", "anger"),
        ("tess", "ps", "surprise"), ("demos", "col", "guilt"), ("turev-db", "sk", "calm"),
        ("savee", "sa", "sadness"), ("iemocap", "exc", "excitement"), ("biic-podcast", "5", "disgust"),
        ("msp-podcast", "U", "surprise"), ("dusha", "positive", "happiness"),
        ("thai-ser", "Frustrated", "frustration"),
        ("shemo", "W", "surprise"), ("oreau", "P", "fear"), ("emomatch", "Asco", "disgust"),
    ],
)  # fmt: skip
def test_published_labels(corpus: str, native: str, emotion: str) -> None:
    assert canonical(corpus, native) == emotion


@pytest.mark.parametrize(
    ("corpus", "classes"),
    [
        ("emodb", 7), ("emovo", 7), ("ravdess", 8), ("nemo", 6), ("tess", 7), ("cafe", 7), ("demos", 8),
        ("emomatch", 7), ("oreau", 7), ("savee", 7), ("aesdd", 5), ("eyase", 4), ("turev-db", 4), ("urdu", 4),
    ],
)  # fmt: skip
def test_no_two_labels_of_a_corpus_mean_the_same(corpus: str, classes: int) -> None:
    assert len(set(label_table()[corpus].values())) == len(label_table()[corpus]) == classes


def test_every_registered_corpus_has_the_four_classes() -> None:
    for corpus in registered():
        without = {"aesdd": {"neutral"}, "turev-db": {"neutral"}}.get(corpus.name, set())
        assert set(FOUR_CLASSES) - set(label_table()[corpus.name].values()) == without
    assert {emotion for table in label_table().values() for emotion in table.values()} <= set(EMOTIONS)


@pytest.mark.parametrize("native", ["X", "w", "", "W\n"])
def test_an_unknown_label_is_an_error_that_names_label_corpus_and_table(native: str) -> None:
    with pytest.raises(CorpusError) as caught:
        canonical("emodb", native)
    message = str(caught.value)
    assert ascii(native) in message
    assert "emodb" in message
    assert "labels.toml" in message
    assert "\n" not in message


def test_a_corpus_without_a_table_is_an_error() -> None:
    with pytest.raises(CorpusError, match=r"no label at all"):
        canonical("nowhere", "happy")


def test_a_table_with_an_unknown_emotion_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "labels.toml").write_text('[emodb]\nW = "rage"\n')
    monkeypatch.setattr(labels, "TABLE", tmp_path / "labels.toml")
    label_table.cache_clear()
    with pytest.raises(ConfigurationError, match="rage"):
        canonical("emodb", "W")
    label_table.cache_clear()
