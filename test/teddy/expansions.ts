/**
 * @file Every expansion of a template, one after the other: the choices count up like an odometer whose wheels may come
 * and go.
 */

import { expandTemplate, type Slots } from "../../src/teddy/language/template.ts";

export function expansionsOf(template: string, slots: Slots): string[] {
  const found: string[] = [];
  const path: number[] = [];
  for (;;) {
    const counts: number[] = [];
    found.push(
      expandTemplate(template, slots, (count) => {
        counts.push(count);
        return (path[counts.length - 1] ??= 0);
      }),
    );
    path.length = counts.length;
    while (path.length > 0 && path.at(-1)! + 1 >= counts[path.length - 1]!) path.pop();
    if (path.length === 0) return found;
    path[path.length - 1]!++;
  }
}
