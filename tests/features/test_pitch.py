import numpy as np
import parselmouth
import pytest

from features.clip import Clip
from features.pitch import F0, pitch
from tests.features.signals import REAL, real, synthetic


@pytest.mark.parametrize("name", [*synthetic(16_000), *REAL])
def test_f0_is_praats_value_at_each_time(name):
    samples = synthetic(16_000).get(name, real(name, 16_000) if name in REAL else None)
    if samples is None:
        pytest.skip("no folder shared/corpora/originals beside the clone")
    rows = pitch(samples)
    assert rows.shape == (1 + len(samples) // 160, 2)
    if len(samples) <= 640:
        assert np.isnan(rows).all()
        return
    sound = parselmouth.Sound(samples.astype(np.float64), sampling_frequency=16_000)
    found = sound.to_pitch_ac(time_step=0.01, pitch_floor=75.0, pitch_ceiling=600.0)
    expected = [found.get_value_at_time(row * 0.01) for row in range(len(rows))]
    np.testing.assert_allclose(rows[:, 0], expected, rtol=1e-6)


def test_a_pulse_train_of_151_hz():
    rows = pitch(synthetic(16_000)["full scale"])
    np.testing.assert_allclose(rows[5:-5, 0], 151.3, rtol=5e-3)
    assert (rows[5:-5, 1] > 0.98).all()


def test_silence_and_noise_have_no_f0():
    clips = [Clip(synthetic(16_000)[name], 16_000) for name in ("silence", "noise")]
    assert all(np.isnan(rows).all() for rows in F0().extract_many(clips))
