import test from 'ava';
import type { ClusterNode } from '../../../nodes/cluster/cluster-node.ts';
import type { DocumentListener } from '../../../nodes/cluster/listening.ts';
import { PeerStates, missingPeers } from '../../../nodes/cluster/peer-states.ts';

test('a peer is missing that was never heard or is offline', (t) => {
  const states = new Map([
    ['pi2', 'online'],
    ['pi3', 'offline'],
    ['pi4', 'paused'],
  ]);
  t.deepEqual(missingPeers(['pi2', 'pi3', 'pi4', 'pi5'], states), ['pi3', 'pi5']);
  t.deepEqual(missingPeers([], states), []);
});

test('states follow the documents of the nodes, and are forgotten when the node itself goes away', (t) => {
  let [hear, presence]: [DocumentListener, () => void] = [() => {}, () => {}];
  const node = {
    name: 'pi1',
    peers: ['pi2', 'pi3'],
    away: undefined as string | undefined,
    on: (_: string, listener: DocumentListener) => {
      hear = listener;
      listener('mqtile/home/node/pi2/state', { state: 'online' }, true);
      return () => (hear = () => {});
    },
    onPresence: (listener: () => void) => {
      presence = listener;
      return () => {};
    },
  };
  let changes = 0;
  const states = new PeerStates(node as unknown as ClusterNode, () => changes++);
  t.deepEqual(states.missing, ['pi3']);
  t.is(changes, 0);
  hear('mqtile/home/node/pi3/state', { state: 'paused' }, false);
  hear('mqtile/home/node/pi1/state', { state: 'paused' }, false);
  hear('mqtile/home/node/pi3/state', 'nonsense', false);
  t.is(changes, 2);
  t.deepEqual([states.missing, states.pausedPeers, states.paused], [[], ['pi3'], true]);
  node.away = 'no daemon';
  presence();
  t.deepEqual([states.missing, states.pausedPeers, states.paused], [['pi2', 'pi3'], [], false]);
  t.is(changes, 3);
  states.close();
});
