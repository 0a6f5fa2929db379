"""Seq2Seq against torch.nn.Transformer with the same weights: logits, loss with smoothed labels, and every gradient."""

import numpy as np
import pytest

from tinyformer import ops
from tinyformer.models import Seq2Seq, Seq2SeqConfig
from tinyformer.text.pairs import BEGIN, PAD

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("norm_first", (False, True))
def test_logits_loss_and_every_gradient(torch, rng, norm_first, dtype):
    from torch.nn import functional as F
    config = Seq2SeqConfig(vocab_size=13, block_size=8, n_layer=2, n_head=4, n_embd=16, dropout=0.0,
                           norm_first=norm_first,
                           label_smoothing=0.1)
    ours = Seq2Seq(config).to(dtype)
    for parameter in ours.parameters():
        parameter.data += rng.normal(0, 0.1, parameter.shape).astype(dtype)
    source, target = rng.integers(4, 13, (4, 7)), rng.integers(4, 13, (4, 6))
    target[:, 0] = BEGIN
    source[1, 3:] = source[2, 6:] = target[3, 4:] = PAD

    theirs = torch.nn.Transformer(16, 4, 2, 2, 64, 0.0, batch_first=True,
                                  norm_first=norm_first).to(getattr(torch, dtype))
    state = {name: torch.from_numpy(array.copy()) for name, array in ours.state_dict().items()}
    table = state.pop("embedding.weight").requires_grad_()
    theirs.load_state_dict({name.removeprefix("transformer."): array for name, array in state.items()})
    sines = torch.from_numpy(ops.sinusoidal(8, 16, np.dtype(dtype)).copy())
    x, y = (torch.from_numpy(ids) for ids in (source, target))
    T = y.shape[1] - 1
    hidden = theirs(table[x] * 4 + sines[:7], table[y[:, :-1]] * 4 + sines[:T], src_key_padding_mask=x == PAD,
                    memory_key_padding_mask=x == PAD, tgt_is_causal=True,
                    tgt_mask=torch.triu(torch.full((T, T), -torch.inf, dtype=table.dtype), 1))
    logits = hidden @ table.T
    loss = F.cross_entropy(logits.flatten(0, 1), y[:, 1:].flatten(), ignore_index=PAD, label_smoothing=0.1)
    loss.backward()

    def close(mine, other, what):
        other = other.detach().numpy()
        error = np.abs(mine - other).max() / np.abs(other).max()
        assert error < TOLERANCE[dtype] and str(mine.dtype) == dtype, f"{what}: {error}"

    close(ours(source, target[:, :-1]).data, logits, "logits")
    mine = ours.loss(source, target)
    close(mine.data, loss, "loss")
    mine.backward()
    gradients = {f"transformer.{name}": parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        close(parameter.grad, gradients.get(name, table.grad), f"gradient of {name}")
