/** @file strftime in the C locale, for templates that tell the model today's date. */

const directives: Record<string, (date: Date) => string> = {
  Y: (date) => String(date.getFullYear()),
  y: (date) => padded(date.getFullYear() % 100),
  m: (date) => padded(date.getMonth() + 1),
  d: (date) => padded(date.getDate()),
  e: (date) => String(date.getDate()).padStart(2, " "),
  H: (date) => padded(date.getHours()),
  I: (date) => padded(date.getHours() % 12 || 12),
  M: (date) => padded(date.getMinutes()),
  S: (date) => padded(date.getSeconds()),
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  b: (date) => named(date, { month: "short" }),
  B: (date) => named(date, { month: "long" }),
  a: (date) => named(date, { weekday: "short" }),
  A: (date) => named(date, { weekday: "long" }),
  F: (date) => formatDate(date, "%Y-%m-%d"),
  T: (date) => formatDate(date, "%H:%M:%S"),
  "%": () => "%",
};

/** A local date by a strftime format (ISO C, 7.27.3.5). Directives that are not known stay as they are. */
export function formatDate(date: Date, format: string): string {
  return format.replaceAll(/%(.)/gs, (whole, letter: string) => (Object.hasOwn(directives, letter) ? directives[letter]!(date) : whole));
}

function padded(value: number): string {
  return String(value).padStart(2, "0");
}

function named(date: Date, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat("en-US", options).format(date);
}
