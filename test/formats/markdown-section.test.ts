/** @file Sections of cards are replaced whole, and nothing else changes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { replaceSection } from "../../src/formats/markdown-section.ts";

test("a new section goes to the end", () => {
  assert.equal(replaceSection("# A model\n\nText.\n", "Scores", "0.5\n"), "# A model\n\nText.\n\n## Scores\n\n0.5\n");
});

test("a section that is there is replaced, with its parts, and what follows stays", () => {
  const card = "# A model\n\n## Scores\n\n0.5\n\n### Parts\n\nold\n\n## Made by\n\nus\n";
  const once = replaceSection(card, "Scores", "0.7\n\n### New parts");
  assert.equal(once, "# A model\n\n## Scores\n\n0.7\n\n### New parts\n\n## Made by\n\nus\n");
  assert.equal(replaceSection(once, "Scores", "0.7\n\n### New parts"), once);
});
