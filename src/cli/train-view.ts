/** TrainView: what people or programs see of a run, from its first line to the table of nodes. */

import { relative } from 'node:path';
import type { AcceptedRun, EpochDocument, LocalCluster, MemberResult, OperatorEvent, StepDocument } from '../index.ts';
import { formatBytes, formatSeconds, formatTable, paint } from './format.ts';
import { Progress } from './progress.ts';

/** What people or programs see of a run. */
export class TrainView {
  readonly #json: boolean;
  readonly #progress = new Progress();
  #watched = '';

  constructor(json: boolean) {
    this.#json = json;
  }

  say(line: string): void {
    this.#progress.line(line);
  }

  end(): void {
    this.#progress.end();
  }

  cluster({ cluster, nodes }: LocalCluster): void {
    this.#emit({ event: 'cluster', cluster, nodes });
    this.say(nodes.map(({ name, port }) => `${name} 127.0.0.1:${port}`).join('  '));
    this.say(
      paint(
        'dim',
        `watch it from another terminal: mosquitto_sub -v -p ${nodes[0]!.port} -t 'mqtile/#'`,
        process.stderr,
      ),
    );
  }

  accepted({ run, job, planHash, members }: AcceptedRun): void {
    this.#watched = members[0]!;
    this.#emit({ event: 'accepted', run, job, planHash, members });
  }

  event(event: OperatorEvent): void {
    // Every member measures the same steps; the first one's are shown.
    if (event.kind !== 'telemetry' || event.node !== this.#watched) return;
    const { run: _, ...document } = event.document;
    if (event.telemetry === 'step') {
      this.#emit({ event: 'step', ...document });
      this.#progress.show(event.document as unknown as StepDocument);
    } else if (event.telemetry === 'epoch') {
      this.#emit({ event: 'epoch', ...document });
      const { epoch, testAccuracy, testLoss } = event.document as unknown as EpochDocument;
      const accuracy = testAccuracy === undefined ? '' : `test accuracy ${(100 * testAccuracy).toFixed(2)} %, `;
      this.say(`epoch ${epoch + 1}: ${accuracy}test loss ${testLoss.toFixed(4)}`);
    }
  }

  result({ members }: AcceptedRun, results: ReadonlyMap<string, MemberResult>): void {
    this.end();
    const rows = members.map((node) => ({ node, ...results.get(node)! }));
    const writer = rows.find(({ checkpoint }) => checkpoint !== undefined);
    const { testAccuracy = null, seconds, imagesPerSecond, weightsChecksum } = rows[0]!;
    if (this.#json) {
      this.#emit({
        event: 'result',
        testAccuracy,
        seconds,
        imagesPerSecond,
        checkpoint: writer?.checkpoint ?? null,
        curve: writer?.curve ?? null,
        weightsChecksum,
        nodes: rows.map((row) => Object.fromEntries(NODE_KEYS.map((key) => [key, row[key]]))),
      });
      return;
    }
    process.stdout.write(describeResult(rows, writer));
  }

  #emit(document: object): void {
    if (this.#json) process.stdout.write(`${JSON.stringify(document)}\n`);
  }
}

type ResultRow = MemberResult & { readonly node: string };

/** What the result says of each node. */
const NODE_KEYS = [
  'node',
  'tile',
  'memoryPeakBytes',
  'memoryGrowthBytes',
  'memoryPredictedBytes',
  'bytesSent',
  'bytesReceived',
  'computeMs',
  'waitMs',
] as const;

function describeResult(rows: readonly ResultRow[], writer: ResultRow | undefined): string {
  const { stdout } = process;
  const { testAccuracy, seconds, imagesPerSecond, weightsChecksum } = rows[0]!;
  const table = formatTable(
    [
      { title: 'node', value: ({ node }) => node },
      { title: 'tile of the first stage', value: ({ tile }) => tile },
      { title: 'memory peak', value: ({ memoryPeakBytes }) => formatBytes(memoryPeakBytes), right: true },
      { title: 'of it training', value: ({ memoryGrowthBytes }) => formatBytes(memoryGrowthBytes), right: true },
      { title: 'sent', value: ({ bytesSent }) => formatBytes(bytesSent), right: true },
      { title: 'received', value: ({ bytesReceived }) => formatBytes(bytesReceived), right: true },
      { title: 'computing', value: ({ computeMs }) => formatSeconds(computeMs / 1000), right: true },
      { title: 'waiting', value: ({ waitMs }) => formatSeconds(waitMs / 1000), right: true },
    ],
    rows,
    stdout,
  );
  // A node without every parameter has no checksum of its own; buckets were compared in every step all the same.
  const everywhere = rows.every((row) => row.weightsChecksum === weightsChecksum) ? ' on every node' : '';
  const lines = [
    `${table}\n`,
    testAccuracy === undefined
      ? ''
      : `  test accuracy ${paint('green', `${(100 * testAccuracy).toFixed(2)} %`, stdout)}\n`,
    `  trained in ${formatSeconds(seconds)}, ${Math.round(imagesPerSecond)} images/s, weights ${weightsChecksum}${everywhere}\n`,
    writer?.checkpoint === undefined ? '' : `  checkpoint ${relative('', writer.checkpoint)} (and .json)\n`,
    writer?.curve === undefined ? '' : `  training curve ${relative('', writer.curve)}\n`,
  ];
  return `\n${lines.join('')}`;
}
