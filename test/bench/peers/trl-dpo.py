"""Steps of DPO by TRL's own trainer, timed: the peer of `npm run bench -- dpo`, which starts it and reads its last line.

    python trl-dpo.py DEFAULTS|FASTEST CONFIG_FOLDER PAIRS LENGTH STEPS THREADS RANK TARGETS

CONFIG_FOLDER holds a config.json. The weights are drawn at random: speed does not depend on them. DEFAULTS asks the reference at each step and computes activations
anew in the backward pass, as TRL does where nobody says otherwise; FASTEST computes the reference before the first step and keeps the activations.
"""

import json
import resource
import sys
import tempfile
import time

import torch
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import DPOConfig, DPOTrainer

how, folder, pairs, length, steps, threads, rank, targets = sys.argv[1:]
pairs, length, steps, threads, rank = (int(word) for word in (pairs, length, steps, threads, rank))

torch.set_num_threads(threads)
torch.manual_seed(0)
config = AutoConfig.from_pretrained(folder)
model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")
# A word for each token: its number, but for special ones, which are found inside words, too.
special = ["<unk>", "<eos>", "<pad>"]
words = Tokenizer(WordLevel({name: token for token, name in enumerate([*special, *map(str, range(3, config.vocab_size))])}, unk_token="<unk>"))
words.pre_tokenizer = WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<eos>", pad_token="<pad>", unk_token="<unk>")


def text(count):
    return "".join(f" {token}" for token in torch.randint(3, config.vocab_size, (count,)).tolist())


# Half of each document is the prompt; the trainer closes each answer with a token of its own. A space of its own parts that from what stands before.
half = length // 2
rows = [dict(prompt=text(half), chosen=text(length - half - 1) + " ", rejected=text(length - half - 1) + " ") for _ in range(pairs * steps)]


class StepTimes(TrainerCallback):
    seconds = []

    def on_step_begin(self, *_, **__):
        self.start = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.start)


times = StepTimes()
with tempfile.TemporaryDirectory() as output:
    args = DPOConfig(
        output_dir=output,
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        per_device_train_batch_size=pairs,
        max_steps=steps,
        learning_rate=1e-4,
        max_grad_norm=1.0,
        max_length=None,
        **(dict(precompute_ref_log_probs=True, gradient_checkpointing=False) if how == "FASTEST" else {}),
    )
    lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets.split(","), task_type="CAUSAL_LM")
    trainer = DPOTrainer(model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer, peft_config=lora, callbacks=[times])
    longest = max(len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"])) for row in trainer.train_dataset)
    assert longest == length, f"documents have {longest} tokens and not {length}"
    trainer.train()
print(json.dumps(dict(seconds=times.seconds, peakMB=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)))
