"""The settings of one experiment: every choice the paper leaves open is a named, documented field."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from store.digests import digest
from store.errors import ConfigurationError
from store.vocabulary import DIPHTHONGS, EMOTIONS, FOUR_CLASSES, MONOPHTHONGS
from training.records import System

Model = Literal["linear", "CL", "BA-CL", "WA-CL", "GA-CL", "RA-CL", "AGA-CL"]
AnchorLabels = Literal["none", "pseudo", "oracle_val"]
PRESETS: dict[str, dict[str, object]] = {
    "quick": {"epochs": 20, "patience": 5, "seeds": (0, 1, 2), "learning_rate": 5e-4, "frame_stride": 2},
    "paper": {"epochs": 70, "patience": 10, "seeds": tuple(range(10)), "learning_rate": 1e-4},
}
"""How long to train, and on how many seeds."""
MODES: dict[str, dict[str, object]] = {
    "strict": {"class_weights": "inverse_frequency"},
    "paper": {
        "class_weights": "none",
        "learning_rate": 1e-4,
        "frame_stride": 1,
        "input_scaling": "none",
        "ed_scale": 6.0,
        "models": ("linear", "CL", "BA-CL", "WA-CL", "RA-CL", "GA-CL", "AGA-CL"),
        "anchor_labels": ("oracle_val", "pseudo"),
    },
}
"""``paper``: the published procedure (TAFFC 2025) as far as it is stated; over the preset's values."""
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class Experiment(BaseModel):
    """One experiment; frozen, unknown keys refused. ``[D]`` marks our decision where the paper is silent.

    Settings that do not fit together raise `ConfigurationError`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = "experiment"
    """Name printed with the results."""
    source: str
    """Corpus whose labels train the models."""
    target: str
    """Corpus of the other language; scored on held-out speakers only."""
    classes: tuple[str, ...] = FOUR_CLASSES
    """Emotions in use, canonical names; utterances of other emotions are left out."""
    relabel: dict[str, str] = Field(default_factory=dict)
    """Emotions that count as a class: ``{excitement = "happiness"}`` for the usual four of IEMOCAP."""

    frames: str = "encoder"
    """Stored frames (AGA-CL): ``encoder`` for the encoder's, or the name of a spec that build.features gives,
    e.g. mfcc13; CL and the anchors read their phone segments, ``segments-<frames>``."""
    layer: int | Literal["last"] = "last"
    """Encoder layer of frames and segments; counted from 0, ``last`` as in the paper."""
    input_scaling: Literal["source", "speaker", "none"] = "source"
    """[D] How inputs become z-scores (anchors use them unscaled): by mean and SD of the source training rows,
    or of all rows of the ``speaker`` (unlabelled, scored recordings included: transductive, and marked)."""
    frame_stride: Positive = 1
    """[D] Keep every n-th stored frame of AGA-CL: 1 keeps all (13 frames in 260 ms at 20 ms), 2 (quick) takes
    half the time."""
    max_phones: Positive = 128
    """[D] Phones of one utterance after this many are left out, and reported."""

    models: tuple[Model, ...] = ("linear", "CL", "RA-CL", "GA-CL", "AGA-CL")
    """Rows of the table; ``linear`` is the source-only baseline, without and with per-speaker z-scores."""
    anchor_labels: tuple[AnchorLabels, ...] = ("pseudo", "oracle_val")
    """Where the emotions of target segments come from; the first is the main mode of every triplet model."""
    repeated_models: tuple[Model, ...] = ("GA-CL", "AGA-CL")
    """Models that are run again for each further mode of ``anchor_labels``."""
    preset: Literal["quick", "paper"] = "quick"
    """Defaults of epochs, patience, seeds and learning rate: 20, 5, 3, 5e-4 or 70, 10, 10, 1e-4."""
    mode: Literal["strict", "paper"] = "strict"
    """``strict``, or the published procedure with its warts (`MODES`): true labels behind the anchors, no
    class weights, unscaled inputs, all anchor sets."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Runs; each has its own source split, initial weights and batch order."""
    folds: Positive | Literal["auto"] = "auto"
    """Speaker-disjoint folds over the target; ``auto`` takes the published folds where there are some."""
    split_file: str | None = None
    """File of a split that takes the place of ``folds``: its folds test every target speaker once."""
    validation_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of source speakers that choose the epoch."""

    epochs: Positive = 20
    """Most epochs of one run, warm-up included."""
    patience: Positive = 5
    """[D] Epochs after the warm-up without a better source-validation UAR before a run stops."""
    warm_up: Annotated[int, Field(ge=0)] = 5
    """[D] Epochs of cross-entropy only, before pseudo labels and anchors; the same for every model."""
    batch_size: Positive = 64
    """Source utterances (and paired target utterances) of one step."""
    learning_rate: Annotated[float, Field(gt=0)] = 5e-4
    """Adam's learning rate at the first epoch; the paper's 1e-4 is the default of the preset ``paper``.

    [D] At 1e-4 a few hundred clips (nine steps an epoch) are not learnt within 20 epochs, and too few
    predictions are confident enough for pseudo labels after the warm-up; chosen on source validation only.
    """
    learning_rate_decay: Annotated[float, Field(ge=0)] = 1e-3
    """[D] lr_t = lr / (1 + decay x t), t in epochs from 0: our reading of "decay factor 0.001"."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """[D] The other reading of "decay factor 0.001": Adam's weight decay."""
    class_weights: Literal["none", "inverse_frequency"] = "inverse_frequency"
    """[D] Weights of the cross-entropy; the default follows ``mode``."""

    beta: Annotated[float, Field(ge=0)] = 0.5
    """Weight of the triplet loss."""
    margin: Annotated[float, Field(ge=0)] = 0.2
    """[D] Margin on L2-normalised vectors (the paper's value is lost; try 0.1, 0.2, 0.5, 1.0)."""
    triplets_per_vowel: Positive = 16
    """[D] Most triplets of one step for each emotion and anchor vowel."""
    pseudo_threshold: Annotated[float, Field(ge=0, le=1)] = 0.7
    """[D] Lowest confidence of a prediction that serves as pseudo label."""
    anchor_refresh: Literal["epoch", "once"] = "epoch"
    """[D] When anchors are chosen after the warm-up: anew each epoch with the renewed pseudo labels (those of
    the epoch that is kept are reported), or once per emotion, at its first target token."""
    vowels: Literal["mono", "diph", "both"] = "both"
    """Vowel groups whose anchor sets are used."""
    ed_scale: Literal["max"] | Annotated[float, Field(gt=0)] = "max"
    """Divisor of the Euclidean distance: the largest of the pair's cells, or a number (6.0: the paper)."""
    utterances_per_emotion: Positive = 500
    """[D] Utterances of each corpus and emotion behind a centroid, drawn by the seed where there are more."""

    d_model: Positive = 256
    """[D] Width of the phone transformer."""
    layers: Positive = 2
    """[D] Layers of the phone transformer."""
    heads: Positive = 4
    """[D] Heads of the phone transformer."""
    feed_forward: Positive = 512
    """[D] Hidden width of its feed-forward part."""
    dropout: Share = 0.1
    """[D] Dropout in the encoder and after the cross-phonetic attention."""
    classifier_width: Positive = 128
    """[D] Hidden width of the classifier."""
    classifier_dropout: Share = 0.3
    """[D] Dropout in the classifier."""
    attention_heads: Positive = 8
    """[D] Heads of the cross-phonetic attention, each d / 8 wide."""
    validation_attention: Literal["cross", "self"] = "cross"
    """[D] What frames of source-validation items attend to: a fixed random target item, or themselves."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of matrix products; ``auto`` takes bfloat16 where the processor has it, and is recorded."""
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = 0
    """Processes that share the runs; 0 means here, ``auto`` one per processor. Changes no result."""
    threads: Positive = 1
    """Torch threads of each process."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        preset = PRESETS.get(str(given.get("preset", "quick")), {})
        return {**preset, **MODES.get(str(given.get("mode", "strict")), {}), **given}

    @model_validator(mode="after")
    def _check(self) -> Self:
        for expected, found, remedy in self._problems():
            raise ConfigurationError(expected, found, remedy)
        return self

    def _problems(self) -> Iterator[tuple[str, str, str]]:
        """Yield what settings do not fit together: what was expected, what was found, how to mend it."""
        if self.source == self.target:
            yield (
                "two corpora",
                f"{self.source!r} as source and as target",
                "name another --source or --target",
            )
        if len(set(self.classes)) < 2 or not set(self.classes) <= set(EMOTIONS):
            yield "two or more classes", ", ".join(self.classes) or "none", f"choose of {', '.join(EMOTIONS)}"
        for emotion, counted in self.relabel.items():
            if emotion not in EMOTIONS or emotion in self.classes or counted not in self.classes:
                others = ", ".join(name for name in EMOTIONS if name not in self.classes)
                yield (
                    "experiment.relabel to count other emotions as one of the classes",
                    f"{emotion} = {counted!r}",
                    f"choose of {others} = one of {', '.join(self.classes)}",
                )
        for name in ("classes", "models", "seeds", "anchor_labels"):
            given = [str(item) for item in getattr(self, name)]
            if not given:
                yield f"at least one of experiment.{name}", "none", f"name some, or leave {name} out"
            if len(set(given)) < len(given):
                yield f"each of experiment.{name} once", ", ".join(given), "leave out what is there twice"
        if self.epochs <= self.warm_up:
            yield (
                f"more epochs than the warm-up's {self.warm_up}",
                f"{self.epochs}",
                "raise epochs or lower warm_up",
            )
        if self.d_model % self.heads or self.d_model % 2:
            found = f"d_model {self.d_model} and {self.heads} heads"
            yield "an even d_model that is a multiple of heads", found, "set d_model or heads"

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions that some class holds, as corpora call them."""
        return (*self.classes, *self.relabel)

    def class_of(self, emotion: str) -> str:
        """Return the class that an emotion of `emotions` counts as."""
        return self.relabel.get(emotion, emotion)

    @property
    def systems(self) -> tuple[System, ...]:
        """The rows of the table, in order."""
        standardisation = "speaker" if self.input_scaling == "speaker" else "none"
        rows = []
        for model in self.models:
            if model == "linear":
                rows += [System(model=model), System(model=model, standardisation="speaker")]
                continue
            modes: tuple[str, ...] = ("none",)
            if model != "CL":
                modes = self.anchor_labels if model in self.repeated_models else self.anchor_labels[:1]
            rows += [
                System(model=model, anchor_labels=labels, standardisation=standardisation) for labels in modes
            ]
        return tuple(rows)

    @property
    def segments(self) -> str:
        """Name of the stored phone segments of the frames in use."""
        return f"segments-{self.frames}"

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The vowel groups among which anchors are chosen, each for itself."""
        return {"mono": (MONOPHTHONGS,), "diph": (DIPHTHONGS,), "both": (MONOPHTHONGS, DIPHTHONGS)}[
            self.vowels
        ]

    @property
    def digest(self) -> str:
        """SHA-256 of everything that may change a result (not of ``workers``)."""
        return digest(self.model_dump(mode="json", exclude={"workers"}))
