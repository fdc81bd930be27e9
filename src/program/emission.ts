/** Emission: what the emitters of one iteration share while they write its calls. */

import type { Model } from '../model/layers.ts';
import type { Plan, Stage } from '../planner/plan.ts';
import { isEmpty } from '../tensor/box.ts';
import type { Linker } from './linker.ts';
import type { Message } from './messages.ts';
import type { CompileOptions, Variant } from './options.ts';
import type { Stored } from './planes.ts';
import type { Storage } from './storage.ts';
import type { MessagePlaces } from './transfers.ts';

export interface IterationRequest {
  readonly model: Model;
  readonly plan: Plan;
  readonly rank: number;
  readonly options: CompileOptions;
  readonly storage: Storage;
  readonly variant: Variant;
  readonly stages: readonly Stage[];
  readonly messages: readonly Message[];
}

/** What the emitters of one iteration share. */
export interface Emission extends IterationRequest {
  readonly parity: 0 | 1;
  readonly linker: Linker;
  readonly places: MessagePlaces;
  /** By stage: its output; undefined where the device owns nothing. */
  readonly outputs: (Stored | undefined)[];
  /** By stage: activations R_0 to R_L as forward left them for backward; undefined where it computes them again. */
  readonly activations: (readonly Stored[] | undefined)[];
  /** By stage: gradient of its input, undefined where there is none. */
  readonly inputGradients: (Stored | undefined)[];
  /** Gradient of the last stage's output. */
  outputGradient: Stored | undefined;
  /** Addresses of this device's part of each parameter's gradient; METRICS among them. */
  readonly parameterGradients: Map<string, number>;
}

/** Messages that this device sends. */
export function mine({ messages, rank }: Emission, purpose: Message['purpose'], stage: number): readonly Message[] {
  return messages.filter((message) => message.from === rank && message.purpose === purpose && message.stage === stage);
}

/** Messages that this device receives. */
export function theirs({ messages, rank }: Emission, purpose: Message['purpose'], stage: number): readonly Message[] {
  return messages.filter((message) => message.to === rank && message.purpose === purpose && message.stage === stage);
}

/** Whether this device computes anything in a stage of this iteration. */
export function takesPart({ stages, rank }: Emission, stage: number): boolean {
  return !isEmpty(stages[stage]!.owned[rank]!);
}
