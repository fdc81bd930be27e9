"""Trains LeNet-5 with PyTorch on digits in the order of the file, for comparison.

    pytorch_step.py DIRECTORY BATCH STEPS...

DIRECTORY holds `init.safetensors` (float32 tensors by state_dict name), `images.bin` (28x28 bytes each) and `labels.bin` (a byte
each). For each number of STEPS it writes `after-<steps>.safetensors`: the weights, and as `gradient.<name>` the gradients of the last
step. It prints one JSON object: the loss of every step.
"""

import json
import struct
import sys
from pathlib import Path

import numpy
import torch
from torch import nn


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        pool = nn.functional.max_pool2d
        x = pool(torch.relu(self.conv1(x)), 2)
        x = pool(torch.relu(self.conv2(x)), 2)
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc3(torch.relu(self.fc2(x)))


def read_tensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = numpy.frombuffer(data[begin:end], dtype="<f4").copy()
        tensors[name] = torch.from_numpy(values).reshape(entry["shape"])
    return tensors


def write_tensors(path, tensors):
    header, parts, offset = {}, [], 0
    for name, tensor in tensors.items():
        part = tensor.detach().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(part)]}
        parts.append(part)
        offset += len(part)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def main(directory, batch, checkpoints):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model = LeNet5()
    model.load_state_dict(read_tensors(directory / "init.safetensors"))
    images = numpy.fromfile(directory / "images.bin", dtype=numpy.uint8).reshape(-1, 1, 28, 28)
    labels = torch.from_numpy(numpy.fromfile(directory / "labels.bin", dtype=numpy.uint8).astype(numpy.int64))
    pixels = (torch.from_numpy(images.astype(numpy.float32)) / 255 - 0.1307) / 0.3081
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.0005)
    losses = []
    for step in range(max(checkpoints)):
        span = slice(step * batch, (step + 1) * batch)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(pixels[span]), labels[span])
        loss.backward()
        gradients = {f"gradient.{name}": p.grad.clone() for name, p in model.named_parameters()}
        optimizer.step()
        losses.append(loss.item())
        if step + 1 in checkpoints:
            write_tensors(directory / f"after-{step + 1}.safetensors", {**model.state_dict(), **gradients})
    print(json.dumps({"losses": losses}))


main(Path(sys.argv[1]), int(sys.argv[2]), [int(argument) for argument in sys.argv[3:]])
