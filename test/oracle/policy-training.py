"""What PyTorch computes of policies that are tuned on preferences: losses with their derivatives, and steps of AdamW on tiny decoders, whole and with LoRA.

Writes `policy-training/losses.json` and `policy-training/<model>.json` next to this file, from the models of `models/`. Everything is computed in float64; numbers
are kept with seven digits. Losses are written as their papers have them, and not as Bonsai computes them.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0 peft==0.21.2
    venv/bin/python test/oracle/policy-training.py
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
OUT = FOLDER / "policy-training"


def rounded(values):
    """Flat list with seven significant digits."""
    return [float(f"{value:.7g}") for value in torch.as_tensor(values).flatten().tolist()]


# --- losses of pairs --------------------------------------------------------------------------------------------------
# w: log pi of the chosen answer, l: of the rejected; rw, rl: of the reference; nw, nl: tokens. All [P]. b: beta, e: label smoothing.


def p_prefer(difference):
    """Bradley and Terry's probability."""
    return 1 / (1 + torch.exp(-difference))


def log_odds(mean):
    p = torch.exp(mean)
    return torch.log(p / (1 - p))


def dpo(w, l, rw, rl, b):
    return -torch.log(p_prefer(b * (w - rw) - b * (l - rl)))


def exo(w, l, rw, rl, b, e):
    """KL of the policy's distribution over the two answers from the label's."""
    policy = torch.stack([b * (w - rw), b * (l - rl)]).softmax(0)
    label = torch.tensor([1 - e, e], dtype=torch.float64)[:, None]
    return (policy * (policy.log() - label.log())).sum(0)


def discopop(w, l, rw, rl, b, tau):
    rho = b * ((w - rw) - (l - rl))
    share = torch.sigmoid(rho / tau)
    return (1 - share) * torch.log(1 + torch.exp(-rho)) + share * torch.exp(-rho)


def sft(w, nw):
    """The mean over all tokens, for each pair."""
    return (-w.sum() / nw.sum()).expand(len(w)) + 0 * w


LOSSES = {
    "sigmoid": lambda w, l, rw, rl, nw, nl, b, e: dpo(w, l, rw, rl, b),
    "hinge": lambda w, l, rw, rl, nw, nl, b, e: (1 - b * ((w - rw) - (l - rl))).clamp(min=0),
    "ipo": lambda w, l, rw, rl, nw, nl, b, e: ((w - rw) / nw - (l - rl) / nl - 1 / (2 * b)) ** 2,
    "robust": lambda w, l, rw, rl, nw, nl, b, e: ((1 - e) * dpo(w, l, rw, rl, b) - e * dpo(l, w, rl, rw, b)) / (1 - 2 * e),
    "conservative": lambda w, l, rw, rl, nw, nl, b, e: (1 - e) * dpo(w, l, rw, rl, b) + e * dpo(l, w, rl, rw, b),
    "sigmoid_norm": lambda w, l, rw, rl, nw, nl, b, e: dpo(w / nw, l / nl, rw / nw, rl / nl, b),
    "nca_pair": lambda w, l, rw, rl, nw, nl, b, e: -F.logsigmoid(b * (w - rw)) - (F.logsigmoid(-b * (w - rw)) + F.logsigmoid(-b * (l - rl))) / 2,
    "bco_pair": lambda w, l, rw, rl, nw, nl, b, e: -torch.log(p_prefer(b * (w - rw))) - torch.log(1 - p_prefer(b * (l - rl))),
    "sppo_hard": lambda w, l, rw, rl, nw, nl, b, e: (w - rw - (1 - 0.5) / b) ** 2 + (l - rl - (0 - 0.5) / b) ** 2,
    "apo_zero": lambda w, l, rw, rl, nw, nl, b, e: -torch.sigmoid(b * (w - rw)) + torch.sigmoid(b * (l - rl)) + 1,
    "apo_down": lambda w, l, rw, rl, nw, nl, b, e: torch.sigmoid(b * (w - rw)) - torch.sigmoid(b * (w - rw) - b * (l - rl)) + 1,
    "exo_pair": lambda w, l, rw, rl, nw, nl, b, e: exo(w, l, rw, rl, b, e),
    "discopop": lambda w, l, rw, rl, nw, nl, b, e: discopop(w, l, rw, rl, b, 0.05),
    "sft": lambda w, l, rw, rl, nw, nl, b, e: sft(w, nw),
    "orpo": lambda w, l, rw, rl, nw, nl, b, e: sft(w, nw) - b * F.logsigmoid(log_odds(w / nw) - log_odds(l / nl)),
    "simpo": lambda w, l, rw, rl, nw, nl, b, e: -F.logsigmoid(b / nw * w - b / nl * l - 0.5 * b),
}
# name -> (losses with their weights, beta, label smoothing)
CASES = {name: ([(name, 1.0)], 0.1, 0.0) for name in LOSSES if name not in ("robust", "conservative", "exo_pair", "simpo")}
CASES |= {
    "robust": ([("robust", 1.0)], 0.3, 0.2),
    "conservative": ([("conservative", 1.0)], 0.3, 0.2),
    "exo_pair": ([("exo_pair", 1.0)], 0.5, 0.001),
    "simpo": ([("simpo", 1.0)], 2.0, 0.0),
    "sigmoid with a large beta": ([("sigmoid", 1.0)], 3.0, 0.0),
    "hinge with a large beta": ([("hinge", 1.0)], 1.0, 0.0),
    "a mix (MPO)": ([("sigmoid", 0.8), ("bco_pair", 0.2), ("sft", 1.0)], 0.1, 0.0),
    "a mix with SFT (RPO)": ([("sigmoid", 1.0), ("sft", 0.5)], 0.2, 0.0),
}


