/** Every item of the conformance list is tested by a suite: its number stands at the beginning of a test's name. */

import { expect, it } from 'vitest';
import {
  channelSuite,
  datagramSuite,
  driverSuite,
  engineSuite,
  layerSuite,
  transportSuite,
  workerSuite,
} from '../src/index.js';
import { CollectingRunner } from './collecting-runner.js';

const items = Array.from({ length: 20 }, (_, index) => index + 1);
const neverSetUp = {
  setup: (): Promise<never> => Promise.reject(new Error('only the names are wanted')),
  teardown: async () => {},
};

it('has a test for each of the twenty items', () => {
  const runner = new CollectingRunner();
  channelSuite(runner, neverSetUp);
  layerSuite(runner, neverSetUp);
  transportSuite(runner, neverSetUp);
  driverSuite(runner, neverSetUp, { backend: 'none' });
  engineSuite(runner, { decode: () => [], samples: [] });
  workerSuite(runner, {
    start: () => {
      throw new Error('only the names are wanted');
    },
  });
  const tested = new Set(runner.tests.map(({ name }) => /^\[(\d+)\]/.exec(name)?.[1]));
  expect(items.filter((item) => !tested.has(String(item)))).toEqual([]);
});

it('has a test for each item of the list for datagrams', () => {
  const runner = new CollectingRunner();
  datagramSuite(runner, neverSetUp, { dualStack: true, receiveInfo: true });
  const tested = new Set(runner.tests.map(({ name }) => Number(/^\[(\d+)\]/.exec(name)?.[1])));
  expect(Array.from({ length: 21 }, (_, index) => index + 1).filter((item) => !tested.has(item))).toEqual([]);
});
