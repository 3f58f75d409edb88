import warnings

import numpy as np
import pytest

from features import pitch
from features.clip import Clip
from features.egemaps import egemaps
from features.functionals import COLUMNS, DESCRIPTORS, Functionals, descriptors, functionals
from store.errors import ConfigurationError
from tests.features.signals import speechlike, synthetic


def test_mean_sd_and_percentiles_leave_nan_out():
    rows = np.array([[1.0, 0.0], [2.0, np.nan], [3.0, 4.0], [10.0, np.nan]], np.float32)
    np.testing.assert_allclose(
        functionals(rows), [4.0, 2.0, np.sqrt(12.5), 2.0, 1.6, 0.8, 5.8, 3.2], rtol=1e-6
    )


def test_a_voice_of_120_hz_has_its_own_f0_and_is_harmonic():
    (rows,) = Functionals().extract_many([Clip(speechlike(16_000), 16_000, "male")])
    found = dict(zip(COLUMNS, rows[0].tolist(), strict=True))
    assert found["f0_semitones_mean"] == pytest.approx(12 * np.log2(120 / 27.5), abs=0.05)
    assert found["hnr_mean"] > 10
    assert found["energy_p20"] < found["energy_mean"] < 0


def test_columns_are_88_and_named():
    assert len(COLUMNS) == len(set(COLUMNS)) == 88
    assert descriptors(Clip(speechlike(1_600), 16_000)).shape == (11, len(DESCRIPTORS))


def test_silence_has_no_voice_but_an_energy():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (rows,) = Functionals().extract_many([Clip(synthetic(16_000)["silence"], 16_000)])
    found = dict(zip(COLUMNS, rows[0].tolist(), strict=True))
    assert found["energy_mean"] == -100
    assert np.isnan(found["f0_semitones_mean"])


def test_opensmile_is_asked_for_in_one_line_where_it_is_missing(monkeypatch):
    monkeypatch.setattr("features.egemaps.PACKAGE", "opensmile-that-is-not-there")
    with pytest.raises(ConfigurationError, match="-m pip install opensmile, if"):
        egemaps()


def test_opensmile_gives_its_own_numbers():
    opensmile = pytest.importorskip("opensmile", reason="an optional extra: its licence is for research only")
    wave = speechlike(16_000).astype(np.float32)
    (row,) = egemaps().extract_many([Clip(wave, 16_000)])
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    np.testing.assert_array_equal(row, smile.process_signal(wave, 16_000).to_numpy(np.float32))
    assert row.shape == (1, 88)


def test_the_digest_follows_those_of_the_descriptors():
    assert Functionals().spec.params["made of"]["f0"] == pitch.SPEC.digest
