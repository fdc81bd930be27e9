/** An engine all of whose arenas have the kernels of one mode. */

import type { ArenaKernels, Engine } from '../../src/kernels/engine.ts';
import { createEngine, type EngineOptions } from '../../src/kernels/wasm-engine.ts';

export async function createModeEngine(kernels: ArenaKernels, options: EngineOptions = {}): Promise<Engine> {
  const engine = await createEngine(options);
  const close = () => engine.close();
  return { allocate: (bytes) => engine.allocate(bytes, kernels), close, [Symbol.asyncDispose]: close };
}
