"""What PyTorch computes in training: derivatives of each primitive, and steps of AdamW on tiny decoders, whole and with LoRA.

Writes `training/primitives.json`, `training/optimizers.json` and `training/<model>.json` next to this file, from the models of `models/` and, where it lies
beside the project, stories260K. Everything is computed in float64; numbers are kept with seven digits.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0 peft==0.21.2
    venv/bin/python test/oracle/training.py
"""

import json
import math
import sys
from pathlib import Path

sys.path.pop(0)  # tokenizers.py beside this file would hide the package

import peft
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

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
    "erf": (torch.erf, [(3, 4)]),
    "gelu exact": (F.gelu, [(3, 4)]),
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


# --- optimisers -------------------------------------------------------------------------------------------------------

OPTIMIZERS = {
    "adamw": (torch.optim.AdamW, dict(lr=0.01, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.1)),
    "sgd": (torch.optim.SGD, dict(lr=0.01, momentum=0.0, weight_decay=0.1)),
    "sgd with momentum": (torch.optim.SGD, dict(lr=0.01, momentum=0.9, weight_decay=0.1)),
}


def optimize(kind, options):
    """Four clipped steps of one vector of 20, along given gradients."""
    start, gradients = torch.tensor(rounded(torch.randn(20))).double(), [torch.tensor(rounded(torch.randn(20))).double() for _ in range(4)]
    weight = start.clone().requires_grad_()
    optimizer = kind([weight], **options)
    for gradient in gradients:
        weight.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_([weight], 4.0)
        optimizer.step()
    return dict(start=rounded(start), gradients=[rounded(g) for g in gradients], end=rounded(weight.detach()))


