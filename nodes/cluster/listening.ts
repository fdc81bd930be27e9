/** Listening: what a node of the cluster hears of all nodes. */

/** Hears documents of the cluster. `old`: it was said before anybody listened here, and is no news. */
export type DocumentListener = (topic: string, document: unknown, old: boolean) => void;

export interface Listening {
  /** Empty while a daemon was never reached. */
  readonly name: string;
  /** Calls the listener for each document below `mqtile/` that fits the filter; old ones at once. @returns unsubscribe */
  on(filter: string, listener: DocumentListener): () => void;
}
