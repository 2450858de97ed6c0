// Numbers and sizes as a person reads them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count) {
  let size = count;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size >= 100 || unit === 0 ? Math.round(size) : Number(size.toPrecision(3))} ${UNITS[unit]}`;
}

export function cores(value) {
  return `${Number(value.toPrecision(2))} vCPU`;
}

/** Dollars; what is less than a cent needs its digits. */
export function usd(amount) {
  if (amount === 0) return "$0";
  if (amount >= 0.1) return `$${amount.toFixed(2)}`;
  return `$${Number(amount.toPrecision(2)).toFixed(6).replace(/0+$/, "")}`;
}

export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
