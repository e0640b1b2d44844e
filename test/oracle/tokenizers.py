"""Writes goldens of Hugging Face's Rust tokenizers, the reference of src/text.

    pip install tokenizers==0.23.2 gguf==0.19.0
    python test/oracle/tokenizers.py [--stories FOLDER/tokenizer.json] [--smollm2 FILE.gguf]

tokenizers.json: small tokenizers of every kind that src/text supports, trained here, with the ids and texts that the
reference gives. tokenizers-stories260k.json and tokenizers-smollm2.json: the same for the tokenizers of real models,
whose own files are not part of the project.
"""

import argparse
import functools
import json
import pathlib
import random
import sys

# The folder of a script comes first on the path, where this file would hide the package of its name.
sys.path = sys.path[1:]
from tokenizers import AddedToken, Regex, Tokenizer, __version__, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

HERE = pathlib.Path(__file__).parent

CORPUS = [
    "The little bear got wet in the rain, so the girl dried the bear with a soft towel and told the bear a story.",
    "Don't wash it at 90 degrees; I'll show you how we've done it since 1999, she'd said. They're happy, I'm sure it's fine.",
    "for (let i = 0; i < 10; i++) {\n    console.log(i, i * i);\n}\n\n\treturn    value;\n",
    "Größe, façade, naïve, Ærøskøbing; el niño está aquí. Привет, мир! Как дела? Γειά σου Κόσμε.",
    "你好，世界。今天天气很好。こんにちは世界。안녕하세요 세계.",
    "🙂👍🏽👨‍👩‍👧‍👦🇩🇪 party 🎉🎉🎉 time",
    "aaaa aaaaaaaa aaaaaaaaaaaaaaaa bbbb abababab    spaces     everywhere      here",
    "The bear, the bear, the bear and the other bears were there with the water; then they went there together.",
]

TEXTS = [
    "", " ", "a", "  ", "   leading and trailing   ", "\n", "\r\n\r\n", "\t\ttabs\t", "Hello, world!", "hello world hello world",
    "The bear got wet.", " The bear", "don't we'll I'm you've they're he'd it's DON'T", "1999 and 12345678901234567890 3.14",
    "x²+y³=½ ٣٤٥ Ⅷ ①②", "größer façade naïve", "cafe\u0301 vs café", "Привет, как дела?", "你好，世界。", "こんにちは", "안녕하세요",
    "🙂", "🙂🙂", "👨‍👩‍👧‍👦 family", "👍🏽🇩🇪", "e\u0301\u0302\u0303zalgo", "מה שלומך", "مرحبا بالعالم", "नमस्ते", "\u00a0nbsp\u00a0",
    "line\u2028sep\u0085next", "\ufeffbom \ufeff", "\u200bzero\u200d width", "\x00\x01\x02control\x7f", "\U00010348\U000e0001\U0010fffd",
    "for (let i = 0; i < n; i++) {\n    x += i;\n}\n", "    indented\n        more\n\n\n\nend", "a\n b\n  c", "word\n", "\n\nword",
    "a" * 100, "ab" * 60, " " * 70, "\n" * 40, "!" * 50, "é" * 40, "🙂" * 20, "aaaa" + " " * 20 + "b", "▁ already ▁▁marked▁",
    "<unk><s></s>", "<s> a </s>", "before<|im_end|>after", "<|im_start|>user\nhi<|im_end|>\n", "<|im_|im_end|>", "<|im_end|><|im_end|>",
    "a <mask> b", "a<mask>b", "  <mask>  ", "<mask>", "tool <tool> x", "xtoolx tool tool.", "TOOL Tool tool", "[CLS] word [SEP]", "<0x41><0x0A>",
    "Ġthe Ċ", "https://example.org/a?b=c&d=%20", "The The the THE", "\\u0041 \\n", "${x} $& $1", "__proto__ constructor",
]


def random_texts(count: int, seed: int) -> list[str]:
    """Texts from an alphabet that crosses every boundary that the pre-tokenizers know."""
    generator = random.Random(seed)
    alphabet = list("abeht THER'sd019 \n\t.,!<|>▁") + ["the", " bear", "é", "ß", "я", "你", "🙂", "\u0301", "²", "\u00a0", "\u0085", "\ufeff", "\x00", "<|im_end|>", "<mask>", "tool"]
    return ["".join(generator.choices(alphabet, k=generator.randint(1, 30))) for _ in range(count)]


