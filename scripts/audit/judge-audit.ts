/** @file What `npm audit --json` says, held against the advisories that were accepted with a reason. */

/** An entry of accepted.json. */
export interface AcceptedAdvisory {
  /** Its address, as npm gives it. */
  url: string;
  /** Why the program is not affected, or what stands in the way of an update. */
  reason: string;
  /** Day of the decision, as 2026-12-01. */
  date: string;
}

export interface AuditVerdict {
  lines: string[];
  passed: number;
  failed: number;
  skipped: number;
}

interface Advisory {
  url: string;
  title: string;
  severity: string;
  name: string;
}

interface AuditReport {
  auditReportVersion?: number;
  message?: string;
  vulnerabilities?: Record<string, { via: (string | Advisory)[] }>;
}

const refused = new Set(["high", "critical"]);

/**
 * Fails for an advisory of high or critical severity that was not accepted, and for an acceptance without reason and
 * date or without its advisory. Skips where the registry does not answer.
 * @param output what npm printed; empty where it was stopped
 */
export function judgeAudit(output: string, accepted: readonly AcceptedAdvisory[]): AuditVerdict {
  const report = reportOf(output);
  if (report?.auditReportVersion === undefined || report.vulnerabilities === undefined) {
    const reason = report?.message ?? "npm printed no report";
    return { lines: [`The registry answers no audit (${reason}): vulnerabilities are not checked.`], passed: 0, failed: 0, skipped: 1 };
  }
  const advisories = new Map<string, Advisory>();
  for (const { via } of Object.values(report.vulnerabilities))
    for (const advisory of via) if (typeof advisory !== "string") advisories.set(advisory.url, advisory);
  const isComplete = ({ reason, date }: AcceptedAdvisory): boolean => reason.trim() !== "" && /^\d{4}-\d{2}-\d{2}$/.test(date);
  const failures = [
    ...accepted.filter((entry) => !isComplete(entry)).map(({ url }) => `${url} is accepted without a reason and a date.`),
    ...accepted.filter(({ url }) => !advisories.has(url)).map(({ url }) => `${url} is accepted and no longer reported: remove it.`),
    ...[...advisories.values()]
      .filter(({ url, severity }) => refused.has(severity) && !accepted.some((entry) => entry.url === url))
      .map(({ url, title, severity, name }) => `${name}: ${title} (${severity}, ${url})`),
  ];
  return {
    lines: [`${advisories.size} advisories are reported.`, ...failures],
    passed: failures.length === 0 ? 1 : 0,
    failed: failures.length,
    skipped: 0,
  };
}

function reportOf(output: string): AuditReport | undefined {
  try {
    return JSON.parse(output) as AuditReport;
  } catch {
    return undefined;
  }
}
