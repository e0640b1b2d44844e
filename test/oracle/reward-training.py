"""What PyTorch computes of reward models: losses on preferences with their derivatives, and steps of AdamW on tiny decoders, whole and with LoRA; and
such steps of a value model.

Writes `reward-training/losses.json`, `reward-training/<model>.json` and `reward-training/value.json` next to this file, from the models of `models/`. Everything is computed in float64; numbers are
kept with seven digits. Losses are written as in their papers and in TRL's RewardTrainer, stage by stage, and not as Bonsai computes them.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0 peft==0.21.2
    venv/bin/python test/oracle/reward-training.py
"""

import json
import sys
from itertools import combinations
from pathlib import Path

sys.path.pop(0)  # tokenizers.py beside this file would hide the package

import peft
import torch
import torch.nn.functional as F
from transformers import AutoModelForSequenceClassification

FOLDER = Path(__file__).parent
OUT = FOLDER / "reward-training"


def rounded(values):
    """Flat list with seven significant digits."""
    return [float(f"{value:.7g}") for value in torch.as_tensor(values).flatten().tolist()]


# --- losses -----------------------------------------------------------------------------------------------------------


def bradley_terry(rewards, ranks, margin):
    """One pair. TRL: -logsigmoid(chosen - rejected - margin). Of a tie half of each order."""
    a, b = rewards
    if ranks[0] == ranks[1]:
        return -(F.logsigmoid(a - b) + F.logsigmoid(b - a)) / 2
    chosen, rejected = (a, b) if ranks[0] < ranks[1] else (b, a)
    return -F.logsigmoid(chosen - rejected - margin)


def plackett_luce(rewards, ranks):
    """Mean over the stages in which something was chosen: of those that tie each from all that were not yet taken before their rank."""
    stages = []
    for i, rank in enumerate(ranks):
        left = [j for j, other in enumerate(ranks) if other >= rank]
        if len(left) > 1:
            stages.append(-(rewards[i] - torch.logsumexp(rewards[left], 0)))
    return sum(stages) / len(stages)


def comparison_loss(rewards, ranking, loss_type, centring):
    """rewards [K]."""
    ranks, margin = ranking["ranks"], ranking.get("margin", 0.0)
    if len(ranks) == 2:
        return bradley_terry(rewards, ranks, margin) + centring * (rewards[0] + rewards[1]) ** 2
    if loss_type == "plackett-luce":
        return plackett_luce(rewards, ranks) + centring * (2 * rewards.mean()) ** 2
    pairs = list(combinations(range(len(ranks)), 2))
    losses = [bradley_terry(rewards[[a, b]], [ranks[a], ranks[b]], 0.0) + centring * (rewards[a] + rewards[b]) ** 2 for a, b in pairs]
    return sum(losses) / len(losses)


def batch_loss(outputs, rankings, weights, loss_type, centring):
    """outputs: [K, D] of each comparison; rankings: of each by measure, or None. The mean over all labels."""
    losses = []
    for raw, by_measure in zip(outputs, rankings):
        measures = [raw[:, d] for d in range(raw.shape[1])]
        if raw.shape[1] > 1:
            measures.append(raw @ torch.tensor(weights, dtype=torch.float64))
        losses += [comparison_loss(r, ranking, loss_type, centring) for r, ranking in zip(measures, by_measure) if ranking is not None]
    return sum(losses) / len(losses)


