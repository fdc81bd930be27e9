/** compileProgram: plan -> per device every kernel call, every address and every message, before the first step. Pure. */

import type { Model } from '../model/layers.ts';
import { activationShapes } from '../model/shapes.ts';
import { clipStage } from '../planner/make-plan.ts';
import type { Plan, Stage } from '../planner/plan.ts';
import { compileIteration } from './iteration.ts';
import { messageTable, type Message } from './messages.ts';
import type { CompileOptions, Variant } from './options.ts';
import { iterationKey, type IterationProgram, type Program } from './program.ts';
import { layoutSends, layoutSlots, layoutStorage, type Storage } from './storage.ts';

interface Draft {
  readonly variant: Variant;
  readonly stages: readonly Stage[];
  readonly messages: readonly Message[];
}

/**
 * @param rank the device that will execute the program
 * @param options `variants` lists every kind and size of iteration of the job
 */
export function compileProgram(model: Model, plan: Plan, rank: number, options: CompileOptions): Program {
  const drafts = options.variants.map((variant): Draft => {
    const stages = plan.stages.map((stage) => clipStage(model, stage, variant.samples));
    const momentum = options.optimizer.momentum !== 0;
    const messages = messageTable({ plan, stages, kind: variant.kind, writers: options.writers, momentum });
    return { variant, stages, messages };
  });
  const storage = placeStorage(model, plan, rank, { options, drafts });
  let arenaBytes = storage.end;
  const iterations = new Map<string, IterationProgram>();
  for (const draft of drafts) {
    const { end, program } = compileIteration({ ...draft, model, plan, rank, options, storage });
    arenaBytes = Math.max(arenaBytes, end);
    iterations.set(iterationKey(draft.variant.kind, draft.variant.samples), program);
  }
  return { rank, loss: model.loss, arenaBytes, storage, iterations };
}

function placeStorage(
  model: Model,
  plan: Plan,
  rank: number,
  { options, drafts }: { options: CompileOptions; drafts: readonly Draft[] },
): Storage {
  const [channels, rows, columns] = activationShapes(model)[0]!;
  return layoutStorage({
    plan,
    rank,
    momentum: options.optimizer.momentum !== 0,
    samples: plan.stages[0]!.needed[rank]![0],
    imageBytes: channels * rows * columns,
    slotBytes: Math.max(0, ...drafts.map(({ messages }) => layoutSlots(messages, rank).bytes)),
    sendBytes: Math.max(0, ...drafts.map(({ messages }) => layoutSends(messages, rank, options.framing).bytes)),
  });
}
