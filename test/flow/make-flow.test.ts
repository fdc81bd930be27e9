import test from 'ava';
import fc from 'fast-check';
import { makeFlow } from '../../src/flow/make-flow.ts';
import { widthOf, type FlowItem } from '../../src/flow/items.ts';
import type { FlowPlan, FlowRequest } from '../../src/flow/request.ts';
import type { Plan } from '../../src/planner/plan.ts';
import { plannedNetworks, type Planned } from '../support/random-networks.ts';

/** Types of Node-RED itself that the flow may use. */
const CORE = ['tab', 'comment', 'inject', 'debug', 'catch'];

/** Types of the palette that the flow uses. */
const OURS = ['node', 'job', 'dataset', 'forward', 'loss', 'backward', 'all-reduce', 'optimizer'];

/** Height of every node, and of what the editor writes under it. */
const HEIGHT = 30;

function planned({ stages, devices, batch }: Plan): FlowPlan {
  const byDevice = <Value>(values: readonly Value[]) =>
    Object.fromEntries(devices.map((name, rank) => [name, values[rank]!]));
  return {
    batch,
    planHash: '0123456789abcdef',
    predictedMemoryBytes: byDevice(devices.map(() => 1e6)),
    bytesPerStep: 1234,
    stages: stages.map(({ layers, partition, grid, owned, needed }) => ({
      layers: [layers[0], layers[1]],
      partition,
      ...(grid ? { grid: grid.join('x') } : {}),
      owned: byDevice(owned),
      needed: byDevice(needed),
      activationBytes: 100,
      parameterBytes: 200,
    })),
  };
}

function request({ model, plan }: Planned, device: string): FlowRequest {
  const job = { name: 'digits', path: 'jobs/digits.yaml', grid: '1x2', steps: '20' };
  const peers = plan.devices
    .filter((name) => name !== device)
    .map((name, k) => ({ name, address: `127.0.0.1:${2000 + k}` }));
  const node = { cluster: 'home', listen: '127.0.0.1:1999', insecure: false, peers };
  return { plan: planned(plan), model, device, job, node, prefix: 'mqtile-x', label: 'by hand' };
}

/** A plan, and the flow of one of its devices. */
const flows = fc.tuple(plannedNetworks, fc.nat()).map(([network, choice]) => {
  const { devices } = network.plan;
  const device = devices[choice % devices.length]!;
  return { ...network, device, flow: makeFlow(request(network, device)) };
});

const wiresOf = ({ wires }: FlowItem) => (wires ?? []) as readonly (readonly string[])[];

/** Follows first outputs from a node until something comes again. */
function follow(flow: readonly FlowItem[], start: string): readonly string[] {
  const seen: string[] = [];
  for (let id: string | undefined = start; id !== undefined && !seen.includes(id);) {
    seen.push(id);
    const item = flow.find((one) => one.id === id)!;
    id = wiresOf(item)[0]?.[0];
  }
  return seen;
}

function only(flow: readonly FlowItem[], type: string): FlowItem {
  const found = flow.filter((item) => item.type === type);
  if (found.length !== 1) throw new Error(`${found.length} nodes of type ${type}`);
  return found[0]!;
}

test('for any plan, every stage has a forward node with its layers, and a backward node that names it', (t) => {
  fc.assert(
    fc.property(flows, ({ plan, flow }) => {
      const forward = flow.filter(({ type }) => type === 'mqtile-forward');
      const backward = flow.filter(({ type }) => type === 'mqtile-backward');
      t.deepEqual(
        forward.map(({ stage, layers }) => ({ stage, layers })),
        plan.stages.map(({ layers: [start, end] }, stage) => ({ stage, layers: `${start}-${end - 1}` })),
      );
      t.deepEqual(
        backward.map(({ forward }) => forward),
        forward.map(({ id }) => id).toReversed(),
      );
    }),
  );
});

