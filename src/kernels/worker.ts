/** The worker thread: sleeps on a futex until the engine asks, executes, answers. It never returns to an event loop before STOP. */

import { receiveMessageOnPort, workerData } from 'node:worker_threads';

import * as control from './control.ts';
import { instantiate, type Kernels } from './loader.ts';

const { module, control: buffer, port } = workerData as control.WorkerData;
const words = new Int32Array(buffer);
const times = new Float64Array(buffer);
const arenas = new Map<number, Kernels>();

let request = 0;
for (let command = 0; command !== control.STOP;) {
  Atomics.wait(words, control.REQUEST, request);
  const next = Atomics.load(words, control.REQUEST);
  if (next === request) continue;
  request = next;
  command = words[control.COMMAND]!;
  words[control.STATUS] = obey(command);
  Atomics.store(words, control.DONE, request);
  Atomics.notify(words, control.DONE);
}
port.close();

function obey(command: number): number {
  const arena = words[control.ARENA]!;
  try {
    if (command === control.ATTACH) arenas.set(arena, instantiate(module, received() as WebAssembly.Memory));
    else if (command === control.DETACH) arenas.delete(arena);
    else if (command === control.RUN) run(arenas.get(arena)!);
    return control.OK;
  } catch (error) {
    port.postMessage(error instanceof Error ? error.message : String(error), []);
    return control.FAILED;
  }
}

function run(kernels: Kernels): void {
  const began = performance.now();
  kernels.execute(words[control.OFFSET]!, words[control.CALLS]!);
  times[control.MILLISECONDS] = performance.now() - began;
}

function received(): unknown {
  return (receiveMessageOnPort(port) as { message: unknown }).message;
}
