/** makeFlow: a plan becomes the Node-RED flow that trains it by hand on one device. Pure: values in, the entries of a flow file out. */

import { InputError } from '../errors.ts';
import {
  explainAll,
  explainAllReduce,
  explainBackward,
  explainBatch,
  explainErrors,
  explainLoss,
  explainOptimizer,
  explainStage,
  type Explanation,
} from './explain.ts';
import { comment, debug, inject, widthOf, type FlowItem, type Place } from './items.ts';
import { commentAt, hangingFrom, layOut, type Layout } from './layout.ts';
import type { FlowRequest } from './request.ts';

/** Buttons, in the order in which they stand. */
const COMMANDS = ['start', 'pause', 'resume', 'step', 'stop'] as const;

/** Chain nodes are about this wide; comments begin where they do. */
const NODE_WIDTH = widthOf('backward 1');

/** @throws {InputError} `deviceUnknown` */
export function makeFlow(request: FlowRequest): readonly FlowItem[] {
  const { plan, device, prefix, label, job } = request;
  const devices = Object.keys(plan.predictedMemoryBytes);
  if (!devices.includes(device)) {
    throw new InputError(
      'deviceUnknown',
      `--device: got ${device}, want one of the plan's devices: ${devices.join(', ')}`,
    );
  }
  const layout = layOut(plan.stages.length);
  const id = (name: string) => `${prefix}-${name}`;
  const items = [...wires(request, layout, id), ...aside(layout, id), ...comments(request, layout, id)];
  const info = `Trains ${job.name} on ${device} by hand: the step of training as wires. See the comment nodes.`;
  return [
    { id: id('tab'), type: 'tab', label, disabled: false, info },
    ...settings(request, id),
    ...items.map(({ id, type, ...rest }) => ({ id, type, z: `${prefix}-tab`, ...rest })),
  ];
}

type Naming = (name: string) => string;

/** The configuration nodes. */
function settings({ node, job, device }: FlowRequest, id: Naming): readonly FlowItem[] {
  const { cluster, listen, insecure, peers } = node;
  const { path, grid, steps } = job;
  return [
    { id: id('node'), type: 'mqtile-node', name: '', mode: 'embedded', node: device, cluster, listen, insecure, peers },
    { id: id('job'), type: 'mqtile-job', name: '', source: 'file', path, grid, steps },
  ];
}

/** The chain, in the order of the step. */
function wires({ plan }: FlowRequest, layout: Layout, id: Naming): readonly FlowItem[] {
  const run = { name: '', node: id('node'), job: id('job') };
  const { stages } = plan;
  const last = stages.length;
  const forward = stages.map(({ layers: [start, end] }, stage) => ({
    ...chainNode(id(`forward-${stage + 1}`), 'mqtile-forward', run),
    stage,
    layers: `${start}-${end - 1}`,
    ...layout.forward[stage]!,
    wires: [[id(stage + 1 < last ? `forward-${stage + 2}` : 'loss')]],
  }));
  const backward = stages.map((_, stage) => ({
    ...chainNode(id(`backward-${stage + 1}`), 'mqtile-backward', { name: '', forward: id(`forward-${stage + 1}`) }),
    ...layout.backward[stage]!,
    wires: [[id(stage > 0 ? `backward-${stage}` : 'all-reduce')]],
  }));
  return [
    {
      ...chainNode(id('dataset'), 'mqtile-dataset', run),
      ...layout.dataset,
      wires: [[id('forward-1')], [id('epoch')]],
    },
    ...forward,
    {
      ...chainNode(id('loss'), 'mqtile-loss', run),
      ...layout.loss,
      wires: [[id(`backward-${last}`)]],
    },
    ...backward.toReversed(),
    {
      ...chainNode(id('all-reduce'), 'mqtile-all-reduce', run),
      ...layout.allReduce,
      wires: [[id('optimizer')]],
    },
    {
      ...chainNode(id('optimizer'), 'mqtile-optimizer', run),
      ...layout.optimizer,
      wires: [[id('dataset'), id('figures')]],
    },
  ];
}

function chainNode<Fields extends object>(id: string, type: string, fields: Fields) {
  return { id, type, ...fields };
}

/** Buttons, what is shown, and the Catch node. */
function aside({ command, dataset, optimizer, errors: [left, y] }: Layout, id: Naming): readonly FlowItem[] {
  const caught: Place = { x: left + widthOf('catch all') / 2, y: y + 40 };
  return [
    ...COMMANDS.map((name, k) => inject(id(name), command(k), name, id('dataset'))),
    debug(id('epoch'), hangingFrom(dataset), { name: 'end of epoch', complete: 'payload' }),
    debug(id('figures'), hangingFrom(optimizer), { name: 'loss of the step', complete: 'payload.loss', under: true }),
    { id: id('catch'), type: 'catch', name: '', scope: null, uncaught: false, ...caught, wires: [[id('errors')]] },
    debug(id('errors'), { x: caught.x + 220, y: caught.y }, { name: 'errors', complete: 'error.message' }),
  ];
}

function comments(request: FlowRequest, layout: Layout, id: Naming): readonly FlowItem[] {
  const above = (name: string, place: Place, { title, text }: Explanation) =>
    comment(id(name), commentAt(place, NODE_WIDTH), title, text);
  const about = explainAll(request);
  const errors = explainErrors();
  const { stages } = request.plan;
  return [
    comment(id('about'), layout.title, about.title, about.text),
    above('about-dataset', layout.dataset, explainBatch(request)),
    ...stages.map((stage, index) =>
      above(`about-stage-${index + 1}`, layout.forward[index]!, explainStage(request, stage, index)),
    ),
    above('about-loss', layout.loss, explainLoss(request)),
    above('about-backward', layout.backward.at(-1)!, explainBackward(request)),
    above('about-all-reduce', layout.allReduce, explainAllReduce(request)),
    above('about-optimizer', layout.optimizer, explainOptimizer()),
    comment(id('about-errors'), layout.errors, errors.title, errors.text),
  ];
}
