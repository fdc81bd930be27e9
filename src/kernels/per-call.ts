/** Tables with one function for each kind of kernel call. */

import type { KernelCall } from '../tensor/call.ts';

/** The call of one kind. */
export type CallOf<Kind extends KernelCall['kind']> = Extract<KernelCall, { kind: Kind }>;

export type PerCall<Result> = { readonly [Kind in KernelCall['kind']]: (call: CallOf<Kind>) => Result };

/** Looks up the call's kind and applies its function. */
export function applyTo<Result>(table: PerCall<Result>, call: KernelCall): Result {
  const apply = table[call.kind] as (call: KernelCall) => Result;
  return apply(call);
}
