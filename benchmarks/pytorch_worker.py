"""Takes PyTorch's training steps on command, in a process without TensorFlow.

The two do not bear each other in one process. Reads a level ("none", "word" or
"sentence") from each line of standard input, takes the steps and answers with a line.

    python benchmarks/pytorch_worker.py BACKBONE BATCH LENGTH WORDS CLASSES STEPS
"""

import os
import sys

import torch
from pytorch_models import MODELS, adversarial_step, plain_step

backbone, *sizes = sys.argv[1:]
batch_size, length, vocabulary_size, num_classes, steps = map(int, sizes)
torch.manual_seed(0)
torch.set_num_threads(len(os.sched_getaffinity(0)))
batches = [
    (
        torch.randint(1, vocabulary_size, (batch_size, length)),
        torch.eye(num_classes)[torch.randint(num_classes, (batch_size,))],
    )
    for _ in range(steps)
]
trained = {}
for line in sys.stdin:
    level = line.strip()
    if level not in trained:
        model = MODELS[backbone](vocabulary_size, num_classes)
        optimizer = torch.optim.Adam(model.parameters(), 2e-4, weight_decay=1e-8)
        trained[level] = model, optimizer
    for batch in batches:
        if level == "none":
            plain_step(*trained[level], *batch)
        else:
            adversarial_step(*trained[level], *batch, level)
    print("done", flush=True)
