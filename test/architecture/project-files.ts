/** @file The project's own files as the architecture tests see them: paths, text, and what each source file imports. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Not the project's own text: installed, built, fetched or recorded. */
const foreign = new Set(["node_modules", "dist", ".venv", ".git", ".cache", ".schemathesis", ".hypothesis", "__pycache__"]);
const binary = /\.(gguf|safetensors|onnx|bin|part|log|png|pyc)$/;

/** Paths of all text files at or under `folder`, relative to the project, with forward slashes, sorted. */
export function projectFiles(folder = "."): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (foreign.has(entry.name)) continue;
      if (entry.isDirectory()) visit(join(path, entry.name));
      else if (entry.isFile() && !binary.test(entry.name)) found.push(relative(root, join(path, entry.name)).split(sep).join("/"));
    }
  };
  visit(join(root, folder));
  return found.toSorted();
}

export function readProjectFile(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Folders of src/, in the alphabet's order. */
export function sourceFolders(): string[] {
  const entries = readdirSync(join(root, "src"), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && readdirSync(join(root, "src", entry.name)).length > 0)
    .map((entry) => entry.name)
    .toSorted();
}

/**
 * What a file imports, re-exports, loads lazily or starts as a worker: relative ones as project paths, packages by
 * name.
 */
export function importsOf(path: string, content: string = readProjectFile(path)): { files: string[]; packages: string[] } {
  const text = withoutComments(content);
  const specifiers = [
    ...text.matchAll(/(?:^|[;\n}])\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']/g),
    ...text.matchAll(/(?:^|[;\n}])\s*import\s*["']([^"']+)["']/g),
    ...text.matchAll(/\bimport\(\s*["']([^"']+)["']/g),
    ...text.matchAll(/\bnew URL\(\s*["'](\.[^"']+\.[tj]s)["']\s*,\s*import\.meta\.url/g),
  ].map((match) => match[1] ?? "");
  const isRelative = (specifier: string): boolean => specifier.startsWith(".");
  return {
    files: specifiers.filter(isRelative).map((specifier) => posix.normalize(posix.join(dirname(path), specifier))),
    packages: specifiers
      .filter((specifier) => !isRelative(specifier) && !specifier.startsWith("node:"))
      .map((specifier) =>
        specifier
          .split("/")
          .slice(0, specifier.startsWith("@") ? 2 : 1)
          .join("/"),
      ),
  };
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "$1");
}

/** A cycle of `edges`, first node repeated at its end, or undefined when there is none. */
export function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    path.push(node);
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const cycle = visit(node);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
