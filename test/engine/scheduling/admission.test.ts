/**
 * @file Admission against an obvious twin under random arrivals and departures: order, limits, and nothing lost or
 * kept.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Admission, type AdmissionLimits, type Reservation, type ReservedBytes } from "../../../src/engine/scheduling/admission.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";

const limits: AdmissionLimits = { maxSequences: 4, maxQueuedSequences: 6, kvCacheBytes: 100 };

function codeOf(action: () => void): string {
  try {
    action();
    return "accepted";
  } catch (error) {
    if (error instanceof BonsaiError) return error.code;
    throw error;
  }
}

type Command =
  | { kind: "enqueue"; sequences: number; bytes: number }
  | { kind: "admit" }
  | { kind: "end"; which: number }
  | { kind: "leave"; which: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("enqueue"),
      sequences: fc.integer({ min: 1, max: 5 }),
      bytes: fc.integer({ min: 0, max: 120 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("admit") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("end"), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave"), which: fc.nat() }) },
);

interface Sized extends Reservation {
  bytes: number;
}

interface Client extends Sized {
  /** Sequences that have not ended; the admission under test counts on its own. */
  left: number;
}

const sum = (clients: readonly Client[], of: (client: Client) => number): number =>
  clients.reduce((total, client) => total + of(client), 0);

const added: ReservedBytes<Sized> = (requests) => requests.reduce((total, { bytes }) => total + bytes, 0);

/** All are padded to the largest: what a request adds depends on the others. */
const padded: ReservedBytes<Sized> = (requests) => requests.length * requests.reduce((most, { bytes }) => Math.max(most, bytes), 0);

describe("admission", () => {
  test("serves in order, within every limit, and counts what there is, whatever comes and goes", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), fc.constantFrom(added, padded), (commands, bytesOf) => {
        const admission = new Admission<Client>(limits, bytesOf);
        const waiting: Client[] = [];
        const running: Client[] = [];
        const fits = (client: Client, among: readonly Client[] = running): boolean =>
          sum(among, ({ left }) => left) + client.left <= limits.maxSequences && bytesOf([...among, client]) <= limits.kvCacheBytes;
        const expectedCode = (client: Client): string => {
          if (client.sequences > limits.maxSequences || client.bytes > limits.kvCacheBytes) return "request_too_large";
          const started: Client[] = [...running];
          const queue = [...waiting, client];
          while (queue[0] !== undefined && fits(queue[0], started)) started.push(queue.shift()!);
          return sum(queue, ({ left }) => left) > limits.maxQueuedSequences ? "overloaded" : "accepted";
        };
        for (const step of commands) {
          if (step.kind === "enqueue") {
            const client = { sequences: step.sequences, bytes: step.bytes, left: step.sequences };
            const expected = expectedCode(client);
            assert.equal(
              codeOf(() => admission.enqueue(client)),
              expected,
            );
            if (expected === "accepted") waiting.push(client);
          } else if (step.kind === "admit") {
            const expected: Client[] = [];
            while (waiting[0] !== undefined && fits(waiting[0])) {
              expected.push(waiting[0]);
              running.push(waiting.shift()!);
            }
            assert.deepEqual(admission.admit(), expected);
          } else if (step.kind === "end" && running.length > 0) {
            const client = running[step.which % running.length]!;
            admission.sequenceEnded(client);
            client.left = Math.max(0, client.left - 1);
          } else if (step.kind === "leave" && waiting.length + running.length > 0) {
            const client = [...waiting, ...running][step.which % (waiting.length + running.length)]!;
            admission.remove(client);
            admission.remove(client);
            for (const clients of [waiting, running]) if (clients.includes(client)) clients.splice(clients.indexOf(client), 1);
          }
          assert.equal(
            admission.runningSequences,
            sum(running, ({ left }) => left),
          );
          assert.equal(admission.runningBytes, bytesOf(running));
          assert.equal(
            admission.waitingSequences,
            sum(waiting, ({ left }) => left),
          );
          assert.equal(admission.waitingRequests, waiting.length);
          assert.ok(admission.runningSequences <= limits.maxSequences && admission.runningBytes <= limits.kvCacheBytes);
        }
        for (const client of [...waiting, ...running]) admission.remove(client);
        assert.deepEqual(
          [admission.runningSequences, admission.runningBytes, admission.waitingSequences, admission.waitingRequests],
          [0, 0, 0, 0],
        );
      }),
      { numRuns: 300 },
    );
  });

  test("does not let a small request overtake a large one that waits", () => {
    const admission = new Admission(limits, added);
    const [first, large, small] = [
      { sequences: 2, bytes: 1 },
      { sequences: 4, bytes: 1 },
      { sequences: 1, bytes: 1 },
    ];
    for (const request of [first, large, small]) admission.enqueue(request);
    assert.deepEqual(admission.admit(), [first]);
    assert.deepEqual(admission.admit(), []);
    admission.remove(first);
    assert.deepEqual(admission.admit(), [large]);
  });

  test("refuses what no waiting would make fit, naming the field and the limit", () => {
    const admission = new Admission(limits, added);
    const refused = (request: Sized, param: string, message: RegExp): void =>
      assert.throws(
        () => admission.enqueue(request),
        (error) =>
          error instanceof BonsaiError && error.code === "request_too_large" && error.param === param && message.test(error.message),
      );
    refused({ sequences: 5, bytes: 1 }, "n", /at most 4 at once \(--max-sequences\)/);
    refused({ sequences: 4, bytes: 200 }, "max_tokens", /about 2 sequences of this length/);
    refused({ sequences: 1, bytes: 200 }, "max_tokens", /lower max_tokens/);
  });

  test("says when to try again once the queue is full", () => {
    const admission = new Admission(limits, added);
    for (let request = 0; request < 3; request++) admission.enqueue({ sequences: 3, bytes: 1 });
    assert.throws(
      () => admission.enqueue({ sequences: 1, bytes: 1 }),
      (error) => error instanceof BonsaiError && error.code === "overloaded" && error.retryAfterSeconds === 3,
    );
  });

  test("takes requests that can all start at once even when no one may wait", () => {
    const admission = new Admission({ ...limits, maxQueuedSequences: 0 }, added);
    const requests = [1, 2, 1].map((sequences) => ({ sequences, bytes: 33 }));
    for (const request of requests) admission.enqueue(request);
    assert.deepEqual(admission.admit(), requests);
    assert.equal(
      codeOf(() => admission.enqueue({ sequences: 1, bytes: 0 })),
      "overloaded",
    );
  });
});
