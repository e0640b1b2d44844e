/**
 * @file Runs timed requests on one engine loop at once: they arrive, wait, join, leave and are cancelled as the others
 * go on.
 */

import type { EngineLoop } from "../../src/engine/scheduling/engine-loop.ts";
import { start, type Answer, type RunningRequest } from "./answers.ts";
import type { TimedRequest } from "./random-requests.ts";

/** The answers in order; those whose clients left are incomplete and have the error `cancelled`. */
export async function answerUnderLoad(loop: EngineLoop, requests: readonly TimedRequest[]): Promise<Answer[]> {
  const answers: Promise<Answer>[] = [];
  let events = 0;
  let open = 0;
  return new Promise((resolve) => {
    const arrive = (): void => {
      // When nothing runs, no event would bring the next one.
      for (
        let next = requests[answers.length];
        next !== undefined && (open === 0 || next.arrivesAfterEvents <= events);
        next = requests[answers.length]
      ) {
        open++;
        answers.push(startOne(next));
      }
    };
    const startOne = ({ request, leavesAfterEvents }: TimedRequest): Promise<Answer> => {
      let own = 0;
      const leave = (running: RunningRequest): void => {
        if (leavesAfterEvents !== undefined && own >= leavesAfterEvents) loop.cancel(running.id);
      };
      const running: RunningRequest = start(loop, request, () => {
        own++;
        events++;
        leave(running);
        queueMicrotask(arrive);
      });
      leave(running);
      void running.done.then(() => {
        open--;
        if (answers.length === requests.length && open === 0) resolve(Promise.all(answers));
        else arrive();
      });
      return running.done;
    };
    arrive();
  });
}
