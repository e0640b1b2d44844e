/** @file A chart that vega-lite describes as an SVG document. */

import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** Ends with a line feed. */
export async function vegaSvg(specification: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(specification).spec), { renderer: "none" });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}
