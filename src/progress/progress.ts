/**
 * @file The progress of a long task: one line that is redrawn on a terminal, a plain line every tenth part elsewhere.
 */

export interface Progress {
  /** `done` of `total` of what `label` names. */
  update: (label: string, done: number, total: number) => void;
  /** Ends the line that is being redrawn, before anything else is printed. */
  end: () => void;
}

/** The part of a terminal stream that a progress line needs. */
export interface ProgressStream {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write: (text: string) => unknown;
}

/** What is counted, in words. */
export interface ProgressScale {
  /** How much is done, on a terminal. */
  amount: (done: number, total: number) => string;
  /** How fast it goes, on a terminal. */
  speed: (perSecond: number) => string;
  /** How much it is in all, and what else a plain line says. */
  whole: (total: number) => string;
}

/** Bytes as megabytes. */
export const byteScale: ProgressScale = {
  amount: (done, total) => `${megabytes(done)}/${megabytes(total)} MB`,
  speed: (perSecond) => `${megabytes(perSecond)} MB/s`,
  whole: (total) => `${megabytes(total)} MB`,
};

/** Whole things by their noun: "prompts". @param digits of the number a second */
export const countScale = (noun: string, digits = 1): ProgressScale => ({
  amount: (done, total) => `${done}/${total} ${noun}`,
  speed: (perSecond) => `${perSecond.toFixed(digits)}/s`,
  whole: (total) => `${total} ${noun}`,
});

const redrawIntervalMs = 100;

/** A progress line on `stream` where that is a terminal, else lines to `log`. */
export function createProgress(stream: ProgressStream, log: (line: string) => void, scale: ProgressScale = byteScale): Progress {
  return stream.isTTY === true ? terminalProgress(stream, scale) : plainProgress(log, scale);
}

function plainProgress(log: (line: string) => void, scale: ProgressScale): Progress {
  let current = "";
  let tenths = 0;
  return {
    update(label, done, total): void {
      const reached = Math.floor((done * 10) / total);
      if (label !== current) {
        current = label;
        tenths = reached;
      } else if (reached > tenths) {
        tenths = reached;
        log(`${label}: ${reached * 10}% of ${scale.whole(total)}`);
      }
    },
    end(): void {
      current = "";
    },
  };
}

function terminalProgress(stream: ProgressStream, scale: ProgressScale): Progress {
  let current: { label: string; startMs: number; startDone: number; drawnMs: number } | undefined;
  return {
    update(label, done, total): void {
      const nowMs = performance.now();
      if (current?.label !== label) {
        if (current !== undefined) stream.write("\n");
        current = { label, startMs: nowMs, startDone: done, drawnMs: -Infinity };
      }
      if (nowMs - current.drawnMs < redrawIntervalMs && done < total) return;
      current.drawnMs = nowMs;
      const perSecond = ((done - current.startDone) * 1000) / Math.max(1, nowMs - current.startMs);
      stream.write(`\r${progressLine(label, done, total, perSecond, stream.columns ?? 80, scale)}\u001B[K`);
    },
    end(): void {
      if (current !== undefined) stream.write("\n");
      current = undefined;
    },
  };
}

/** One line, shorter than `columns`: label, bar, amount, speed and time left, as far as they fit. */
export function progressLine(
  label: string,
  done: number,
  total: number,
  perSecond: number,
  columns: number,
  scale: ProgressScale = byteScale,
): string {
  const percent = `${Math.floor((done * 100) / total)}%`.padStart(4);
  const secondsLeft = perSecond > 0 ? Math.ceil((total - done) / perSecond) : undefined;
  const left = secondsLeft === undefined || secondsLeft > 359_999 ? "" : ` ${timeLeft(secondsLeft)}`;
  const tail = `${percent} ${scale.amount(done, total)} ${scale.speed(perSecond)}${left}`;
  const barWidth = Math.min(30, columns - label.length - tail.length - 5);
  if (barWidth < 5) return `${label} ${percent}`.slice(0, Math.max(0, columns - 1));
  const filled = Math.floor((done * barWidth) / total);
  return `${label} [${"#".repeat(filled)}${"-".repeat(barWidth - filled)}]${tail}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** Whole seconds as "1:05 left". */
export function timeLeft(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} left`;
}
