/** mqtile-telemetry: what the nodes of a cluster measure, as small messages for charts. */

import { isRecord } from './embedded/job-watch.ts';
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
      const embedded = await mqtileNode(red, fields.node).embedded();
      if (closed) return;
      const { node, config } = embedded;
      unsubscribe = listen(this, node.bulletin, config.cluster, fields);
      this.status({ fill: 'grey', shape: 'ring', text: `listening in ${config.cluster}` });
    });
  });
}

type Bulletin = Awaited<ReturnType<ReturnType<typeof mqtileNode>['embedded']>>['node']['bulletin'];

function listen(node: FlowNode, bulletin: Bulletin, cluster: string, { job, measures }: TelemetryFields): () => void {
  let old = true;
  const unsubscribe = bulletin.on(`mqtile/${cluster}/job/${job || '+'}/telemetry/+/+`, (topic, document) => {
    // What is retained was measured before: a deploy should not draw it again.
    if (old || !isRecord(document)) return;
    safely(node, {}, () => {
      const messages = measured(topic, document, measures);
      for (const message of messages) node.send([message]);
    });
  });
  old = false;
  return unsubscribe;
}
