/** Preparing a run: data, checkpoint, program, arena and session, so that the first message may come. */

import { Collective } from '../collective/collective.ts';
import type { Dataset } from '../dataset/dataset.ts';
import { openDataset } from '../dataset/open-dataset.ts';
import { InputError } from '../errors.ts';
import type { Arena } from '../kernels/engine.ts';
import { totalSteps, type Job } from '../job/job.ts';
import { initialParameters } from '../model/init.ts';
import { parameterTensors } from '../model/parameters.ts';
import { activationShapes } from '../model/shapes.ts';
import { kernelsAt, type KernelRecord } from '../planner/kernels.ts';
import type { Plan } from '../planner/plan.ts';
import { compileProgram } from '../program/compile.ts';
import { momentumName } from '../program/messages.ts';
import type { Program } from '../program/program.ts';
import { CHUNK_BYTES, HEADER_BYTES } from '../protocol/frame.ts';
import { weightsChecksum } from '../training/checkpoint/hash.ts';
import { checkpointFile, readCheckpoint, readWeights } from '../training/checkpoint/read.ts';
import { removeCheckpoints, writeCheckpoint } from '../training/checkpoint/write.ts';
import type { TrainingEvent } from '../training/events.ts';
import { LocalRun } from '../training/local-run.ts';
import type { Snapshot } from '../training/run-options.ts';
import type { TensorMap } from '../training/parameters.ts';
import { variantsOf, type ScheduleOptions } from '../training/schedule.ts';
import type { Session } from '../transport/transport.ts';
import type { NodeContext } from './context.ts';
import type { Spec } from './spec.ts';

/** Data sets of a job, open. */
export interface JobData {
  readonly train: Dataset;
  readonly test: Dataset | undefined;
}

/**
 * Opens the job's data and checks it against the model.
 * @throws {InputError} of `openDataset`
 */
export async function openData(job: Job): Promise<JobData> {
  const [classes] = activationShapes(job.model).at(-1)!;
  const wanted = { classes: job.model.loss === 'softmaxCrossEntropy' ? classes : 256, shape: job.model.input };
  if (job.data.kind === 'random') {
    const { count } = job.data;
    return { train: await openDataset({ kind: 'random', count, seed: job.seed }, wanted), test: undefined };
  }
  const { images, labels, test } = job.data;
  const train = await openDataset({ kind: 'idx', images, labels, split: 'train' }, wanted);
  if (!test) return { train, test: undefined };
  try {
    return { train, test: await openDataset({ kind: 'idx', ...test, split: 'test' }, wanted) };
  } catch (error) {
    await train.close();
    throw error;
  }
}

/** Where training begins: the step, and tensors by name. */
export interface Start {
  readonly step: number;
  readonly tensors: TensorMap;
}

/**
 * The state to begin with: a checkpoint, the job's `init` file, or weights drawn from the seed.
 * @param resumeStep step of the checkpoint to go on from
 * @throws {InputError} of `readCheckpoint` and `readWeights`
 */
export async function startOf(job: Job, resumeStep: number | undefined): Promise<Start> {
  const values = (tensors: ReadonlyMap<string, { values: Float32Array<ArrayBuffer> }>) =>
    new Map([...tensors].map(([name, tensor]) => [name, tensor.values]));
  if (resumeStep !== undefined) {
    const { tensors } = await readCheckpoint(checkpointFile(job.checkpoint.directory, resumeStep), job.model);
    return { step: resumeStep, tensors: values(tensors) };
  }
  if (job.init !== undefined) return { step: 0, tensors: values(await readWeights(job.init, job.model)) };
  return { step: 0, tensors: values(initialParameters(job.model, job.seed)) };
}

/** Order of iterations of a job on its data. @throws {InputError} `nothingToTrain` when a checkpoint is at or beyond the job's end */
export function scheduleOf(
  job: Job,
  { train, test }: Pick<JobData, 'train' | 'test'>,
  startStep: number,
): ScheduleOptions {
  const steps = totalSteps(job, train.count);
  if (startStep >= steps) {
    throw new InputError(
      'nothingToTrain',
      `the checkpoint is at step ${startStep} and the job ends at step ${steps}: nothing is left to train; raise epochs or steps`,
    );
  }
  return {
    trainSamples: train.count,
    testSamples: test?.count ?? 0,
    batch: job.batch,
    steps,
    startStep,
    checkpointEverySteps: job.checkpoint.everySteps,
    seed: job.seed,
    shuffle: job.shuffle,
  };
}

