/**
 * @file `npm test`: types, lint, format, unused code, architecture and every test, one after the other, with a summary.
 * `npm test -- test/formats` runs only the tests of the files and folders named, without the other checks.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

interface StepResult {
  name: string;
  passed: number;
  failed: number;
  skipped: number;
  seconds: number;
}

/** A test file that runs this long hangs, and is ended: on two quiet cores the slowest takes a fraction of it. */
const fileTimeoutMs = 300_000;

const binary = (name: string): string => join("node_modules", ".bin", name);

/** Runs one program with its output shown; resolves to its exit status, 1 when a signal ended it. */
async function runProgram(program: string, parameters: readonly string[], environment: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...environment } });
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? 1));
  });
}

async function runCheck(name: string, program: string, parameters: readonly string[] = []): Promise<StepResult> {
  console.log(`\n== ${name}`);
  const startMs = performance.now();
  const status = await runProgram(program, parameters);
  if (status !== 0) console.log(`${name}: exit status ${status}`);
  return { name, passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0, seconds: (performance.now() - startMs) / 1000 };
}

/** Every test file at or under `path`, sorted. */
function testFiles(path: string): string[] {
  if (!existsSync(path)) throw new Error(`There is no test file or folder ${path}.`);
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join(path, name))
    .toSorted();
}

async function runTests(files: readonly string[]): Promise<StepResult> {
  console.log(`\n== tests (${files.length} files)`);
  const startMs = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "bonsai-check-"));
  try {
    const report = join(folder, "report.tap");
    const status = await runProgram(
      process.execPath,
      [
        "--import",
        "tsx",
        "--import",
        "./test/fixtures/drawn-values.ts",
        "--test",
        `--test-concurrency=${Math.min(2, availableParallelism())}`,
        `--test-timeout=${fileTimeoutMs}`,
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
        "--test-reporter=tap",
        `--test-reporter-destination=${report}`,
        ...files,
      ],
      { BONSAI_TEST_CACHE: join(folder, "prepared-models") },
    );
    const text = readFileSync(report, "utf8");
    const count = (label: string): number => Number(new RegExp(`^# ${label} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
    const failed = count("fail") + count("cancelled");
    // A run that ends badly without a failed test (a crash of the runner) is a failure too.
    return {
      name: "tests",
      passed: count("pass"),
      failed: status === 0 ? failed : Math.max(1, failed),
      skipped: count("skipped") + count("todo"),
      seconds: (performance.now() - startMs) / 1000,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function printSummary(results: readonly StepResult[]): number {
  console.log("\n== summary");
  for (const { name, passed, failed, skipped, seconds } of results) {
    console.log(
      `${failed === 0 ? "ok  " : "FAIL"} ${name.padEnd(14)} ${passed} passed, ${failed} failed, ${skipped} skipped (${seconds.toFixed(1)} s)`,
    );
  }
  const sum = (part: "passed" | "failed" | "skipped"): number => results.reduce((total, result) => total + result[part], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
  return sum("failed");
}

async function main(paths: readonly string[]): Promise<number> {
  const results: StepResult[] = [];
  if (paths.length === 0) {
    results.push(await runCheck("types", binary("tsc"), ["-p", "tsconfig.json"]));
    results.push(await runCheck("lint", binary("oxlint")));
    results.push(await runCheck("format", binary("oxfmt"), ["--check"]));
    results.push(await runCheck("unused code", binary("knip")));
  }
  results.push(await runTests(paths.length === 0 ? testFiles("test") : paths.flatMap(testFiles)));
  return printSummary(results);
}

process.exitCode = (await main(process.argv.slice(2))) === 0 ? 0 : 1;
