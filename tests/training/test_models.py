from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from store.errors import TrainingError
from training.collate import Batch, Collator, scaled_by, scaled_by_speaker
from training.dataset import CorpusData, load_corpus
from training.experiment import Experiment
from training.models.cross_attention import AnchoredAttention, CrossPhoneticAttention
from training.models.phone_transformer import PhoneTransformer, sinusoids

CPU = torch.device("cpu")
SMALL = Experiment(
    source="one",
    target="two",
    d_model=16,
    heads=2,
    feed_forward=32,
    classifier_width=8,
    attention_heads=4,
    frame_stride=1,
)


@pytest.fixture(scope="module")
def corpora(make_store: Callable) -> tuple[CorpusData, CorpusData]:
    store = make_store(speakers=2, repeats=1)
    first, second = (load_corpus(store, name, SMALL, frames=True).data for name in ("one", "two"))
    return first, second


def collator(data: CorpusData, use_frames: bool) -> Collator:
    values = scaled_by(data, np.arange(len(data)), data, use_frames)
    return Collator(data, use_frames=use_frames, values=values, device=CPU)


def network(use_frames: bool) -> PhoneTransformer | AnchoredAttention:
    torch.manual_seed(0)
    return (AnchoredAttention if use_frames else PhoneTransformer)(16, SMALL).eval()


@pytest.mark.parametrize("use_frames", [False, True])
def test_padding_never_changes_a_result(corpora: tuple[CorpusData, CorpusData], use_frames: bool) -> None:
    source, target = (collator(data, use_frames) for data in corpora)
    model, items = network(use_frames), np.arange(8)
    assert len(set(source.lengths(items))) > 1
    partners = items[::-1].copy()
    with torch.inference_mode():
        keys = model.keys(target.batch(partners))
        together = model.encode(source.batch(items), keys)
        for at in items:
            keys = model.keys(target.batch(partners[at : at + 1]))
            alone = model.encode(source.batch(items[at : at + 1]), keys)
            count = alone.phones.shape[1]
            torch.testing.assert_close(together.logits[at], alone.logits[0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(together.phones[at, :count], alone.phones[0], atol=1e-5, rtol=1e-5)


def test_attention_reads_the_partner_and_test_items_read_themselves(
    corpora: tuple[CorpusData, CorpusData],
) -> None:
    source, target = (collator(data, use_frames=True) for data in corpora)
    model, batch = network(use_frames=True), source.batch(np.array([0, 1]))
    with torch.inference_mode():
        crossed = [model.encode(batch, model.keys(target.batch(np.array(pair)))) for pair in ([0, 1], [2, 1])]
        itself = model.encode(batch, None)
        same = model.encode(batch, model.keys(batch))
    assert not torch.allclose(crossed[0].logits[0], crossed[1].logits[0])
    torch.testing.assert_close(crossed[0].logits[1], crossed[1].logits[1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(itself.logits, same.logits)
    assert not torch.allclose(itself.logits, crossed[0].logits)


def test_attention_is_the_formula_of_the_paper() -> None:
    torch.manual_seed(1)
    layer = CrossPhoneticAttention(8, 2, 0.1).eval()
    source, target = torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    weight_k, weight_v = layer.key_value.weight.chunk(2)
    bias_k, bias_v = layer.key_value.bias.chunk(2)
    query, key, value = (
        layer.query(source)[0], target[0] @ weight_k.T + bias_k, target[0] @ weight_v.T + bias_v
    )  # fmt: skip
    heads = [
        torch.softmax(query[:, part] @ key[:, part].T / 2.0, dim=-1) @ value[:, part]
        for part in (slice(0, 4), slice(4, 8))
    ]
    expected = layer.norm(source[0] + layer.out(torch.cat(heads, dim=-1)))
    found = layer(source, layer.keys(target, torch.ones(1, 5, dtype=torch.bool)))
    torch.testing.assert_close(found[0], expected, atol=1e-6, rtol=1e-5)


def test_pooled_frames_are_the_stored_segments(corpora: tuple[CorpusData, CorpusData]) -> None:
    """Without attention, averaging the cropped frames gives the segments that the store holds."""
    for data in corpora:
        assert data.frames is not None
        unscaled = Collator(data, use_frames=True, values=data.frames.values, device=CPU)
        batch = unscaled.batch(np.arange(len(data)))
        assert batch.pooling is not None
        pooled = torch.bmm(batch.pooling, batch.inputs).numpy()
        for at in range(len(data)):
            count = int(batch.phone_mask[at].sum())
            np.testing.assert_allclose(pooled[at, :count], data.segments[at], atol=1e-5)


def test_rows_scaled_by_speaker_have_no_mean_and_depend_on_no_other_speaker(
    corpora: tuple[CorpusData, CorpusData],
) -> None:
    data = corpora[0]
    rows = scaled_by_speaker(data, use_frames=False)
    speakers = np.repeat(np.array(data.speakers), np.diff(data.segments.starts))
    first, others = speakers == data.speakers[0], speakers != data.speakers[0]
    assert others.any()
    np.testing.assert_allclose(rows[first].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(rows[first].std(axis=0), 1, atol=1e-4)
    shifted = data.segments.values.copy()
    shifted[others] += 5
    moved = replace(data, segments=replace(data.segments, values=shifted))
    np.testing.assert_array_equal(scaled_by_speaker(moved, use_frames=False)[first], rows[first])


def test_paper_sized_model_has_the_stated_number_of_parameters() -> None:
    model = AnchoredAttention(768, Experiment(source="a", target="b"))
    assert sum(item.numel() for item in model.parameters()) == pytest.approx(3.6e6, rel=0.02)


def test_taking_rows_of_a_batch_keeps_them_aligned(corpora: tuple[CorpusData, CorpusData]) -> None:
    batch = collator(corpora[0], use_frames=True).batch(np.array([3, 5, 1]))
    part: Batch = batch.take(np.array([2, 0]))
    assert part.items.tolist() == [1, 3]
    torch.testing.assert_close(part.inputs, batch.inputs[[2, 0]])
    assert part.vowels.tolist() == batch.vowels[[2, 0]].tolist()


def test_wrong_width_for_the_heads_is_an_error() -> None:
    with pytest.raises(TrainingError, match="multiple of 8 heads; found 30 values"):
        CrossPhoneticAttention(30, 8, 0.1)


def test_positions_are_distinct_and_bounded() -> None:
    found = sinusoids(128, 16)
    assert found.abs().max() <= 1
    assert len(torch.unique(found, dim=0)) == 128
    assert found[0].tolist() == [0.0, 1.0] * 8
