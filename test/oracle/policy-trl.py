"""What TRL computes of a policy that is tuned on preferences: loss, metrics and gradients of one batch, for each of its losses, on stories260K, whole and with LoRA.

Writes `policy-training/stories260K.json` next to this file; the model lies beside the project, as in training.py. Losses of pairs and KTO's are those of TRL's own
trainers; ORPO's and SimPO's are its functions of log-probabilities, with the likelihood of the chosen answer beside ORPO's (its trainer counts the prompt, too). TRL
has no name for `conservative` any more: that one is written here.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.24.0 peft==0.21.2 trl==1.16.0
    venv/bin/python test/oracle/policy-trl.py
"""

import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

sys.path.pop(0)  # tokenizers.py beside this file would hide the package

import torch
import torch.nn.functional as F
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer

FOLDER = Path(__file__).parent
STORIES = FOLDER.parents[2] / "shared/data/models/stories260K"
LORA = dict(r=4, lora_alpha=12, lora_dropout=0.0, task_type="CAUSAL_LM")
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# What is trained of which gradients are kept; the norm is of all.
LAYERS = ["embed_tokens", "layers.0.self_attn.q_proj", "layers.2.mlp.down_proj", "layers.4.self_attn.v_proj", "layers.4.input_layernorm", "model.norm"]
TEXTS = [
    ("Once upon a time, there was a little bear named Tim.", " Tim was kind. He gave his ball to a sad girl.", " Tim was mean and he hit the dog."),
    ("Lily had a red hat. One day,", " the wind took it and she ran after it.", " hat hat hat hat."),
    ("The cat saw a big fish.", " It was happy.", " The fish was in the water and the cat could not swim, so it went home to sleep in the sun."),
]
# name -> (beta, label smoothing)
CASES = {
    "sigmoid": (0.1, 0.0), "hinge": (0.1, 0.0), "ipo": (0.1, 0.0), "robust": (0.3, 0.2), "conservative": (0.3, 0.2), "sigmoid_norm": (2.0, 0.0),
    "nca_pair": (0.1, 0.0), "bco_pair": (0.1, 0.0), "sppo_hard": (0.1, 0.0), "apo_zero": (0.1, 0.0), "apo_down": (0.1, 0.0), "exo_pair": (0.5, 0.001),
    "discopop": (0.05, 0.0), "sft": (0.1, 0.0), "orpo": (0.1, 0.0), "simpo": (2.0, 0.0), "kto": (0.1, 0.0),
}  # fmt: skip
METRICS = ["rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected", "entropy", "kl"]
DESIRABLE, UNDESIRABLE = 1.5, 0.7
LABELS = [True, False, True]


def rounded(values):
    """Flat list with seven significant digits."""
    return [float(f"{value:.7g}") for value in torch.as_tensor(values).flatten().tolist()]


def digest(tensor):
    """Norm, and products with two directions that see every element."""
    values = tensor.detach().double().flatten()
    places = torch.arange(len(values), dtype=torch.float64)
    return rounded(torch.stack([values.norm(), values @ (places * 0.7 + 1).cos(), values @ (places * 0.013 + 2).cos()]))


def by_formula(name, parameter):
    """So that the other side has the same ones."""
    places = torch.arange(parameter.numel(), dtype=torch.float64).reshape(parameter.shape)
    return (0.1 * (places * 0.37 + len(name)).cos()).float()


def parameters_of(model):
    """By the names in the files of model or adapter."""
    return {name.replace(".default.", "."): p for name, p in model.named_parameters() if p.requires_grad}


def load():
    return AutoModelForCausalLM.from_pretrained(STORIES, dtype=torch.float32, attn_implementation="eager")


def reference_model():
    """Another model than the policy, or every score would be 0."""
    model = load()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.97)
    return model


