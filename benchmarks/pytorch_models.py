"""The paper's CNN and BiLSTM-attention in PyTorch, with a plain adversarial step.

As the authors' program takes it: lambda's gradient by a full backward pass of the batch
mean, two full forward passes with dropout masks of their own, the larger of the two
losses of each example, everything eager. Written anew, to compare the speed alone.
"""

import torch
from torch import nn

STEP_SIZE = 0.002


class TextCNN(nn.Module):
    """Kim's CNN on word ids; ``words`` and ``above_words`` are its two parts."""

    def __init__(self, vocabulary_size, num_classes, dim=300, maps=100, widths=(3, 4, 5)):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, dim)
        self.convolutions = nn.ModuleList(nn.Conv1d(dim, maps, w) for w in widths)
        self.dropout = nn.Dropout(0.5)
        self.classify = nn.Linear(maps * len(widths), num_classes)

    def sentence(self, words):
        """Features of embedded words, ``(batch_size, features)``."""
        x = words.transpose(1, 2)
        return torch.cat(
            [conv(x).relu().amax(dim=2) for conv in self.convolutions], dim=1
        )

    def probabilities(self, sentence):
        """Class probabilities of sentences."""
        return self.classify(self.dropout(sentence)).softmax(dim=1)


class BiLSTMAttention(nn.Module):
    """A bidirectional LSTM with attention by a single vector over tanh of the states."""

    def __init__(self, vocabulary_size, num_classes, dim=300, units=512):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, dim)
        self.lstm = nn.LSTM(dim, units, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(2 * units, 1, bias=False)
        self.dropout = nn.Dropout(0.5)
        self.classify = nn.Linear(2 * units, num_classes)

    def sentence(self, words):
        """The weighted mean of the states, ``(batch_size, 2 * units)``."""
        states, _ = self.lstm(words)
        weights = self.attention(states.tanh()).softmax(dim=1)
        return (weights * states).sum(dim=1).tanh()

    probabilities = TextCNN.probabilities


MODELS = {"cnn": TextCNN, "bilstm": BiLSTMAttention}


def losses(probabilities, targets):
    """Each example's binary cross-entropy, summed over the classes."""
    elements = nn.functional.binary_cross_entropy(
        probabilities, targets, reduction="none"
    )
    return elements.sum(dim=1)


def plain_step(model, optimizer, ids, targets):
    """A step without mixing."""
    optimizer.zero_grad()
    sentence = model.sentence(model.embedding(ids))
    losses(model.probabilities(sentence), targets).mean().backward()
    optimizer.step()


def adversarial_step(model, optimizer, ids, targets, level):
    """A step of the Adversarial Mixing Policy at ``"word"`` or ``"sentence"``."""
    lam = torch.rand(len(ids))  # Beta(1, 1)
    partner = torch.randperm(len(ids))
    mixed_targets = lam[:, None] * targets + (1 - lam[:, None]) * targets[partner]

    def losses_at(input_lam):
        hidden = model.embedding(ids)
        if level == "sentence":
            hidden = model.sentence(hidden)
        share = input_lam.reshape(-1, *[1] * (hidden.dim() - 1))
        hidden = share * hidden + (1 - share) * hidden[partner]
        if level == "word":
            hidden = model.sentence(hidden)
        return losses(model.probabilities(hidden), mixed_targets)

    input_lam = lam.clone().requires_grad_()
    before = losses_at(input_lam)
    before.mean().backward(retain_graph=True)
    adversarial_lam = (input_lam + STEP_SIZE * input_lam.grad).detach()
    after = losses_at(adversarial_lam)
    optimizer.zero_grad()
    torch.maximum(before, after).mean().backward()
    optimizer.step()
