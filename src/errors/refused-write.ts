/** @file A refusal of the operating system to write, as an error with a sentence for the person who can make room. */

import { BonsaiError } from "./bonsai-error.ts";

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the system allows no file this large",
  EACCES: "the system does not permit it",
  EPERM: "the system does not permit it",
  EROFS: "the file system is read-only",
};

/** The `write_failed` that names `path`, for a refusal of the operating system; any other error as it is. */
export function refusedWrite(path: string, cause: unknown): unknown {
  const { code, syscall, message } = cause as NodeJS.ErrnoException;
  if (cause instanceof BonsaiError || code === undefined || syscall === undefined) return cause;
  return new BonsaiError("write_failed", `${path} cannot be written: ${reasons[code] ?? message}.`, { cause });
}
