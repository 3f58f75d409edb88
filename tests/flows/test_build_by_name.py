"""`phonanchor features --corpus`: a store of named corpora, with all their emotions."""

import pytest

from store.feature_store import FeatureStore


def build(phonanchor, corpora, *names, more=()):
    options = [part for name in names for part in ("--corpus", name)]
    settings = ("--set", "features=logmel80", "--set", "classes=neutral,anger", "--workers", "0")
    return phonanchor("features", *options, "--corpora", corpora, *settings, *more)


def test_one_corpus_is_built_alone_with_all_its_emotions(part, phonanchor, tmp_path):
    folder = part("sample-en").parent
    code, out, err = build(phonanchor, folder, "sample-en")
    assert code == 0, err
    store = FeatureStore.open(tmp_path / "work" / "store")
    assert {item.corpus for item in store.utterances} == {"sample-en"}
    assert {item.emotion for item in store.utterances} == {"neutral", "anger", "happiness", "sadness"}
    assert "class not in use" not in out

    code, out, _ = build(phonanchor, folder, "sample-en")
    assert code == 0
    assert "nothing to do" in out


def test_a_build_aligns_only_where_it_is_needed_or_asked_for(part, phonanchor, tmp_path):
    folder = part("sample-en").parent
    code, out, err = build(phonanchor, folder, "sample-en")
    assert code == 0, err
    assert "not aligned: no feature in use needs it" in out
    plain = FeatureStore.open(tmp_path / "work" / "store")
    name = plain.utterances[0].id
    assert plain.alignment(name) is None
    for command in (("show", name, "--corpora", folder), ("store", "html", tmp_path / "page.html")):
        code, _, err = phonanchor(*command)
        assert code == 0, err

    code, out, err = build(phonanchor, folder, "sample-en", more=("--set", "align=true"))
    assert code == 0, err
    assert "computed 0 row blocks, kept 24" in out
    aligned = FeatureStore.open(tmp_path / "work" / "store")
    assert all(aligned.alignment(item.id).phones for item in aligned.utterances)


@pytest.mark.parametrize(
    ("names", "said"), [(("sample-en", "sample-en"), "each corpus once"), (("nowhere",), "a known corpus")]
)
def test_names_that_do_not_serve_are_one_line(part, phonanchor, names, said):
    code, _, err = build(phonanchor, part("sample-en").parent, *names)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
