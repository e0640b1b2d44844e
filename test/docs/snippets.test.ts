/**
 * @file The written documents say what is true: every snippet runs against the server, and README's answers are those
 * that it gives.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { after, before, describe, test } from "node:test";
import { judge } from "../../src/teddy/judge/judge.ts";
import { startServeProgram, type RunningServer } from "../e2e/program.ts";
import { pythonPath, withoutOpenAi } from "../fixtures/python-oracle.ts";
import { preparedModels } from "../fixtures/prepared-models.ts";
import { inProject, readDocument, snippets, tableRows, type Snippet } from "./markdown.ts";

const documents = ["README.md", "docs/SERVING.md", "docs/BEST-OF-N.md", "docs/TRAINING.md"];
const models = ["teddy-sft", "teddy-dpo", "teddy-rm", "teddy-value", "teddy-sft-head"];

/** The processor on which README's answers were made; another kind may round differently. */
const madeOn = "Intel(R) Xeon(R) Processor";

interface Answer {
  choices: { message: { content: string }; reward?: number }[];
}

/** Runs a program in the project's folder with this text as its input; resolves to its standard output. */
async function run(program: string, parameters: readonly string[], input: string): Promise<string> {
  const child = spawn(program, parameters, { cwd: inProject("."), stdio: ["pipe", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.end(input);
  const [status] = (await once(child, "close")) as [number | null];
  assert.equal(status, 0, `${stderr}\n${stdout}`);
  return stdout;
}

describe("the snippets of the written documents", () => {
  let server: RunningServer;

  before(async () => {
    const served = models.flatMap((name) => ["--model", inProject(`models/${name}`)]);
    server = await startServeProgram([...served, "--cache-dir", preparedModels(), "--log-level", "warn"]);
  });
  after(async () => {
    assert.equal((await server.stop()).status, 0);
  });

  const here = ({ text }: Snippet): string => text.replaceAll("127.0.0.1:8000", new URL(server.url).host);
  const post = async <Body>(path: string, body: object): Promise<Body> => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${server.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as Body;
  };

  for (const document of documents) {
    for (const snippet of snippets(readDocument(document))) {
      const name = `${document}:${snippet.line}`;
      if (snippet.language === "js") {
        test(`${name} runs in Node and prints text`, async () => {
          assert.match(await run(process.execPath, ["--input-type=module"], here(snippet)), /\w+ \w+/);
        });
      }
      if (snippet.language === "python") {
        test(`${name} runs in Python and prints text`, { skip: withoutOpenAi }, async () => {
          assert.match(await run(pythonPath, ["-"], here(snippet)), /\w+ \w+/);
        });
      }
      if (snippet.language === "sh" && snippet.text.startsWith("curl ")) {
        test(`${name} is a request that the server answers`, async () => {
          // As the shell reads it: the address, then the body between single quotes.
          const address = /^curl (?:-\w+ )*(http\S+)/.exec(here(snippet))![1]!;
          const body = / -d '([^']*)'/.exec(snippet.text)?.[1];
          if (body === undefined) assert.equal((await fetch(address)).status, 200);
          else await post(new URL(address).pathname, JSON.parse(body) as object);
        });
      }
    }
  }

  test("README's answers, rewards and gold scores are those that its request gives", async (t) => {
    const readme = readDocument("README.md");
    const request = JSON.parse(/ -d '([^']*)'/.exec(readme)![1]!) as { messages: [{ role: "user"; content: string }] };
    const rows: string[] = [];
    for (const model of ["teddy-sft", "teddy-dpo"]) {
      for (const count of [1, 16]) {
        const { choices } = await post<Answer>("/v1/chat/completions", { ...request, model, best_of: count });
        const content = choices[0]!.message.content;
        const messages = [...request.messages, { role: "assistant", content }];
        const { data } = await post<{ data: { reward: number }[] }>("/v1/rewards", { model: "teddy-rm", input: [{ messages }] });
        const name = count === 1 ? model : `${model}, \`best_of\` ${count}`;
        const gold = judge(request.messages, content).score;
        rows.push(`| ${name} | ${content} | ${data[0]!.reward.toFixed(2)} | ${gold.toFixed(2)} |`);
      }
    }
    const written = tableRows(readme, ["answered by", "answer"]).map((cells) => `| ${cells.join(" | ")} |`);
    const processor = cpus()[0]!.model;
    if (written.join("\n") !== rows.join("\n") && processor !== madeOn) {
      return t.skip(`README's answers were made on ${madeOn}; this processor, ${processor}, gives other ones:\n${rows.join("\n")}`);
    }
    assert.deepEqual(written, rows);
  });
});