def train(model, normalizer, pre_tokenizer, trainer) -> Tokenizer:
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return tokenizer


@functools.cache
def trained_bytes(missing: str = "") -> str:
    """Merges cross words, so that a text cut wrongly into words gives other ids."""
    alphabet = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(missing))
    trainer = trainers.BpeTrainer(vocab_size=len(alphabet) + 110, initial_alphabet=alphabet, show_progress=False)
    chunks = pre_tokenizers.Sequence([pre_tokenizers.FixedLength(9), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    state = json.loads(train(models.BPE(), None, chunks, trainer).to_str())
    unwanted = {token for token in state["model"]["vocab"] if len(token) == 1 and token in missing}
    vocab = [token for token in state["model"]["vocab"] if not unwanted & set(token)]
    state["model"]["vocab"] = {token: index for index, token in enumerate(vocab)}
    state["model"]["merges"] = [merge for merge in state["model"]["merges"] if not unwanted & set("".join(merge))]
    return json.dumps(state)


def byte_bpe(pre_tokenizer, normalizer=None, missing="") -> Tokenizer:
    tokenizer = Tokenizer.from_str(trained_bytes(missing))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


BYTE_TOKENS = [f"<0x{byte:02X}>" for byte in range(256)]


@functools.cache
def trained_sentence_piece() -> dict:
    """Trained on words with the marker in front, as SentencePiece does."""
    specials = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=160, special_tokens=specials, show_progress=False, limit_alphabet=60)
    model = json.loads(train(models.BPE(), None, pre_tokenizers.Metaspace(), trainer).to_str())["model"]
    return {"vocab": [token for token in model["vocab"] if token not in specials], "merges": [tuple(merge) for merge in model["merges"]]}


def sentence_piece(pre_tokenizer=None, normalizer=None, byte_fallback=True, fuse_unk=True) -> Tokenizer:
    """With the byte tokens in front, as models converted from SentencePiece have them."""
    trained = trained_sentence_piece()
    names = ["<unk>", "<s>", "</s>"] + (BYTE_TOKENS if byte_fallback else []) + trained["vocab"]
    vocab = {name: index for index, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(vocab, trained["merges"], unk_token="<unk>", fuse_unk=fuse_unk, byte_fallback=byte_fallback))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return tokenizer


# The patterns that the models' own files carry.
LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN_2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def split_then_bytes(pattern: str):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def chatml(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False)])
    return tokenizer


