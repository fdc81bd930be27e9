/** Errors: one class per layer, each with a stable `code` that callers match; the message says what, got, wanted and what to do. */

/** Base of every error that MQTile raises on purpose. */
export abstract class MqtileError extends Error {
  /** Stable identifier, e.g. `peerLost`; messages may change, codes do not. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** What the person gave cannot be used: a file, a key, an argument. The command line answers with one line and exit code 2. */
export class InputError extends MqtileError {}

/** A run cannot go on: called out of order, stalled, a loss that is not finite, holders that disagree. */
export class RunError extends MqtileError {}

/** Kernels, arena or worker threads failed. */
export class KernelError extends MqtileError {}

/** A peer, a broker or a frame broke the protocol, or a peer is gone. */
export class TransportError extends MqtileError {}
