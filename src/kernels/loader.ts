/** Loader: the compiled kernels, as a module that every thread instantiates over the memory it is given. */

import { readFile } from 'node:fs/promises';

import { KernelError } from '../errors.ts';

/** What the compiled kernels export; see assembly/index.ts. */
export interface Kernels {
  execute(at: number, count: number): void;
  multiplyAddPeak(at: number, iterations: number, factor: number, addend: number): void;
  multiplyAddFlops(wide: boolean): number;
  blockVersion(): number;
}

/** Raised here and in assembly/index.ts whenever a parameter block changes: an older build would compute nonsense without a word. */
const BLOCK_VERSION = 6;

/** The build of mode `strict`; the same path from src/kernels/ and from dist/kernels/. */
export const STRICT_URL = new URL('../../dist/kernels/strict.wasm', import.meta.url);

/** The build of mode `fast`, with fused multiply-adds. */
const FAST_URL = new URL('../../dist/kernels/fast.wasm', import.meta.url);

/** `strict`: the same bits on every CPU. `fast`: multiply-adds are fused where the CPU can, and sums run as is fastest. */
export type KernelMode = 'strict' | 'fast';

/**
 * Compiles the kernels of a mode; those of `strict` serve `fast` where this Node has no relaxed SIMD.
 * @throws {KernelError} as {@link loadKernels}
 */
export async function loadMode(mode: KernelMode): Promise<WebAssembly.Module> {
  const fast = mode === 'fast' && WebAssembly.validate(await readBuild(FAST_URL));
  return loadKernels(fast ? FAST_URL : STRICT_URL);
}

/**
 * Compiles the kernels.
 * @throws {KernelError} `kernelsMissing` when they were not built, `kernelsStale` when they were built from other sources, `kernelsInvalid`
 * when this Node cannot compile them
 */
export async function loadKernels(url: URL = STRICT_URL): Promise<WebAssembly.Module> {
  const bytes = await readBuild(url);
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

async function readBuild(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readFile(url);
  } catch (cause) {
    throw new KernelError('kernelsMissing', `cannot read ${url.pathname}; run \`npm run build:kernels\``, { cause });
  }
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