def pairs_of(tokenizer):
    """Ids of prompt, chosen and rejected answer."""

    def ids(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    return [[ids(prompt), ids(chosen), ids(rejected)] for prompt, chosen, rejected in TEXTS]


def trainer_of(name, is_lora, tokenizer, folder):
    """TRL's trainer of that loss; its policy is stories260K, with LoRA's factors by formula."""
    beta, epsilon = CASES[name]
    shared = dict(
        output_dir=folder, use_cpu=True, bf16=False, report_to=[], beta=beta, disable_dropout=True, gradient_checkpointing=False, max_length=None
    )
    how = dict(ref_model=None if is_lora else reference_model(), processing_class=tokenizer)
    if is_lora:
        how["peft_config"] = LoraConfig(**LORA, target_modules=TARGETS)
    if name == "kto":
        rows = [dict(prompt=prompt, completion=chosen, label=True) for prompt, chosen, _ in TEXTS] * 2
        args = KTOConfig(**shared, desirable_weight=DESIRABLE, undesirable_weight=UNDESIRABLE, per_device_train_batch_size=3)
        trainer = KTOTrainer(load(), args=args, train_dataset=Dataset.from_list(rows), **how)
    else:
        rows = [dict(prompt=prompt, chosen=chosen, rejected=rejected) for prompt, chosen, rejected in TEXTS]
        loss_type = name if name not in ("orpo", "simpo", "conservative") else "sigmoid"
        args = DPOConfig(**shared, loss_type=[loss_type], label_smoothing=epsilon if name in ("robust", "exo_pair") else 0.0)
        trainer = DPOTrainer(load(), args=args, train_dataset=Dataset.from_list(rows), **how)
    if is_lora:
        with torch.no_grad():
            for parameter_name, parameter in parameters_of(trainer.model).items():
                parameter.copy_(by_formula(parameter_name, parameter))
    return trainer


def matched_and_not(pairs):
    """KTO's: each prompt with an answer that is wanted or not, and with the next one's."""
    answers = [chosen if label else rejected for (_, chosen, rejected), label in zip(pairs, LABELS)]
    return [[prompt, answers[at], answers[(at + 1) % len(answers)]] for at, (prompt, _, _) in enumerate(pairs)]


def batch_of(name, trainer, pairs):
    if name != "kto":
        return trainer.data_collator([dict(prompt_ids=p, chosen_ids=c, rejected_ids=r) for p, c, r in pairs])
    rows = zip(matched_and_not(pairs), LABELS)
    return trainer.data_collator([dict(prompt_ids=p, completion_ids=own, KL_completion_ids=other, label=label) for (p, own, other), label in rows])


def log_probabilities(model, prompt, answer):
    ids = torch.tensor([prompt + answer])
    logits = model(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
    return logits.gather(1, ids[0, 1:, None])[len(prompt) - 1 :].sum()


def without_reference(name, model, pairs, beta, epsilon, reference):
    """Losses that no DPOTrainer has."""
    w, l = (torch.stack([log_probabilities(model, p, (c, r)[at]) for p, c, r in pairs]) for at in (0, 1))
    nw, nl = (torch.tensor([len(pair[at]) for pair in pairs], dtype=torch.float64) for at in (1, 2))
    itself = SimpleNamespace(beta=beta, alpha=0.0, loss_type="simpo", simpo_gamma=0.5 * beta, label_smoothing=0.0)
    itself.accelerator = SimpleNamespace(device="cpu")
    if name == "orpo":
        return -w.sum() / nw.sum() - ORPOTrainer.odds_ratio_loss(itself, w / nw, l / nl)[0].mean()
    if name == "simpo":
        return CPOTrainer.cpo_loss(itself, w / nw, l / nl)[0].mean()
    h = beta * ((w - reference[:, 0]) - (l - reference[:, 1]))
    return (-(1 - epsilon) * F.logsigmoid(h) - epsilon * F.logsigmoid(-h)).mean()


def references_of(trainer, is_lora, pairs):
    """[P, 2], float64."""

    def of(model):
        with torch.no_grad():
            return torch.tensor([[log_probabilities(model, p, answer) for answer in (c, r)] for p, c, r in pairs], dtype=torch.float64)

    if not is_lora:
        return of(trainer.ref_model)
    with trainer.model.disable_adapter():
        return of(trainer.model)


def case(name, is_lora, tokenizer, pairs, folder):
    trainer = trainer_of(name, is_lora, tokenizer, folder)
    beta, epsilon = CASES[name]
    model = trainer.model.train()
    references = references_of(trainer, is_lora, matched_and_not(pairs) if name == "kto" else pairs)
    loss = trainer._compute_loss(model, batch_of(name, trainer, pairs), False)
    found = trainer._metrics["train"]
    metrics = {key: rounded(found[key])[0] for key in METRICS if key in found}
    if name in ("orpo", "simpo", "conservative"):
        loss = without_reference(name, model, pairs, beta, epsilon, references)
        # Rewards of losses without a reference are means over tokens, which DPOTrainer's are not.
        if name != "conservative":
            metrics = {key: value for key, value in metrics.items() if not key.startswith("rewards")}
    if name == "sft":
        metrics = {key: value for key, value in metrics.items() if not key.startswith("rewards")}
    model.zero_grad()
    loss.backward()
    gradients = {key: p.grad for key, p in parameters_of(model).items()}
    norm = torch.stack([g.double().norm() for g in gradients.values()]).norm()
    kept = {key: digest(g) for key, g in gradients.items() if any(layer in key for layer in LAYERS)}
    loss, norm = rounded(torch.stack([loss.detach().double(), norm]))
    return dict(beta=beta, labelSmoothing=epsilon, references=rounded(references), loss=loss, metrics=metrics, norm=norm, gradients=kept)


def main():
    torch.set_num_threads(1)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(STORIES / "tokenizer.json"), eos_token="</s>", pad_token="</s>", bos_token="<s>")
    pairs = pairs_of(tokenizer)
    golden = dict(pairs=pairs, matched=matched_and_not(pairs), targets=TARGETS, labels=[1 if label else -1 for label in LABELS], weights=[DESIRABLE, UNDESIRABLE], forms={})
    with tempfile.TemporaryDirectory() as folder:
        for form in ("full", "lora"):
            golden["forms"][form] = {name: case(name, form == "lora", tokenizer, pairs, folder) for name in CASES}
    lines = []
    for form, of in golden.pop("forms").items():
        inner = ",\n".join(f"{json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}" for name, one in of.items())
        lines.append(f'"{form}": {{\n{inner}\n}}')
    shared = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items())
    (FOLDER / "policy-training/stories260K.json").write_text("{\n" + shared + ",\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
