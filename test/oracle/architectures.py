"""Tiny random models of every architecture, as Hugging Face folders, and what PyTorch computes with them.

Writes `models/<name>/` next to this file: config, weights, tokenizer and `golden.json`. The weights are drawn by a seeded
generator, so that a run repeats; margins between the two most likely tokens of the greedy answers are checked to be wide
enough for fp32 arithmetic of any order. Logits are computed in float64 from the weights as stored.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.23.0
    venv/bin/python test/oracle/architectures.py
"""

import json
import math
import shutil
from pathlib import Path

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

FOLDER = Path(__file__).parent / "models"
VOCAB_SIZE = 128
SHORT, LONG = 20, 70
LONG_STRIDE = 4
GREEDY_TOKENS = 24
SMALLEST_MARGIN = 0.02

SIZES = dict(
    vocab_size=VOCAB_SIZE,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    max_position_embeddings=256,
    bos_token_id=None,
    eos_token_id=0,
    pad_token_id=None,
)

# Each differs from the others where implementations go wrong. `shards`: largest shard in KB; `published`: keys of
# config.json as models on the Hub still have them, where transformers 5 writes `rope_parameters`.
CASES = {
    "llama": dict(
        model=LlamaForCausalLM,
        config=LlamaConfig(
            **SIZES, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, tie_word_embeddings=True
        ),
    ),
    "llama3-rope": dict(
        model=LlamaForCausalLM,
        config=LlamaConfig(
            **SIZES,
            num_attention_heads=2,
            num_key_value_heads=1,
            tie_word_embeddings=False,
            rope_parameters=dict(
                rope_type="llama3",
                rope_theta=10000.0,
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=64,
            ),
        ),
        published=True,
    ),
    "qwen2": dict(
        model=Qwen2ForCausalLM,
        config=Qwen2Config(
            **SIZES,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=False,
            rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
        ),
        shards=60,
    ),
    "qwen3": dict(
        model=Qwen3ForCausalLM,
        config=Qwen3Config(
            **SIZES, num_attention_heads=4, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True
        ),
        dtype=torch.bfloat16,
        published=True,
    ),
    "gpt2": dict(
        model=GPT2LMHeadModel,
        config=GPT2Config(
            vocab_size=VOCAB_SIZE,
            n_embd=32,
            n_head=4,
            n_layer=2,
            n_positions=128,
            bos_token_id=0,
            eos_token_id=0,
        ),
    ),
}


def fill(model: torch.nn.Module, seed: int) -> None:
    """Weights large enough that logits differ clearly, norms and biases away from their neutral values."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 2:
                embedding = "embed" in name or "wte" in name or "wpe" in name or "lm_head" in name
                parameter.copy_(noise * (0.5 if embedding else 1.2 / math.sqrt(parameter.shape[1])))
            elif "bias" in name:
                parameter.copy_(noise * 0.3)
            else:
                parameter.copy_(1 + 0.3 * noise)


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over printable ASCII, a few merges, and the two bytes of some accented letters."""
    alphabet = ["Ġ" if c == 32 else chr(c) for c in range(32, 127)] + ["Ċ"]
    # UTF-8 C3 xx as the byte-level alphabet spells it: é è à ö ü.
    continuation = ["Ã", "©", "¨", "ł", "¶", "¼"]
    merges = [("h", "e"), ("i", "n"), ("e", "r"), ("a", "n"), ("o", "n"), ("t", "he"), ("Ġ", "a"), ("Ġ", "the"), ("in", "g"), ("o", "u")]
    specials = ["<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
    tokens = specials + alphabet + continuation + ["".join(pair) for pair in merges]
    tokens += [f"<|extra_{i}|>" for i in range(VOCAB_SIZE - len(tokens))]
    assert len(tokens) == VOCAB_SIZE == len(set(tokens))
    raw = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens if token.startswith("<|")])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|end|>", model_max_length=256)
    wrapped.chat_template = (
        "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
    )
    return wrapped


def publish(folder: Path, config) -> None:
    """Rewrites config.json with `rope_theta`, `rope_scaling` and `torch_dtype`, as transformers 4 wrote it."""
    path = folder / "config.json"
    keys = json.loads(path.read_text())
    rope = dict(keys.pop("rope_parameters"))
    keys["rope_theta"] = rope.pop("rope_theta")
    keys["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    keys["torch_dtype"] = keys.pop("dtype")
    keys["transformers_version"] = "4.51.0"
    path.write_text(json.dumps(keys, indent=2, sort_keys=True) + "\n")


def rounded(values: torch.Tensor):
    """Nested lists with six significant digits."""
    if values.dim() == 0:
        return float(f"{values.item():.6g}")
    return [rounded(value) for value in values]


@torch.no_grad()
def greedy(model, ids: list[int]) -> tuple[list[int], list[float], float]:
    """Continues without a cache, past any end-of-sequence token: ids, their log-probabilities, the narrowest margin."""
    answer, logprobs, margin = [], [], math.inf
    for _ in range(GREEDY_TOKENS):
        logits = model(torch.tensor([ids + answer])).logits[0, -1]
        best = logits.topk(2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        answer.append(best.indices[0].item())
        logprobs.append(float(f"{logits.log_softmax(-1)[answer[-1]].item():.6g}"))
    return answer, logprobs, margin


def build(name: str, case: dict, first_seed: int) -> None:
    folder = FOLDER / name
    for seed in range(first_seed, first_seed + 100):
        shutil.rmtree(folder, ignore_errors=True)
        model = case["model"](case["config"])
        fill(model, seed)
        model.tie_weights()
        model = model.to(case.get("dtype", torch.float32))
        model.save_pretrained(folder, max_shard_size=f"{case.get('shards', 1000)}KB")
        if case.get("published"):
            publish(folder, case["config"])
        tokenizer().save_pretrained(folder)
        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()

        generator = torch.Generator().manual_seed(seed)
        cases, margins = [], []
        for length, stride in ((SHORT, 1), (LONG, LONG_STRIDE)):
            ids = torch.randint(VOCAB_SIZE, (length,), generator=generator).tolist()
            with torch.no_grad():
                logits = loaded(torch.tensor([ids])).logits[0]
            positions = sorted({*range(0, length, stride), length - 1})
            answer, logprobs, margin = greedy(loaded, ids)
            margins.append(margin)
            cases.append(
                dict(ids=ids, positions=positions, logits=rounded(logits[positions]), greedy=dict(ids=answer, logprobs=logprobs))
            )
        if min(margins) >= SMALLEST_MARGIN and len(set(cases[1]["greedy"]["ids"])) > 4:
            break
    else:
        raise SystemExit(f"{name}: no seed gives clear margins")

    note = (
        f"PyTorch {torch.__version__.split('+')[0]} and transformers {transformers.__version__}, float64 arithmetic on the stored weights. "
        "logits[k] is [V] after position positions[k]; greedy continues all ids; logprobs are natural logs."
    )
    lines = [json.dumps(dict(note=note, seed=seed))[:-1] + ', "cases": [']
    lines.append(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
    lines.append("]}")
    (folder / "golden.json").write_text("\n".join(lines) + "\n")
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{name}: seed {seed}, narrowest margin {min(margins):.3f}, {size // 1024} KB")


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for number, (case_name, description) in enumerate(CASES.items()):
        build(case_name, description, first_seed=1000 * number)
