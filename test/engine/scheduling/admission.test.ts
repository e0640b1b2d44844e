/**
 * @file Admission against an obvious twin under random arrivals and departures: order, limits, and nothing lost or
 * kept.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  Admission,
  mostOvertakings,
  type AdmissionLimits,
  type Reservation,
  type ReservedBytes,
} from "../../../src/engine/scheduling/admission.ts";
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
  test("starts what fits in order, within every limit, and counts what there is, whatever comes and goes", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), fc.constantFrom(added, padded), fc.boolean(), (commands, bytesOf, sharesRows) => {
        const admission = new Admission<Client>(limits, bytesOf, sharesRows ? () => 1 : undefined);
        const rowsOf = (client: Client): number => (sharesRows ? 1 : client.left);
        const waiting: Client[] = [];
        const running: Client[] = [];
        const fits = (client: Client, among: readonly Client[] = running): boolean =>
          sum(among, rowsOf) + rowsOf(client) <= limits.maxSequences && bytesOf([...among, client]) <= limits.kvCacheBytes;
        const expectedCode = (client: Client): string => {
          if (client.sequences > limits.maxSequences || client.bytes > limits.kvCacheBytes) return "request_too_large";
          const started: Client[] = [...running];
          for (const next of [...waiting, client]) if (fits(next, started)) started.push(next);
          const queue = [...waiting, client].filter((next) => !started.includes(next));
          const withoutRow = Math.max(0, sum(started, ({ left }) => left) - limits.maxSequences);
          return sum(queue, ({ left }) => left) + withoutRow > limits.maxQueuedSequences ? "overloaded" : "accepted";
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
            for (const next of waiting) {
              if (!fits(next)) continue;
              expected.push(next);
              running.push(next);
            }
            waiting.splice(0, Infinity, ...waiting.filter((next) => !expected.includes(next)));
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
          const open = sum(running, ({ left }) => left);
          assert.equal(admission.runningSequences, Math.min(open, limits.maxSequences));
          assert.equal(admission.runningBytes, bytesOf(running));
          assert.equal(admission.waitingSequences, sum(waiting, ({ left }) => left) + open - admission.runningSequences);
          assert.equal(admission.waitingRequests, waiting.length);
          assert.ok(sum(running, rowsOf) <= limits.maxSequences && admission.runningBytes <= limits.kvCacheBytes);
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

  test("lets small requests overtake a large one that does not fit yet, so often and no more", () => {
    const admission = new Admission(limits, added);
    const large = { sequences: 4, bytes: 1 };
    const small = (): Sized => ({ sequences: 1, bytes: 1 });
    let last = small();
    for (const request of [last, large]) admission.enqueue(request);
    assert.deepEqual(admission.admit(), [last]);
    for (let overtaking = 0; overtaking < mostOvertakings; overtaking++) {
      const next = small();
      admission.enqueue(next);
      assert.deepEqual(admission.admit(), [next]);
      admission.remove(last);
      last = next;
    }
    const late = small();
    admission.enqueue(late);
    assert.deepEqual(admission.admit(), []);
    admission.remove(last);
    assert.deepEqual(admission.admit(), [large]);
    admission.remove(large);
    assert.deepEqual(admission.admit(), [late]);
  });

  test("starts as many requests as there are rows where those share them", () => {
    const admission = new Admission<Sized>(limits, added, () => 1);
    const requests = [4, 3, 1, 1].map((sequences) => ({ sequences, bytes: 1 }));
    for (const request of requests) admission.enqueue(request);
    assert.deepEqual(admission.admit(), requests);
    assert.deepEqual([admission.runningSequences, admission.waitingSequences], [4, 5]);
    admission.enqueue({ sequences: 1, bytes: 1 });
    assert.deepEqual([admission.admit(), admission.waitingSequences], [[], 6]);
    assert.equal(
      codeOf(() => admission.enqueue({ sequences: 1, bytes: 1 })),
      "overloaded",
    );
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
      () => admission.enqueue({ sequences: 2, bytes: 1 }),
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
