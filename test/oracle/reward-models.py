"""Tiny reward models as transformers and peft save them, and the rewards that the two compute for a few conversations.

Writes `rewards/` next to this file: `llama` and `gpt2` (LlamaForSequenceClassification and GPT2ForSequenceClassification), `adapter` (LoRA of task
SEQ_CLS with a head of its own, over models/llama), each with reward.json, and golden.json: the conversations with the outputs of each in float64,
and those of a head over the hidden states of models/llama at the last token of the answer.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.24.0 peft==0.21.2
    venv/bin/python test/oracle/reward-models.py
"""

import json
import math
import shutil
import sys
from pathlib import Path

sys.path.pop(0)  # else tokenizers.py beside this file hides the package

import torch  # noqa: E402
import transformers  # noqa: E402
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
)

HERE = Path(__file__).parent
FOLDER = HERE / "rewards"
POLICY = HERE / "models" / "llama"
PAD = 127
DIMENSIONS = ["usefulness", "friendliness", "safety"]
WEIGHTS = [0.6, 0.3, 0.1]
LABELS = dict(num_labels=3, id2label=dict(enumerate(DIMENSIONS)), label2id={name: at for at, name in enumerate(DIMENSIONS)})
SIZES = dict(vocab_size=128, bos_token_id=None, eos_token_id=0, pad_token_id=PAD)

CONVERSATIONS = [
    [("user", "Why do bears like honey?"), ("assistant", "It is sweet.")],
    [("user", "Why do bears like honey?"), ("assistant", "")],
    [
        ("system", "You are a bear."),
        ("user", "Sew an ear on, and then the other one; the thread is red and the fur is brown."),
        ("assistant", "First thread the needle."),
        ("user", "And then?"),
        ("assistant", "Then sew in and out, around and around, until the ear is on. A bear with one ear on hears more than one with none."),
    ],
]


def fill(model: torch.nn.Module, seed: int, only: str = "") -> None:
    """Weights large enough that outputs differ clearly, norms and biases away from their neutral values."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if only not in name:
                continue
            if parameter.dim() == 2:
                parameter.copy_(noise * (0.5 if "emb" in name or "wte" in name or "wpe" in name else 1.2 / math.sqrt(parameter.shape[1])))
            elif "bias" in name:
                parameter.copy_(noise * 0.3)
            else:
                parameter.copy_(1 + 0.3 * noise)


def save_reward_json(folder: Path) -> None:
    normalization = dict(
        mean=[0.5, -0.25, 0.125], deviation=[2.0, 1.5, 0.5], holistic=dict(mean=0.25, deviation=1.25), reference="made up for the tests"
    )
    reward = dict(form="decoder", dimensions=DIMENSIONS, weights=WEIGHTS, normalization=normalization, max_length=240)
    (folder / "reward.json").write_text(json.dumps(reward, indent=2) + "\n")


def messages(conversation: list) -> list:
    return [dict(role=role, content=content) for role, content in conversation]


def ids_of(tokenizer, conversation: list) -> list[int]:
    return tokenizer.apply_chat_template(messages(conversation), tokenize=True, add_generation_prompt=False, return_dict=False)


@torch.no_grad()
def outputs(model, tokenizer) -> list:
    model = model.double().eval()
    rows = [model(torch.tensor([ids_of(tokenizer, conversation)])).logits[0].tolist() for conversation in CONVERSATIONS]
    return [[float(f"{value:.8g}") for value in row] for row in rows]


def full(name: str, model, seed: int) -> list:
    folder = FOLDER / name
    fill(model, seed)
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(POLICY)
    tokenizer.save_pretrained(folder)
    save_reward_json(folder)
    return outputs(AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float64), tokenizer)


def adapter() -> list:
    folder = FOLDER / "adapter"
    base = lambda: AutoModelForSequenceClassification.from_pretrained(POLICY, dtype=torch.float32, pad_token_id=PAD, **LABELS)
    config = LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"], modules_to_save=["score"], task_type="SEQ_CLS")
    model = get_peft_model(base(), config)
    fill(model, 3, "lora_")
    fill(model, 4, "modules_to_save")
    model.peft_config["default"].base_model_name_or_path = "test/oracle/models/llama"
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    save_reward_json(folder)
    return outputs(PeftModel.from_pretrained(base(), folder), AutoTokenizer.from_pretrained(POLICY))


@torch.no_grad()
def head() -> dict:
    policy = AutoModelForCausalLM.from_pretrained(POLICY, dtype=torch.float64).eval()
    tokenizer = AutoTokenizer.from_pretrained(POLICY)
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn((2, policy.config.hidden_size), generator=generator)
    bias = torch.randn((2,), generator=generator)
    rows = []
    for conversation in CONVERSATIONS:
        ids = ids_of(tokenizer, conversation)
        assert ids[-1] == 0
        # The last token that is fed is the one before the end of the turn.
        hidden = policy(torch.tensor([ids[:-1]]), output_hidden_states=True).hidden_states[-1][0, -1]
        rows.append((weight.double() @ hidden + bias.double()).tolist())
    return dict(weight=weight.tolist(), bias=bias.tolist(), outputs=rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    shutil.rmtree(FOLDER, ignore_errors=True)
    llama = LlamaConfig(
        **SIZES,
        **LABELS,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=False,
    )
    gpt2 = GPT2Config(**SIZES, **LABELS, n_embd=32, n_head=4, n_layer=2, n_positions=240)
    golden = dict(
        note=f"PyTorch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}, float64 arithmetic on the stored weights.",
        conversations=[messages(conversation) for conversation in CONVERSATIONS],
        llama=full("llama", LlamaForSequenceClassification(llama), 1),
        gpt2=full("gpt2", GPT2ForSequenceClassification(gpt2), 2),
        adapter=adapter(),
        head=head(),
    )
    (FOLDER / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
