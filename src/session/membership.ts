/** Membership: this node's part in one run, from the spec to the end: join, get ready, train, say how it went. */

import { InputError } from '../errors.ts';
import type { Job } from '../job/job.ts';
import type { Plan } from '../planner/plan.ts';
import type { JobState, NodeState } from '../protocol/documents.ts';
import { jobTopic, nodeStateTopic, telemetryTopic } from '../protocol/topics.ts';
import { Telemetry } from '../telemetry/telemetry.ts';
import { listCheckpoints } from '../training/checkpoint/read.ts';
import type { Result, TrainingEvent } from '../training/events.ts';
import type { Run } from '../training/run.ts';
import { checkVersions, connected } from './admission.ts';
import { Agreement } from './agreement.ts';
import { failureOf, type Failure, type NodeContext } from './context.ts';
import { compareFingerprints, fingerprintOf, type Fingerprint } from './fingerprint.ts';
import { Hold } from './hold.ts';
import { MemoryGauge } from './memory-gauge.ts';
import { memberResult, writeCurve } from './outcome.ts';
import { named } from './named.ts';
import { openData, prepareRun, startOf, type JobData, type PreparedRun } from './prepare.ts';
import { planHashOf, planOfSpec, type Spec } from './spec.ts';
import { jobOf, startKey } from './submission.ts';

/** Members must have read their data and compiled their programs within this time. */
const READY_MS = 60_000;

/** After its own end a node serves the others for this long. */
const LINGER_MS = 5_000;

/** A run that this node takes part in. */
export interface Membership {
  readonly spec: Spec;
  /** Ends the run, here and so everywhere. */
  stop(reason: Error): void;
  /** Lets no step begin here, so that the other members wait; before the first step too. Idempotent. */
  pause(): void;
  /** Lets steps begin again. Idempotent. */
  resume(): void;
  /** Settles when the run is over here; never rejects. */
  readonly ended: Promise<void>;
}

/** Takes part in a run. @param expectedHash hash of the plan that the submitter published */
export function joinRun(context: NodeContext, spec: Spec, expectedHash: string): Membership {
  const stop = new AbortController();
  const hold = new Hold((state) => postState(context, state));
  return {
    spec,
    stop: (reason) => stop.abort(reason),
    pause: () => hold.pause(),
    resume: () => hold.resume(),
    ended: takePart({ context, spec, expectedHash, stop: stop.signal, hold }),
  };
}

function postState({ bulletin, cluster, name }: NodeContext, state: NodeState['state']): void {
  bulletin.post(nodeStateTopic(cluster, name), { state } satisfies NodeState, { retain: true });
}

interface Part {
  readonly context: NodeContext;
  readonly spec: Spec;
  readonly expectedHash: string;
  readonly stop: AbortSignal;
  readonly hold: Hold;
}

async function takePart({ context, spec, expectedHash, stop, hold }: Part): Promise<void> {
  const gauge = new MemoryGauge();
  postState(context, 'training');
  let name = 'job';
  let agreement: Agreement | undefined;
  const tell = (state: JobState['state'], failure?: Failure) => tellJob(context, spec, name, { state, failure });
  try {
    const job = jobOf(spec.submission);
    name = job.name;
    tell('preparing');
    const plan = planOfSpec(job, spec);
    const planHash = planHashOf(job, plan);
    agreement = new Agreement(context, spec, job.name, planHash);
    const ended = AbortSignal.any([stop, agreement.signal]);
    checkVersions(context, spec, { planHash, expectedHash });
    await work({ context, spec, job, plan, planHash, agreement, ended, gauge, hold, tell });
    tell('done');
  } catch (error) {
    const failure = failureOf(agreement?.causeOf(error) ?? error);
    context.log(`${name}: ${failure.reason}`);
    agreement?.say('failed', failure);
    tell('failed', failure);
  } finally {
    agreement?.close();
    gauge.close();
    hold.end();
    postState(context, 'online');
  }
}

/** Says how the run as a whole is doing, on the node where it was submitted. */
function tellJob(
  { bulletin, cluster, name }: NodeContext,
  { run, submitter }: Spec,
  job: string,
  { state, failure }: { readonly state: JobState['state']; readonly failure: Failure | undefined },
): void {
  if (submitter !== name) return;
  const why = failure ? { code: failure.code, reason: failure.reason } : {};
  bulletin.post(jobTopic(cluster, job, 'state'), { run, state, ...why } satisfies JobState, { retain: true });
}

