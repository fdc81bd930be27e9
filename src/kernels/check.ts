/**
 * Checks kernel calls before they are encoded: shapes that no kernel takes, and views that leave the arena. Kernels themselves
 * check nothing, so this is what stands between a wrong plan and overwritten memory.
 */

import { KernelError } from '../errors.ts';
import type { KernelCall } from '../tensor/call.ts';
import { NEEDS } from './needs.ts';
import { applyTo } from './per-call.ts';
import type { Needs } from './rules.ts';

/**
 * Checks calls against an arena of `bytes` bytes.
 * @throws {KernelError} `kernelCall` naming the call's position and kind, and what is wrong with it
 */
export function checkCalls(calls: readonly KernelCall[], bytes: number): void {
  calls.forEach((call, index) => {
    const fault = faultOf(applyTo(NEEDS, call), bytes);
    if (fault !== undefined) throw new KernelError('kernelCall', `call ${index} (${call.kind}): ${fault}`);
  });
}

function faultOf({ spans, rules = [] }: Needs, bytes: number): string | undefined {
  const broken = rules.find(([holds]) => !holds);
  if (broken !== undefined) return broken[1];
  for (const { name, start, end, cellBytes, aligned } of spans) {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) return `${name} lies at a broken offset`;
    if (!aligned) return `${name} is not aligned to ${cellBytes} bytes`;
    if (start < 0 || end > bytes) return `${name} covers bytes ${start} to ${end} of an arena of ${bytes}`;
  }
  return undefined;
}
