import pytest
import torch
from torch.nn import functional

from training.models.attention import ByteDropout, attend


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_attention_equals_the_built_in_one(dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, 2, rows, 8, dtype=dtype) for rows in (5, 7, 7))
    mask = torch.arange(7) < torch.tensor([[7], [4], [1]])
    expected = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
    torch.testing.assert_close(attend(query, key, value, mask), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_masked_keys_have_no_influence_at_all(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 1, 4, 8, dtype=dtype) for _ in range(3))
    mask = torch.tensor([[True, True, False, False]])
    loud = torch.where(mask[:, None, :, None], value, value + 1e4)
    assert torch.equal(attend(query, key, value, mask), attend(query, key, loud, mask))


def test_dropout_keeps_the_mean_and_the_stated_share() -> None:
    torch.manual_seed(0)
    layer, ones = ByteDropout(0.1), torch.ones(1000, 999)
    dropped = layer(ones)
    assert (dropped == 0).float().mean().item() == pytest.approx(26 / 256, abs=1e-3)
    assert dropped.mean().item() == pytest.approx(1, abs=1e-3)
    assert dropped.unique().tolist() == pytest.approx([0, 256 / 230])
    assert layer.eval()(ones) is ones
    assert ByteDropout(0.0)(ones) is ones


def test_dropout_of_the_gradient_is_that_of_the_values() -> None:
    torch.manual_seed(0)
    x = torch.randn(50, 3, requires_grad=True)
    dropped = ByteDropout(0.5)(x)
    dropped.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad == 0, dropped == 0)
