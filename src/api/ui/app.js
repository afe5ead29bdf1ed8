// SPDX-License-Identifier: MIT
// The page: asks syncer every 2 s for what it says of itself, and shows it. Nothing is kept beyond the page.
import * as metrics from './metrics.js';
import { History, median } from './history.js';
import { Lines, load } from './plots.js';
import { Table } from './table.js';

const POLL_MS = 2000;
const SLOW_POLL_MS = 10000; // where the answers are long
const MANY_PODS = 500;
const PLOTTED_PODS = 8; // more lines than that can't be told apart
const WINDOW = 60; // s, of what tiles and lines call "now"
const VERDICTS = ['Synced', 'Partialy', 'NotSynced', 'Timeout'];
const WANTED = ['syncer_check_duration_seconds_bucket', 'syncer_replication_lag_seconds_bucket', 'syncer_check_errors_total'];

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const ms = (value) => (value === null ? '–' : `${number.format(value)} ms`);

function duration(value) {
  if (value === null || value === undefined) return '–';
  if (value < 1000) return `${Math.round(value)} ms`;
  const s = Math.round(value / 1000);
  if (s < 120) return `${s} s`;
  return s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}

// ---- what is shown ----

function tile(name, value, more = '', kind = '') {
  return { name, value, more, kind };
}

// A definition list that keeps its elements, so that nothing flickers and a screen reader stays where it is.
function showList(list, entries, wrap) {
  entries.forEach((entry, i) => {
    let place = list.children[wrap ? i : 2 * i];
    if (!place) {
      const term = document.createElement('dt'), text = document.createElement('dd');
      if (wrap) {
        place = document.createElement('div');
        place.append(term, text);
        list.append(place);
      } else {
        place = term;
        list.append(term, text);
      }
    }
    const [term, text] = wrap ? place.children : [place, place.nextSibling];
    term.textContent = entry.name;
    text.textContent = entry.value;
    text.className = entry.kind || '';
    if (entry.more) {
      const small = document.createElement('small');
      small.textContent = entry.more;
      text.append(small);
    }
  });
}

const GOOD = ['ready', 'present', 'protected'];
const BAD = ['status', 'connect', 'tls', 'timeout', 'broken', 'down', 'unprotected'];
const kindOf = (word) => (GOOD.includes(word) ? 'good' : BAD.includes(word) ? 'bad' : '');

function daysLeft(pod) {
  return pod.certificate_expires_at ? Math.floor((Date.parse(pod.certificate_expires_at) - Date.now()) / 86400000) : null;
}

const RESULTS = { none: 'not asked yet', status: 'unexpected status', connect: 'no connection', tls: 'TLS failed',
  timeout: 'no answer in time', broken: 'answer broken off' };
const result = (pod) => (RESULTS[pod.result] || pod.result) + (pod.code ? ` (${pod.code})` : '');

const podsTable = new Table($('pods-table'), [
  { title: 'Pod', value: (p) => p.name, text: (p) => p.name },
  { title: 'Address', value: (p) => p.address, text: (p) => `${p.address.includes(':') ? `[${p.address}]` : p.address}:${p.port}` },
  { title: 'State', value: (p) => p.state, text: (p) => p.state + (p.counts ? '' : ', not asked'), kind: (p) => (p.counts ? kindOf(p.state) : 'dim') },
  { title: 'Last result', value: (p) => p.result, text: result, kind: (p) => kindOf(p.result) },
  { title: 'Ago', number: true, value: (p) => p.result_age_ms, text: (p) => duration(p.result_age_ms) },
  { title: 'Lag', number: true, value: (p) => p.lag_ms, text: (p) => ms(p.lag_ms) + (p.late ? ', late' : ''), kind: (p) => (p.late ? 'bad' : '') },
  { title: 'Certificate', number: true, value: daysLeft, text: (p) => (daysLeft(p) === null ? '–' : `${daysLeft(p)} days`), kind: (p) => (daysLeft(p) !== null && daysLeft(p) < 14 ? 'bad' : '') },
  { title: 'Probe location', value: (p) => p.location, text: (p) => p.location, kind: (p) => kindOf(p.location) },
]);
const workersTable = new Table($('workers-table'), [
  { title: 'Process', value: (w) => w.pid, text: (w) => String(w.pid) },
  { title: 'State', value: (w) => w.state, text: (w) => w.state, kind: (w) => kindOf(w.state) },
  { title: 'Configuration', value: (w) => w.generation, text: (w) => String(w.generation) },
]);

