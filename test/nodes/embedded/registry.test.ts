import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import { closeAllNodes, leaseNode } from '../../../nodes/embedded/registry.ts';
import type { NodeConfig } from '../../../src/index.ts';
import { freePorts } from '../../support/node-red.ts';

const silent = () => {};

function configOf(name: string, port = 0): NodeConfig {
  return { name, cluster: 'home', listen: { host: '127.0.0.1', port }, peers: [], insecure: false };
}

/** Whether somebody listens on the port. */
async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test.after.always(() => closeAllNodes());

test.serial('a node that is released and asked for again by the same settings is the same node', async (t) => {
  const first = leaseNode(configOf('same'), silent);
  const { node } = await first.started;
  first.release();
  first.release();
  const second = leaseNode(configOf('same'), silent);
  t.is((await second.started).node, node);
  t.true(await listens(node.port));
  second.release();
});

test.serial(
  'other settings of a name start it anew, on the same port too, once nobody uses the old ones',
  async (t) => {
    const [port] = await freePorts(1);
    const old = leaseNode(configOf('changed', port), silent);
    await old.started;
    const changed: NodeConfig = { ...configOf('changed', port), insecure: true };
    t.throws(() => leaseNode(changed, silent), { code: 'nodeTwice' });
    old.release();
    const lease = leaseNode(changed, silent);
    t.is((await lease.started).node.port, port!);
    t.not(await lease.started, await old.started);
    lease.release();
  },
);

test.serial('a node that did not start is tried again', async (t) => {
  const [port] = await freePorts(1);
  const there = leaseNode(configOf('there', port), silent);
  await there.started;
  const late = leaseNode(configOf('late', port), silent);
  await t.throwsAsync(late.started, { code: 'portInUse' });
  late.release();
  there.release();
  await closeAllNodes();
  t.false(await listens(port!));
  const again = leaseNode(configOf('late', port), silent);
  t.is((await again.started).node.port, port!);
  again.release();
});
