/** @file How far a long task is: one line that is redrawn on a terminal, a plain line every tenth part elsewhere. */

export interface Progress {
  /** `done` of `total` bytes of what `label` names. */
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

const redrawIntervalMs = 100;

/** A progress line on `stream` where that is a terminal, else lines to `log`. */
export function createProgress(stream: ProgressStream, log: (line: string) => void): Progress {
  return stream.isTTY === true ? terminalProgress(stream) : plainProgress(log);
}

function plainProgress(log: (line: string) => void): Progress {
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
        log(`${label}: ${reached * 10}% of ${megabytes(total)} MB`);
      }
    },
    end(): void {
      current = "";
    },
  };
}

function terminalProgress(stream: ProgressStream): Progress {
  let current: { label: string; startMs: number; startBytes: number; drawnMs: number } | undefined;
  return {
    update(label, done, total): void {
      const nowMs = performance.now();
      if (current?.label !== label) {
        if (current !== undefined) stream.write("\n");
        current = { label, startMs: nowMs, startBytes: done, drawnMs: -Infinity };
      }
      if (nowMs - current.drawnMs < redrawIntervalMs && done < total) return;
      current.drawnMs = nowMs;
      const bytesPerSecond = ((done - current.startBytes) * 1000) / Math.max(1, nowMs - current.startMs);
      stream.write(`\r${progressLine(label, done, total, bytesPerSecond, stream.columns ?? 80)}\u001B[K`);
    },
    end(): void {
      if (current !== undefined) stream.write("\n");
      current = undefined;
    },
  };
}

/** One line, shorter than `columns`: label, bar, megabytes, speed and time left, as far as they fit. */
export function progressLine(label: string, done: number, total: number, bytesPerSecond: number, columns: number): string {
  const percent = `${Math.floor((done * 100) / total)}%`.padStart(4);
  const amount = `${megabytes(done)}/${megabytes(total)} MB`;
  const secondsLeft = bytesPerSecond > 0 ? Math.ceil((total - done) / bytesPerSecond) : undefined;
  const left = secondsLeft === undefined || secondsLeft > 359_999 ? "" : ` ${clock(secondsLeft)}`;
  const tail = `${percent} ${amount} ${megabytes(bytesPerSecond)} MB/s${left}`;
  const barWidth = Math.min(30, columns - label.length - tail.length - 5);
  if (barWidth < 5) return `${label} ${percent}`.slice(0, Math.max(0, columns - 1));
  const filled = Math.floor((done * barWidth) / total);
  return `${label} [${"#".repeat(filled)}${"-".repeat(barWidth - filled)}]${tail}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} left`;
}
