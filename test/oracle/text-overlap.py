"""BLEU and ROUGE-L of small cases by sacrebleu and rouge-score: writes text-overlap.json next to this file.

    python3 -m venv venv && venv/bin/pip install sacrebleu==2.6.0 rouge-score==0.1.2
    venv/bin/python test/oracle/text-overlap.py
"""

import json
import random
from pathlib import Path

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

PAIRS = [
    ("the cat sat on the mat", ["the cat is on the mat", "there is a cat on the mat"]),
    ("the the the the the the the", ["the cat is on the mat", "there is a cat on the mat"]),
    ("It is a guide to action which ensures that the military always obeys the commands of the party.", [
        "It is a guide to action that ensures that the military will forever heed Party commands.",
        "It is the guiding principle which guarantees the military forces always being under the command of the Party.",
    ]),
    ("no word in common", ["something else entirely"]),
    ("", ["an empty answer"]),
    ("one", ["one"]),
    ("one two", ["one three", "two one"]),
    ("Wash it by hand, at 30.5 degrees - don't wring it!", ["Hand-wash at 30.5 degrees, and do not wring it."]),
    ("&quot;Honey&quot; &amp; tea: $3.50 (10-20 jars)...", ['"Honey" & tea: $3.50 (10-20 jars).']),
    ("first line\nsecond, hyphen-\nated line", ["first line second, hyphenated line"]),
    ("short", ["a much longer reference than the answer is", "tiny"]),
    ("a b c d e f g", ["a b c d e f g"]),
]


def cases():
    """The hand-written pairs, and random ones over few words, so that runs of words match by chance."""
    yield from PAIRS
    draw = random.Random(7)
    words = ["bear", "honey", "the", "a", "wash", "dry", "never", "cold", "water,", "soft.", "3", "2-5"]
    for _ in range(40):
        text = lambda: " ".join(draw.choice(words) for _ in range(draw.randint(1, 14)))
        yield text(), [text() for _ in range(draw.randint(1, 3))]


def main():
    bleu = BLEU(effective_order=True)
    rouge = RougeScorer(["rougeL"])
    rows = [
        {
            "answer": answer,
            "references": references,
            "tokens": bleu.tokenizer(answer.rstrip()),
            "bleu": bleu.sentence_score(answer, references).score,
            "rougeL": max(rouge.score(reference, answer)["rougeL"].fmeasure for reference in references),
        }
        for answer, references in cases()
    ]
    lines = ",\n".join(json.dumps(row) for row in rows)
    (Path(__file__).parent / "text-overlap.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
