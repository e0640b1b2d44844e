/** @file The memory of a process, as Linux counts it (proc(5): /proc/PID/status and smaps_rollup). */

import { existsSync, readFileSync } from "node:fs";

/** Megabytes, 10^6 bytes. */
export interface ProcessMemory {
  residentMB: number;
  /** The highest that `residentMB` ever was. */
  peakMB: number;
  /** Resident memory that no file backs. */
  anonymousMB: number;
  /** Resident memory with pages that others map too counted by their share. */
  proportionalMB: number;
}

/** Throws on systems without /proc. */
export function readMemory(pid: number): ProcessMemory {
  if (!existsSync("/proc/self/status")) throw new Error("Memory is read from /proc, which this system lacks: measure on Linux.");
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const megabytes = (text: string, field: string): number => {
    const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
    if (kibibytes === undefined) throw new Error(`/proc/${pid} has no ${field}.`);
    return (Number(kibibytes) * 1024) / 1e6;
  };
  return {
    residentMB: megabytes(status, "VmRSS"),
    peakMB: megabytes(status, "VmHWM"),
    anonymousMB: megabytes(status, "RssAnon"),
    proportionalMB: megabytes(rollup, "Pss"),
  };
}
