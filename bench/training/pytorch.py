"""Images per second of PyTorch: one line of JSON for each line of JSON on stdin.

Asked: {"model": "mlp" | "cnn", "batch": B, "seconds": S}. The thread count is fixed at the start by
OMP_NUM_THREADS, as PyTorch wants it. Data lie in memory as float32, batches are picked by index, and
each step is zero_grad, forward, mean cross-entropy, backward, SGD.
"""

import json
import os
import sys
import time

import torch
from torch import nn

EXAMPLES = 6000


def model_of(name):
    if name == "mlp":
        return nn.Sequential(
            nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 10)
        )
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(3136, 512),
        nn.ReLU(),
        nn.Linear(512, 10),
    )


def measure(name, batch, seconds):
    torch.manual_seed(1)
    data = torch.rand(EXAMPLES, 784)
    labels = torch.randint(0, 10, (EXAMPLES,))
    model = model_of(name)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()

    def steps(count):
        order = torch.randperm(EXAMPLES)
        for i in range(count):
            start = (i * batch) % (EXAMPLES - batch + 1)
            rows = order[start : start + batch]
            optimizer.zero_grad(set_to_none=True)
            criterion(model(data[rows]), labels[rows]).backward()
            optimizer.step()

    steps(5)
    done = 0
    start = time.perf_counter()
    while True:
        steps(5)
        done += 5
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return done * batch / elapsed


def blas():
    """The library that Debian's PyTorch multiplies with: the plain one is ten times slower."""
    for line in open("/proc/self/maps"):
        if "libblas" in line or "openblas" in line:
            return "OpenBLAS" if "openblas" in line else "the plain BLAS, install libopenblas0"
    return "an unknown BLAS"


torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
print(json.dumps({"version": f"{torch.__version__} on {blas()}"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    rate = measure(asked["model"], asked["batch"], asked["seconds"])
    print(json.dumps({"imagesPerSecond": rate}), flush=True)
