/** @file `npm run bench -- tables`: writes docs/BENCHMARKS.md again from the kept measurements, and measures nothing. */

import { docsFolder, writeTables } from "./report/keep.ts";

writeTables(docsFolder);
