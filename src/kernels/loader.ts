/** Loader: the compiled kernels, as a module that every thread instantiates over the memory it is given. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { KernelError } from '../errors.ts';
import { instantiate, type Kernels } from './instantiate.ts';
import { revectorize, wantsRevectorization } from './revectorize.ts';

/** Raised here and in assembly/index.ts whenever a parameter block changes: an older build would compute nonsense without a word. */
const BLOCK_VERSION = 16;

/** The build of mode `strict`; the same path from src/kernels/ and from dist/kernels/. */
export const STRICT_URL = new URL('../../dist/kernels/strict.wasm', import.meta.url);

/** The build of mode `fast`, with fused multiply-adds. */
const FAST_URL = new URL('../../dist/kernels/fast.wasm', import.meta.url);

/** `strict`: the same bits on every CPU. `fast`: multiply-adds are fused where the CPU can, and sums run as is fastest. */
export type KernelMode = 'strict' | 'fast';

/** Compiled kernels, and whether two of their vectors side by side are one register: then wide tiles are the fast ones. */
export interface Build {
  readonly module: WebAssembly.Module;
  readonly wide: boolean;
}

const builds = new Map<string, Promise<Build>>();

/**
 * Compiles the kernels of a mode as this Node runs them best; those of `strict` serve `fast` where it has no relaxed SIMD. Each is compiled once.
 * @param tries revectorization; by default on x64, unless MQTILE_REVECTORIZE is 0
 * @throws {KernelError} as {@link loadKernels}
 */
export function loadBuild(mode: KernelMode, tries = wantsRevectorization()): Promise<Build> {
  const name = `${mode} ${tries}`;
  const build = builds.get(name) ?? makeBuild(mode, tries);
  builds.set(name, build);
  build.catch(() => builds.delete(name));
  return build;
}

async function makeBuild(mode: KernelMode, tries: boolean): Promise<Build> {
  const fast = mode === 'fast' && WebAssembly.validate(await readBuild(FAST_URL));
  const url = fast ? FAST_URL : STRICT_URL;
  const plain = await loadKernels(url);
  const wide = tries ? await revectorize(await readBuild(url), plain) : undefined;
  return { module: wide ?? plain, wide: wide !== undefined };
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

/** Names the kernels of a mode by their bytes: 16 hexadecimal digits. @throws {KernelError} `kernelsMissing` */
export async function buildHash(mode: KernelMode): Promise<string> {
  const bytes = await readBuild(mode === 'fast' ? FAST_URL : STRICT_URL);
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
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
