/** @file Tests how a line chart is drawn. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { lineChart } from "../../../src/training/report/line-chart.ts";

test("a line chart is an SVG with its series and titles", async () => {
  const svg = await lineChart({
    xTitle: "seconds",
    yTitle: "memory",
    series: [
      {
        name: "server",
        points: [
          { x: 0, y: 1 },
          { x: 1, y: 2 },
        ],
      },
    ],
  });
  assert.match(svg, /^<svg [^]*<\/svg>\n$/);
  for (const word of ["seconds", "memory", "server"]) assert.ok(svg.includes(word), word);
});
