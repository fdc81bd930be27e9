/** A flow that is wired by hand for tests: one device, the stages of LeNet-5, helpers that listen, and wires that a test may change. */

import type { ExecutionContext } from 'ava';
import { digitsJob, scratch, someDigits, writeJob } from './digits.ts';
import type { Runtime } from './node-red.ts';

/** From one node's output to other nodes. */
export interface Wire {
  readonly from: string;
  readonly to: readonly string[];
}

export interface WiredFlowOptions {
  readonly job: string;
  readonly stages?: number;
  readonly grid?: string;
  readonly node?: Readonly<Record<string, unknown>>;
  /** Wires that replace those of the chain, by the node that they come from. */
  readonly wires?: readonly Wire[];
  /** Nodes that the chain does not have. */
  readonly without?: readonly string[];
  readonly more?: readonly Readonly<Record<string, unknown>>[];
}

/** Nodes `dataset`, `forward1` …, `loss`, `backward1` …, `reduce`, `optimizer`; helpers `steps`, `epoch`, `errors`. */
export function wiredFlow(options: WiredFlowOptions): readonly Record<string, unknown>[] {
  const { job, stages = 3, grid = '1x1', node = {}, wires = [], without = [], more = [] } = options;
  const each = Array.from({ length: stages }, (_, stage) => stage);
  const chain = [
    { id: 'dataset', type: 'mqtile-dataset' },
    ...each.map((stage) => ({ id: `forward${stage + 1}`, type: 'mqtile-forward', stage: String(stage), layers: '' })),
    { id: 'loss', type: 'mqtile-loss' },
    ...each.toReversed().map((stage) => ({
      id: `backward${stage + 1}`,
      type: 'mqtile-backward',
      forward: `forward${stage + 1}`,
    })),
    { id: 'reduce', type: 'mqtile-all-reduce' },
    { id: 'optimizer', type: 'mqtile-optimizer' },
  ];
  const wired = chain.map((one, index) => {
    const next = chain[index + 1]?.id;
    const to = wires.find(({ from }) => from === one.id)?.to ?? (next === undefined ? ['dataset', 'steps'] : [next]);
    return { ...one, name: '', node: 'n1', job: 'job', wires: one.id === 'dataset' ? [to, ['epoch']] : [to] };
  });
  const settings = { node: 'node1', cluster: 'local', listen: '127.0.0.1:0', insecure: false, peers: [], ...node };
  const visual = [
    ...wired.filter(({ id }) => !without.includes(id)),
    { id: 'steps', type: 'helper' },
    { id: 'epoch', type: 'helper' },
    { id: 'catch', type: 'catch', scope: null, uncaught: false, wires: [['errors']] },
    { id: 'errors', type: 'helper' },
    ...more,
  ];
  return [
    { id: 'tab', type: 'tab', label: 'by hand' },
    { id: 'n1', type: 'mqtile-node', name: '', mode: 'embedded', ...settings },
    { id: 'job', type: 'mqtile-job', name: '', source: 'file', path: job, grid, steps: '' },
    // Without a place on the tab, Node-RED takes a node for a configuration node.
    ...visual.map((one) => ({ z: 'tab', x: 100, y: 100, ...one })),
  ];
}

export type Message = Record<string, unknown>;

/** A job file of LeNet-5 on 6,000 digits that goes on for long. */
export async function longJob(t: ExecutionContext): Promise<string> {
  const directory = await scratch(t);
  const digits = await someDigits(directory, 6000, 256);
  return writeJob(directory, digitsJob(digits, { steps: 50_000, epochs: undefined }));
}

/** An error as a Catch node gets it. */
export interface Caught {
  readonly message: string;
  readonly code?: string;
  readonly source: { readonly id: string };
}

/** Errors that came to the Catch node. */
export function errorsOf(runtime: Runtime): readonly Caught[] {
  return runtime.messages('errors').map((message) => message['error'] as Caught);
}

/** Waits for an error at the Catch node. @param after how many of earlier ones do not count */
export function caught(runtime: Runtime, code: string, after = 0): Promise<Caught> {
  return runtime.until(() =>
    errorsOf(runtime)
      .slice(after)
      .find((error) => error.code === code),
  );
}

/** Waits for a red status. */
export function red(runtime: Runtime, id: string): Promise<unknown> {
  return runtime.status(id, ({ fill }) => fill === 'red');
}
