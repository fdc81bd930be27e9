import { availableParallelism } from 'node:os';

import test from 'ava';

import { nodeConfigOf } from '../../../nodes/embedded/settings.ts';

test('a node in Node-RED leaves one core to the flows where there is more than one', (t) => {
  const fields = { node: 'pi1', cluster: 'home', listen: '127.0.0.1:1883', peers: [], insecure: false };
  const { name, threads } = nodeConfigOf(fields, {});
  t.is(name, 'pi1');
  t.is(threads, Math.max(1, availableParallelism() - 1));
});
