/**
 * @file Answers by transformers.js, the peer of the load test, which starts it: a JSON line asks, a JSON line answers.
 * Usage: ENTRY FOLDER THREADS. All answers to a question are one batch, sampled among the 50 most likely tokens, as the
 * library does where nobody says otherwise.
 */

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import type { AnswersWanted } from "./answer-process.ts";

/** The part of the package's types that is used: the project does not depend on the package. */
interface TransformersJs {
  env: { allowRemoteModels: boolean };
  AutoTokenizer: { from_pretrained(folder: string, options: object): Promise<Tokenizer> };
  AutoModelForCausalLM: { from_pretrained(folder: string, options: object): Promise<Model> };
}

interface Tokenizer {
  (texts: string[], options: object): { input_ids: Tensor; attention_mask: Tensor };
  apply_chat_template(messages: object[], options: object): string;
  batch_decode(sequences: Tensor, options: object): string[];
}

interface Tensor {
  dims: number[];
  slice(...ranges: (null | [number, null])[]): Tensor;
}

interface Model {
  generate(options: object): Promise<Tensor>;
}

const [entry, folder, threads] = process.argv.slice(2) as [string, string, string];
const { env, AutoTokenizer, AutoModelForCausalLM } = (await import(pathToFileURL(entry).href)) as TransformersJs;
env.allowRemoteModels = false;
const tokenizer = await AutoTokenizer.from_pretrained(folder, { local_files_only: true });
const model = await AutoModelForCausalLM.from_pretrained(folder, {
  local_files_only: true,
  dtype: "q4",
  device: "cpu",
  session_options: { intraOpNumThreads: Number(threads) },
});
console.log(JSON.stringify({ ready: true }));

for await (const line of createInterface({ input: process.stdin })) {
  const { question, count, tokens } = JSON.parse(line) as AnswersWanted;
  const prompt = tokenizer.apply_chat_template([{ role: "user", content: question }], { add_generation_prompt: true, tokenize: false });
  const inputs = tokenizer(Array<string>(count).fill(prompt), { add_special_tokens: false });
  // No end of sequence before the last token. It takes no seed.
  const sampling = { do_sample: true, temperature: 1, top_k: 50 };
  const sequences = await model.generate({ ...inputs, ...sampling, min_new_tokens: tokens, max_new_tokens: tokens });
  const answers = sequences.slice(null, [inputs.input_ids.dims[1]!, null]);
  console.log(JSON.stringify({ texts: tokenizer.batch_decode(answers, { skip_special_tokens: true }) }));
}
