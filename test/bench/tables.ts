/**
 * @file `npm run bench -- tables`: writes docs/BENCHMARKS.md again from the kept measurements, and measures nothing.
 */

import { docsFolder, writeDocument } from "../../loadtest/measurement/kept-measurements.ts";
import { benchmarks } from "./report/benchmarks-document.ts";

writeDocument(docsFolder, benchmarks);
