/** A worker thread: sleeps on a futex until the engine asks, executes its part, answers. It never returns to an event loop before STOP. */

import { receiveMessageOnPort, workerData } from 'node:worker_threads';

import { arrive, breakBarrier } from './barrier.ts';
import * as control from './control.ts';
import { instantiate, type Kernels } from './instantiate.ts';

interface Attached {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
}

/** Bytes of the two words that a thread has for each round. */
const PAIR_BYTES = 8;

const { control: buffer, thread, port } = workerData as control.WorkerData;
const words = new Int32Array(buffer);
const times = new Float64Array(buffer);
const arenas = new Map<number, Attached>();

let request = 0;
for (let command = 0; command !== control.STOP;) {
  Atomics.wait(words, control.requestOf(thread), request);
  const next = Atomics.load(words, control.requestOf(thread));
  if (next === request) continue;
  request = next;
  command = words[control.COMMAND]!;
  words[control.statusOf(thread)] = obey(command);
  if (Atomics.sub(words, control.PENDING, 1) !== 1) continue;
  Atomics.add(words, control.DONE, 1);
  Atomics.notify(words, control.DONE);
}
port.close();

function obey(command: number): number {
  const arena = words[control.ARENA]!;
  try {
    if (command === control.ATTACH) attach(arena);
    else if (command === control.DETACH) arenas.delete(arena);
    else if (command === control.RUN) run(arenas.get(arena)!);
    return control.OK;
  } catch (error) {
    breakBarrier(words);
    port.postMessage(error instanceof Error ? error.message : String(error), []);
    return control.FAILED;
  }
}

function attach(arena: number): void {
  const { message } = receiveMessageOnPort(port) as { message: unknown };
  const { module, memory } = message as control.Attachment;
  arenas.set(arena, { memory, kernels: instantiate(module, memory) });
}

/** Executes this thread's calls, with a barrier between rounds. */
function run({ memory, kernels }: Attached): void {
  const began = performance.now();
  const rounds = words[control.ROUNDS]!;
  const threads = words[control.THREADS]!;
  const table = tableOf(memory, words[control.OFFSET]! + thread * rounds * PAIR_BYTES, rounds);
  for (let round = 0; round < rounds; round++) {
    if (round > 0 && threads > 1 && !arrive(words, threads)) break;
    const count = table[2 * round + 1]!;
    if (count > 0) kernels.execute(table[2 * round]!, count);
  }
  times[control.millisecondsOf(thread)] = performance.now() - began;
}

/** The pairs of words at `offset`. The engine may have grown the memory: this thread hears of it at an interrupt, for which loops stop. */
function tableOf(memory: WebAssembly.Memory, offset: number, rounds: number): Int32Array {
  let { buffer: pages } = memory;
  while (pages.byteLength < offset + rounds * PAIR_BYTES) pages = memory.buffer;
  return new Int32Array(pages, offset, 2 * rounds);
}
