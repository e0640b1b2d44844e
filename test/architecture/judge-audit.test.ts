/** @file Advisories of high severity fail the audit unless they are accepted with a reason and a date. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { judgeAudit, type AcceptedAdvisory } from "../../scripts/audit/judge-audit.ts";

const advisory = (severity: string, id = severity) => ({
  url: `https://advisories.example/${id}`,
  title: "Something is wrong",
  severity,
  name: "left-pad",
});

const report = (...advisories: object[]): string =>
  JSON.stringify({ auditReportVersion: 2, vulnerabilities: { "left-pad": { via: advisories }, above: { via: ["left-pad"] } } });

const accepted = { url: advisory("high").url, reason: "Only on Windows.", date: "2026-12-01" };

const counts = (output: string, entries: AcceptedAdvisory[] = []): [passed: number, failed: number, skipped: number] => {
  const { passed, failed, skipped } = judgeAudit(output, entries);
  return [passed, failed, skipped];
};

test("only high and critical advisories fail, each by name and address", () => {
  assert.deepEqual(counts(report()), [1, 0, 0]);
  assert.deepEqual(counts(report(advisory("low"), advisory("moderate"))), [1, 0, 0]);
  assert.deepEqual(counts(report(advisory("high"), advisory("critical"))), [0, 2, 0]);
  assert.match(judgeAudit(report(advisory("high")), []).lines.join("\n"), /left-pad: Something is wrong \(high, https:/);
});

test("an accepted advisory passes, with a reason and a date, while it is reported", () => {
  assert.deepEqual(counts(report(advisory("high")), [accepted]), [1, 0, 0]);
  assert.deepEqual(counts(report(advisory("high"), advisory("high", "other")), [accepted]), [0, 1, 0]);
  assert.deepEqual(counts(report(advisory("high")), [{ ...accepted, reason: " " }]), [0, 1, 0]);
  assert.deepEqual(counts(report(advisory("high")), [{ ...accepted, date: "soon" }]), [0, 1, 0]);
  assert.deepEqual(counts(report(), [accepted]), [0, 1, 0]);
});

test("a registry that answers no audit is a skip that says why", () => {
  for (const output of ["", "npm error network", JSON.stringify({ message: "405 Method Not Allowed", statusCode: 405 })]) {
    assert.deepEqual(counts(output, [accepted]), [0, 0, 1]);
    assert.match(judgeAudit(output, []).lines.join("\n"), /^The registry answers no audit \(.+\)/);
  }
});

test("what is accepted now has a reason and a date", () => {
  const entries = JSON.parse(readFileSync(new URL("../../scripts/audit/accepted.json", import.meta.url), "utf8")) as AcceptedAdvisory[];
  const reported = entries.map(({ url }) => ({ ...advisory("high"), url }));
  assert.deepEqual(counts(report(...reported), entries), [1, 0, 0]);
});
