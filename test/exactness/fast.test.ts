import test from 'ava';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { Model } from '../../src/model/layers.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import type { KernelPlan } from '../../src/planner/plan.ts';
import { fastKernels } from '../support/kernel-plans.ts';
import { createLockstep, relativeError, untiledBatch, untiledParameters } from '../support/lockstep.ts';
import { flipsOf, maskRecorder, type Masks } from '../support/masks.ts';
import { ODD } from '../support/odd-networks.ts';
import { untiledStep, type UntiledStep } from '../support/untiled.ts';

const engine = await createEngine();
test.after.always(() => engine.close());

/** Rounding differences grow to other gradients where they flip a mask: so each network has a batch with which none does. */
interface Network {
  readonly model: Model;
  readonly samples: number;
  readonly seed: number;
}

const NETWORKS: readonly Network[] = [
  { model: zooModel('lenet5'), samples: 12, seed: 3 },
  ...ODD.map(({ model }) => ({ model, samples: 12, seed: 3 })),
  { model: zooModel('yolov2-front', [48, 48]), samples: 1, seed: 1 },
];

interface Outcome {
  /** Of the loss or the gradient of a parameter from float64, the largest. */
  readonly distance: number;
  readonly masks: Masks;
}

async function takeStep({ model, samples, seed }: Network, kernels: KernelPlan, exact: UntiledStep): Promise<Outcome> {
  const variant = { kind: 'train', samples } as const;
  const plan = makePlan(model, ['alone'], { batch: samples, request: { grid: [1, 1] }, kernels });
  const { masks, observe } = maskRecorder();
  const lockstep = await createLockstep({ model, plan, variants: [variant], engine, observe });
  await lockstep.iterate(variant, seed);
  const loss = relativeError([lockstep.metrics(0)[0]!], [exact.loss]);
  const gradients = [...exact.gradients].map(([name, gradient]) => relativeError(lockstep.momentum(name), gradient));
  return { distance: Math.max(loss, ...gradients), masks };
}

for (const network of NETWORKS) {
  const { model, samples, seed } = network;
  test(`a step of ${model.name} in mode fast is at most ten times as far from float64 as in mode strict`, async (t) => {
    const exact = untiledStep(model, untiledParameters(model), untiledBatch(model, samples, seed));
    const strict = await takeStep(network, { mode: 'strict' }, exact);
    t.true(strict.distance <= 2e-6, `strict ${strict.distance}`);
    for (const algorithm of ['direct', 'winograd'] as const) {
      for (const wide of [false, true]) {
        const { distance, masks } = await takeStep(network, fastKernels(model, [wide], algorithm), exact);
        const name = `${algorithm}, ${wide ? 'wide' : 'narrow'} tiles`;
        t.log(`${name}: ${distance.toExponential(1)}, strict ${strict.distance.toExponential(1)}`);
        t.is(flipsOf(masks, strict.masks), 0, `${name}: masks that flipped; another seed may have none`);
        t.true(distance <= 10 * strict.distance, name);
      }
    }
  });
}
