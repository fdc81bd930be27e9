/**
 * Handles: tensors that stay in the arena. What is passed around is who made it and which box it covers; values are copied
 * out only when somebody reads them, and only while they are still there.
 */

import { RunError } from '../errors.ts';
import { extentOf, formatBox, type Box } from './box.ts';

/** Where and when a tensor was made. */
export interface TensorOrigin {
  readonly run: string;
  readonly iteration: number;
  /** The training step that it belongs to, counted from 1. */
  readonly step: number;
  readonly stage: number;
  readonly box: Box;
}

/** Copies the values of a handle, in n, c, y, x order. @throws {RunError} `tensorExpired` */
export type Reader = () => Float32Array;

/** An immutable handle on a box of float32 values. Objects with a toStringTag are passed on as they are, not cloned, by message systems such as Node-RED. */
export class Tensor implements TensorOrigin {
  readonly run: string;
  readonly iteration: number;
  readonly step: number;
  readonly stage: number;
  readonly box: Box;
  readonly #read: Reader;

  constructor({ run, iteration, step, stage, box }: TensorOrigin, read: Reader) {
    this.run = run;
    this.iteration = iteration;
    this.step = step;
    this.stage = stage;
    this.box = box;
    this.#read = read;
    Object.freeze(this);
  }

  /** A copy of the values, n·c·h·w float32. @throws {RunError} `tensorExpired` once the region is reused */
  read(): Float32Array {
    return this.#read();
  }

  toJSON(): object {
    return { dtype: 'float32', shape: extentOf(this.box), box: formatBox(this.box), step: this.step };
  }

  get [Symbol.toStringTag](): string {
    return 'Tensor';
  }
}

/** The error of a handle that is read too late. */
export function tensorExpired(step: number): RunError {
  return new RunError(
    'tensorExpired',
    `tensor of step ${step} expired: its memory is in use for something else; use it before the next step`,
  );
}
