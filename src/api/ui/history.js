// SPDX-License-Identifier: MIT
// What the page has seen since it was opened: columns over time, of which the oldest go.

const POINTS = 450; // 15 minutes at a point each 2 s

export class History {
  constructor() {
    this.times = [];
    this.columns = new Map(); // name to values, as long as times; null where nothing was known
  }

  add(time, values) {
    const length = this.times.push(time);
    for (const name of Object.keys(values)) {
      if (!this.columns.has(name)) this.columns.set(name, new Array(length - 1).fill(null));
    }
    for (const [name, column] of this.columns) column.push(values[name] ?? null);
    if (length > POINTS) {
      this.times.shift();
      for (const [name, column] of this.columns) {
        column.shift();
        if (column.every((value) => value === null)) this.columns.delete(name);
      }
    }
  }

  // As uPlot takes it: times, then a column each.
  data(names) {
    return [this.times, ...names.map((name) => this.columns.get(name) || this.times.map(() => null))];
  }
}

export function median(values) {
  const sorted = values.slice().sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : null;
}
