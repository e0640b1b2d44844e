/**
 * @file Tests when requests are sent and how their times are counted, and what the SSE driver reads, against a server
 * that answers by a script.
 */

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { poissonArrivals } from "../../loadtest/drivers/arrivals.ts";
import { cannon } from "../../loadtest/drivers/autocannon.ts";
import { closedLoop, openLoop } from "../../loadtest/drivers/loops.ts";
import type { Driver, Observation } from "../../loadtest/drivers/observation.ts";
import { streamChat } from "../../loadtest/drivers/sse.ts";

const never = new AbortController().signal;

describe("Poisson arrivals", () => {
  it("come at the given rate with the variance of a Poisson count, and are the same for the same seed", () => {
    const counts = Array.from({ length: 400 }, (_, seed) => poissonArrivals(5, 4, seed).length);
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (counts.length - 1);
    // 20 on average: five standard errors of the mean are 1.1, those of the variance 7.2.
    assert.ok(Math.abs(mean - 20) < 1.1, `mean ${mean}`);
    assert.ok(Math.abs(variance - 20) < 7.2, `variance ${variance}`);
    assert.deepEqual(poissonArrivals(5, 4, 3), poissonArrivals(5, 4, 3));
    assert.notDeepEqual(poissonArrivals(5, 4, 3), poissonArrivals(5, 4, 4));
  });

  it("are ascending and none is later than the end", () => {
    const arrivals = poissonArrivals(50, 2, 1);
    assert.deepEqual(
      arrivals,
      arrivals.toSorted((a, b) => a - b),
    );
    assert.ok(arrivals.every((at) => at > 0 && at < 2000));
  });
});

const answered: Observation = {
  status: 200,
  firstTokenMs: 1,
  endToEndMs: 1,
  pieceMs: [],
  text: "",
  tokensGenerated: 1,
  tokensReturned: 1,
  reward: undefined,
  retryAfterSeconds: undefined,
  failure: undefined,
};

/** Notes how many requests it holds at once; each takes until `release` resolves. */
function holding(release: () => Promise<void>): { driver: Driver; most: () => number; bodies: unknown[] } {
  let running = 0;
  let most = 0;
  const bodies: unknown[] = [];
  const driver: Driver = async (_url, body) => {
    bodies.push(body);
    most = Math.max(most, ++running);
    await release();
    running--;
    return answered;
  };
  return { driver, most: () => most, bodies };
}

describe("a closed loop", () => {
  it("never has more requests than clients, and asks each once, in order", async () => {
    const held = holding(async () => sleep(1));
    const { observations } = await closedLoop(
      { url: "", driver: held.driver, body: (index) => index, signal: never },
      { clients: 3, requests: 20 },
    );
    assert.equal(held.most(), 3);
    assert.deepEqual(
      held.bodies,
      Array.from({ length: 20 }, (_, index) => index),
    );
    assert.equal(observations.length, 20);
  });

  it("stops asking when it is aborted, and throws the reason", async () => {
    const controller = new AbortController();
    const held = holding(async () => controller.abort(new Error("interrupted")));
    await assert.rejects(
      closedLoop({ url: "", driver: held.driver, body: (index) => index, signal: controller.signal }, { clients: 1, requests: 20 }),
      /interrupted/,
    );
    assert.equal(held.bodies.length, 1);
  });
});

describe("an open loop", () => {
  it("asks at its times although nothing is answered", async () => {
    let release!: () => void;
    const all = new Promise<void>((resolve) => (release = resolve));
    const held = holding(async () => {
      if (held.bodies.length === 6) release();
      await all;
    });
    await openLoop({ url: "", driver: held.driver, body: (index) => index, signal: never }, [0, 1, 2, 3, 4, 5]);
    assert.equal(held.most(), 6);
  });

  it("counts from when a request was due, not from when it was sent", async () => {
    const dues: number[] = [];
    const driver: Driver = async (_url, _body, dueMs) => {
      dues.push(dueMs);
      return answered;
    };
    const startMs = performance.now();
    await openLoop({ url: "", driver, body: () => undefined, signal: never }, [10, 20, 60]);
    assert.deepEqual(
      dues.map((due) => Math.round(due - dues[0]!)),
      [0, 10, 50],
    );
    assert.ok(dues[0]! >= startMs + 10);
  });
});