def pair_loss(mix, w, l, rw, rl, nw, nl, beta, epsilon):
    return sum(weight * LOSSES[name](w, l, rw, rl, nw, nl, beta, epsilon) for name, weight in mix).mean()


def write_losses():
    torch.manual_seed(5)
    lengths = [[7, 3, 12, 5, 20, 9], [4, 8, 12, 15, 6, 11]]
    nw, nl = torch.tensor(lengths, dtype=torch.float64)

    def drawn(values):
        return torch.tensor(rounded(values), dtype=torch.float64)

    rw, rl = drawn(-nw * (0.5 + torch.rand(6))), drawn(-nl * (0.5 + torch.rand(6)))
    w, l = drawn(rw + torch.randn(6) * 2).clamp(max=-0.2), drawn(rl + torch.randn(6) * 2).clamp(max=-0.2)
    shared = dict(chosen=rounded(w), rejected=rounded(l), referenceChosen=rounded(rw), referenceRejected=rounded(rl), lengths=lengths)
    cases = {}
    for name, (mix, beta, epsilon) in CASES.items():
        a, c = w.clone().requires_grad_(), l.clone().requires_grad_()
        loss = pair_loss(mix, a, c, rw, rl, nw, nl, beta, epsilon)
        gradients = [torch.zeros(6) if g is None else g for g in torch.autograd.grad(loss, [a, c], allow_unused=True)]
        cases[name] = dict(
            mix=[dict(name=one, weight=weight) for one, weight in mix],
            beta=beta,
            labelSmoothing=epsilon,
            loss=rounded(loss.detach())[0],
            gradients=[rounded(g) for g in gradients],
        )
    kto = [kto_case(w, rw, l, rl, labels, *weights) for labels, *weights in KTO_CASES]
    lines = [f"{json.dumps(name)}: {json.dumps(case, separators=(',', ':'))}" for name, case in cases.items()]
    text = f'"pairs": {json.dumps(shared)},\n"cases": {{\n' + ",\n".join(lines) + f'\n}},\n"kto": {json.dumps(kto)}'
    (OUT / "losses.json").write_text("{\n" + text + "\n}\n")


# labels, whether the unmatched answers are likelier than in the reference, beta, lambda of wanted and of unwanted answers
KTO_CASES = [([1, -1, -1, 1, 1, -1], True, 0.1, 1.0, 1.0), ([1, 1, 1, 1, -1, -1], False, 0.4, 1.5, 0.7)]


def kto_case(answer, reference, unmatched, reference_unmatched, labels, raised, beta, desirable, undesirable):
    unmatched = reference_unmatched + (unmatched - reference_unmatched).abs() * (1 if raised else -1)
    unmatched = torch.tensor(rounded(unmatched), dtype=torch.float64)
    a = answer.clone().requires_grad_()
    y = torch.tensor(labels)
    r = a - reference
    z = (unmatched - reference_unmatched).mean().clamp(min=0)
    v = torch.where(y > 0, desirable * torch.sigmoid(beta * (r - z)), undesirable * torch.sigmoid(beta * (z - r)))
    loss = (torch.where(y > 0, desirable, undesirable) - v).mean()
    return dict(
        answer=rounded(answer),
        reference=rounded(reference),
        unmatched=rounded(unmatched),
        referenceUnmatched=rounded(reference_unmatched),
        labels=labels,
        beta=beta,
        desirableWeight=desirable,
        undesirableWeight=undesirable,
        loss=rounded(loss.detach())[0],
        gradients=rounded(torch.autograd.grad(loss, a)[0]),
    )


# --- decoders ---------------------------------------------------------------------------------------------------------

