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
    const ends: (() => void)[] = [];
    let closed = false;
    this.on('close', (done) => {
      closed = true;
      for (const end of ends) end();
      done();
    });
    safely(this, {}, async () => {
      const cluster = await mqtileNode(red, fields.node).cluster();
      if (closed) return;
      ends.push(listen(this, cluster, fields));
      ends.push(cluster.onPresence(() => safely(this, {}, () => showPresence(this, cluster))));
      showPresence(this, cluster);
    });
  });
}

function showPresence(node: FlowNode, { away, cluster }: ClusterNode): void {
  if (away === undefined) node.status({ fill: 'grey', shape: 'ring', text: `listening in ${cluster}` });
  else node.status({ fill: 'red', shape: 'ring', text: away });
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
