"""The frozen records that all packages share; time inside them is integer samples, half-open."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from functools import cached_property

from store.digests import Json, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class EmotionShare:
    """A canonical emotion, and the share (0 to 1) of the listeners who heard it in a recording."""

    emotion: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One recording of one corpus, as the manifest lists it.

    ``id`` is ``corpus/stem`` in NFC; ``path`` is relative to the corpus folder, with forward slashes;
    ``n_samples``, ``sample_rate`` and ``n_channels`` are those of the file; ``audio_sha256`` is the digest of
    the decoded native samples with rate and channel count; ``emotion`` is canonical and ``native_label`` is
    what the corpus says. ``speaker`` is unique within the corpus only: compare `speaker_key`.
    ``split`` is the corpus's own partition; ``perceived`` is what its listeners heard, empty where it does
    not say; ``arousal``, ``valence`` and ``dominance`` are mean ratings on the corpus's own scale.
    """

    id: str
    corpus: str
    path: str
    speaker: str
    gender: str
    language: str
    emotion: str
    native_label: str
    text: str | None
    text_id: str | None
    group: str | None
    n_samples: int
    sample_rate: int
    n_channels: int
    audio_sha256: str
    licence: str
    synthetic: bool = False
    split: str | None = None
    perceived: tuple[EmotionShare, ...] = ()
    arousal: float | None = None
    valence: float | None = None
    dominance: float | None = None

    @property
    def speaker_key(self) -> str:
        """The speaker's name across corpora."""
        return f"{self.corpus}/{self.speaker}"

    @property
    def seconds(self) -> float:
        """Duration of the recording."""
        return self.n_samples / self.sample_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """One item that a stage left out: which stage, and why, in one line."""

    utterance: str
    corpus: str
    path: str
    stage: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneInterval:
    """One phone: IPA symbol ("" for silence), shared vowel or None, samples [start, stop) at COMMON_RATE."""

    phone: str
    vowel: str | None
    start: int
    stop: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """The phones of one utterance by one aligner; ``key`` digests audio, text, aligner and trained model."""

    utterance: str
    key: str
    aligner: str
    score: float
    intervals: tuple[PhoneInterval, ...]

    @property
    def phones(self) -> tuple[PhoneInterval, ...]:
        """The intervals that are speech."""
        return tuple(item for item in self.intervals if item.phone)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLaw:
    """How many rows a recording gives; the arithmetic is in `features.framing`.

    ``kind`` is ``centred`` (1 + n // hop; row i is centred at sample i x hop), ``ceil`` (ceil(n / hop)),
    ``convolutional`` (a stack of unpadded convolutions, ``kernels`` and ``strides``), ``fixed`` (``rows``,
    whatever the length), ``phones`` (one row for each non-silent interval), ``phone-frames`` (the frames of
    every non-silent interval, one behind the other) or ``utterance`` (one row). ``hop`` is in samples at the
    spec's rate.
    """

    kind: str
    hop: int = 0
    kernels: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    rows: int = 0


@dataclass(frozen=True, kw_only=True)  # no slots, since the digest is kept
class FeatureSpec:
    """What a feature is: everything that its values depend on, apart from the recording.

    ``dims`` is the shape of one row, e.g. ``(80,)`` or ``(layers, dim)``; ``sample_rate`` is the rate in Hz
    of the samples that it is computed from, `NATIVE_RATE` for that of each file; ``uses`` names what a row
    depends on beside the samples: ``"gender"`` and/or ``"alignment"``; ``parent`` is the digest of the spec
    whose stored rows this one is derived from. ``params`` are copied; the copy must not be changed.
    """

    name: str
    version: int
    params: Mapping[str, Json] = field(default_factory=dict)
    dims: tuple[int, ...]
    dtype: str
    sample_rate: int
    law: FrameLaw
    uses: tuple[str, ...] = ()
    parent: str | None = None

    def __post_init__(self) -> None:
        # Who changes the mapping given must not change a spec whose digest is known.
        object.__setattr__(self, "params", deepcopy(dict(self.params)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form, reckoned once: that costs as much as reading a row block."""
        return digest(self.canonical())

    def canonical(self) -> dict[str, Json]:
        """Return the spec as plain JSON; ``rows`` of the law is there where it says something."""
        content: dict[str, Json] = {**asdict(self), "params": dict(self.params)}
        if not self.law.rows:
            content["law"] = {key: value for key, value in asdict(self.law).items() if key != "rows"}
        return content

    def row_key(self, audio_sha256: str, *, gender: str | None = None, alignment: str | None = None) -> str:
        """Return the content key of one recording's rows; arguments the spec does not use are left out."""
        return digest({
            "audio": audio_sha256,
            "spec": self.digest,
            "gender": gender if "gender" in self.uses else None,
            "alignment": alignment if "alignment" in self.uses else None,
        })  # fmt: skip
