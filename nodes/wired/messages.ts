/** Messages between wired nodes: `{topic, payload, tensor, mqtile}`, and whatever else the message before had. */

import { RunError, type Tensor } from 'mqtile';
import type { FlowMessage } from '../red.ts';
import { gigaflops, type Work } from './figures.ts';
import { nameOf, type Role } from './role.ts';

/** What a call left: a message for the wires, and what the visual node can show of it. */
export interface Outcome {
  readonly message: FlowMessage;
  readonly work: Work;
}

/** What a kind of call adds to a message. */
export interface Answer {
  readonly payload: object;
  readonly tensor?: Tensor;
  readonly stage?: number;
  readonly multiplyAdds?: number;
  /** What it worked on, for people. */
  readonly about?: string;
}

/** A call and where it was made. */
export interface Call {
  readonly role: Role;
  /** The message that asked for it. */
  readonly message: FlowMessage;
  readonly answer: Answer;
  readonly computeMs: number;
  readonly run: string | undefined;
  readonly device: string;
  readonly epoch: number;
  /** Counted from 1. */
  readonly step: number;
}

export function outcomeOf({ role, message, answer, computeMs, run, device, epoch, step }: Call): Outcome {
  const { payload, tensor, stage, multiplyAdds = 0, about = '' } = answer;
  const phase = role.kind === 'dataset' ? 'batch' : role.kind;
  const speed = multiplyAdds > 0 ? { gflops: round(gigaflops(multiplyAdds, computeMs)) } : {};
  const counted = stage === undefined ? {} : { stage: stage + 1 };
  const { tensor: _, ...others } = message;
  return {
    message: {
      ...others,
      topic: [device, phase, ...Object.values(counted)].join('/'),
      payload: { ...payload, ms: round(computeMs), ...speed },
      ...(tensor ? { tensor } : {}),
      mqtile: { run, epoch, step, ...counted, phase, device },
    },
    work: {
      computeMs,
      multiplyAdds,
      about,
    },
  };
}

/** The tensor that a message carries; whether it is the right one the run finds out. @throws {RunError} `tensorMissing` */
export function tensorOf({ tensor }: FlowMessage, role: Role): Tensor {
  if (Object.prototype.toString.call(tensor) === '[object Tensor]') return tensor as Tensor;
  throw new RunError(
    'tensorMissing',
    `${nameOf(role)}: msg.tensor: got ${tensor === undefined ? 'nothing' : typeof tensor}, want the tensor that the MQTile node before it sent`,
  );
}

/** To a thousandth: messages are read by people. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
