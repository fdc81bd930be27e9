/** mqtile-telemetry: what the nodes of a cluster measure, as small messages for charts. */

import type { ClusterNode } from './cluster/cluster-node.ts';
import { isRecord } from './cluster/job-watch.ts';
import { mqtileNode } from './mqtile-node.ts';
import type { FlowNode, Red } from './red.ts';
import { safely } from './safely.ts';
import { measured } from './telemetry/measures.ts';

/** Fields of the edit dialog. */
interface TelemetryFields {
  readonly node: string;
  /** Name of the job; empty for all. */
  readonly job: string;
  readonly measures: readonly string[];
}

export default function register(red: Red): void {
  red.nodes.registerType('mqtile-telemetry', function (fields: TelemetryFields) {
    red.nodes.createNode(this, fields);
    let unsubscribe: (() => void) | undefined;
    let closed = false;
    this.on('close', (done) => {
      closed = true;
      unsubscribe?.();
      done();
    });
    safely(this, {}, async () => {
      const cluster = await mqtileNode(red, fields.node).cluster();
      if (closed) return;
      unsubscribe = listen(this, cluster, fields);
      this.status({ fill: 'grey', shape: 'ring', text: `listening in ${cluster.cluster}` });
    });
  });
}

/** What was measured before is no news: a deploy should not draw it again. A plan holds for as long as its run. */
function listen(node: FlowNode, cluster: ClusterNode, { job, measures }: TelemetryFields): () => void {
  const plans = new Map<string, unknown>();
  const hear = (topic: string, document: unknown) => {
    if (!isRecord(document)) return;
    safely(node, {}, () => {
      const messages = measured(topic, document, measures);
      for (const message of messages) node.send([message]);
    });
  };
  const jobs = `mqtile/+/job/${job || '+'}`;
  const ends = [
    cluster.on(`${jobs}/telemetry/+/+`, (topic, document, old) => {
      if (!old) hear(topic, document);
    }),
    cluster.on(`${jobs}/plan`, (topic, document) => {
      // Peers publish it again at each connect.
      if (!isRecord(document) || plans.get(topic) === document['run']) return;
      plans.set(topic, document['run']);
      hear(topic, document);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
