"""Data-parallel training in four processes that log into one run. Start it with ``make run``.

A small network learns scikit-learn's bundled handwritten digits. Each rank takes its share of the
images, the gradients are averaged across ranks, and every rank logs its loss, accuracy, gradient norms
and throughput into the same run; rank 0 also evaluates on held-out images. Read :func:`train` first:
the Headrace calls are in it and in :func:`main`.

The daemon is the one that ``HEADRACE_TRACKING_URI`` names, else one of its own for the folder ``data``.
"""

import itertools
import multiprocessing
import os
import sys
import time
from multiprocessing.context import SpawnContext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import headrace

RANKS = 4
EPOCHS = 60
BATCH = 16
LEARNING_RATE = 0.2
LAYERS = (64, 48, 24, 10)
SEED = 7
PATIENCE = 60.0
"""Seconds that a rank waits for the others before it gives up."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Network:
    """Dense layers with ReLU between them and softmax cross-entropy at the end.

    ``parameters`` is one flat vector; the layers are views of it.
    """

    def __init__(self, seed: int) -> None:
        shapes = list(itertools.pairwise(LAYERS))
        self.sizes = [inputs * outputs + outputs for inputs, outputs in shapes]
        self.parameters = np.zeros(sum(self.sizes))
        self.layers: list[tuple[Floats, Floats]] = []
        random = np.random.default_rng(seed)
        for part, (inputs, outputs) in zip(self.split(self.parameters), shapes, strict=True):
            weights, bias = part[: inputs * outputs].reshape(inputs, outputs), part[inputs * outputs :]
            weights[:] = random.normal(0.0, np.sqrt(2.0 / inputs), weights.shape)
            self.layers.append((weights, bias))

    def split(self, vector: Floats) -> list[Floats]:
        """The parts of a flat vector that belong to each layer."""
        return np.split(vector, np.cumsum(self.sizes)[:-1])

    def forward(self, images: Floats) -> list[Floats]:
        """The input of each layer, then the probability of each class."""
        activations = [images]
        for weights, bias in self.layers[:-1]:
            activations.append(np.maximum(activations[-1] @ weights + bias, 0.0))
        weights, bias = self.layers[-1]
        logits = activations[-1] @ weights + bias
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return [*activations, powers / powers.sum(axis=1, keepdims=True)]

    def evaluate(self, images: Floats, labels: Integers) -> tuple[float, float]:
        """Mean loss and accuracy."""
        return scores(self.forward(images)[-1], labels)

    def gradient(self, images: Floats, labels: Integers) -> tuple[float, float, Floats]:
        """Mean loss, accuracy, and the gradient of the loss as one flat vector."""
        *inputs, probabilities = self.forward(images)
        error = probabilities.copy()
        error[np.arange(len(labels)), labels] -= 1.0
        error /= len(labels)
        parts: list[Floats] = []
        for (weights, _), layer_input in zip(reversed(self.layers), reversed(inputs), strict=True):
            parts += [error.sum(axis=0), (layer_input.T @ error).ravel()]
            error = (error @ weights.T) * (layer_input > 0.0)
        return *scores(probabilities, labels), np.concatenate(parts[::-1])


def scores(probabilities: Floats, labels: Integers) -> tuple[float, float]:
    """Mean cross-entropy and accuracy of predicted class probabilities."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    correct = probabilities.argmax(axis=1) == labels
    return float(-np.log(of_truth + 1e-12).mean()), float(correct.mean())


class AllReduce:
    """Averages a vector across ranks: each writes its row of shared memory, all read the mean."""

    def __init__(self, context: SpawnContext, ranks: int, size: int) -> None:
        self._memory = context.RawArray("d", ranks * size)
        self._barrier = context.Barrier(ranks)
        self._shape = (ranks, size)

    def mean(self, rank: int, vector: Floats) -> Floats:
        """The mean of all ranks' vectors. Returns once every rank has called it."""
        rows = np.frombuffer(self._memory).reshape(self._shape)
        rows[rank] = vector
        self._barrier.wait(PATIENCE)
        mean: Floats = rows.mean(axis=0)
        self._barrier.wait(PATIENCE)  # nobody writes the next gradient before all have read this one
        return mean


def digits() -> tuple[Floats, Integers, Floats, Integers]:
    """Images and labels: for training, then held out. Every rank makes the same split."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(images))
    images, labels = images[order] / 16.0, labels[order]
    return images[360:], labels[360:], images[:360], labels[:360]


def train(rank: int, reduce: AllReduce) -> None:
    """One rank: learns from its share of the images and logs into the run that the environment names."""
    images, labels, held_out_images, held_out_labels = digits()
    mine = np.arange(rank, len(images) - len(images) % RANKS, RANKS)
    random = np.random.default_rng(SEED + rank)
    network = Network(SEED)
    step, calls, logging_ns = 0, 0, 0

    with headrace.start_run():  # joins HEADRACE_RUN_ID; leaving it waits until every point is durable
        for epoch in range(EPOCHS):
            rate = LEARNING_RATE * (1.0 - epoch / EPOCHS)
            for batch in np.array_split(random.permutation(mine), len(mine) // BATCH):
                began = time.perf_counter()
                loss, accuracy, gradient = network.gradient(images[batch], labels[batch])
                gradient = reduce.mean(rank, gradient)
                network.parameters -= rate * gradient
                images_per_second = len(batch) / (time.perf_counter() - began)
                norms = [float(np.linalg.norm(part)) for part in network.split(gradient)]

                before = time.perf_counter_ns()
                headrace.log_metric(f"rank{rank}/loss", loss, step)
                headrace.log_metric(f"rank{rank}/accuracy", accuracy, step)
                headrace.log_metric(f"rank{rank}/images_per_second", images_per_second, step)
                for layer, norm in enumerate(norms, start=1):
                    headrace.log_metric(f"rank{rank}/gradient_norm/layer{layer}", norm, step)
                logging_ns += time.perf_counter_ns() - before
                calls += 3 + len(norms)
                step += 1
            if rank == 0:
                loss, accuracy = network.evaluate(held_out_images, held_out_labels)
                headrace.log_metrics({"held_out/loss": loss, "held_out/accuracy": accuracy}, step)
        headrace.log_metric(f"rank{rank}/log_metric_us", logging_ns / calls / 1000, step)


def main() -> int:
    data = None if "HEADRACE_TRACKING_URI" in os.environ else Path("data").resolve()
    if data:
        os.environ["HEADRACE_TRACKING_URI"] = str(data)  # a folder as URI starts a daemon, or joins it
    headrace.set_experiment("digits")
    context = multiprocessing.get_context("spawn")
    reduce = AllReduce(context, RANKS, len(Network(SEED).parameters))

    with headrace.start_run(run_name=f"digits in {RANKS} processes") as run:
        headrace.log_params(
            {
                "ranks": RANKS,
                "epochs": EPOCHS,
                "batch": BATCH,
                "learning_rate": LEARNING_RATE,
                "layers": LAYERS,
            }
        )
        os.environ["HEADRACE_RUN_ID"] = run.info.run_id
        os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the ranks share the cores
        print(f"run {run.info.run_id}: training in {RANKS} processes ...", flush=True)
        ranks = [context.Process(target=train, args=(rank, reduce)) for rank in range(RANKS)]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join()
        if any(process.exitcode for process in ranks):
            raise SystemExit("a rank failed; see its traceback above")

    from digits_report import report  # noqa: PLC0415 - the ranks import this file too and need no matplotlib

    report(run.info.run_id, RANKS, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