def write_optimizers():
    torch.manual_seed(2)
    cases = {name: optimize(*case) for name, case in OPTIMIZERS.items()}
    (OUT / "optimizers.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


# --- decoders ---------------------------------------------------------------------------------------------------------

STORIES = FOLDER.parents[2] / "shared/data/models/stories260K"
LENGTH = 16
DOCUMENTS = [[9, 7], [16]]  # lengths of the documents that fill each row
EIGHT_ROWS = [[9, 7], [16], [5, 4, 7], [12, 4], [2, 14], [16], [3, 13], [8, 8]]  # of the steps that accumulate
STEPS = 5
OPTIMIZER = dict(lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
SGD = dict(lr=0.3, weight_decay=0.1)
MAX_GRAD_NORM = 0.5
LORA = dict(r=4, lora_alpha=12, lora_dropout=0.0)
LORA_TARGETS = {
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "qwen3": ["q_proj", "v_proj"],
}


def batch(vocab_size, seed, documents):
    """Rows of documents: each token's target is the next one of its document, and some are not trained."""
    generator = torch.Generator().manual_seed(seed)
    rows = len(documents)
    ids = torch.randint(vocab_size, (rows, LENGTH), generator=generator)
    targets = torch.full((rows, LENGTH), -1)
    trained = torch.rand((rows, LENGTH), generator=generator) > 0.2
    spans = []
    for row, lengths in enumerate(documents):
        start = 0
        for length in lengths:
            end = start + length
            targets[row, start : end - 1] = torch.where(trained[row, start : end - 1], ids[row, start + 1 : end], -1)
            spans.append((row, start, end))
            start = end
    return ids, targets, spans


def loss_of(model, ids, targets, spans):
    """Each document on its own, so that packing has something to be compared with. The mean over the trained tokens of the whole batch."""
    total = 0.0
    for row, start, end in spans:
        logits = model(ids[row : row + 1, start:end]).logits[0]
        total = total + F.cross_entropy(logits, targets[row, start:end], ignore_index=-1, reduction="sum")
    return total / (targets >= 0).sum()


def accumulate(model, ids, targets, spans):
    """Adds up the gradients of each row by a backward pass of its own, and returns the loss of all."""
    parts = [loss_of(model, ids, targets, [span for span in spans if span[0] == row]) for row in range(len(ids))]
    for part in parts:
        part.backward()
    return sum(part.item() for part in parts)


def at_once(model, ids, targets, spans):
    loss = loss_of(model, ids, targets, spans)
    loss.backward()
    return loss.item()


def digest(name, tensor):
    """Norm, and products with two directions that see every element."""
    values = tensor.T if is_conv1d(name) else tensor
    values = values.detach().double().flatten()
    places = torch.arange(len(values), dtype=torch.float64)
    return rounded(torch.stack([values.norm(), values @ (places * 0.7 + 1).cos(), values @ (places * 0.013 + 2).cos()]))


def is_conv1d(name):
    """GPT-2's matrices are [in, out] in PyTorch; ours are [out, in]."""
    return "lora_" not in name and any(name.endswith(f"{part}.weight") for part in ("c_attn", "c_proj", "c_fc"))


def parameters_of(model):
    return {name.replace(".default.", ".").replace(".base_layer.", "."): p for name, p in model.named_parameters() if p.requires_grad}


def train(model, vocab_size, documents=DOCUMENTS, backward=at_once, kind=torch.optim.AdamW, options=OPTIMIZER):
    parameters = parameters_of(model)
    optimizer = kind(
        [
            dict(params=[p for p in parameters.values() if p.dim() > 1]),
            dict(params=[p for p in parameters.values() if p.dim() <= 1], weight_decay=0.0),
        ],
        **options,
    )
    batches, losses, norms, gradients = [], [], [], None
    for step in range(STEPS):
        ids, targets, spans = batch(vocab_size, step, documents)
        optimizer.zero_grad()
        loss = backward(model, ids, targets, spans)
        if gradients is None:
            gradients = {name: digest(name, p.grad) for name, p in parameters.items()}
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_GRAD_NORM).item())
        optimizer.step()
        losses.append(loss)
        batches.append(dict(ids=ids.flatten().tolist(), targets=targets.flatten().tolist()))
    return dict(
        rows=len(documents),
        length=LENGTH,
        documents=documents,
        batches=batches,
        losses=rounded(losses),
        norms=rounded(norms),
        gradients=gradients,
        weights={name: digest(name, p) for name, p in parameters.items()},
    )


def with_lora(model, targets):
    """Factors by a formula, so that the other side has the same ones."""
    wrapped = peft.get_peft_model(model, peft.LoraConfig(**LORA, target_modules=targets, fan_in_fan_out=model.config.model_type == "gpt2"))
    with torch.no_grad():
        for name, parameter in parameters_of(wrapped).items():
            places = torch.arange(parameter.numel(), dtype=torch.float64).reshape(parameter.shape)
            parameter.copy_((0.1 * (places * 0.37 + len(name)).cos()).float())
    return wrapped


def write_decoder(name, folder):
    def load():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
        return model.double()

    model = load()
    golden = dict(full=train(model, model.config.vocab_size))
    if name in LORA_TARGETS:
        model = load()
        golden["lora"] = dict(targets=LORA_TARGETS[name], **train(with_lora(model, LORA_TARGETS[name]).double(), model.config.vocab_size))
    if name == "llama":
        model = load()
        golden["sgd"] = train(model, model.config.vocab_size, kind=torch.optim.SGD, options=SGD)
    if name in ("llama", "stories260K"):
        model = load()
        golden["accumulated"] = train(model, model.config.vocab_size, documents=EIGHT_ROWS, backward=accumulate)
    (OUT / f"{name}.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    write_primitives()
    write_optimizers()
    for model_name in ("llama", "llama3-rope", "qwen2", "qwen3", "gpt2"):
        write_decoder(model_name, FOLDER / "models" / model_name)
    if STORIES.exists():
        write_decoder("stories260K", STORIES)
    else:
        print(f"{STORIES} is absent: its golden stays as it is")
