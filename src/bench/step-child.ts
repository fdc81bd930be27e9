/** The process that the step benchmark measures: it holds nothing but the engine and the step, so that its memory is theirs. */

import { readFile } from 'node:fs/promises';
import { instantiate } from '../kernels/instantiate.ts';
import { loadBuild, type KernelMode } from '../kernels/loader.ts';
import { MqtileError } from '../errors.ts';
import type { Algorithm, KernelPlan } from '../planner/plan.ts';
import type { KernelRates } from '../tensor/rates.ts';
import { measurePeak } from './peak.ts';
import { profileStep, type Profile } from './step-profile.ts';
import type { StepSetup } from './step-setup.ts';
import { openStep, type StepSubject } from './step-subject.ts';

/** What the parent asks, one thing at a time. */
export type Question =
  | { readonly ask: 'open'; readonly setup: StepSetup; readonly rates?: KernelRates | undefined }
  | { readonly ask: 'peak'; readonly mode: KernelMode }
  | { readonly ask: 'memory' }
  | { readonly ask: 'steps'; readonly count: number }
  | { readonly ask: 'profile'; readonly rounds: number };

/** What a step is, before any was run. */
export interface Opened {
  readonly arenaBytes: number;
  readonly algorithm: string;
}

/** By question. */
export interface Answers {
  readonly open: Opened;
  /** GFLOP/s of one core. */
  readonly peak: number;
  /** Bytes: the most that was resident in this process so far. */
  readonly memory: number;
  /** Milliseconds and loss of each step. */
  readonly steps: readonly { readonly ms: number; readonly loss: number }[];
  readonly profile: Profile;
}

/** An answer, or why there is none. */
export type Reply = { readonly answer: Answers[keyof Answers] } | { readonly code: string; readonly reason: string };

let subject: StepSubject;

async function answerTo(question: Question): Promise<Answers[keyof Answers]> {
  switch (question.ask) {
    case 'open': {
      subject = await openStep(question.setup, question.rates);
      return { arenaBytes: subject.program.arenaBytes, algorithm: algorithmNames(subject.plan.kernels) };
    }
    case 'peak': {
      const { module, wide } = await loadBuild(question.mode);
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
      return measurePeak(instantiate(module, memory), wide);
    }
    case 'memory':
      return peakResidentBytes();
    case 'steps':
      return timeSteps(question.count);
    case 'profile':
      return profileStep(subject, question.rounds);
  }
}

/** All that convolutions are computed by. */
function algorithmNames(kernels: KernelPlan): string {
  if (kernels.mode === 'strict') return 'direct';
  const chosen = Object.values(kernels.convolutions).flatMap((passes): readonly Algorithm[] => Object.values(passes));
  return [...new Set<Algorithm>(['direct', ...chosen])].join(', ');
}

async function timeSteps(count: number): Promise<Answers['steps']> {
  const steps: { ms: number; loss: number }[] = [];
  for (let k = 0; k < count; k++) {
    const began = performance.now();
    const loss = await subject.step();
    steps.push({ ms: performance.now() - began, loss });
  }
  return steps;
}

/** What the kernel of Linux kept count of; elsewhere what is resident now. */
async function peakResidentBytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? process.memoryUsage.rss() : Number(kilobytes) * 1024;
}

async function reply(question: Question): Promise<void> {
  const message: Reply = await answerTo(question).then(
    (answer) => ({ answer }),
    (error: unknown) => ({
      code: error instanceof MqtileError ? error.code : 'benchFailed',
      reason: error instanceof Error ? error.message : String(error),
    }),
  );
  process.send?.(message);
}

process.on('message', (question: Question) => void reply(question));
process.on('disconnect', () => process.exit());
