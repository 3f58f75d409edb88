import pytest
from pydantic import ValidationError

from features.extractor import build_extractors
from pipeline.settings import BuildSettings


def test_the_defaults_name_extractors_that_exist():
    settings = BuildSettings()
    found = build_extractors(settings.features, encoder=settings.encoder, layers=settings.layers)
    assert {extractor.spec.name for extractor in found} >= {"formants"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"wokers": 2},
        {"workers": -1},
        {"features": ()},
        {"features": ("mfcc", "mfcc")},
        {"layers": ()},
        {"layers": (0,)},
        {"dtype": "int8"},
    ],
)
def test_unknown_keys_and_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        BuildSettings(**wrong)


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        BuildSettings().workers = 3
