"""Trains one family of systems (all on phone segments, or all on frames) on one seed and fold."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.adaptation import Adaptation, Problem
from training.collate import Collator, rows_of, scaled_by, scaled_by_speaker
from training.dataset import CorpusData
from training.losses import gather, triplet_loss
from training.metrics import uar
from training.models.cross_attention import AnchoredAttention
from training.models.phone_transformer import Keys, PhoneTransformer
from training.records import AnchorScore, Epoch, System
from training.sampling import bucketed, by_length, rng_of

WEIGHTS, SOURCE_ORDER, TARGET_ORDER, TRIPLETS, DROPOUT, PARTNERS = range(1, 7)
"""Purposes of random numbers, see `sampling.rng_of`."""


@dataclass(frozen=True, slots=True)
class Trained:
    """One finished run: probabilities (n, K) of the test items, evidence of the anchors, and the epochs."""

    probabilities: NDArray[np.float32]
    anchors: tuple[AnchorScore, ...]
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True, slots=True)
class _Progressed:
    """Where a run stands; an epoch's random numbers depend on its number only, so this is all."""

    weights: dict[str, Tensor]
    optimiser: dict[str, Any]
    epochs: tuple[Epoch, ...]


class Trainer:
    """Trains the systems of one family that share seed and fold.

    The warm-up (cross-entropy only) is the same for all of them, so it is run once and each system goes on
    from there; the result of a system does not depend on which others are trained.
    """

    def __init__(self, problem: Problem, *, use_frames: bool) -> None:
        self.problem, self.use_frames = problem, use_frames
        self.device = device()
        self.autocast = resolve_precision(problem.experiment.precision) == "bfloat16"
        dtype = torch.bfloat16 if self.autocast else torch.float32
        self.source, self.target = (
            Collator(data, use_frames=use_frames, values=self._scaled(data), device=self.device, dtype=dtype)
            for data in (problem.source, problem.target)
        )
        self._partners = rng_of(problem.seed, problem.fold, PARTNERS).choice(
            problem.adapt, len(problem.source)
        )
        self._warm: _Progressed | None = None

    def train(self, system: System, oracle: NDArray[np.int64] | None = None) -> Trained:
        """Train one system and score the test items with its best epoch after the warm-up.

        ``oracle`` (target utterances,) are true labels, given to `oracle_val` systems only. The epoch is
        chosen by source-validation UAR among those after the warm-up and, for a system with anchors, those
        that had triplets (if any had); the first of equals is kept.
        """
        if self._warm is None:
            self._warm = self._warm_up()
        adaptation = None if system.model == "CL" else Adaptation(self.problem, system, oracle)
        model, optimiser = self._restore(self._warm)
        return self._go_on(system, model, optimiser, list(self._warm.epochs), adaptation)

    def _go_on(
        self,
        system: System,
        model: PhoneTransformer | AnchoredAttention,
        optimiser: torch.optim.Optimizer,
        epochs: list[Epoch],
        adaptation: Adaptation | None,
    ) -> Trained:
        experiment = self.problem.experiment
        best, best_weights = -1, model.state_dict()
        anchors: tuple[AnchorScore, ...] = ()
        for number in range(experiment.warm_up, experiment.epochs):
            if adaptation is not None:
                adaptation.refresh(self.predict(model, self.target, self.problem.adapt))
            epochs.append(self._epoch(number, model, optimiser, adaptation))
            if best < 0 or _better(epochs[-1], epochs[best], adaptation is not None):
                best, best_weights = number, copy.deepcopy(model.state_dict())
                anchors = adaptation.scores() if adaptation else ()
            elif number - best >= experiment.patience and (adaptation is None or epochs[best].n_triplets):
                break
        model.load_state_dict(best_weights)
        rows = tuple(replace(row, system=system.label, kept=row.epoch == best) for row in epochs)
        probabilities = self.predict(model, self.target, self.problem.test)
        return Trained(probabilities, anchors, rows)

    def _warm_up(self) -> _Progressed:
        problem, experiment = self.problem, self.problem.experiment
        torch.manual_seed(_torch_seed(problem, 0, WEIGHTS))
        d_in = rows_of(problem.source, self.use_frames).values.shape[1]
        model = (AnchoredAttention if self.use_frames else PhoneTransformer)(d_in, experiment).to(self.device)
        optimiser = self._optimiser(model)
        epochs = [self._epoch(number, model, optimiser, None) for number in range(experiment.warm_up)]
        self._model = model
        return _Progressed(
            copy.deepcopy(model.state_dict()), copy.deepcopy(optimiser.state_dict()), tuple(epochs)
        )

    def _restore(
        self, state: _Progressed
    ) -> tuple[PhoneTransformer | AnchoredAttention, torch.optim.Optimizer]:
        model = copy.deepcopy(self._model)
        model.load_state_dict(state.weights)
        optimiser = self._optimiser(model)
        optimiser.load_state_dict(copy.deepcopy(state.optimiser))
        return model, optimiser

    def _optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        experiment = self.problem.experiment
        return torch.optim.Adam(
            model.parameters(), lr=experiment.learning_rate, weight_decay=experiment.weight_decay, fused=True
        )

    def _epoch(
        self,
        number: int,
        model: PhoneTransformer | AnchoredAttention,
        optimiser: torch.optim.Optimizer,
        adaptation: Adaptation | None,
    ) -> Epoch:
        """Run one epoch over the source training items and validate; the row names no system yet."""
        problem, experiment = self.problem, self.problem.experiment
        for group in optimiser.param_groups:
            group["lr"] = experiment.learning_rate / (1 + experiment.learning_rate_decay * number)
        torch.manual_seed(_torch_seed(problem, number, DROPOUT))
        rng = rng_of(problem.seed, problem.fold, number, TRIPLETS)
        order = rng_of(problem.seed, problem.fold, number, SOURCE_ORDER)
        targets = self._target_batches(number)
        model.train()
        totals = np.zeros(4)  # emotion loss x items, items, anchor loss x triplets, triplets
        batches = bucketed(problem.train, self.source.lengths(problem.train), experiment.batch_size, order)
        for items in batches:
            optimiser.zero_grad()
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
                emotion, anchor, count = self._losses(
                    model, items, np.resize(next(targets), len(items)), adaptation, rng
                )
            (emotion + experiment.beta * anchor).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            totals += (emotion.item() * len(items), len(items), anchor.item() * count, count)
        return Epoch(
            system="", seed=problem.seed, fold=problem.fold, epoch=number,
            emotion_loss=float(totals[0] / totals[1]), anchor_loss=float(totals[2] / max(totals[3], 1)),
            n_triplets=int(totals[3]), validation_uar=self._validate(model), kept=False,
        )  # fmt: skip

    def _losses(
        self,
        model: PhoneTransformer | AnchoredAttention,
        source_items: NDArray[np.int64],
        target_items: NDArray[np.int64],
        adaptation: Adaptation | None,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor, int]:
        """Return emotion loss, anchor loss and number of triplets of one step."""
        source = self.source.batch(source_items)
        useful = np.arange(0) if adaptation is None else adaptation.useful(target_items)
        target = self.target.batch(target_items) if self.use_frames or len(useful) else None
        keys = model.keys(target) if target else None
        encoded = model.encode(source, keys)
        labels = torch.from_numpy(self.problem.source.labels[source_items]).to(self.device)
        emotion = functional.cross_entropy(encoded.logits, labels, self._class_weights())
        if adaptation is None or target is None or not len(useful):
            return emotion, torch.zeros((), device=self.device), 0
        partners = target if len(useful) == len(target_items) else target.take(useful)
        triplets = adaptation.triplets(source.items, source.vowels, partners.items, partners.vowels, rng)
        if not len(triplets):
            return emotion, torch.zeros((), device=self.device), 0
        adapted = model.encode(partners, keys if partners is target else _take(keys, useful))
        anchor = triplet_loss(
            *gather(encoded.phones, adapted.phones, triplets), self.problem.experiment.margin
        )
        return emotion, anchor, len(triplets)

    def predict(
        self,
        model: PhoneTransformer | AnchoredAttention,
        corpus: Collator,
        items: NDArray[np.int64],
        partners: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """Return class probabilities (n, K) of items; frames attend to themselves or to ``partners`` (n,)."""
        model.eval()
        found = np.empty((len(items), len(self.problem.experiment.classes)), dtype=np.float32)
        at = np.arange(len(items))
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            for rows in by_length(at, corpus.lengths(items), self.problem.experiment.batch_size):
                batch = corpus.batch(items[rows])
                keys = None if partners is None else model.keys(self.target.batch(partners[rows]))
                found[rows] = model.encode(batch, keys).logits.softmax(-1).cpu().numpy()
        return found

    def _validate(self, model: PhoneTransformer | AnchoredAttention) -> float:
        items, classes = self.problem.validation, self.problem.experiment.classes
        cross = self.use_frames and self.problem.experiment.validation_attention == "cross"
        probabilities = self.predict(model, self.source, items, self._partners[items] if cross else None)
        true = [classes[label] for label in self.problem.source.labels[items]]
        return uar(true, [classes[at] for at in probabilities.argmax(1)], classes)

    def _target_batches(self, number: int) -> Iterator[NDArray[np.int64]]:
        """Yield batches of adaptation items for ever; item i is paired with source item i of its step."""
        rng = rng_of(self.problem.seed, self.problem.fold, number, TARGET_ORDER)
        adapt = self.problem.adapt
        while True:
            yield from bucketed(adapt, self.target.lengths(adapt), self.problem.experiment.batch_size, rng)

    def _class_weights(self) -> Tensor | None:
        problem = self.problem
        if problem.experiment.class_weights == "none":
            return None
        classes = len(problem.experiment.classes)
        counts = np.bincount(problem.source.labels[problem.train], minlength=classes)
        weights = len(problem.train) / (classes * np.maximum(counts, 1))
        return torch.from_numpy(weights.astype(np.float32)).to(self.device)

    def _scaled(self, data: CorpusData) -> NDArray[np.float32]:
        setting = self.problem.experiment.input_scaling
        if setting == "speaker":
            return scaled_by_speaker(data, self.use_frames)
        if setting == "source":
            return scaled_by(self.problem.source, self.problem.train, data, self.use_frames)
        return rows_of(data, self.use_frames).values


def _better(epoch: Epoch, best: Epoch, adapts: bool) -> bool:
    """Return whether an epoch replaces the best one: higher UAR, or the first that adapted at all.

    Until predictions are confident enough there are no pseudo labels; an epoch without a triplet is plain
    CL and must not stand for a system that adapts.
    """
    if adapts and bool(epoch.n_triplets) != bool(best.n_triplets):
        return bool(epoch.n_triplets)
    return epoch.validation_uar > best.validation_uar


def _take(keys: Keys | None, rows: NDArray[np.int64]) -> Keys | None:
    return None if keys is None else keys.take(torch.from_numpy(rows).to(keys.mask.device))


def _torch_seed(problem: Problem, epoch: int, purpose: int) -> int:
    return int(rng_of(problem.seed, problem.fold, epoch, purpose).integers(2**62))


def device() -> torch.device:
    """Return the accelerator if there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def resolve_precision(setting: str) -> str:
    """Return ``float32`` or ``bfloat16``; ``auto`` takes bfloat16 where the hardware has it."""
    if setting != "auto":
        return setting
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    found = torch.cpu.get_capabilities()
    return "bfloat16" if found.get("avx512_bf16") or found.get("amx_bf16") else "float32"
