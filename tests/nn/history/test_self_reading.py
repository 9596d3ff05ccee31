import math

import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.history.self_reading import HistoryBlock
from tests._networks import LENGTH, histories, network


@torch.no_grad()
def test_weights_are_the_softmax_of_products_and_biases_written_out():
    own, inputs = network(n_layers=1), histories()
    (block,), recency = own.encoder.blocks, own.encoder.recency
    tokens, moments, _ = own._tokens(inputs)
    bias = recency(moments.everywhere())
    weights = block.weights(tokens, bias)
    assert weights.shape == (3, 2, LENGTH, LENGTH)
    q, k, _ = block.query_key_value(block.norm_attention(tokens)).chunk(3, dim=-1)
    for b in range(3):
        for head in range(2):
            dims = slice(4 * head, 4 * head + 4)
            for i in range(LENGTH):
                scores = []
                for j in range(i + 1):
                    gap = float(inputs["asked"][b, i] - inputs["time"][b, j])
                    bucket = round(2 * (min(max(math.log2(gap / 10.0), -10), 10) + 10))
                    scores.append(
                        float(q[b, i, dims] @ k[b, j, dims]) / 2.0  # the root of 4 dims
                        + float(recency.lag_bias[i - j, head] + recency.gap_bias[bucket, head])
                    )
                total = sum(map(math.exp, scores))
                expected = [math.exp(score) / total for score in scores]
                found = weights[b, head, i].tolist()
                assert found[: i + 1] == pytest.approx(expected, abs=1e-6)
                assert found[i + 1 :] == [0.0] * (LENGTH - i - 1)


def test_block_mixes_the_values_by_its_weights():
    generator = torch.Generator().manual_seed(0)
    block = HistoryBlock(8, 2, 0.0, generator).double()
    tokens = torch.randn(3, LENGTH, 8, generator=generator, dtype=torch.float64)
    later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    bias = torch.zeros(2, LENGTH, LENGTH, dtype=torch.float64).masked_fill(later, -torch.inf)
    value = block.query_key_value(block.norm_attention(tokens)).chunk(3, dim=-1)[2]
    heads = [
        block.weights(tokens, bias)[:, head].double() @ value[..., 4 * head : 4 * head + 4]
        for head in range(2)
    ]
    mixed = tokens + block.out(torch.cat(heads, dim=-1))
    inner = torch.nn.functional.gelu(block.expand(block.norm_hidden(mixed)))
    expected = mixed + block.contract(inner)
    assert_close(block(tokens, bias), expected, rtol=1e-5, atol=1e-6)