describe("drivers", () => {
  let reply: (request: IncomingMessage, response: ServerResponse) => void = () => {};
  const server = createServer((request, response) => reply(request, response)).listen(0, "127.0.0.1");
  after(() => server.close());
  const url = async (): Promise<string> => {
    if (!server.listening) await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const event = (chunk: unknown): string => `data: ${JSON.stringify(chunk)}\n\n`;
  const done = "data: [DONE]\n\n";

  it("read text, tokens and the winner's reward of a stream, wherever its bytes are cut", async () => {
    const whole = [
      ": a comment keeps the connection open\n\n",
      event({ choices: [], best_of: { phase: "sampling", candidates: [] } }),
      event({ choices: [{ delta: { role: "assistant", content: "" } }] }),
      event({ choices: [{ delta: { content: "Dab it " } }] }),
      event({ choices: [{ delta: { content: "gently – so." } }] }),
      event({
        choices: [],
        best_of: { phase: "done", tokens_returned: 7, tokens_generated: 40, rewards: [{ reward: 1.5 }, { reward: 0 }] },
      }),
      event({ choices: [], usage: { completion_tokens: 40 } }),
      done,
    ].join("");
    reply = (_request, response) => {
      const bytes = Buffer.from(whole);
      response.writeHead(200);
      void (async () => {
        for (let at = 0; at < bytes.length; at += 13) {
          response.write(bytes.subarray(at, at + 13));
          await new Promise(setImmediate);
        }
        response.end();
      })();
    };
    const seen = await streamChat(await url(), {}, performance.now(), never);
    assert.equal(seen.failure, undefined);
    assert.equal(seen.text, "Dab it gently – so.");
    assert.equal(seen.pieceMs.length, 2);
    assert.equal(seen.firstTokenMs, seen.pieceMs[0]);
    assert.deepEqual([seen.tokensGenerated, seen.tokensReturned, seen.reward], [40, 7, 1.5]);
  });

  it("take everything that one answer generated for returned", async () => {
    reply = (_request, response) => response.end(event({ choices: [{ delta: { content: "a" } }], usage: { completion_tokens: 9 } }) + done);
    const seen = await streamChat(await url(), {}, performance.now(), never);
    assert.deepEqual([seen.tokensGenerated, seen.tokensReturned], [9, 9]);
  });

  it("count a stream without its end, an error in it, and a status of failure as failed, and a 429 as refused with its Retry-After", async () => {
    reply = (_request, response) => response.end(event({ choices: [{ delta: { content: "a" } }] }));
    assert.match((await streamChat(await url(), {}, performance.now(), never)).failure ?? "", /ended before/);
    reply = (_request, response) => response.end(event({ error: { message: "engine failed" } }) + done);
    assert.equal((await streamChat(await url(), {}, performance.now(), never)).failure, "engine failed");
    reply = (_request, response) => response.writeHead(500).end("no");
    assert.match((await streamChat(await url(), {}, performance.now(), never)).failure ?? "", /status 500: no/);
    reply = (_request, response) => response.writeHead(429, { "retry-after": "3" }).end("{}");
    const refused = await streamChat(await url(), {}, performance.now(), never);
    assert.deepEqual([refused.status, refused.retryAfterSeconds, refused.failure], [429, 3, undefined]);
  });

  it("send through autocannon as many requests as asked for, each with a body of its own, and tell statuses apart", async () => {
    const bodies: string[] = [];
    reply = (request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => (body += text));
      request.on("end", () => {
        bodies.push(body);
        const { index } = JSON.parse(body) as { index: number };
        response.writeHead(index % 5 === 4 ? 429 : index === 0 ? 500 : 200).end("{}");
      });
    };
    const seen = await cannon({ url: await url(), connections: 3, requests: 10, body: (index) => ({ index }), signal: never });
    assert.deepEqual(
      new Set(bodies.map((body) => (JSON.parse(body) as { index: number }).index)),
      new Set(Array.from({ length: 10 }, (_, index) => index)),
    );
    assert.deepEqual([seen.answeredMs.length, seen.refused, seen.failed], [7, 2, 1]);
  });
});
