"""Answers by onnxruntime-genai, the peer of the load test, which starts it: a JSON line asks, a JSON line answers.

    python genai-answers.py FOLDER THREADS

All answers to a question are one batch. They are sampled among the 50 most likely tokens, as genai's own configuration has it: sampling among all tokens takes it much longer.
"""

import json
import sys

import numpy as np
import onnxruntime_genai as genai

folder, threads = sys.argv[1:]
config = genai.Config(folder)
config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": int(threads)}}}}))
model = genai.Model(config)
tokenizer = genai.Tokenizer(model)
print(json.dumps({"ready": True}), flush=True)

for line in sys.stdin:
    wanted = json.loads(line)
    messages = json.dumps([{"role": "user", "content": wanted["question"]}])
    prompt = list(tokenizer.encode(tokenizer.apply_chat_template(messages, add_generation_prompt=True)))
    length = len(prompt) + wanted["tokens"]
    params = genai.GeneratorParams(model)
    # No end of sequence before the last token.
    sampling = dict(do_sample=True, temperature=1.0, top_k=50, top_p=1.0, random_seed=wanted["seed"])
    params.set_search_options(batch_size=wanted["count"], min_length=length, max_length=length, **sampling)
    generator = genai.Generator(model, params)
    generator.append_tokens(np.array([prompt] * wanted["count"], dtype=np.int32))
    while not generator.is_done():
        generator.generate_next_token()
    texts = [tokenizer.decode(generator.get_sequence(row)[len(prompt) :]) for row in range(wanted["count"])]
    del generator
    print(json.dumps({"texts": texts}), flush=True)
