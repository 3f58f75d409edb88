"""The short names of published speech encoders, and the hub ids that they stand for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """One published encoder: short name, hub id, number of transformer layers, dimension of their states."""

    name: str
    hub: str
    layers: int
    dim: int


PUBLISHED: tuple[Published, ...] = (
    Published("wav2vec2-base", "facebook/wav2vec2-base", 12, 768),
    Published("wav2vec2-base-960h", "facebook/wav2vec2-base-960h", 12, 768),
    Published("wav2vec2-large", "facebook/wav2vec2-large", 24, 1024),
    Published("xls-r-300m", "facebook/wav2vec2-xls-r-300m", 24, 1024),
    Published("hubert-base", "facebook/hubert-base-ls960", 12, 768),
    Published("hubert-large", "facebook/hubert-large-ll60k", 24, 1024),
    Published("wavlm-base-plus", "microsoft/wavlm-base-plus", 12, 768),
    Published("wavlm-large", "microsoft/wavlm-large", 24, 1024),
    Published("data2vec-base", "facebook/data2vec-audio-base", 12, 768),
    Published("data2vec-large", "facebook/data2vec-audio-large", 24, 1024),
    Published("whisper-tiny", "openai/whisper-tiny", 4, 384),
    Published("whisper-tiny.en", "openai/whisper-tiny.en", 4, 384),
    Published("whisper-base", "openai/whisper-base", 6, 512),
    Published("whisper-base.en", "openai/whisper-base.en", 6, 512),
    Published("whisper-small", "openai/whisper-small", 12, 768),
    Published("whisper-small.en", "openai/whisper-small.en", 12, 768),
    Published("whisper-medium", "openai/whisper-medium", 24, 1024),
    Published("whisper-medium.en", "openai/whisper-medium.en", 24, 1024),
    Published("whisper-large", "openai/whisper-large", 32, 1280),
    Published("whisper-large-v2", "openai/whisper-large-v2", 32, 1280),
    Published("whisper-large-v3", "openai/whisper-large-v3", 32, 1280),
)
"""The encoders of systems 002 and 003 and their relatives, as their model cards describe them."""


def hub_id(model: str) -> str:
    """Return the hub id that a short name stands for; any other text is returned as it is."""
    return {entry.name: entry.hub for entry in PUBLISHED}.get(model, model)
