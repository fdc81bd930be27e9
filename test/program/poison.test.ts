import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { Engine } from '../../src/kernels/engine.ts';
import { createReferenceEngine } from '../../src/kernels/reference/engine.ts';
import { createEngine } from '../../src/kernels/wasm-engine.ts';
import { parameterTensors } from '../../src/model/parameters.ts';
import type { ConvolutionAlgorithms } from '../../src/planner/plan.ts';
import type { Variant } from '../../src/program/options.ts';
import { createLockstep, relativeError, untiledBatch, untiledParameters, type Lockstep } from '../support/lockstep.ts';
import { plannedNetworks, type Planned } from '../support/random-networks.ts';
import { untiledStep } from '../support/untiled.ts';

const WASM = await createEngine();
const ENGINES: readonly (readonly [string, Engine, number, typeof plannedNetworks])[] = [
  ['reference kernels', createReferenceEngine(), 25, plannedNetworks],
  ['WebAssembly kernels', WASM, 60, plannedNetworks],
  ['reference kernels, Winograd', createReferenceEngine(), 25, plannedNetworks.map(byWinograd)],
];

/** The same plan with Winograd wherever it can be. */
function byWinograd({ model, plan }: Planned): Planned {
  const passes: ConvolutionAlgorithms = { forward: 'winograd', inputGradient: 'winograd', weightGradient: 'winograd' };
  const names = model.layers.flatMap((layer) => (layer.kind === 'conv2d' ? [layer.name] : []));
  const convolutions = Object.fromEntries(names.map((name) => [name, passes]));
  return { model, plan: { ...plan, kernels: { mode: 'fast', wide: plan.devices.map(() => false), convolutions } } };
}

test.after.always(() => WASM.close());

async function open({ model, plan }: Planned, engine: Engine): Promise<{ lockstep: Lockstep; variants: Variant[] }> {
  const variants: Variant[] = [
    { kind: 'train', samples: plan.batch },
    { kind: 'train', samples: Math.max(1, plan.batch - 1) },
    { kind: 'evaluate', samples: plan.batch },
  ];
  return { lockstep: await createLockstep({ model, plan, variants, engine }), variants };
}

function state({ model, plan }: Planned, lockstep: Lockstep): readonly Uint8Array[] {
  const tensors = parameterTensors(model).flatMap(({ name }) => [
    lockstep.momentum(name),
    ...plan.parameters.find((one) => one.name === name)!.holders.map((rank) => lockstep.weights(rank, name)),
  ]);
  const metrics = plan.devices.map((_, rank) => lockstep.metrics(rank));
  return [...tensors, ...metrics].map(({ buffer }) => new Uint8Array(buffer));
}

async function checkPoisoned(t: ExecutionContext, planned: Planned, engine: Engine): Promise<void> {
  const clean = await open(planned, engine);
  const poisoned = await open(planned, engine);
  for (const [k, variant] of [...clean.variants, clean.variants[0]!].entries()) {
    await clean.lockstep.iterate(variant, k);
    poisoned.lockstep.poison();
    await poisoned.lockstep.iterate(variant, k);
    t.deepEqual(state(planned, poisoned.lockstep), state(planned, clean.lockstep), `iteration ${k}`);
  }
}

/** Every device has the same weights and metrics, and the gradients are those of the definitions. */
async function checkTruth(t: ExecutionContext, planned: Planned, engine: Engine): Promise<number> {
  const { model, plan } = planned;
  const { lockstep, variants } = await open(planned, engine);
  await lockstep.iterate(variants[1]!, 5);
  const { samples } = variants[1]!;
  const truth = untiledStep(model, untiledParameters(model), untiledBatch(model, samples, 5));
  let worst = 0;
  for (const [rank] of plan.devices.entries()) {
    const [loss, correct, ...notFinite] = lockstep.metrics(rank);
    worst = Math.max(worst, relativeError([loss!], [truth.loss]));
    t.is(correct, truth.correct);
    t.true(notFinite.every((flag) => flag === 0));
  }
  // Where terms cancel, only what was added up says how close to nothing a sum can come.
  const least = Math.max(1e-3, ...[...truth.gradients.values()].map((values) => 0.01 * largest(values)));
  for (const [name, gradient] of truth.gradients) {
    const { holders } = plan.parameters.find((parameter) => parameter.name === name)!;
    for (const rank of holders) t.deepEqual(lockstep.weights(rank, name), lockstep.weights(holders[0]!, name));
    worst = Math.max(worst, relativeError(lockstep.momentum(name), gradient) * Math.min(1, largest(gradient) / least));
  }
  t.true(worst <= 5e-6, `relative error ${worst}`);
  return worst;
}

const largest = (values: Float64Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Among the networks of this seed no rounding moves a value across the kink of a ReLU or past another in a pooling. */
const SEED = 11;

for (const [name, engine, numRuns, plans] of ENGINES) {
  test(`${name}: NaN in every buffer, slot and send region before an iteration does not change a bit`, async (t) => {
    await fc.assert(
      fc.asyncProperty(plans, (planned) => checkPoisoned(t, planned, engine)),
      { numRuns },
    );
  });

  test(`${name}: any network cut in any way computes the loss and the gradients of the definitions`, async (t) => {
    let worst = 0;
    await fc.assert(
      fc.asyncProperty(plans, async (planned) => {
        worst = Math.max(worst, await checkTruth(t, planned, engine));
      }),
      { numRuns: 2 * numRuns, seed: SEED },
    );
    t.log(`largest relative error of loss and gradients ${worst.toExponential(1)}`);
  });
}
