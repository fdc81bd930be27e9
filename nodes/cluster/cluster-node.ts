/** ClusterNode: a node of the cluster as visual nodes use it, wherever it runs: inside this process, or as a daemon that this process is attached to. */

import type { AcceptedRun, Submission } from 'mqtile';
import type { JobWatch } from './job-watch.ts';
import type { Listening } from './listening.ts';

export interface ClusterNode extends Listening {
  /** Wires can drive an embedded node only: what they call needs the kernels in this process. */
  readonly kind: 'embedded' | 'attached';
  /** Empty while a daemon was never reached, as are name and peers. */
  readonly cluster: string;
  /** Names of the nodes that it bridges to. */
  readonly peers: readonly string[];
  /** Who writes checkpoints of a job that is handed in here. */
  readonly writers: Submission['writers'];
  /** Why it cannot be asked now, with the way out; undefined while it can. */
  readonly away: string | undefined;
  /** Tells when it comes or goes. @returns unsubscribe */
  onPresence(listener: () => void): () => void;
  /** What happens to the job of this name; the same watch for everybody. */
  watch(job: string): JobWatch;
  /**
   * Hands a job in, to this node and all its peers.
   * @param by who drives the run here; elsewhere that is decided there
   * @throws {InputError}, {RunError} or {TransportError} of the node
   */
  submit(submission: Submission, by?: 'trainer' | 'wires'): Promise<AcceptedRun>;
  /** Ends the run that it takes part in, if there is one, on all its nodes. */
  stop(): Promise<void>;
  /** Lets no step of that run begin there, so that the other nodes wait. */
  pause(): Promise<void>;
  /** Goes on after `pause`. */
  resume(): Promise<void>;
}
