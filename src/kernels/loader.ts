/** Loader: the compiled kernels, as a module that every thread instantiates over the memory it is given. */

import { readFile } from 'node:fs/promises';

import { KernelError } from '../errors.ts';

/** What the compiled kernels export; see assembly/index.ts. */
export interface Kernels {
  execute(at: number, count: number): void;
  multiplyAddPeak(iterations: number, factor: number, addend: number): number;
  multiplyAddFlops(): number;
  blockVersion(): number;
}

/** Raised here and in assembly/index.ts whenever a parameter block changes: an older build would compute nonsense without a word. */
const BLOCK_VERSION = 5;

/** The build of mode `strict`; the same path from src/kernels/ and from dist/kernels/. */
export const STRICT_URL = new URL('../../dist/kernels/strict.wasm', import.meta.url);

/**
 * Compiles the kernels.
 * @throws {KernelError} `kernelsMissing` when they were not built, `kernelsStale` when they were built from other sources, `kernelsInvalid`
 * when this Node cannot compile them
 */
export async function loadKernels(url: URL = STRICT_URL): Promise<WebAssembly.Module> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await readFile(url);
  } catch (cause) {
    throw new KernelError('kernelsMissing', `cannot read ${url.pathname}; run \`npm run build:kernels\``, { cause });
  }
  const module = await WebAssembly.compile(bytes).catch((cause: unknown) => {
    throw new KernelError(
      'kernelsInvalid',
      `this Node cannot compile ${url.pathname}: it wants WebAssembly with SIMD and threads`,
      { cause },
    );
  });
  checkBuild(module);
  return module;
}

function checkBuild(module: WebAssembly.Module): void {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
  const { blockVersion }: Partial<Kernels> = instantiate(module, memory);
  if (blockVersion?.() === BLOCK_VERSION) return;
  throw new KernelError('kernelsStale', 'the compiled kernels are of other sources; run `npm run build:kernels`');
}

/** Instantiates the kernels over a shared memory. They bring no data of their own, so nothing in it changes. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Kernels;
}
