/** @file docs/LICENCES.md: the licence of every package that runs with the program, from the lockfile. */

interface LockedPackage {
  version?: string;
  license?: string;
  dev?: boolean;
}

/** What a package is called inside `node_modules`, however deep it lies. */
const nameOf = (path: string): string => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

/** @param lockfile the text of package-lock.json (version 3) */
export function licencesMarkdown(lockfile: string): string {
  const { packages } = JSON.parse(lockfile) as { packages: Record<string, LockedPackage> };
  const installed = Object.entries(packages).filter(([path, { dev }]) => path !== "" && dev !== true);
  const rows = new Set(
    installed
      .map(([path, { version, license = "not stated" }]) => `| ${nameOf(path)} | ${version} | ${license} |`)
      .toSorted((one, other) => (one < other ? -1 : 1)),
  );
  const counts = new Map<string, number>();
  for (const [, { license = "not stated" }] of installed) counts.set(license, (counts.get(license) ?? 0) + 1);
  const summary = [...counts].toSorted(([, one], [, other]) => other - one).map(([licence, count]) => `${licence} ${count}`);
  return [
    "# Licences of dependencies",
    "",
    "Generated from `package-lock.json` by `npm run docs`; do not edit.",
    "",
    "Bonsai itself is under the [MIT licence](../LICENSE). The packages below are installed with it; those that only development needs are not listed.",
    "",
    `By licence: ${summary.join(", ")}.`,
    "",
    "| package | version | licence |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}
