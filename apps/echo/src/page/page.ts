/** The page of the echo server: type and see the echo, or have messages sent all the time and see how fast they come back. */

import 'uplot/dist/uPlot.min.css';
import './page.css';
import { Chart } from './chart.js';
import { EchoSocket } from './echo-socket.js';
import { LatencyWindow } from './latency-window.js';
import { Load } from './load.js';

const sampleMs = 500;
const repliesMax = 20;

function element<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} "${id}"`);
  return found;
}

const state = element('state', HTMLElement);
const replies = element('replies', HTMLOListElement);
const text = element('text', HTMLInputElement);
const bytes = element('bytes', HTMLInputElement);
const inFlight = element('in-flight', HTMLInputElement);
const toggle = element('switch', HTMLButtonElement);

const latencies = new LatencyWindow();
const chart = new Chart(element('chart', HTMLElement));
let load: Load | null = null;

function show(name: 'open' | 'closed', words: string): void {
  state.dataset.state = name;
  state.textContent = words;
}

function stopLoad(): void {
  load?.stop();
  load = null;
  toggle.textContent = 'Start';
}

const socket = new EchoSocket(location.href.replace(/^http/, 'ws').replace(/[?#].*$/, ''), {
  opened: () => show('open', 'open'),
  closed: (reason) => {
    stopLoad();
    show('closed', reason);
  },
  differed: () => {
    stopLoad();
    show('closed', 'something else came back than what was sent');
  },
});

function showReply(message: string, milliseconds: number): void {
  const item = document.createElement('li');
  const took = document.createElement('small');
  took.textContent = `${milliseconds.toFixed(1)} ms`;
  item.append(message, took);
  replies.prepend(item);
  if (replies.childElementCount > repliesMax) replies.lastElementChild?.remove();
}

element('typed', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  if (!socket.isOpen) return;
  const message = text.value;
  text.value = '';
  socket.send(message, (milliseconds) => showReply(message, milliseconds));
});

element('load', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  if (load !== null) {
    stopLoad();
  } else if (socket.isOpen) {
    load = new Load(socket, latencies, bytes.valueAsNumber, inFlight.valueAsNumber);
    toggle.textContent = 'Stop';
  }
});

const rate = element('rate', HTMLElement);
const p50 = element('p50', HTMLElement);
const p99 = element('p99', HTMLElement);

function milliseconds(value: number | null): string {
  return value === null ? '-' : `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

let sampledAt = performance.now();
setInterval(() => {
  const now = performance.now();
  const sample = latencies.take((now - sampledAt) / 1000);
  sampledAt = now;
  if (load === null && sample.messagesPerSecond === 0) return;
  rate.textContent = Math.round(sample.messagesPerSecond).toLocaleString('en-US');
  p50.textContent = milliseconds(sample.p50);
  p99.textContent = milliseconds(sample.p99);
  chart.add(Date.now() / 1000, sample);
}, sampleMs);