PAIR = [dict(ranks=[1, 2])]
LISTS = [[dict(ranks=[2, 1, 3, 4])], [dict(ranks=[1, 2, 2, 3])], [dict(ranks=[1, 1, 1])], [dict(ranks=[1, 2])], [dict(ranks=[2, 2, 1])]]
DIMENSIONS = [
    [dict(ranks=[1, 2]), dict(ranks=[2, 1]), dict(ranks=[1, 1]), dict(ranks=[1, 2], margin=0.4)],
    [None, dict(ranks=[1, 2]), None, dict(ranks=[1, 2])],
    [None, None, None, dict(ranks=[1, 2])],
]
# name -> (rankings, weights, loss type, centring)
CASES = {
    "pairs": ([PAIR] * 3, [1], "bradley-terry", 0.0),
    "pairs with margins": ([[dict(ranks=[1, 2], margin=m)] for m in (0.0, 0.5, 3.0)], [1], "bradley-terry", 0.0),
    "pairs, centred": ([PAIR] * 3, [1], "bradley-terry", 0.01),
    "dimensions": (DIMENSIONS, [0.6, 0.3, 0.1], "bradley-terry", 0.0),
    "dimensions, centred": (DIMENSIONS, [0.6, 0.3, 0.1], "plackett-luce", 0.05),
    "lists": (LISTS, [1], "plackett-luce", 0.0),
    "lists, centred": (LISTS, [1], "plackett-luce", 0.02),
    "lists by pairs": (LISTS, [1], "bradley-terry", 0.0),
    "lists by pairs, centred": (LISTS, [1], "bradley-terry", 0.02),
}


