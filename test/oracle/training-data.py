"""What transformers makes of conversations (which tokens are the assistant's, and the loss of them) and of learning-rate schedules.

Writes `training-data.json` next to this file. Tokenizer and model are those of models/llama; the loss is in float64.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.24.0
    venv/bin/python test/oracle/training-data.py
"""

import json
import sys
from pathlib import Path

sys.path.pop(0)  # else tokenizers.py beside this file hides the package

import torch  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, get_scheduler  # noqa: E402

HERE = Path(__file__).parent

# Marks the assistant's part by itself, so transformers tells it without rendering prefixes.
TEMPLATE = (
    "{% for m in messages %}{{ m.role + ': ' }}"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ m.content + '<|end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
CONVERSATIONS = [
    ["hello", "hi there"],
    ["a", "b", "c", "d"],
    ["", ""],
    ["two\nlines", "  spaced  out  "],
    ["what?", "naïve 🙂 answer", "and\n", "\nso"],
]


def schedule(kind: str, warmup: int, total: int) -> dict:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.003)
    name = "constant_with_warmup" if kind == "constant" else kind
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total)
    rates = []
    for _ in range(total):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return dict(type=kind, learningRate=0.003, warmupSteps=warmup, totalSteps=total, rates=rates)


def evaluation(conversations: list) -> dict:
    """Mean loss and accuracy over the assistant's tokens, each conversation by itself."""
    model = AutoModelForCausalLM.from_pretrained(HERE / "models" / "llama", dtype=torch.float64).eval()
    loss = correct = tokens = 0
    for conversation in conversations:
        ids = torch.tensor(conversation["ids"])
        trained = torch.tensor(conversation["mask"])[1:].bool()
        with torch.no_grad():
            logits = model(ids[None]).logits[0, :-1][trained]
        targets = ids[1:][trained]
        loss += torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item()
        correct += (logits.argmax(-1) == targets).sum().item()
        tokens += len(targets)
    return dict(loss=loss / tokens, accuracy=correct / tokens, tokens=tokens)


if __name__ == "__main__":
    tokenizer = AutoTokenizer.from_pretrained(HERE / "models" / "llama")
    conversations = []
    for texts in CONVERSATIONS:
        messages = [dict(role=("user", "assistant")[at % 2], content=text) for at, text in enumerate(texts)]
        encoded = tokenizer.apply_chat_template(
            messages, chat_template=TEMPLATE, return_dict=True, return_assistant_tokens_mask=True
        )
        conversations.append(dict(messages=messages, ids=encoded["input_ids"], mask=encoded["assistant_masks"]))
    schedules = [schedule(kind, warmup, 12) for kind in ("constant", "linear", "cosine") for warmup in (0, 4)]
    golden = dict(
        template=TEMPLATE, conversations=conversations, evaluation=evaluation(conversations), schedules=schedules
    )
    (HERE / "training-data.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
