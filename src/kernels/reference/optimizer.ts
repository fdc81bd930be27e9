/** Optimizer steps over flat stretches of parameters. */

import type { SgdCall } from '../../tensor/call.ts';
import { FLOAT_BYTES } from '../../tensor/view.ts';
import { read, write, type Memory } from './memory.ts';

/** See {@link SgdCall}. A momentum that starts at zero gives PyTorch's first step, m = g. */
export function sgd(memory: Memory, call: SgdCall): void {
  const rate = read(memory, call.rate);
  for (let i = 0; i < call.length; i++) {
    const at = i * FLOAT_BYTES;
    const weight = read(memory, call.weights + at);
    let step = read(memory, call.gradient + at) + call.weightDecay * weight;
    if (call.momentum !== 0) {
      step += call.coefficient * read(memory, call.momentum + at);
      write(memory, call.momentum + at, step);
    }
    write(memory, call.weights + at, weight - rate * step);
  }
}
