/** @file A conversation in the terminal against a server: it says what the server answers, and every way out of it. */

import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { test, type TestContext } from "node:test";
import { runChatCommand, type ChatTerminal } from "../../src/cli/commands/chat.ts";
import type { ChatCompletion } from "../../src/protocol/wire/chat/response.ts";
import { listen, startFixture, type Fixture } from "../server/fixture.ts";

class Screen extends Writable {
  text = "";
  isTTY: boolean;
  columns = 100;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

interface Conversation {
  screen: Screen;
  type: (text: string) => void;
  /** Ends the input. */
  leave: () => void;
  status: Promise<number>;
}

function talk(args: string[], { isTTY = false, key }: { isTTY?: boolean; key?: string } = {}): Conversation {
  const input = new PassThrough();
  const screen = new Screen(isTTY);
  const terminal: ChatTerminal = { input, output: screen, environment: key === undefined ? {} : { BONSAI_API_KEY: key } };
  return { screen, type: (text) => input.write(text), leave: () => input.end(), status: runChatCommand(args, terminal) };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function answerTo(fixture: Fixture, messages: object[], fields: object = {}): Promise<string> {
  const payload = { model: "scripted", messages, seed: 7, ...fields };
  const response = await fixture.fastify.inject({ method: "POST", url: "/v1/chat/completions", payload });
  return response.json<ChatCompletion>().choices[0]!.message.content;
}

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

/** Lines that a command writes to standard error. */
async function failing(t: TestContext, args: string[], options: { key?: string } = {}): Promise<[number, string]> {
  const error = t.mock.method(console, "error", () => undefined);
  const conversation = talk(args, options);
  const status = await conversation.status;
  error.mock.restore();
  return [status, error.mock.calls.map(({ arguments: [line] }) => String(line)).join("\n")];
}

test("a conversation from a pipe says what the server answers, each answer to all that was said before", async (t) => {
  const fixture = await startFixture(t);
  const url = await listen(fixture);
  const conversation = talk(["--url", `${url}/v1/`, "--seed", "7", "--system", "Be kind."]);
  conversation.type("Hello\n\nAnd then?\n/undo\nWhy?\n/model org/scripted\nWho?\n/exit\nnever asked\n");
  assert.equal(await conversation.status, 0);
  const system = { role: "system", content: "Be kind." };
  const first = await answerTo(fixture, [system, user("Hello")]);
  const second = await answerTo(fixture, [system, user("Hello"), assistant(first), user("And then?")]);
  const third = await answerTo(fixture, [system, user("Hello"), assistant(first), user("Why?")]);
  const said = [user("Hello"), assistant(first), user("Why?"), assistant(third), user("Who?")];
  const fourth = await answerTo(fixture, [system, ...said], { model: "org/scripted" });
  assert.equal(conversation.screen.text, `${first}\n${second}\nTaken back.\n${third}\norg/scripted answers from now on.\n${fourth}\n`);
});

test("Best-of-N shows its candidates while it runs on a terminal, then the winner, then what was chosen among what", async (t) => {
  const fixture = await startFixture(t);
  const url = await listen(fixture);
  const winner = await answerTo(fixture, [user("Hello")], { best_of: 6 });
  const conversation = talk(["--url", url, "--seed", "7", "--best-of", "6"], { isTTY: true });
  await until(() => conversation.screen.text.includes("> "));
  conversation.type("Hello\r");
  await until(() => conversation.screen.text.includes("tokens]"));
  conversation.leave();
  assert.equal(await conversation.status, 0);
  const { text } = conversation.screen;
  assert.match(text, / {2} {2}0 running/);
  assert.ok(text.includes(`${winner}\n[best of 6 by max of reward: candidate `), text);
  assert.ok(text.lastIndexOf("\u001B[J", text.indexOf(winner)) > text.indexOf("running"), "the board makes room for the answer");
});

test("Ctrl-C ends an answer that runs and keeps the conversation; when nothing runs it leaves", async (t) => {
  let held = true;
  const fixture = await startFixture(
    t,
    {},
    {
      beforeToken: (signal) =>
        held ? new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error))) : undefined,
    },
  );
  const url = await listen(fixture);
  const conversation = talk(["--url", url, "--seed", "7"], { isTTY: true });
  await until(() => conversation.screen.text.includes("> "));
  conversation.type("Hello\r");
  await until(() => fixture.engine.stats().runningSequences === 1);
  conversation.type("\u0003");
  await until(() => conversation.screen.text.includes("[cancelled]"));
  await until(() => fixture.engine.stats().runningSequences === 0);
  held = false;
  conversation.type("And now?\r");
  const expected = await answerTo(fixture, [user("And now?")]);
  await until(() => conversation.screen.text.includes(expected));
  await until(() => conversation.screen.text.endsWith("> \u001B[3G"));
  conversation.type("\u0003");
  assert.equal(await conversation.status, 0);
});

test("a request that the server refuses is told, and the conversation goes on without it", async (t) => {
  const fixture = await startFixture(t);
  const url = await listen(fixture);
  const conversation = talk(["--url", url, "--seed", "7"]);
  conversation.type("/temperature 9\nHello\n/temperature\nHello\n");
  conversation.leave();
  assert.equal(await conversation.status, 0);
  assert.match(conversation.screen.text, /\[temperature must be at most 2\.\]/);
  assert.ok(conversation.screen.text.endsWith(`${await answerTo(fixture, [user("Hello")])}\n`));
});

test("a server that is not there, asks for a key, serves no such thing or goes away is told in one line with status 1", async (t) => {
  assert.match((await failing(t, ["--url", "http://127.0.0.1:1"]))[1], /^chat: No server answers at http:\/\/127\.0\.0\.1:1; npm start/);
  const locked = await startFixture(t, { apiKey: ["sk-first"] });
  const url = await listen(locked);
  const [status, line] = await failing(t, ["--url", url]);
  assert.equal(status, 1);
  assert.match(line, /401\. It asks for a key: set BONSAI_API_KEY/);
  const conversation = talk(["--url", url], { key: "sk-first" });
  conversation.type("Hello\n");
  await until(() => conversation.screen.text !== "");
  conversation.leave();
  assert.equal(await conversation.status, 0);
  const error = t.mock.method(console, "error", () => undefined);
  const lost = talk(["--url", url], { key: "sk-first" });
  lost.type("Hello\n");
  await until(() => lost.screen.text !== "");
  await locked.shutDown();
  lost.type("Are you there?\n");
  assert.equal(await lost.status, 1);
  assert.match(String(error.mock.calls.at(-1)!.arguments[0]), /closed/);
  error.mock.restore();
});

test("wrong usage is told with status 2, and --help with 0", async (t) => {
  for (const [args, line] of [
    [["--best-of", "0"], /--best-of must be a whole number from 1, not 0/],
    [["--best-of", "x"], /whole number/],
    [["--url", "localhost:8000"], /--url must be an address that begins with http/],
    [["--what"], /--what/],
    [["word"], /Word 1 of the arguments belongs to no option/],
  ] as const) {
    const [status, said] = await failing(t, [...args]);
    assert.deepEqual([status, line.test(said)], [2, true], said);
  }
  const asked = talk(["--help"]);
  assert.equal(await asked.status, 0);
  assert.match(asked.screen.text, /npm run chat/);
});
