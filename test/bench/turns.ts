/** Turns: contenders take steps one after the other, round by round, and each becomes a row of figures. */

import { stepFlops, warmUp } from '../../src/bench/step.ts';
import { medianOf } from '../../src/bench/step-profile.ts';
import type { Contender, Family, Sized } from './contenders.ts';

/** A turn has as many steps as take the slowest about this long. */
const TURN_MS = 1500;

/** Times are medians over the rounds of the medians of each round; ratios too, round by round. */
export interface ComparedRow extends Sized {
  readonly contender: string;
  readonly rounds: number;
  readonly stepsPerRound: number;
  readonly ms: number;
  readonly gflops: number;
  /** The most that was resident in the process so far. */
  readonly memoryPeakBytes: number;
  /** Time of PyTorch's faster layout, with as many threads, by this one's: median, least and largest of the rounds. */
  readonly ratio: number;
  readonly ratioLeast: number;
  readonly ratioLargest: number;
  /** This one's memory by that of PyTorch's faster layout. */
  readonly memoryRatio: number;
  /** With more than one thread: own time with one by own time with so many. */
  readonly speedup?: number;
  /** Of MQTile: time of tfjs-cpu by this one's. */
  readonly tfjsRatio?: number;
}

/** What one contender did. */
interface Course {
  readonly name: string;
  readonly family: Family;
  readonly threads: number;
  readonly steps: number;
  /** Median of each round. */
  readonly ms: number[];
  memoryPeakBytes: number;
}

/** Lets all of them warm up, then take turns, with as many steps each. @returns a row of each, by threads */
export async function compare(
  setup: Sized,
  contenders: readonly Contender[],
  rounds: number,
): Promise<readonly ComparedRow[]> {
  const courses = await takeTurns(contenders, rounds);
  return courses.map((course) => rowOf(setup, course, courses));
}

async function takeTurns(contenders: readonly Contender[], rounds: number): Promise<readonly Course[]> {
  let slowestMs = 0;
  for (const { family, run } of contenders) {
    // A step of tfjs may take minutes: one a round is enough, the first is no slower than others.
    if (family !== 'tfjs') slowestMs = Math.max(slowestMs, await warmUp(async (count) => (await run(count)).ms));
  }
  const count = Math.max(2, Math.ceil(TURN_MS / slowestMs));
  const courses = contenders.map(({ name, family, threads }): Course => {
    return { name, family, threads, steps: family === 'tfjs' ? 1 : count, ms: [], memoryPeakBytes: 0 };
  });
  for (let round = 0; round < rounds; round++) {
    for (const [k, { run }] of contenders.entries()) {
      const course = courses[k]!;
      const { ms, memoryPeakBytes } = await run(course.steps);
      course.ms.push(medianOf(ms));
      course.memoryPeakBytes = memoryPeakBytes;
    }
  }
  return courses;
}

function rowOf(setup: Sized, course: Course, all: readonly Course[]): ComparedRow {
  const { name, family, threads, steps, memoryPeakBytes } = course;
  const ms = medianOf(course.ms);
  const beside = all.filter((other) => other.threads === threads);
  const [torch] = beside
    .filter((other) => other.family === 'torch')
    .toSorted((a, b) => medianOf(a.ms) - medianOf(b.ms));
  const ratios = ratiosOf(torch!, course);
  const alone = threads === 1 ? undefined : all.find((other) => other.name === name && other.threads === 1);
  const tfjs = family === 'mqtile' ? beside.find((other) => other.family === 'tfjs') : undefined;
  return {
    ...setup,
    threads,
    contender: name,
    rounds: course.ms.length,
    stepsPerRound: steps,
    ms,
    gflops: stepFlops(setup) / ms / 1e6,
    memoryPeakBytes,
    ratio: medianOf(ratios),
    ratioLeast: Math.min(...ratios),
    ratioLargest: Math.max(...ratios),
    memoryRatio: memoryPeakBytes / torch!.memoryPeakBytes,
    ...(alone === undefined ? {} : { speedup: medianOf(ratiosOf(alone, course)) }),
    ...(tfjs === undefined ? {} : { tfjsRatio: medianOf(ratiosOf(tfjs, course)) }),
  };
}

/** By round, how many times the second fits into the first. */
function ratiosOf(a: Course, b: Course): readonly number[] {
  return a.ms.map((ms, round) => ms / b.ms[round]!);
}
