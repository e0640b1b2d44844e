/** @file The memory of a process and its children, as Linux counts it (proc(5): /proc/PID/status and smaps_rollup). */

import { existsSync, readFileSync } from "node:fs";

/** Megabytes, 10^6 bytes. */
export interface ProcessMemory {
  residentMB: number;
  /** The highest that `residentMB` ever was; of several processes, the sum of the highest of each. */
  peakMB: number;
  /** Resident memory that no file backs. */
  anonymousMB: number;
  /** Resident memory with pages that others map too counted by their share. */
  proportionalMB: number;
}

/** Sums over a process and its children: a server has its compute worker. Throws on systems without /proc. */
export function readMemory(pid: number): ProcessMemory {
  if (!existsSync("/proc/self/status")) throw new Error("Memory is read from /proc, which this system lacks: measure on Linux.");
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  const all = [pid, ...children].map(readOwnMemory);
  const total = (field: keyof ProcessMemory): number => all.reduce((sum, memory) => sum + memory[field], 0);
  return {
    residentMB: total("residentMB"),
    peakMB: total("peakMB"),
    anonymousMB: total("anonymousMB"),
    proportionalMB: total("proportionalMB"),
  };
}

function readOwnMemory(pid: number): ProcessMemory {
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
