/**
 * Revectorization: V8 can make one AVX2 instruction of two of WebAssembly's, where tiles are wide enough. The pass is experimental, so
 * what it makes is tested before it is used, and switched off by MQTILE_REVECTORIZE=0.
 */

import { setFlagsFromString } from 'node:v8';

import { passesSelfTest } from './self-test.ts';

/** It stays set: functions are optimised one by one, when they have run often enough. */
const FLAG = '--experimental-wasm-revectorize';

/** A custom section `w`: other bytes, or V8 would find the module that it compiled from the same ones without the flag. */
const SECTION = Uint8Array.of(0, 2, 1, 0x77);

/** Whether this process wants to try. */
export function wantsRevectorization(): boolean {
  return process.arch === 'x64' && process.env['MQTILE_REVECTORIZE'] !== '0';
}

/**
 * Compiles kernels with revectorization.
 * @param plain the same kernels as they are
 * @returns undefined where V8 cannot do it, does it wrong, or gains nothing
 */
export async function revectorize(
  bytes: Uint8Array<ArrayBuffer>,
  plain: WebAssembly.Module,
): Promise<WebAssembly.Module | undefined> {
  const marked = new Uint8Array([...bytes, ...SECTION]);
  setFlagsFromString(FLAG);
  const wide = await WebAssembly.compile(marked);
  return passesSelfTest(wide, plain) ? wide : undefined;
}