// ---- what is known ----

const history = new History();
const reads = []; // {time, status, samples} of the last WINDOW seconds
let pods = { pods: [], count: 0 };
let lines = {};

function rate(now, before, of) {
  const change = of(now) - of(before);
  return change < 0 ? null : change / (now.time - before.time); // it has been started anew
}

function since(list, name, q) {
  const now = reads[reads.length - 1], before = reads[0];
  const change = metrics.between(metrics.buckets(now.samples.get(name)), metrics.buckets(before.samples.get(name)));
  const value = change.some((b) => b.count < 0) ? null : metrics.quantile(q, change);
  return value === null ? null : value * 1000;
}

function remember(read) {
  const last = reads[reads.length - 1];
  reads.push(read);
  while (reads[0].time < read.time - WINDOW) reads.shift();
  if (!last) return;
  const point = { 'no verdict': rate(read, last, (r) => metrics.sum(r.samples.get('syncer_check_errors_total'))) };
  for (const verdict of VERDICTS) point[verdict] = rate(read, last, (r) => r.status.checks[verdict]);
  point['wait p50'] = since(reads, 'syncer_check_duration_seconds_bucket', 0.5);
  point['wait p95'] = since(reads, 'syncer_check_duration_seconds_bucket', 0.95);
  const counting = pods.pods.filter((p) => p.counts && p.lag_ms !== null);
  if (counting.length > PLOTTED_PODS) {
    const lags = counting.map((p) => p.lag_ms);
    point['lag of the median pod'] = median(lags);
    point['lag of the slowest pod'] = Math.max(...lags);
  } else {
    for (const pod of counting) point[`pod ${pod.name}`] = pod.lag_ms;
  }
  history.add(read.time, point);
}

function showPlots() {
  const named = (prefix) => [...history.columns.keys()].filter((name) => name.startsWith(prefix));
  const lags = [...named('pod '), ...named('lag of ')];
  lines.lag.show(lags.map((name) => name.replace(/^pod /, '')), history.data(lags));
  const verdicts = [...VERDICTS, 'no verdict'];
  lines.verdicts.show(verdicts, history.data(verdicts));
  lines.wait.show(['median', '95 %'], history.data(['wait p50', 'wait p95']));
}

function showTiles(status) {
  const { checks, table, workers } = status, now = reads[reads.length - 1], before = reads[0];
  const all = VERDICTS.reduce((total, verdict) => total + checks[verdict], 0);
  const ready = workers.filter((w) => w.state === 'ready').length;
  const share = all ? `${number.format(100 * checks.Synced / all)} %` : '–';
  const perSecond = now === before ? null : rate(now, before, (r) => VERDICTS.reduce((n, v) => n + r.status.checks[v], 0));
  const crashed = status.workers_crashed + status.workers_hung;
  showList($('tiles'), [
    tile('Pods that are asked', String(table.counting), `${table.pods} known`, table.counting ? '' : 'bad'),
    tile('Age of the list', duration(table.age_ms), '', table.age_ms === null || table.age_ms > 60000 ? 'warn' : ''),
    tile('Synced', share, `of ${number.format(all)} checks`, all && checks.Synced / all < 0.95 ? 'warn' : ''),
    tile('Checks a second', perSecond === null ? '–' : number.format(perSecond), `${checks.running} under way`),
    tile('A login waits', ms(since(reads, WANTED[0], 0.5)), `95 %: ${ms(since(reads, WANTED[0], 0.95))}, last minute`),
    tile('Replication lag', ms(since(reads, WANTED[1], 0.5)), `95 %: ${ms(since(reads, WANTED[1], 0.95))}, last minute`),
    tile('Workers', `${ready} ready`, `${status.workers_started} started, ${crashed} crashed`, ready ? '' : 'bad'),
  ], true);
}

