"""The settings of ingesting, aligning and extracting: validated, frozen, unknown keys refused."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.gate import Gate

_GATE = Gate()
Layer = Annotated[int, Field(ge=1, le=256)]


class BuildSettings(BaseModel):
    """What to extract, with what, and where the work runs.

    Raises
    ------
    pydantic.ValidationError
        On an unknown key or a value out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] = ("logmel80", "mfcc", "formants", "encoder", "segments")
    """Names of the extractors to run; segments need the encoder's frames."""

    names: tuple[str, ...] = ()
    """Corpora to build, with all their emotions; empty: the pair of the experiment, in its classes."""

    encoder: str = "logmel"
    """The built-in ``logmel`` (no download), or a `transformers` speech encoder.

    A short name (``phonanchor encoders`` lists them), a hub id, either with ``@REVISION``, or a folder.
    """

    mirror: str | None = None
    """Folder of models (``ORG/NAME``) that is searched before the hub; PHONANCHOR_MODELS by default."""

    layers: Literal["all"] | tuple[Layer, ...] = "all"
    """Encoder layers to keep, numbered from 1."""

    dtype: Literal["float16", "float32"] = "float16"
    """Number type of the stored encoder frames."""

    padding: str | None = None
    """How Whisper's input is padded (see `features.whisper`); None takes the encoder's default."""

    align: bool = False
    """Align also where neither a feature that uses alignments nor training asks for it."""

    aligner: str = "embedded"
    """Name of the aligner."""

    aligners: dict[str, str] = Field(default_factory=dict)
    """Another aligner for single corpora, e.g. ``{emodb = "hand"}``."""

    alignments: dict[str, str] = Field(default_factory=dict)
    """Folder of the alignments made elsewhere, by corpus; hand labels are looked for in the corpus itself."""

    tier: str | None = None
    """Name of the phone tier in alignments made elsewhere; None finds it by its name or its labels."""

    mfa_models: dict[str, str] = Field(default_factory=dict)
    """Acoustic model (zip) of the Montreal Forced Aligner by corpus; without one, `mfa train` makes it."""

    mfa_dictionaries: dict[str, str] = Field(default_factory=dict)
    """Pronunciation dictionary that belongs to each of ``mfa_models``, by corpus."""

    gate: bool = True
    """Leave out utterances whose alignment cannot be right, with the reason; see `pipeline.gate`."""

    gate_score: float = Field(default=_GATE.score, le=0)
    """Lowest normalised score of the embedded aligner."""

    gate_score_spread: float = Field(default=_GATE.score_spread, gt=0)
    """How many robust standard deviations a score may lie below the corpus's median."""

    gate_floor: float = Field(default=_GATE.floor, ge=0, le=1)
    """Largest share of phones that last 30 ms or less."""

    gate_slowest: float = Field(default=_GATE.slowest, ge=0, le=1)
    """Fewest phones per second of speech, as a multiple of the corpus's median."""

    gate_fastest: float = Field(default=_GATE.fastest, ge=1)
    """Most phones per second of speech, as a multiple of the corpus's median."""

    gate_cut: float = Field(default=_GATE.cut, gt=0)
    """How many robust standard deviations the last phones of a recording without silence at its end may score
    below the corpus's, where they are short too: beyond that it is taken for cut off. The rule rests where
    more than a third of a corpus's recordings end without silence."""

    retrain: bool = False
    """Train the aligner anew, which replaces every alignment of the corpora in the build."""

    rehash: bool = False
    """Read every audio file again instead of trusting size and modification time."""

    max_quarantined: float = Field(default=5.0, ge=0, le=100)
    """Percentage of a corpus's recordings that may be unusable; beyond it, nothing is committed."""

    workers: int = Field(default=0, ge=0, le=1024)
    """Worker processes of one thread each; 0 runs in this process, so that a debugger works."""

    scheduler: str | None = None
    """Address of a running Dask scheduler, e.g. ``tcp://host:8786``; it is used instead of own workers."""

    def thresholds(self) -> Gate | None:
        """Return the quality gate, None where it is switched off."""
        if not self.gate:
            return None
        return Gate(
            score=self.gate_score,
            score_spread=self.gate_score_spread,
            floor=self.gate_floor,
            slowest=self.gate_slowest,
            fastest=self.gate_fastest,
            cut=self.gate_cut,
        )

    @field_validator("names")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("expected each corpus once")
        return value

    @field_validator("features", "layers")
    @classmethod
    def _some_and_distinct(cls, value: str | tuple[object, ...]) -> str | tuple[object, ...]:
        if isinstance(value, tuple) and (not value or len(set(value)) < len(value)):
            raise ValueError("expected at least one, and each once")
        return value
