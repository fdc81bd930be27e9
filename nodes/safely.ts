/** safely: nothing that goes wrong in a node of ours may end the Node-RED process, so everything that Node-RED or a timer calls goes through here. */

import type { Done, FlowMessage, FlowNode } from './red.ts';

/** Status texts are one short line. */
const STATUS_CHARACTERS = 60;

/** Calls `action`, now or when its promise settles; what it throws becomes a red status and an error at Catch nodes. Never throws or rejects. */
export function safely(node: FlowNode, message: FlowMessage, action: () => void | Promise<void>): void {
  const fail = (error: unknown) => report(node, message, error);
  try {
    const running = action();
    if (running) running.catch(fail);
  } catch (error) {
    fail(error);
  }
}

/** Handles a message: `action`, then done, with the error if there was one, which becomes a red status too. Never throws or rejects. */
export function obey(node: FlowNode, message: FlowMessage, done: Done, action: () => Promise<void>): void {
  safely(node, message, async () => {
    try {
      await action();
    } catch (error) {
      showError(node, error);
      return done(error);
    }
    done();
  });
}

/** Shows an error: a red dot, and an error that Catch nodes get together with the message. Never throws. */
export function report(node: FlowNode, message: FlowMessage, error: unknown): void {
  try {
    showError(node, error);
    node.error(error, message);
  } catch (second) {
    // The status or a Catch node's own flow failed; the log is all that is left.
    process.emitWarning(second instanceof Error ? second : String(second));
  }
}

/** A red dot with the beginning of what went wrong. */
export function showError(node: FlowNode, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  const short = text.length > STATUS_CHARACTERS ? `${text.slice(0, STATUS_CHARACTERS)}…` : text;
  node.status({ fill: 'red', shape: 'dot', text: short });
}
