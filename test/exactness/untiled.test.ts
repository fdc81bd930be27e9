import test from 'ava';
import type { Engine } from '../../src/kernels/engine.ts';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import type { Model } from '../../src/model/layers.ts';
import { zooModel } from '../../src/model/zoo.ts';
import { makePlan } from '../../src/planner/make-plan.ts';
import { createLockstep, relativeError, untiledBatch, untiledParameters } from '../support/lockstep.ts';
import { ODD } from '../support/odd-networks.ts';
import { untiledStep, untiledUpdate, type Parameters } from '../support/untiled.ts';

const wasm = await createEngine();

test.after.always(() => wasm.close());

const ENGINES: readonly (readonly [string, Engine])[] = [
  ['reference kernels', createReferenceEngine()],
  ['WebAssembly kernels', wasm],
];
const MODELS: readonly Model[] = [zooModel('lenet5'), ...ODD.map(({ model }) => model)];
const SAMPLES = 12;

for (const [name, engine] of ENGINES) {
  for (const model of MODELS) {
    test(`one step of ${model.name} with ${name} is that of an untiled network in float64`, async (t) => {
      const variant = { kind: 'train', samples: SAMPLES } as const;
      const optimizer = { rate: 0.05, momentum: 0.9, weightDecay: 0 };
      const plan = makePlan(model, ['alone'], { batch: SAMPLES, request: { grid: [1, 1] } });
      const lockstep = await createLockstep({ model, plan, variants: [variant], optimizer, engine });
      await lockstep.iterate(variant, 3);
      const parameters = untiledParameters(model);
      const { loss, correct, gradients } = untiledStep(model, parameters, untiledBatch(model, SAMPLES, 3));
      t.true(relativeError([lockstep.metrics(0)[0]!], [loss]) <= 2e-6);
      t.is(lockstep.metrics(0)[1], correct);
      const errors = [...gradients].map(([tensor, gradient]) => relativeError(lockstep.momentum(tensor), gradient));
      t.log(`gradients ${Math.max(...errors).toExponential(1)}`);
      t.true(Math.max(...errors) <= 2e-6);
    });
  }

  test(`ten steps with momentum and weight decay with ${name} are those of an untiled network in float64`, async (t) => {
    const { model } = ODD[0]!;
    const variant = { kind: 'train', samples: SAMPLES } as const;
    const optimizer = { rate: 0.02, momentum: 0.8, weightDecay: 0.01 };
    const plan = makePlan(model, ['a', 'b', 'c', 'd'], { batch: SAMPLES, request: { grid: [2, 2] } });
    const lockstep = await createLockstep({ model, plan, variants: [variant], optimizer, engine });
    const parameters = untiledParameters(model);
    const velocity: Parameters = new Map();
    for (let step = 0; step < 10; step++) {
      await lockstep.iterate(variant, step);
      const { gradients } = untiledStep(model, parameters, untiledBatch(model, SAMPLES, step));
      untiledUpdate(parameters, gradients, velocity, optimizer);
    }
    const errors = [...parameters].map(([tensor, values]) => relativeError(lockstep.weights(0, tensor), values));
    const kept = [...velocity].map(([tensor, values]) => relativeError(lockstep.momentum(tensor), values));
    t.log(`weights ${Math.max(...errors).toExponential(1)}, momentum ${Math.max(...kept).toExponential(1)}`);
    t.true(Math.max(...errors) <= 5e-6);
    t.true(Math.max(...kept) <= 2e-5);
  });
}