def small_tokenizers() -> dict[str, Tokenizer]:
    kinds: dict[str, Tokenizer] = {}
    kinds["gpt2"] = chatml(byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=False)))
    kinds["gpt2 with prefix space"] = byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=True))
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    kinds["smollm"] = chatml(byte_bpe(digits))
    grouped = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    kinds["grouped digits"] = byte_bpe(grouped)
    kinds["bytes missing"] = byte_bpe(digits, missing="ĀāĂhðĻ")
    kinds["qwen2"] = chatml(byte_bpe(split_then_bytes(QWEN_2), normalizers.NFC()))
    llama3 = byte_bpe(split_then_bytes(LLAMA_3))
    state = json.loads(chatml(llama3).to_str())
    state["model"]["ignore_merges"] = True
    # A token that no merge makes, which only ignore_merges can reach.
    state["model"]["vocab"]["Ġtogether"] = max(token["id"] for token in state["added_tokens"]) + 1
    llama3 = Tokenizer.from_str(json.dumps(state))
    start = llama3.token_to_id("<|im_start|>")
    llama3.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single="<|im_start|> $A", special_tokens=[("<|im_start|>", start)])])
    kinds["llama3"] = llama3
    llama2 = sentence_piece(normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]))
    llama2.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    kinds["llama2"] = llama2
    gemma = sentence_piece(normalizer=normalizers.Replace(" ", "▁"), pre_tokenizer=pre_tokenizers.Split(" ", "merged_with_previous"))
    gemma.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    kinds["gemma"] = gemma
    for scheme in ("always", "first", "never"):
        for split in (True, False):
            metaspace = sentence_piece(pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split), byte_fallback=False, fuse_unk=split)
            metaspace.decoder = decoders.Metaspace(prepend_scheme=scheme, split=split)
            kinds[f"metaspace {scheme}{' split' if split else ''}"] = metaspace
    crossing = sentence_piece(normalizer=normalizers.Replace(" ", "▁"))
    state = json.loads(crossing.to_str())
    state["model"]["vocab"]["e▁"] = len(state["model"]["vocab"])
    state["model"]["merges"].append(["e", "▁"])
    kinds["merges across words"] = Tokenizer.from_str(json.dumps(state))
    suffixed = train(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), normalizers.Lowercase(), pre_tokenizers.Whitespace(), trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False, limit_alphabet=60))
    kinds["end of word suffix"] = suffixed
    prefixed = train(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"), None, pre_tokenizers.WhitespaceSplit(), trainers.BpeTrainer(vocab_size=250, special_tokens=["<unk>"], continuing_subword_prefix="##", show_progress=False, limit_alphabet=60))
    kinds["continuing subword prefix"] = prefixed
    strips = byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.Lowercase())
    strips.add_special_tokens([AddedToken("<mask>", lstrip=True, rstrip=True)])
    strips.add_tokens([AddedToken("tool", single_word=True, normalized=True), AddedToken("<tool>", rstrip=True, normalized=True), AddedToken("THE", normalized=False)])
    kinds["strips and single words"] = strips
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        for invert in (False, True):
            split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"[\s.,!]"), behavior, invert=invert), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
            kinds[f"split {behavior}{' inverted' if invert else ''}"] = byte_bpe(split)
    bert = train(models.WordPiece(unk_token="[UNK]"), normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(), trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    bert.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    bert.decoder = decoders.WordPiece(cleanup=False)
    kinds["bert"] = bert
    unigram = train(models.Unigram(), normalizers.NFKC(), pre_tokenizers.Metaspace(), trainers.UnigramTrainer(vocab_size=220, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False))
    unigram.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    unigram.decoder = decoders.Metaspace()
    kinds["unigram"] = unigram
    return kinds


def goldens(tokenizer: Tokenizer, texts: list[str], seed: int) -> dict:
    """ids[i] is texts[i] with special tokens around it. decoded: random ids, then the first texts' ids."""
    ids = [tokenizer.encode(text).ids for text in texts]
    generator = random.Random(seed)
    size = tokenizer.get_vocab_size()
    sequences = [[generator.randrange(size) for _ in range(generator.randint(1, 10))] for _ in range(20)] + ids[:30]
    return {
        "ids": ids,
        "idsWithoutSpecial": [tokenizer.encode(text, add_special_tokens=False).ids for text in texts[:20]],
        "decoded": [{"ids": sequence, "text": tokenizer.decode(sequence), "withSpecial": tokenizer.decode(sequence, skip_special_tokens=False)} for sequence in sequences if sequence],
    }


def smollm2(path: str) -> Tokenizer:
    """The tokenizer of the GGUF, translated here without the project's own translation."""
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, types) if kind == 3])
    return tokenizer


def write(name: str, value: object) -> None:
    (HERE / name).write_text(json.dumps({"tokenizers": __version__, **value}, ensure_ascii=True, separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stories")
    parser.add_argument("--smollm2")
    arguments = parser.parse_args()
    texts = TEXTS + random_texts(25, 7)
    kinds = []
    for name, tokenizer in small_tokenizers().items():
        state = json.loads(tokenizer.to_str())
        # Kinds that share a model name the first that has it.
        same = next((kind["name"] for kind in kinds if kind["tokenizerJson"]["model"] == state["model"]), None)
        kinds.append({"name": name, "tokenizerJson": state if same is None else {**state, "model": same}, **goldens(tokenizer, texts, 11)})
    write("tokenizers.json", {"texts": texts, "kinds": kinds})
    for name, tokenizer in (
        ("tokenizers-stories260k.json", arguments.stories and Tokenizer.from_file(arguments.stories)),
        ("tokenizers-smollm2.json", arguments.smollm2 and smollm2(arguments.smollm2)),
    ):
        if tokenizer:
            write(name, {"texts": texts + CORPUS, **goldens(tokenizer, texts + CORPUS, 13)})


if __name__ == "__main__":
    main()
