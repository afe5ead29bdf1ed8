// SPDX-License-Identifier: MIT
// Lines over time by uPlot, where this syncer was built with it; else the place says so.
let Plot = null;

export async function load() {
  try {
    Plot = (await import('./uplot.js')).default;
  } catch {
    return false;
  }
  const style = document.createElement('link');
  style.rel = 'stylesheet';
  style.href = 'uplot.css';
  document.head.append(style);
  return true;
}

const COLOURS = ['#3b82d6', '#d9822b', '#2f9e62', '#b35ac4', '#c9483f', '#5f6fd0', '#8a8f2a', '#2a9da8', '#a0674b', '#d15a90'];

function variable(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export class Lines {
  // `unit`: a function from a value to its text, for axis and legend.
  constructor(place, unit) {
    Object.assign(this, { place, unit, names: [], data: [[]], plot: null });
    if (!Plot) {
      place.textContent = 'No plots: this syncer was built without uPlot (configure --with-uplot).';
      place.classList.add('dim', 'none');
      return;
    }
    place.setAttribute('role', 'img');
    new ResizeObserver(() => this.plot && this.plot.setSize(this.size())).observe(place);
  }

  size() {
    return { width: Math.max(200, this.place.clientWidth), height: 190 };
  }

  // Shows the columns; a new set of names makes a new plot.
  show(names, data) {
    if (!Plot) return;
    this.data = data;
    const said = names.map((name, i) => `${name} ${this.text(data[i + 1][data[i + 1].length - 1])}`).join(', ');
    this.place.setAttribute('aria-label', said || 'nothing yet');
    if (names.join('\n') === this.names.join('\n') && this.plot) {
      this.plot.setData(data);
    } else {
      this.names = names;
      this.draw();
    }
  }

  text(value) {
    return value === null || value === undefined ? '–' : this.unit(value);
  }

  draw() {
    if (!Plot) return;
    if (this.plot) this.plot.destroy();
    const axis = { stroke: variable('--dim'), grid: { stroke: variable('--grid') }, ticks: { stroke: variable('--grid') } };
    this.plot = new Plot({
      ...this.size(),
      scales: { y: { range: (_, low, high) => [0, Math.max(high || 0, 1) * 1.1] } },
      axes: [{ ...axis, space: 80, values: (_, ticks) => ticks.map((at) => new Date(at * 1000).toLocaleTimeString('en-GB')) }, { ...axis, values: (_, ticks) => ticks.map(this.unit), size: 54 }],
      series: [{ value: (_, at) => (at === null ? '–' : new Date(at * 1000).toLocaleTimeString('en-GB')) },
        ...this.names.map((label, i) => ({ label, stroke: COLOURS[i % COLOURS.length], width: 1.5, spanGaps: true,
          points: { show: false }, value: (_, value) => this.text(value) }))],
    }, this.data, this.place);
  }
}
