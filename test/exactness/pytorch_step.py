"""Trains a chain of layers with PyTorch on images in the order of the file, for comparison.

    pytorch_step.py DIRECTORY BATCH RATE STEPS...

DIRECTORY holds `model.json` (input, layers, loss), `init.safetensors` (float32 tensors by state_dict name), `images.bin` (a byte a value) and
`labels.bin` (a byte each). For each number of STEPS it writes `after-<steps>.safetensors`: the weights, and as `gradient.<name>` the gradients of the last
step. It prints one JSON object: the loss of every step.
"""

import json
import struct
import sys
from pathlib import Path

import numpy
import torch
from torch import nn


class Chain(nn.Module):
    """The layers of model.json; those with parameters go by their names."""

    def __init__(self, model):
        super().__init__()
        self.layers = model["layers"]
        x = torch.zeros(1, *model["input"])
        for layer in self.layers:
            if layer["kind"] == "conv2d":
                window = [layer["kernel"], layer["stride"], layer["padding"], layer.get("dilation", 1), layer.get("groups", 1)]
                self.add_module(layer["name"], nn.Conv2d(x.shape[1], layer["filters"], *window))
            elif layer["kind"] == "dense":
                self.add_module(layer["name"], nn.Linear(x.shape[1], layer["units"]))
            x = self.step(layer, x)

    def step(self, layer, x):
        if layer["kind"] == "maxPool":
            return nn.functional.max_pool2d(x, layer["kernel"], layer["stride"], layer["padding"])
        if layer["kind"] == "flatten":
            return x.flatten(1)
        x = getattr(self, layer["name"])(x)
        activation = layer["activation"]
        slopes = {"identity": 1.0, "relu": 0.0}
        return nn.functional.leaky_relu(x, slopes.get(activation["kind"], activation.get("slope")))

    def forward(self, x):
        for layer in self.layers:
            x = self.step(layer, x)
        return x


def loss_of(kind, output, labels):
    return output.square().mean() if kind == "meanSquares" else nn.functional.cross_entropy(output, labels)


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


def main(directory, batch, rate, checkpoints):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    description = json.loads((directory / "model.json").read_text())
    model = Chain(description)
    model.load_state_dict(read_tensors(directory / "init.safetensors"))
    images = numpy.fromfile(directory / "images.bin", dtype=numpy.uint8).reshape(-1, *description["input"])
    labels = torch.from_numpy(numpy.fromfile(directory / "labels.bin", dtype=numpy.uint8).astype(numpy.int64))
    pixels = (torch.from_numpy(images.astype(numpy.float32)) / 255 - 0.1307) / 0.3081
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=0.0005)
    losses = []
    for step in range(max(checkpoints)):
        span = slice(step * batch, (step + 1) * batch)
        optimizer.zero_grad()
        loss = loss_of(description["loss"], model(pixels[span]), labels[span])
        loss.backward()
        gradients = {f"gradient.{name}": p.grad.clone() for name, p in model.named_parameters()}
        optimizer.step()
        losses.append(loss.item())
        if step + 1 in checkpoints:
            write_tensors(directory / f"after-{step + 1}.safetensors", {**model.state_dict(), **gradients})
    print(json.dumps({"losses": losses}))


main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), [int(argument) for argument in sys.argv[4:]])
