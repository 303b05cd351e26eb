"""The average follows the weights; its batch-norm statistics are those of images it is shown."""

import pytest
import torch

from crosspatch import Generator
from crosspatch.training.averaging import Average, reestimate_batch_norm


def test_early_steps_forget_random_weights_and_later_ones_remember():
    generator = Generator(1, width=2, depth=2)
    average = Average(generator, decay=0.9)
    start = average.network.head.weight.clone()
    with torch.no_grad():
        generator.head.weight.add_(1.0)
    average.follow(generator, step=0)  # decay min(0.9, 1 / 10)
    assert torch.allclose(average.network.head.weight, start + 0.9)
    average.follow(generator, step=1000)  # decay 0.9
    assert torch.allclose(average.network.head.weight, start + 0.9 + 0.1 * 0.1)


def test_statistics_are_the_mean_over_batches_without_dropout():
    torch.manual_seed(0)
    generator = Generator(1, width=2, depth=2).train()
    batches = [torch.randn(4, 1, 8, 8) + shift for shift in (0.0, 3.0)]
    reestimate_batch_norm(generator, batches)
    first = generator.encoder[0]
    with torch.no_grad():
        values = [
            torch.nn.functional.leaky_relu(first.conv(batch), 0.2).mean(dim=(0, 2, 3))
            for batch in batches
        ]
    assert torch.allclose(first.norm.running_mean, (values[0] + values[1]) / 2, atol=1e-6)
    assert not generator.training
    again = [norm.clone() for norm in generator.state_dict().values()]
    reestimate_batch_norm(generator, batches)
    for before, after in zip(again, generator.state_dict().values(), strict=True):
        assert torch.equal(before, after), "dropout must not change what is measured"
    assert generator.decoder[0].dropout == 0.5, "dropout comes back for training"
    assert first.norm.momentum == pytest.approx(0.1)


def test_an_average_trains_nothing():
    generator = Generator(1, width=2, depth=2)
    average = Average(generator, decay=0.5)
    assert not any(p.requires_grad for p in average.network.parameters())
    assert average.network.head.weight.data_ptr() != generator.head.weight.data_ptr()