def write_losses():
    torch.manual_seed(3)
    cases = {}
    for name, (rankings, weights, loss_type, centring) in CASES.items():
        sizes = [len(next(r for r in by_measure if r is not None)["ranks"]) for by_measure in rankings]
        drawn = [torch.randn(size, len(weights), dtype=torch.float64) * 2 for size in sizes]
        outputs = [torch.tensor(rounded(o), dtype=torch.float64).reshape(o.shape).requires_grad_() for o in drawn]
        loss = batch_loss(outputs, rankings, weights, loss_type, centring)
        gradients = torch.autograd.grad(loss, outputs)
        cases[name] = dict(
            rankings=rankings,
            weights=weights,
            lossType=loss_type,
            centring=centring,
            outputs=[rounded(o.detach()) for o in outputs],
            loss=rounded(loss.detach())[0],
            gradients=[rounded(g) for g in gradients],
        )
    lines = [f"{json.dumps(name)}: {json.dumps(case, separators=(',', ':'))}" for name, case in cases.items()]
    (OUT / "losses.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


# --- decoders ---------------------------------------------------------------------------------------------------------

STEPS = 4
OPTIMIZER = dict(lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
MAX_GRAD_NORM = 0.5
LORA = dict(r=4, lora_alpha=12, lora_dropout=0.0)
LORA_TARGETS = {"llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], "gpt2": ["c_attn", "c_proj", "c_fc"]}
WEIGHTS = [0.7, 0.3]
CENTRING = 0.01
# Lengths of the answers of each comparison, and how they rank.
COMPARISONS = [
    ([5, 9], [dict(ranks=[1, 2]), dict(ranks=[2, 1]), dict(ranks=[1, 2], margin=0.2)]),
    ([8, 7], [None, dict(ranks=[1, 1]), dict(ranks=[1, 2])]),
    ([4, 11, 6], [None, None, dict(ranks=[2, 1, 2])]),
]


def batch(vocab_size, seed):
    generator = torch.Generator().manual_seed(seed)
    return [[torch.randint(vocab_size, (length,), generator=generator) for length in lengths] for lengths, _ in COMPARISONS]


def digest(name, tensor):
    """Norm, and products with two directions that see every element."""
    is_conv1d = "lora_" not in name and any(name.endswith(f"{part}.weight") for part in ("c_attn", "c_proj", "c_fc"))
    values = (tensor.T if is_conv1d else tensor).detach().double().flatten()
    places = torch.arange(len(values), dtype=torch.float64)
    return rounded(torch.stack([values.norm(), values @ (places * 0.7 + 1).cos(), values @ (places * 0.013 + 2).cos()]))


def parameters_of(model):
    """By the names in the files of model or adapter."""
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    return {name.replace(".default.", ".").replace(".base_layer.", ".").replace(".modules_to_save.", "."): p for name, p in named.items()}


def by_formula(name, parameter):
    """So that the other side has the same ones."""
    places = torch.arange(parameter.numel(), dtype=torch.float64).reshape(parameter.shape)
    return (0.1 * (places * 0.37 + len(name)).cos()).float()


def outputs_of(model, answers):
    """Each answer on its own, so that packing has something to be compared with."""
    return [torch.cat([model(ids[None]).logits for ids in comparison]) for comparison in answers]


def take_steps(model, loss_of):
    """loss_of(step) builds the loss of a step."""
    parameters = parameters_of(model)
    optimizer = torch.optim.AdamW(
        [
            dict(params=[p for p in parameters.values() if p.dim() > 1]),
            dict(params=[p for p in parameters.values() if p.dim() <= 1], weight_decay=0.0),
        ],
        **OPTIMIZER,
    )
    losses, norms, gradients = [], [], None
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(step)
        loss.backward()
        if gradients is None:
            gradients = {name: digest(name, p.grad) for name, p in parameters.items()}
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_GRAD_NORM).item())
        optimizer.step()
        losses.append(loss.item())
    return dict(
        losses=rounded(losses),
        norms=rounded(norms),
        gradients=gradients,
        trained={name: digest(name, p) for name, p in parameters.items()},
    )


def train(model, vocab_size):
    rankings = [ranking for _, ranking in COMPARISONS]
    batches, first = [], []

    def loss_of(step):
        answers = batch(vocab_size, step)
        batches.append([[ids.tolist() for ids in comparison] for comparison in answers])
        outputs = outputs_of(model, answers)
        first.append(rounded(torch.cat(outputs)))
        return batch_loss(outputs, rankings, WEIGHTS, "plackett-luce", CENTRING)

    steps = take_steps(model, loss_of)
    return dict(rankings=rankings, weights=WEIGHTS, centring=CENTRING, batches=batches, outputs=first[0], **steps)


# Tokens of each answer with its prompt, where the answer begins, and what it is worth.
SCORED = [(9, 4, 1.5), (12, 7, -0.3), (6, 1, 0.8)]


def train_value(model, decoder, score, vocab_size):
    """Mean squared error at every token of the answers, each of them read alone."""
    batches = []

    def loss_of(step):
        generator = torch.Generator().manual_seed(100 + step)
        answers = [torch.randint(vocab_size, (length,), generator=generator) for length, _, _ in SCORED]
        batches.append([ids.tolist() for ids in answers])
        values = [(decoder(ids[None]).last_hidden_state[0] @ score().T)[:, 0] for ids in answers]
        errors = [value[start:] - worth for value, (_, start, worth) in zip(values, SCORED)]
        return torch.cat(errors).square().mean()

    steps = take_steps(model, loss_of)
    return dict(starts=[start for _, start, _ in SCORED], scores=[worth for _, _, worth in SCORED], batches=batches, **steps)


def load(name, outputs):
    model = AutoModelForSequenceClassification.from_pretrained(
        FOLDER / "models" / name, num_labels=outputs, dtype=torch.float64, attn_implementation="eager"
    )
    model.config.pad_token_id = None
    with torch.no_grad():
        model.score.weight.copy_(by_formula("score.weight", model.score.weight))
    return model.double().eval()


def with_lora(model, name):
    config = peft.LoraConfig(
        **LORA, target_modules=LORA_TARGETS[name], fan_in_fan_out=name == "gpt2", task_type="SEQ_CLS", modules_to_save=["score"]
    )
    model = peft.get_peft_model(model, config)
    with torch.no_grad():
        for parameter_name, parameter in parameters_of(model).items():
            parameter.copy_(by_formula(parameter_name, parameter))
    return model.double()


def write_golden(name, golden):
    (OUT / f"{name}.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


def write_decoder(name):
    model = load(name, len(WEIGHTS))
    golden = dict(full=train(model, model.config.vocab_size))
    if name in LORA_TARGETS:
        model = with_lora(load(name, len(WEIGHTS)), name)
        golden["lora"] = dict(targets=LORA_TARGETS[name], **train(model, model.config.vocab_size))
    write_golden(name, golden)


def write_value():
    model = load("llama", 1)
    full = train_value(model, model.model, lambda: model.score.weight, model.config.vocab_size)
    tuned = with_lora(load("llama", 1), "llama")
    inner = tuned.base_model.model
    lora = train_value(tuned, inner.model, lambda: inner.score.modules_to_save["default"].weight, inner.config.vocab_size)
    write_golden("value", dict(full=full, lora=dict(targets=LORA_TARGETS["llama"], **lora)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    write_losses()
    for model_name in ("llama", "qwen3", "gpt2"):
        write_decoder(model_name)
    write_value()
