/** @file The queue between worker and response: order, waiting, and errors after what came before them. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EventQueue } from "../../../src/engine/worker/event-queue.ts";

async function take(queue: EventQueue<number>, count: number): Promise<number[]> {
  const taken: number[] = [];
  for await (const event of queue) {
    taken.push(event);
    if (taken.length === count) break;
  }
  return taken;
}

describe("an event queue", () => {
  test("gives what was pushed before and while it is read, in order", async () => {
    const queue = new EventQueue<number>();
    queue.push(1);
    queue.push(2);
    const taken = take(queue, 5);
    setImmediate(() => {
      queue.push(3);
      queue.push(4);
      setImmediate(() => queue.push(5));
    });
    assert.deepEqual(await taken, [1, 2, 3, 4, 5]);
  });

  test("delivers what came before a failure, then fails, and takes nothing more", async () => {
    const queue = new EventQueue<number>();
    queue.push(1);
    queue.fail(new Error("first"));
    queue.push(2);
    queue.fail(new Error("second"));
    const taken: number[] = [];
    await assert.rejects(async () => {
      for await (const event of queue) taken.push(event);
    }, /first/);
    assert.deepEqual(taken, [1]);
  });

  test("wakes a reader that waits when it fails", async () => {
    const queue = new EventQueue<number>();
    const taken = take(queue, 1);
    setImmediate(() => queue.fail(new Error("gone")));
    await assert.rejects(taken, /gone/);
  });

  test("lets a reader leave and another go on", async () => {
    const queue = new EventQueue<number>();
    for (const event of [1, 2, 3]) queue.push(event);
    assert.deepEqual(await take(queue, 1), [1]);
    assert.deepEqual(await take(queue, 2), [2, 3]);
  });
});