interface Work {
  readonly context: NodeContext;
  readonly spec: Spec;
  readonly job: Job;
  readonly plan: Plan;
  readonly planHash: string;
  readonly agreement: Agreement;
  readonly ended: AbortSignal;
  readonly gauge: MemoryGauge;
  readonly hold: Hold;
  readonly tell: (state: JobState['state']) => void;
}

async function work(parts: Work): Promise<void> {
  const { context, spec, job, agreement, ended, tell } = parts;
  await connected(context, spec, ended);
  const data = await named(spec.submission.source, openData(job));
  try {
    let telemetry: Telemetry | undefined;
    const { prepared, fingerprint } = await begin(parts, data, (event) => {
      telemetry?.take(event);
      parts.hold.hear(event);
    });
    try {
      telemetry = startTelemetry(parts, prepared);
      parts.hold.take(prepared.run);
      agreement.say('ready', fingerprint);
      compareFingerprints(context.name, fingerprint, await agreement.all(['ready', 'running', 'done'], READY_MS));
      agreement.say('running');
      tell('training');
      context.log(
        `${job.name}: training ${prepared.schedule.steps - prepared.schedule.startStep} steps on ${spec.members.length} nodes`,
      );
      await trainAndTell(parts, prepared, telemetry);
    } finally {
      telemetry?.close();
      await prepared.run.close();
      prepared.session.close();
    }
  } finally {
    await closeData(data);
  }
}

interface Begun {
  readonly prepared: PreparedRun;
  readonly fingerprint: Fingerprint;
}

/** Reads what training begins with and prepares the run. A function of its own, so that the weights it read are let go when it returns. */
async function begin(parts: Work, data: JobData, emit: (event: TrainingEvent) => void): Promise<Begun> {
  const { context, spec, job } = parts;
  const { source, resume } = spec.submission;
  const reading = async () => startOf(job, resume ? await agreeOnStep(parts) : undefined);
  const start = await named(`${source}: ${startKey(spec.submission)}`, reading());
  const fingerprint = await fingerprintOf(data, start);
  return { prepared: await prepareRun(context, { ...parts, data, start, emit }), fingerprint };
}

async function trainAndTell(parts: Work, prepared: PreparedRun, telemetry: Telemetry): Promise<void> {
  const { agreement, context, job } = parts;
  const began = performance.now();
  const result = await driveToEnd(parts, prepared.run);
  const seconds = (performance.now() - began) / 1000;
  const curve = result.checkpoint === undefined ? undefined : await writeCurve(job, telemetry, result);
  telemetry.close();
  agreement.say('done', { result: memberResult({ ...parts, prepared, telemetry, result, seconds, curve }) });
  context.log(`${job.name}: done after ${seconds.toFixed(1)} s`);
  // Others may still need what this node sent last; one that is gone by now no longer matters.
  await agreement.all(['done'], LINGER_MS).catch(() => {});
}

/** Lets the node's driver bring the run to its end, and ends with it when the run stops, whether the driver has noticed or not. */
async function driveToEnd({ context, job, plan, ended }: Work, run: Run): Promise<Result> {
  const { signal } = run;
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(signal.reason as Error);
  const abort = () => run.abort(ended.reason);
  signal.addEventListener('abort', stop, { once: true });
  ended.addEventListener('abort', abort, { once: true });
  try {
    if (ended.aborted) abort();
    return await Promise.race([context.drive(run, { job, plan, signal }), stopped.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    ended.removeEventListener('abort', abort);
  }
}

/** Newest checkpoint that every member can read. @throws {InputError} `checkpointMissing` */
async function agreeOnStep({ job, agreement }: Work): Promise<number> {
  const { directory } = job.checkpoint;
  agreement.say('joining', { steps: await listCheckpoints(directory) });
  const members = await agreement.all(['joining', 'ready'], READY_MS);
  const lists = [...members.values()].flatMap(({ steps }) => (steps ? [steps] : []));
  const common = lists[0]!.filter((step) => lists.every((list) => list.includes(step)));
  if (common.length === 0) {
    throw new InputError(
      'checkpointMissing',
      `${directory}: holds no checkpoint that all ${members.size} nodes can read; start without --resume`,
    );
  }
  return Math.max(...common);
}

function startTelemetry({ context, spec, job, gauge }: Work, { program, session }: PreparedRun): Telemetry {
  const { cluster, name, bulletin } = context;
  return new Telemetry({
    run: spec.run,
    post: (kind, document) => bulletin.post(telemetryTopic(cluster, job.name, name, kind), document, { retain: true }),
    memory: () => ({ predictedBytes: program.arenaBytes, ...gauge.read() }),
    network: () => ({ ...session.statistics }),
  });
}

async function closeData({ train, test }: JobData): Promise<void> {
  await train.close();
  await test?.close();
}