/** The program of one rank: what it computes, sends and receives, and the memory for it. */
export function programOfJob(
  job: Job,
  plan: Plan,
  rank: number,
  options: { schedule: ScheduleOptions; writers: readonly number[] },
): Program {
  const { mean, std: deviation } = job.data.normalize;
  return compileProgram(job.model, plan, rank, {
    framing: { chunkBytes: CHUNK_BYTES, headerBytes: HEADER_BYTES },
    optimizer: job.optimizer,
    normalization: { mean, deviation },
    writers: options.writers,
    variants: variantsOf(options.schedule),
  });
}

export interface RunRequest {
  readonly spec: Spec;
  readonly job: Job;
  readonly plan: Plan;
  readonly planHash: string;
  readonly data: JobData;
  readonly start: Start;
  readonly emit: (event: TrainingEvent) => void;
}

/** A run that can begin as soon as all members can. */
export interface PreparedRun {
  readonly run: LocalRun;
  readonly program: Program;
  readonly session: Session;
  readonly schedule: ScheduleOptions;
}

export async function prepareRun(context: NodeContext, request: RunRequest): Promise<PreparedRun> {
  const { spec, job, plan, planHash, data, start } = request;
  const names = spec.members.map(({ name }) => name);
  const rank = names.indexOf(context.name);
  const writers = spec.submission.writers === 'first' ? [0] : [...names.keys()];
  const schedule = scheduleOf(job, data, start.step);
  const program = programOfJob(job, plan, rank, { schedule, writers });
  const arena = await context.engine.allocate(program.arenaBytes, kernelsAt(plan.kernels, rank));
  const peers = names.filter((name) => name !== context.name);
  const session = context.transport.open({ job: job.name, run: spec.run, planHash, peers, memory: arena.bytes });
  const run = makeRun({ ...request, program, arena, session, schedule, writes: writers.includes(rank) });
  return { run, program, session, schedule };
}

interface Parts extends RunRequest {
  readonly program: Program;
  readonly arena: Arena;
  readonly session: Session;
  readonly schedule: ScheduleOptions;
  readonly writes: boolean;
}

function makeRun(parts: Parts): LocalRun {
  const { spec, job, plan, planHash, data, start, program, arena, session, schedule, emit } = parts;
  const { mean, std: deviation } = job.data.normalize;
  const kernels: KernelRecord = { devices: plan.devices, kernels: plan.kernels };
  const run: LocalRun = new LocalRun({
    run: spec.run,
    plan,
    program,
    arena,
    collective: new Collective(session, plan.devices, (reason) => run.abort(reason)),
    train: data.train,
    test: data.test,
    schedule,
    normalization: { mean, deviation },
    learningRate: job.optimizer,
    initial: start.tensors,
    write: parts.writes ? checkpointWriter({ job, planHash, kernels, startStep: start.step }) : undefined,
    checksumOf: (tensors) => weightsChecksum(withShapes(job, tensors)),
    emit,
  });
  return run;
}

interface Writing {
  readonly job: Job;
  readonly planHash: string;
  readonly kernels: KernelRecord;
  readonly startStep: number;
}

/** Takes no more than it needs: what a closure can see stays in memory for the whole run, and weights to begin with are large. */
function checkpointWriter({ job, startStep, ...made }: Writing): (snapshot: Snapshot) => Promise<string> {
  const { directory } = job.checkpoint;
  return async ({ step, epoch, tensors }) => {
    // The first checkpoint of a new run replaces those of an older one; a resumed run never makes it.
    if (step === 0 && startStep === 0) await removeCheckpoints(directory);
    const content = { step, epoch, model: job.model, job, ...made, tensors: withShapes(job, tensors) };
    return writeCheckpoint(directory, content);
  };
}

/** Tensors as checkpoints want them: shapes as PyTorch has them, weights in layer order, then momentum. */
function withShapes(
  job: Job,
  tensors: TensorMap,
): Map<string, { shape: readonly number[]; values: Float32Array<ArrayBuffer> }> {
  const parameters = parameterTensors(job.model);
  const ordered = [...parameters, ...parameters.map(({ name, shape }) => ({ name: momentumName(name), shape }))];
  return new Map(
    ordered.flatMap(({ name, shape }) => {
      const values = tensors.get(name);
      return values ? [[name, { shape, values }]] : [];
    }),
  );
}
