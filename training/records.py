"""The frozen records that training writes: predictions, selected anchors, label accesses and result rows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One row of the result table: a model with everything that distinguishes it from the other rows.

    ``model`` is ``linear``, ``CL``, ``BA-CL``, ``WA-CL``, ``GA-CL``, ``RA-CL`` or ``AGA-CL``;
    ``anchor_labels`` is ``none``, ``pseudo`` or ``oracle_val``; ``standardisation`` ``none`` or ``speaker``.
    """

    model: str
    anchor_labels: str = "none"
    standardisation: str = "none"

    @property
    def label(self) -> str:
        """The name in records: the key of predictions, ledger and result rows."""
        return self.model + _bracketed(self._notes)

    @property
    def shown(self) -> str:
        """The name printed for people, which says what the linear baseline is."""
        linear = self.model == "linear"
        notes = [*(["mean+SD"] if linear else []), *self._notes]
        return ("logistic" if linear else self.model) + _bracketed(notes)

    @property
    def _notes(self) -> list[str]:
        notes = [] if self.anchor_labels == "none" else [self.anchor_labels]
        return notes + (["per-speaker z"] if self.standardisation == "speaker" else [])


def _bracketed(notes: list[str]) -> str:
    return f" ({', '.join(notes)})" if notes else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One target utterance scored while its speaker was held out."""

    system: str
    seed: int
    fold: int
    utterance: str
    speaker: str
    emotion: str
    predicted: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorScore:
    """Similarity of one vowel of one emotion in both languages, in one fold, seed and label mode.

    Where there is nothing to compare, ``cosine``, ``euclidean`` and ``combined`` are NaN and ``absent`` says
    why: ``source``, ``target`` or ``both`` lack the vowel, or ``unlabelled``: the target has it, but in no
    utterance labelled with the emotion. Else ``absent`` is empty; ``chosen`` lists the sets that hold the
    vowel: ``BA,GA``. Of ``n_adapt`` adaptation utterances ``n_labelled`` carry the emotion as label, true or
    pseudo (-1: not recorded).
    """

    system: str
    seed: int
    fold: int
    emotion: str
    vowel: str
    cosine: float
    euclidean: float
    combined: float
    n_source: int
    n_target: int
    absent: str
    chosen: str
    n_labelled: int = -1
    n_adapt: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelAccess:
    """One entry of the ledger: which labels one stage of one system touched, and what for."""

    system: str
    stage: str
    corpus_role: str
    split: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One epoch of one run."""

    system: str
    seed: int
    fold: int
    epoch: int
    emotion_loss: float
    anchor_loss: float
    n_triplets: int
    validation_uar: float
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the runs were computed with: ``float32`` or ``bfloat16``, and the device."""

    precision: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """Scores of one system, seed and fold (``fold`` is -1 for the predictions pooled over folds)."""

    experiment: str
    source: str
    target: str
    system: str
    seed: int
    fold: int
    uar: float
    wa: float
    macro_f1: float
    weighted_f1: float
    n: int
    snapshot: str
    manifest: str
    configuration: str
    code_version: str
    label_access: str
    selected_on: str
    synthetic: bool
