"""Tiny random BERTs as Hugging Face folders, what PyTorch computes with them, and the pairs that the reference tokenizes.

Writes `bert/<name>/` next to this file: config, weights, tokenizer and `golden.json`. The weights are drawn by a seeded generator, so that
a run repeats. Everything is computed in float64 from the weights as stored. With `--minilm FOLDER` it writes `bert/minilm.json` too: pairs by
the tokenizer of all-MiniLM-L6-v2, whose own files are not part of the project.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0
    venv/bin/python test/oracle/bert.py [--minilm models/all-minilm-l6-v2]
"""

import argparse
import json
import math
import shutil
import sys
from pathlib import Path

sys.path.pop(0)  # tokenizers.py beside this file would hide the package

import tokenizers
import torch
import torch.nn.functional as F
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

FOLDER = Path(__file__).parent / "bert"
LENGTH = 24
LABELS = ["usefulness", "friendliness", "safety"]

CORPUS = [
    "How do I wash my teddy bear? Use a gentle cycle and let it dry in the sun.",
    "The little bear got wet in the rain, so the girl dried the bear with a soft towel and told it a story.",
    "Unusual untied unloved bears were hugged, brushed, washed and dried again and again.",
]

# Where a pair's halves meet, where one is empty, where special tokens are written out, and where cutting bites on either side.
IDEOGRAPHS = "a\U00020000b \U0002f800\U0002b820b"
PAIRS = [
    ("How do I wash my bear?", "Use a gentle cycle."),
    ("bear", ""),
    ("", "bear"),
    ("The bear [SEP] is wet", "[CLS] dry it [MASK]"),
    ("Na\u00efve caf\u00e9 \u2014 B\u00c4R", "\u4f60\u597d  bear\n\tdry"),
    (IDEOGRAPHS, "bear\U0002b920"),
    ("a bear", "wash " * 30),
    ("wash " * 30, "a bear"),
    ("wash the bear " * 12, "dry the bear again " * 12),
]

# Each differs from the other where implementations go wrong.
CASES = {
    "classifier": dict(hidden_size=32, num_attention_heads=4, intermediate_size=48, hidden_act="gelu", num_labels=3),
    "tanh": dict(hidden_size=24, num_attention_heads=2, intermediate_size=64, hidden_act="gelu_new", num_labels=1),
}


def tokenizer() -> PreTrainedTokenizerFast:
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = sorted(set("".join(CORPUS).lower()) - {" "})
    words = ["the", "bear", "dry", "wash", "##ed", "##ing", "un", "how", "gentle", "and"]
    tokens = specials + letters + [f"##{letter}" for letter in letters if letter.isalpha()] + words
    raw = Tokenizer(models.WordPiece({token: index for index, token in enumerate(tokens)}, unk_token="[UNK]"))
    raw.add_special_tokens(specials)
    raw.normalizer = normalizers.BertNormalizer()
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]", mask_token="[MASK]", model_max_length=64
    )


def fill(model: torch.nn.Module, seed: int) -> None:
    """Weights large enough that places differ clearly, norms and biases away from their neutral values."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 2:
                parameter.copy_(noise * (0.5 if "embeddings" in name else 1.2 / math.sqrt(parameter.shape[1])))
            elif "bias" in name:
                parameter.copy_(noise * 0.3)
            else:
                parameter.copy_(1 + 0.3 * noise)


def rounded(values: torch.Tensor):
    """Nested lists with seven significant digits."""
    if values.dim() == 0:
        return float(f"{values.item():.7g}")
    return [rounded(value) for value in values]


def pair_goldens(tokenizer: Tokenizer, pairs, lengths) -> list[dict]:
    """Ids and types by the length to which the longer half is cut first; none is not cut. Special tokens that a text writes out are text."""
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    found = []
    for first, second in pairs:
        for length in lengths:
            if length is None:
                tokenizer.no_truncation()
            else:
                tokenizer.enable_truncation(length, strategy="longest_first")
            encoded = tokenizer.encode(first, second)
            found.append(dict(first=first, second=second, length=length, ids=encoded.ids, types=encoded.type_ids))
    return found


def digest(tensor: torch.Tensor):
    """Norm, and products with two directions that see every element."""
    values = tensor.detach().double().flatten()
    places = torch.arange(len(values), dtype=torch.float64)
    return rounded(torch.stack([values.norm(), values @ (places * 0.7 + 1).cos(), values @ (places * 0.013 + 2).cos()]))


def gradients(model, rows, weights) -> dict:
    """Of the Bradley-Terry loss, with centring, over the weighted outputs of rows (chosen, rejected), each row alone, without padding."""
    model.zero_grad()
    scores = [model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])).logits[0] @ weights for ids, types in rows]
    losses = [-F.logsigmoid(chosen - rejected) + 0.1 * (chosen + rejected) ** 2 for chosen, rejected in zip(scores[::2], scores[1::2])]
    loss = torch.stack(losses).mean()
    loss.backward()
    return dict(weights=rounded(weights), loss=rounded(loss), gradients={name: digest(p.grad) for name, p in model.named_parameters()})


def build(name: str, options: dict, seed: int) -> None:
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    tokenize = tokenizer()
    labels = LABELS[: options.pop("num_labels")]
    config = BertConfig(
        **options,
        vocab_size=len(tokenize),
        num_hidden_layers=2,
        max_position_embeddings=40,
        pad_token_id=0,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    model = BertForSequenceClassification(config)
    fill(model, seed)
    model.save_pretrained(folder)
    tokenize.save_pretrained(folder)
    model = BertForSequenceClassification.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()

    pairs = pair_goldens(tokenize._tokenizer, PAIRS, (None, LENGTH, 9))
    rows = [(pair["ids"], pair["types"]) for pair in pairs if pair["length"] == LENGTH and pair["first"] != IDEOGRAPHS][:6]
    cases = []
    for ids, types in rows:
        with torch.no_grad():
            output = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types]), output_hidden_states=True)
        hidden = output.hidden_states[-1][0]
        cases.append(dict(ids=ids, types=types, hidden=rounded(hidden), mean=rounded(hidden.mean(0)), logits=rounded(output.logits[0])))
    note = f"PyTorch {torch.__version__.split('+')[0]} and transformers {transformers.__version__}, float64 arithmetic on the stored weights."
    weights = torch.tensor([0.6, -0.3, 0.8], dtype=torch.float64)[: len(labels)]
    golden = dict(note=note, pairs=pairs, cases=cases, training=gradients(model, rows, weights))
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{name}: {sum(path.stat().st_size for path in folder.iterdir()) // 1024} KB")


def write_minilm(folder: str) -> None:
    pairs = pair_goldens(Tokenizer.from_file(f"{folder}/tokenizer.json"), PAIRS + [(text, text[::-1]) for text in CORPUS], (None, 24))
    golden = dict(note=f"tokenizers {tokenizers.__version__}, tokenizer of all-MiniLM-L6-v2", pairs=pairs)
    (FOLDER / "minilm.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--minilm")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    for number, (case_name, description) in enumerate(CASES.items()):
        build(case_name, dict(description), seed=1000 + number)
    if arguments.minilm:
        write_minilm(arguments.minilm)
