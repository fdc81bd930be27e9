"""Training steps of PyTorch on the CPU, one batch of noise again and again, to be measured beside MQTile's.

    torch-step.py --model yolov2-front --size 416 --batch 1 --threads 1 --layout contiguous

Model, loss, optimizer and float32 are those of `mqtile bench step`; the layout is PyTorch's own choice to make, so both are measured.
Each line of standard input is a number of steps; the answer is one JSON object a line: their times in ms, the last loss, and the most
memory that was resident so far, in bytes. Denormal numbers are treated as PyTorch does by default.
"""

import argparse
import json
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional

RATE = 0.01

# Filters and kernel of each convolution of YOLOv2's layers 0 to 15; None is a 2x2 maximum pooling.
YOLOV2_FRONT = [
    (32, 3), None, (64, 3), None, (128, 3), (64, 1), (128, 3), None,
    (256, 3), (128, 1), (256, 3), None, (512, 3), (256, 1), (512, 3), (256, 1),
]  # fmt: skip


def yolov2_front():
    layers, channels = [], 3
    for layer in YOLOV2_FRONT:
        if layer is None:
            layers.append(nn.MaxPool2d(2))
            continue
        filters, kernel = layer
        layers += [nn.Conv2d(channels, filters, kernel, padding=kernel // 2), nn.LeakyReLU(0.1, inplace=True)]
        channels = filters
    return nn.Sequential(*layers)


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(inplace=True), nn.Linear(120, 84), nn.ReLU(inplace=True), nn.Linear(84, 10),
    )  # fmt: skip


def he_uniform(model):
    for layer in model:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_uniform_(layer.weight, a=0, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


def make_step(options):
    torch.manual_seed(1)
    lenet = options.model == "lenet5"
    model = lenet5() if lenet else yolov2_front()
    he_uniform(model)
    size = 28 if lenet else options.size
    images = torch.randint(0, 256, (options.batch, 1 if lenet else 3, size, size)).float() / 255
    labels = torch.randint(0, 10, (options.batch,))
    if options.layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step():
        optimizer.zero_grad(set_to_none=True)
        output = model(images)
        loss = functional.cross_entropy(output, labels) if lenet else output.square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def answer(step, count):
    times, loss = [], None
    for _ in range(count):
        began = time.perf_counter()
        loss = step()
        times.append((time.perf_counter() - began) * 1e3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"ms": times, "loss": loss, "memoryPeakBytes": peak}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["yolov2-front", "lenet5"], required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--layout", choices=["contiguous", "channels_last"], required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    step = make_step(options)
    for line in sys.stdin:
        answer(step, int(line))


main()