STEPS = 4
OPTIMIZER = dict(lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
MAX_GRAD_NORM = 0.5
LORA = dict(r=4, lora_alpha=12, lora_dropout=0.0)
LORA_TARGETS = {"llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], "gpt2": ["c_attn", "c_proj", "c_fc"]}
MIX = [("sigmoid", 0.8), ("bco_pair", 0.2), ("sft", 0.1)]
BETA = 0.5
# Tokens of the prompt, the chosen and the rejected answer of each pair.
PAIRS = [(4, 5, 9), (2, 8, 3), (6, 3, 4)]


def batch(vocab_size, seed):
    """(prompt, chosen, rejected) of each pair."""
    generator = torch.Generator().manual_seed(seed)
    return [[torch.randint(vocab_size, (length,), generator=generator) for length in lengths] for lengths in PAIRS]


def digest(name, tensor):
    """Norm, and products with two directions that see every element."""
    is_conv1d = "lora_" not in name and any(name.endswith(f"{part}.weight") for part in ("c_attn", "c_proj", "c_fc"))
    values = (tensor.T if is_conv1d else tensor).detach().double().flatten()
    places = torch.arange(len(values), dtype=torch.float64)
    return rounded(torch.stack([values.norm(), values @ (places * 0.7 + 1).cos(), values @ (places * 0.013 + 2).cos()]))


def parameters_of(model):
    """By the names in the files of model or adapter."""
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    return {name.replace(".default.", ".").replace(".base_layer.", "."): p for name, p in named.items()}


def by_formula(name, parameter):
    """So that the other side has the same ones."""
    places = torch.arange(parameter.numel(), dtype=torch.float64).reshape(parameter.shape)
    return (0.1 * (places * 0.37 + len(name)).cos()).float()


def log_probabilities(model, pairs):
    """[P, 2]: of each answer after its prompt, each on its own, so that packing has something to be compared with."""

    def of(prompt, answer):
        ids = torch.cat([prompt, answer])
        logits = model(ids[None]).logits[0, :-1].log_softmax(-1)
        return logits.gather(1, ids[1:, None])[len(prompt) - 1 :].sum()

    return torch.stack([torch.stack([of(prompt, chosen), of(prompt, rejected)]) for prompt, chosen, rejected in pairs])


def train(model, reference, vocab_size):
    """reference: log-probabilities of a batch."""
    parameters = parameters_of(model)
    optimizer = torch.optim.AdamW(
        [
            dict(params=[p for p in parameters.values() if p.dim() > 1]),
            dict(params=[p for p in parameters.values() if p.dim() <= 1], weight_decay=0.0),
        ],
        **OPTIMIZER,
    )
    lengths = torch.tensor(PAIRS, dtype=torch.float64)
    batches, losses, norms, references, policies, gradients = [], [], [], [], [], None
    for step in range(STEPS):
        pairs = batch(vocab_size, step)
        with torch.no_grad():
            ref = reference(pairs)
        optimizer.zero_grad()
        policy = log_probabilities(model, pairs)
        loss = pair_loss(MIX, policy[:, 0], policy[:, 1], ref[:, 0], ref[:, 1], lengths[:, 1], lengths[:, 2], BETA, 0.0)
        loss.backward()
        if gradients is None:
            gradients = {name: digest(name, p.grad) for name, p in parameters.items()}
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_GRAD_NORM).item())
        optimizer.step()
        losses.append(loss.item())
        batches.append([[ids.tolist() for ids in pair] for pair in pairs])
        references.append(rounded(ref))
        policies.append(rounded(policy))
    return dict(
        mix=[dict(name=name, weight=weight) for name, weight in MIX],
        beta=BETA,
        batches=batches,
        references=references,
        policies=policies,
        losses=rounded(losses),
        norms=rounded(norms),
        gradients=gradients,
        trained={name: digest(name, p) for name, p in parameters.items()},
    )


def write_decoder(name):
    def load():
        return AutoModelForCausalLM.from_pretrained(FOLDER / "models" / name, dtype=torch.float64, attn_implementation="eager").eval()

    initial = load()
    vocab_size = initial.config.vocab_size
    golden = dict(full=train(load(), lambda pairs: log_probabilities(initial, pairs), vocab_size))
    if name in LORA_TARGETS:
        config = peft.LoraConfig(**LORA, target_modules=LORA_TARGETS[name], fan_in_fan_out=name == "gpt2", task_type="CAUSAL_LM")
        model = peft.get_peft_model(load(), config)
        with torch.no_grad():
            for parameter_name, parameter in parameters_of(model).items():
                parameter.copy_(by_formula(parameter_name, parameter))
        model = model.double()

        def without_adapter(pairs):
            with model.disable_adapter():
                return log_probabilities(model, pairs)

        golden["lora"] = dict(targets=LORA_TARGETS[name], **train(model, without_adapter, vocab_size))
    (OUT / f"{name}.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    write_losses()
    for model_name in ("llama", "qwen3", "gpt2"):
        write_decoder(model_name)
