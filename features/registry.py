"""The extractors by name: those built in, and those that installed packages bring by entry point."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features import (
    cepstra,
    contrast,
    egemaps,
    formants,
    functionals,
    installed,
    kaldi,
    mel,
    pitch,
    self_supervised,
    system000,
    system001,
    system004,
    temporal,
    waveform,
)  # fmt: skip
from features.contract import BUILT_IN_ENCODER, EncoderChoice, Extractor
from store.errors import ConfigurationError

WAVEFORM = re.compile(r"waveform-([1-9][0-9]{3,5})")
"""The raw waveform at any rate in Hz."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """One built-in extractor: how it is made, what it is and where it comes from."""

    make: Callable[[], Extractor]
    summary: str
    source: str


BUILT_IN: dict[str, BuiltIn] = {
    "logmel80": BuiltIn(mel.LogMel, "log-mel spectrum, 80 bands", "librosa (McFee et al. 2015)"),
    "logmel128": BuiltIn(mel.log_mel_128, "log-mel spectrum, 128 bands", "librosa (McFee et al. 2015)"),
    "lmf23": BuiltIn(system000.Lmf23, "7 s of 23 log-mel bands", "system 000 (EasyChair 15443, 2024)"),
    "melpower128": BuiltIn(mel.MelPower, "mel power spectrum, 128 bands", "librosa; system 001"),
    "mfcc13": BuiltIn(cepstra.Mfcc, "13 cepstral coefficients", "Davis & Mermelstein 1980"),
    "mfcc13-deltas": BuiltIn(
        lambda: cepstra.Mfcc(13, deltas=True),
        "13 cepstral coefficients, their 1st and 2nd change",
        "Furui 1986",
    ),
    "mfcc40": BuiltIn(lambda: cepstra.Mfcc(40), "40 cepstral coefficients", "Davis & Mermelstein 1980"),
    "mfcc40-deltas": BuiltIn(
        lambda: cepstra.Mfcc(40, deltas=True),
        "40 cepstral coefficients, their 1st and 2nd change",
        "Furui 1986",
    ),
    "contrast7": BuiltIn(contrast.Contrast, "spectral contrast, 7 bands", "Jiang et al. 2002; system 001"),
    "zcr": BuiltIn(temporal.ZeroCrossings, "zero-crossing rate", "librosa; system 001"),
    "energy": BuiltIn(temporal.Energy, "level in dB", "librosa"),
    "f0": BuiltIn(pitch.F0, "fundamental frequency, 75-600 Hz", "Praat (Boersma 1993)"),
    "formants": BuiltIn(formants.Formants, "F1 to F3", "Praat; system 002 (TAFFC 2025)"),
    "formants-bandwidths": BuiltIn(
        formants.FormantsAndBandwidths, "F1 to F3 and B1 to B3", "Praat; system 002 (TAFFC 2025)"
    ),
    "fbank128": BuiltIn(kaldi.Fbank, "Kaldi filter banks, Hann window", "AST (Gong et al. 2021); system 003"),
    "fbank128-hamming": BuiltIn(
        lambda: kaldi.Fbank("hamming"), "Kaldi filter banks, Hamming window", "system 003 as written (2024)"
    ),
    "vec149": BuiltIn(system001.Vec149, "149 time means", "system 001 (DANN poster)"),
    "functionals88": BuiltIn(functionals.Functionals, "88 functionals, our own set", "system 002's ensemble"),
    "egemaps88": BuiltIn(egemaps.egemaps, "88 functionals of eGeMAPS", "openSMILE (Eyben et al. 2016)"),
    "waveform-16000": BuiltIn(waveform.Waveform, "samples; waveform-RATE for any rate", "system 004"),
    "wave144k": BuiltIn(system004.Wave144k, "144,000 samples at the file's rate", "system 004 (SERCT 2024)"),
    "wave144k-16000": BuiltIn(
        lambda: system004.Wave144k(16_000), "144,000 samples at 16 kHz", "system 004, one rate for all"
    ),
}
ENCODER = "encoder"


def base_names(*, asked: str = "") -> tuple[str, ...]:
    """Return the names that `extractor` knows; with ``asked``, that one too where it is a waveform's."""
    rate = (asked,) if WAVEFORM.fullmatch(asked) and asked not in BUILT_IN else ()
    return (*BUILT_IN, ENCODER, *rate, *(name for name in installed.names() if name not in BUILT_IN))


def extractor(name: str, choice: EncoderChoice) -> Extractor:
    """Return the extractor of a name of `base_names`.

    Raises `ConfigurationError` where an installed extractor cannot serve or takes a name that is in use.
    """
    if installed.claims(name):
        if name in BUILT_IN or name == ENCODER:
            raise installed.ambiguous(name, "Phonanchor itself")
        return installed.load(name)
    if name == ENCODER:
        return _encoder(choice)
    if name in BUILT_IN:
        return BUILT_IN[name].make()
    return waveform.Waveform(_rate(name))


def _rate(name: str) -> int:
    found = WAVEFORM.fullmatch(name)
    if found is None:
        raise ConfigurationError("waveform-RATE with a rate of 1000 to 999999 Hz", repr(name), "name a rate")
    return int(found[1])


def _encoder(choice: EncoderChoice) -> Extractor:
    if choice.model is None:
        raise ConfigurationError(
            "an encoder beside the feature 'encoder'",
            "none",
            f"name a transformers model (hub id or folder) or {BUILT_IN_ENCODER!r}",
        )
    if choice.model == BUILT_IN_ENCODER:
        return mel.LogMel()
    return self_supervised.encoder(
        choice.model,
        layers=choice.layers,
        dtype=np.dtype(choice.dtype).name,
        padding=choice.padding,
        mirror=choice.mirror,
    )
