import test from 'ava';
import { parseJob } from '../../src/job/parse-job.ts';
import { planHashOf, planOf, planOfSpec, parseSpec, type Spec } from '../../src/session/spec.ts';
import { TYPICAL_RATES, type KernelRates } from '../../src/tensor/rates.ts';

const JOB = `
model:
  input: [3, 32, 32]
  loss: meanSquares
  layers:
    - conv2d: {name: first, filters: 32, kernel: 3, padding: 1, activation: relu}
    - conv2d: {name: last, filters: 32, kernel: 3, padding: 1}
data: {kind: random, size: [32, 32]}
batch: 4
steps: 1
optimizer: {rate: 0.1}
plan: {grid: 1x2}
`;

const MEMBERS = ['pi1', 'pi2'];

/** A machine for which Winograd's algorithm costs nothing. */
const KEEN: KernelRates = {
  ...TYPICAL_RATES,
  wide: true,
  forward: { ...TYPICAL_RATES.forward, winograd: { product: 0, source: 0, target: 0, weights: 0 } },
};

function specOf(more: Partial<Spec>, rates?: KernelRates): Spec {
  return {
    run: '0123456789abcdef',
    protocol: 1,
    version: '0.1.0',
    submitter: 'pi1',
    members: MEMBERS.map((name) => ({ name, instance: 'abc', ...(rates ? { rates } : {}) })),
    submission: { text: JOB, directory: '/', source: 'job.yaml', resume: false, writers: 'all' },
    ...more,
  };
}

/** As other nodes get it. */
const travelled = (spec: Spec): Spec => parseSpec(JSON.parse(JSON.stringify(spec)))!;

test('rates travel with the spec, and every member makes the plan that they decide', (t) => {
  const job = parseJob(JOB, '/', 'job.yaml');
  const spec = specOf({}, KEEN);
  const plan = planOfSpec(job, travelled(spec));
  t.deepEqual(plan, planOfSpec(job, spec));
  t.like(plan.kernels, { mode: 'fast', wide: [true, true] });
  t.true(plan.kernels.mode === 'fast' && plan.kernels.convolutions['last']!.forward === 'winograd');
  t.not(planHashOf(job, plan), planHashOf(job, planOf(job, MEMBERS)));
});

test('members without rates, or with such that are none, count as typical', (t) => {
  const job = parseJob(JOB, '/', 'job.yaml');
  const spec = specOf({});
  const nonsense = { ...spec, members: spec.members.map((member) => ({ ...member, rates: { wide: 'yes' } })) };
  const typical = planOf(job, MEMBERS, { rates: [TYPICAL_RATES, TYPICAL_RATES] });
  t.deepEqual(planOfSpec(job, travelled(spec)), typical);
  t.deepEqual(planOfSpec(job, parseSpec(nonsense)!), typical);
});

test('a run that is gone on with has its own kernels, whatever rates say', (t) => {
  const job = parseJob(JOB, '/', 'job.yaml');
  const kernels = { mode: 'fast', wide: [false, true], convolutions: {} } as const;
  const spec = specOf({ record: { devices: MEMBERS, kernels } }, KEEN);
  t.deepEqual(planOfSpec(job, travelled(spec)).kernels, kernels);
});

test('mode strict has no choice', (t) => {
  const job = parseJob(`${JOB}mode: strict\n`, '/', 'job.yaml');
  t.deepEqual(planOfSpec(job, specOf({}, KEEN)).kernels, { mode: 'strict' });
});
