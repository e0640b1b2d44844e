"""Writes goldens of Hugging Face's Rust BPE trainer for src/text/tokenizer/bpe-trainer.ts.

    pip install tokenizers==0.23.2
    python test/oracle/bpe-trainer.py

bpe-trainer.json: texts, and the tokens and merges that the reference trains on them, in their order.
"""

import json
import pathlib
import sys

# The folder of a script comes first on the path, where tokenizers.py would hide the package of its name.
sys.path = sys.path[1:]
from tokenizers import Tokenizer, __version__, models, pre_tokenizers, trainers  # noqa: E402

HERE = pathlib.Path(__file__).parent
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]

TEXTS = [
    "The little bear got wet in the rain, so the girl dried the bear with a soft towel and told the bear a story.",
    "Dab the jam with a damp cloth. Do not rub it, or it will only spread. Dab, dab, dab: that is all.",
    "Otto is 17 years old; he's made of mohair, isn't he? We'll brush him at 10:30.",
    "aaaa aaaaaaaa aaaaaaaaaaaaaaaa abababab bababa aabbaabb",
    "Größe, façade, naïve. 你好，世界。 🙂👍🏽 zurück   und\n\nweiter\t!",
    "The bear, the bear, the bear and the other bears were there with the water; then they went there together.",
]


def main() -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    golden = {"tokenizers": __version__, "texts": TEXTS, "tokens": tokens, "merges": model["merges"], "ids": [tokenizer.encode(text).ids for text in TEXTS]}
    (HERE / "bpe-trainer.json").write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
