"""What PyTorch computes in training: derivatives of each primitive, and steps of AdamW on tiny decoders, whole and with LoRA.

Writes `training/primitives.json` and `training/<model>.json` next to this file, from the models of `models/` and, where it lies
beside the project, stories260K. Everything is computed in float64; numbers are kept with seven digits.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0 peft==0.21.2
    venv/bin/python test/oracle/training.py
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

FOLDER = Path(__file__).parent
OUT = FOLDER / "training"


def rounded(values):
    """Flat list with seven significant digits."""
    return [float(f"{value:.7g}") for value in torch.as_tensor(values).flatten().tolist()]


# --- primitives -------------------------------------------------------------------------------------------------------


def rotate(x, angles):
    """x [B, T, heads * D], angles [B, T, D / 2]: pairs (i, i + D / 2) of each head."""
    half = angles.shape[-1]
    heads = x.reshape(*x.shape[:2], -1, 2 * half)
    a, b = heads[..., :half], heads[..., half:]
    cos, sin = angles.cos().unsqueeze(2), angles.sin().unsqueeze(2)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1).reshape(x.shape)


def attend(q, k, v, segments, groups):
    """q [B, K, G * T, D]; k, v [B, K, T, D]."""
    length = k.shape[2]
    seen = (segments.unsqueeze(2) == segments.unsqueeze(1)) & torch.ones(length, length, dtype=torch.bool).tril()
    scores = q @ k.transpose(-1, -2) * 0.5
    masked = scores.unflatten(2, (groups, length)).masked_fill(~seen[:, None, None], -math.inf)
    return (masked.softmax(-1).flatten(2, 3)) @ v


ANGLES = torch.arange(6, dtype=torch.float64).reshape(1, 3, 2).expand(2, 3, 2) * 0.7
SEGMENTS = torch.tensor([[0, 0, 1], [0, 0, 0]])
IDS = torch.tensor([2, 0, 2, 1])
COLUMNS = torch.tensor([[1, 3], [0, 0], [2, 1]])

# name -> (function, shapes of its arguments, whether the arguments must be positive)
PRIMITIVES = {
    "neg": (lambda x: -x, [(3, 4)]),
    "exp": (torch.exp, [(3, 4)]),
    "log": (torch.log, [(3, 4)], True),
    "sqrt": (torch.sqrt, [(3, 4)], True),
    "reciprocal": (torch.reciprocal, [(3, 4)], True),
    "sigmoid": (torch.sigmoid, [(3, 4)]),
    "tanh": (torch.tanh, [(3, 4)]),
    "silu": (F.silu, [(3, 4)]),
    "gelu": (lambda x: F.gelu(x, approximate="tanh"), [(3, 4)]),
    "cast": (lambda x: x, [(3, 4)]),
    "stopGradient": (lambda x, y: x.detach() * y, [(3, 4), (3, 4)]),
    "add": (torch.add, [(2, 3, 4), (3, 1)]),
    "sub": (torch.sub, [(3, 1), (2, 3, 4)]),
    "mul": (torch.mul, [(2, 3, 4), (4,)]),
    "div": (torch.div, [(3, 4), (3, 1)], True),
    "where": (lambda x, y: torch.where(SEGMENTS == 0, x, y), [(2, 3), (3,)]),
    "matmul": (torch.matmul, [(3, 4), (4, 2)]),
    "matmul transposed": (lambda a, b: 0.5 * a.T @ b.T, [(4, 3), (2, 4)]),
    "matmul right transposed": (lambda a, b: a @ b.T, [(3, 4), (2, 4)]),
    "matmul left transposed": (lambda a, b: 2 * a.T @ b, [(4, 3), (4, 2)]),
    "matmul batched": (lambda a, b: a @ b.transpose(-1, -2), [(2, 3, 4), (2, 5, 4)]),
    "matmul batched by one": (torch.matmul, [(2, 3, 4), (4, 5)]),
    "transpose": (lambda x: x.permute(2, 0, 1), [(2, 3, 4)]),
    "reshape": (lambda x: x.reshape(4, 6), [(2, 3, 4)]),
    "broadcast": (lambda x: x.expand(2, 3, 4), [(3, 1)]),
    "sum": (lambda x: x.sum((0, 2), keepdim=True), [(2, 3, 4)]),
    "mean": (lambda x: x.mean(-1, keepdim=True), [(2, 3, 4)]),
    "max": (lambda x: x.amax((0, 2), keepdim=True), [(2, 3, 4)]),
    "slice": (lambda x: x[:, 1:3], [(2, 4)]),
    "pad": (lambda x: F.pad(x, (0, 0, 1, 2)), [(2, 4)]),
    "concat": (lambda x, y: torch.cat([x, y], 1), [(2, 3), (2, 1)]),
    "split": (lambda x: x[:, :2] * x[:, 2:], [(3, 4)]),
    "gatherRows": (lambda x: x[IDS], [(3, 4)]),
    "scatterAddRows": (lambda x, y: x.index_add(0, IDS, y), [(3, 2), (4, 2)]),
    "takeAlongLast": (lambda x: x.take_along_dim(COLUMNS, -1), [(3, 4)]),
    "scatterAddAlongLast": (lambda x, y: x.scatter_add(-1, COLUMNS, y), [(3, 4), (3, 2)]),
    "softmax": (lambda x: x.softmax(-1), [(2, 3, 4)]),
    "logSumExp": (lambda x: x.logsumexp(-1, keepdim=True), [(3, 4)]),
    "rmsNorm": (lambda x, w: F.rms_norm(x, (4,), w, 1e-3), [(2, 3, 4), (4,)]),
    "inverseRms": (lambda x: (x.square().mean(-1, keepdim=True) + 1e-3).rsqrt(), [(3, 4)]),
    "standardize": (lambda x: F.layer_norm(x, (4,), eps=1e-3), [(2, 3, 4)]),
    "inverseDeviation": (lambda x: (x.var(-1, keepdim=True, correction=0) + 1e-3).rsqrt(), [(3, 4)]),
    "layerNorm": (lambda x, w, b: F.layer_norm(x, (4,), w, b, 1e-3), [(2, 3, 4), (4,), (4,)]),
    "rotary": (lambda x: rotate(x, ANGLES), [(2, 3, 8)]),
    "rotary inverse": (lambda x: rotate(x, -ANGLES), [(2, 3, 8)]),
    "attentionWeights": (lambda q, k: attend(q, k, torch.eye(3, dtype=torch.float64).expand(2, 1, 3, 3), SEGMENTS, 2), [(2, 1, 6, 4), (2, 1, 3, 4)]),
    "attention": (lambda q, k, v: attend(q, k, v, SEGMENTS, 2), [(2, 2, 6, 4), (2, 2, 3, 4), (2, 2, 3, 4)]),
}


def primitive(function, shapes, positive=False):
    arguments = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    if positive:
        arguments = [argument.abs() + 0.5 for argument in arguments]
    # The numbers as they are kept are the numbers that are computed with.
    arguments = [torch.tensor(rounded(argument), dtype=torch.float64).reshape(argument.shape).requires_grad_() for argument in arguments]
    output = function(*arguments)
    seed = torch.tensor(rounded(torch.randn(output.shape)), dtype=torch.float64).reshape(output.shape)
    gradients = torch.autograd.grad(output, arguments, seed, allow_unused=True)
    return dict(
        arguments=[dict(shape=list(a.shape), data=rounded(a)) for a in arguments],
        output=dict(shape=list(output.shape), data=rounded(output)),
        seed=rounded(seed),
        gradients=[rounded(torch.zeros_like(a) if g is None else g) for a, g in zip(arguments, gradients)],
    )


def write_primitives():
    torch.manual_seed(1)
    cases = {name: primitive(*case) for name, case in PRIMITIVES.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(case, separators=(',', ':'))}" for name, case in cases.items()]
    (OUT / "primitives.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    write_primitives()