const WATCH = { on: 'changes come at once', off: 'interrupted: changes come with the next read', forbidden: 'not allowed: changes come with the next read', none: 'this source has nothing to watch' };

function showSource(status) {
  const { table } = status;
  $('version').textContent = status.version;
  $('source').textContent = status.source;
  const state = status.draining ? ['draining', 'warn'] : table.age_ms === null ? ['no list of pods yet', 'bad'] : ['ready', 'good'];
  $('state').textContent = state[0];
  $('state').className = `badge ${state[1]}`;
  showList($('api'), [
    tile('Source', status.source),
    tile('Last read', table.read_at || 'never', '', table.age_ms === null ? 'bad' : ''),
    tile('Watch', `${status.watch}: ${WATCH[status.watch] || ''}`, status.watch_error || '', status.watch === 'off' || status.watch === 'forbidden' ? 'warn' : ''),
    tile('Reads', `${number.format(table.reads_ok)} good, ${number.format(table.reads_failed)} failed`, table.error ? `the last one: ${table.error}` : '', table.error ? 'bad' : ''),
    tile('Configuration', `no. ${status.configuration_generation}, loaded ${status.configuration_loaded_at}`, '', status.last_reload_successful ? '' : 'bad'),
    tile('Reloads', `${status.reloads_ok} good, ${status.reloads_failed} failed`),
    tile('Master', `process ${status.master_pid}, since ${status.started_at}`),
  ], false);
}

function showPods() {
  const wanted = $('filter').value.trim().toLowerCase();
  const rows = wanted ? pods.pods.filter((p) => `${p.name} ${p.address} ${p.state} ${p.result} ${p.location}`.toLowerCase().includes(wanted)) : pods.pods;
  podsTable.show(rows);
  $('pods-count').textContent = wanted ? `${rows.length} of ${pods.count}` : `${pods.count}`;
  $('more').hidden = podsTable.hidden === 0;
  $('more').textContent = `Show more (${podsTable.hidden})`;
}

// ---- the loop ----

async function get(path, how) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(8000), cache: 'no-store' });
  if (!answer.ok) throw new Error(`${path} says ${answer.status}`);
  return answer[how]();
}

let lastGood = 0;

async function poll() {
  try {
    const [status, list, text] = await Promise.all([get('/v1/status', 'json'), get('/v1/pods', 'json'), get('/metrics', 'text')]);
    pods = list;
    remember({ time: Date.now() / 1000, status, samples: metrics.parse(text, WANTED) });
    lastGood = Date.now();
    $('trouble').hidden = true;
    showTiles(status);
    showSource(status);
    showPods();
    workersTable.show(status.workers);
    showPlots();
  } catch (error) {
    const ago = lastGood ? `; what is shown is ${duration(Date.now() - lastGood)} old` : '';
    $('trouble').textContent = `syncer does not answer (${error.message})${ago}.`;
    $('trouble').hidden = false;
    $('state').textContent = 'no answer';
    $('state').className = 'badge bad';
  }
}

async function run() {
  for (;;) {
    if (!document.hidden) await poll();
    await new Promise((resolve) => setTimeout(resolve, pods.count > MANY_PODS ? SLOW_POLL_MS : POLL_MS));
  }
}

function useTheme(theme) {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const plot of Object.values(lines)) plot.draw();
}

async function start() {
  await load();
  lines = { lag: new Lines($('plot-lag'), (v) => number.format(v)), verdicts: new Lines($('plot-verdicts'), (v) => number.format(v)),
    wait: new Lines($('plot-wait'), (v) => number.format(v)) };
  $('theme').value = localStorage.getItem('theme') || 'auto';
  $('theme').addEventListener('change', () => {
    localStorage.setItem('theme', $('theme').value);
    useTheme($('theme').value);
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => useTheme($('theme').value));
  $('filter').addEventListener('input', showPods);
  $('more').addEventListener('click', () => {
    podsTable.more();
    showPods();
  });
  useTheme($('theme').value);
  await run();
}

start();