test('for any plan, the wires go around once: dataset, stages, loss, stages backwards, all-reduce, optimizer', (t) => {
  fc.assert(
    fc.property(flows, ({ plan, flow }) => {
      const stages = plan.stages.map((_, index) => index + 1);
      const dataset = only(flow, 'mqtile-dataset');
      const around = follow(flow, dataset.id);
      t.deepEqual(around, [
        'mqtile-x-dataset',
        ...stages.map((stage) => `mqtile-x-forward-${stage}`),
        'mqtile-x-loss',
        ...stages.toReversed().map((stage) => `mqtile-x-backward-${stage}`),
        'mqtile-x-all-reduce',
        'mqtile-x-optimizer',
      ]);
      const last = flow.find(({ id }) => id === around.at(-1))!;
      t.is(wiresOf(last)[0]![0], dataset.id);
      const chain = new Set(around);
      const into = flow
        .flatMap((item) => (chain.has(item.id) ? wiresOf(item).flat() : []))
        .filter((id) => chain.has(id));
      t.deepEqual(into.toSorted(), [...around].toSorted(), 'a node of the chain has one wire in');
    }),
  );
});

test('for any plan, ids differ, wires lead somewhere, and whatever is on the tab has a place of its own', (t) => {
  fc.assert(
    fc.property(flows, ({ flow }) => {
      const ids = new Set(flow.map(({ id }) => id));
      t.is(ids.size, flow.length);
      for (const item of flow) {
        t.true([...CORE, ...OURS.map((name) => `mqtile-${name}`)].includes(item.type), item.type);
        t.true(item.id.startsWith('mqtile-x-'));
        for (const target of wiresOf(item).flat()) t.true(ids.has(target), target);
      }
      const placed = flow.filter(({ z }) => z !== undefined).map(rectangleOf);
      t.is(placed.length, flow.length - 3, 'all but the tab and the two configuration nodes');
      for (const [k, one] of placed.entries()) {
        t.true(one.left >= 0 && one.top >= 0, one.id);
        for (const other of placed.slice(k + 1)) t.false(meet(one, other), `${one.id} lies on ${other.id}`);
      }
    }),
  );
});

interface Rectangle {
  readonly id: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A node of the chain is labelled by its type and stage; what it shows of itself stands below it. */
function rectangleOf({ id, type, name, x, y }: FlowItem): Rectangle {
  const label = typeof name === 'string' && name !== '' ? name : id.replace('mqtile-x-', '');
  const [centre, middle] = [x as number, y as number];
  const half = widthOf(label) / 2;
  const status = type.startsWith('mqtile-') ? 20 : 0;
  return {
    id,
    left: centre - half,
    right: centre + half,
    top: middle - HEIGHT / 2,
    bottom: middle + HEIGHT / 2 + status,
  };
}

function meet(a: Rectangle, b: Rectangle): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

test('the comments say the boxes of the device, and the same request gives the same flow', (t) => {
  fc.assert(
    fc.property(flows, ({ model, plan, device, flow }) => {
      t.deepEqual(makeFlow(request({ model, plan }, device)), flow);
      const rank = plan.devices.indexOf(device);
      const stages = flow.filter(({ id }) => id.startsWith('mqtile-x-about-stage-'));
      t.is(stages.length, plan.stages.length);
      for (const [k, { info }] of stages.entries()) {
        const [n] = plan.stages[k]!.owned[rank]!;
        const samples = n[1] - n[0] === 1 ? `samples ${n[0]},` : `samples ${n[0]} to ${n[1] - 1}`;
        t.true((info as string).includes(n[1] > n[0] ? samples : 'nothing'), info as string);
      }
    }),
  );
});

test('a device that the plan does not have is refused with the names of those that it has', (t) => {
  const [network] = fc.sample(plannedNetworks, 1);
  const error = t.throws(() => makeFlow(request(network!, 'pi9')), { message: /pi9/ });
  t.is((error as Error & { code: string }).code, 'deviceUnknown');
  t.true(error.message.includes(network!.plan.devices.join(', ')), error.message);
});
