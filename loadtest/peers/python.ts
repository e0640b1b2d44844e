/** @file A peer that is a package of Python: the interpreter that a variable of the environment names. */

import { execFileSync } from "node:child_process";

export interface Python {
  python: string;
  /** Versions by the packages' names in Python's `import`. */
  versions: Record<string, string>;
}

export interface PythonNeeds {
  /** The engine's name in messages. */
  peer: string;
  /** The environment variable that holds the interpreter's path. */
  variable: string;
  /** Names of the packages in Python's `import`. */
  packages: readonly string[];
}

/**
 * Undefined, and a line that says what to do, where the variable is not set.
 * @throws Error where the interpreter lacks a package
 */
export function findPython({ peer, variable, packages }: PythonNeeds, say: (line: string) => void): Python | undefined {
  const python = process.env[variable];
  if (python === undefined || python === "") {
    say(`${peer} is left out: set ${variable} to a Python with ${packages.join(", ")} to measure it in turns with us.`);
    return undefined;
  }
  const program = `import json; from importlib.metadata import version; import ${packages.join(", ")}; print(json.dumps({name: version(name) for name in ${JSON.stringify(packages)}}))`;
  const output = execFileSync(python, ["-c", program], { encoding: "utf8" });
  return { python, versions: JSON.parse(output.trim().split("\n").at(-1) as string) as Record<string, string> };
}
