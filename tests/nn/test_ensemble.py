import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.ensemble import NetworkEnsemble
from tests.nn.test_multi_task import KINDS, network, rows


def ensemble(attention="cross"):
    return NetworkEnsemble([network(attention, seed=seed) for seed in range(3)]).eval()


@pytest.mark.parametrize("attention", KINDS)
def test_members_of_all_networks_answer_side_by_side(attention):
    own, inputs = ensemble(attention), rows()
    expected = torch.cat([network(inputs) for network in own.networks], dim=2)
    assert expected.shape == (6, 2, 9, 3)
    assert_close(own(inputs), expected)
    assert_close(own.answer(own.tokens(inputs)), expected)


def test_an_ensemble_reads_what_its_networks_read_on_average():
    own, inputs = ensemble(), rows()
    reads = [network.read(inputs) for network in own.networks]
    read = own.read(inputs)
    assert_close(read.tokens, own.tokens(inputs))
    assert_close(read.weights, sum(each.weights for each in reads) / 3)
    assert_close(read.representation, sum(each.representation for each in reads) / 3)
    for number, each in enumerate(own.networks):
        each.mixture.logit.data[0] = 0.1 * number
    omega = torch.stack([each.task_weights() for each in own.networks]).mean(0)
    assert_close(own.task_weights(), omega)


def test_an_ensemble_traces_attention_network_by_network():
    own, inputs = ensemble("double"), rows()
    each = [network.rollout(network.tokens(inputs)) for network in own.networks]
    assert_close(own.rollout(own.tokens(inputs)), sum(each) / 3)
    assert own.rows_at_a_time() == own.networks[0].rows_at_a_time()
