// SPDX-License-Identifier: MIT
// Prometheus' text format, as far as the page needs it: sums of counters, and quantiles of histograms.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

// Map of name to [{labels, value}]; lines of no interest (comments, per-pod series) cost nothing but a look.
export function parse(text, wanted) {
  const found = new Map(wanted.map((name) => [name, []]));
  for (const line of text.split('\n')) {
    const at = line.search(/[{ ]/);
    const list = at > 0 && found.get(line.slice(0, at));
    const match = list && LINE.exec(line);
    if (match) {
      list.push({ labels: Object.fromEntries([...(match[2] || '').matchAll(LABEL)].map((m) => [m[1], m[2]])), value: Number(match[3]) });
    }
  }
  return found;
}

export function sum(samples) {
  return samples.reduce((total, sample) => total + sample.value, 0);
}

// [{le, count}] in order, of a histogram's buckets; counts are cumulative.
export function buckets(samples) {
  return samples.map((s) => ({ le: s.labels.le === '+Inf' ? Infinity : Number(s.labels.le), count: s.value }))
    .sort((a, b) => a.le - b.le);
}

// What lies between two reads of the same histogram.
export function between(now, before) {
  return now.map((bucket, i) => ({ le: bucket.le, count: bucket.count - (before[i] ? before[i].count : 0) }));
}

// As histogram_quantile() has it: linear within the bucket; null without observations.
export function quantile(q, list) {
  const total = list.length ? list[list.length - 1].count : 0;
  if (!(total > 0)) return null;
  const rank = q * total;
  let low = 0, under = 0;
  for (const { le, count } of list) {
    if (count >= rank) {
      return le === Infinity ? low : low + (le - low) * (count === under ? 1 : (rank - under) / (count - under));
    }
    low = le;
    under = count;
  }
  return low;
}
