import { expect, test } from 'vitest';
import { type SlotFiller, SlotStock } from '../../../src/backend/node/slot-stock.js';

const slotBytes = 8;

class Filler implements SlotFiller {
  fills = 0;
  turn = 0;
  readonly slots: number[] = [];
  wants = 0;
  readonly #stock: SlotStock;

  constructor(stock: SlotStock) {
    this.#stock = stock;
  }

  want(count: number): void {
    this.wants += count;
    this.slotsAvailable();
  }

  slotsAvailable(): void {
    while (this.wants > 0) {
      const slot = this.#stock.fill(Uint8Array.of(this.wants), this);
      if (slot < 0) return;
      this.slots.push(slot);
      this.wants--;
    }
  }
}

function makeStock(slots: number) {
  const pool = new Uint8Array(slots * slotBytes);
  const told = { times: 0 };
  const stock = new SlotStock(pool, slots, slotBytes, () => told.times++);
  for (let slot = 0; slot < slots; slot++) stock.provide(slot);
  return { stock, pool, told };
}

test('fills slots that were provided, with as much as fits, and lends them', () => {
  const { stock, pool } = makeStock(2);
  const filler = new Filler(stock);
  expect([stock.isLent(0), stock.isLent(1), stock.isLent(2)]).toEqual([false, false, false]);
  const slot = stock.fill(new Uint8Array(20).fill(7), filler);
  expect([...pool.subarray(slot * slotBytes, (slot + 1) * slotBytes)]).toEqual(Array(slotBytes).fill(7));
  expect(pool.filter((byte) => byte === 7).length).toBe(slotBytes);
  expect(stock.isLent(slot)).toBe(true);
  expect(stock.count).toBe(1);
});

test('one filler has eight slots in a turn, the rest in the next', () => {
  const { stock, told } = makeStock(64);
  const [busy, other] = [new Filler(stock), new Filler(stock)];
  busy.want(20);
  other.want(1);
  expect([busy.slots.length, other.slots.length]).toEqual([8, 1]);
  stock.restartParked();
  expect(busy.slots.length).toBe(8);
  stock.nextTurn();
  expect(busy.slots.length).toBe(16);
  stock.nextTurn();
  stock.nextTurn();
  expect(busy.slots.length).toBe(20);
  expect([stock.parked, told.times]).toEqual([0, 0]);
});

test('those that find no slot are parked, told once, and go round', () => {
  const { stock, told } = makeStock(1);
  const fillers = [new Filler(stock), new Filler(stock), new Filler(stock)];
  for (const filler of fillers) filler.want(2);
  expect([stock.parked, stock.parkings, told.times]).toEqual([3, 3, 3]);
  expect([stock.takeStarved(), stock.takeStarved()]).toEqual([true, false]);
  const order = [];
  for (let round = 0; round < 5; round++) {
    stock.provide(0);
    const before = fillers.map(({ slots }) => slots.length);
    stock.restartParked();
    order.push(fillers.findIndex(({ slots }, at) => slots.length > (before[at] ?? 0)));
  }
  expect(order).toEqual([0, 1, 2, 1, 2]);
  expect(stock.parked).toBe(0);
  expect(stock.takeStarved()).toBe(false);
});

test('who is forgotten gets no slot', () => {
  const { stock } = makeStock(1);
  const filler = new Filler(stock);
  filler.want(2);
  stock.forget(filler);
  stock.provide(0);
  stock.restartParked();
  expect([filler.slots.length, stock.parked, stock.count]).toEqual([1, 0, 1]);
});

test('puts a header first, and cuts what it leaves no room for', () => {
  const { stock, pool } = makeStock(1);
  const filler = new Filler(stock);
  expect(stock.fill(Uint8Array.of(1, 2, 3, 4, 5, 6), filler, Uint8Array.of(7, 7, 7))).toBe(0);
  expect([...pool]).toEqual([7, 7, 7, 1, 2, 3, 4, 5]);
});
