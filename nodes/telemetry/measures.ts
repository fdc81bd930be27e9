/** Measures: telemetry documents, taken apart into one small message for each figure that somebody chose. */

import type { FlowMessage } from '../red.ts';
import { planned } from './planned.ts';

/** Figures by the kind of document that they are in. The kind's own name stands for the whole document. */
export const MEASURES = {
  step: ['loss', 'accuracy', 'imagesPerSecond', 'secondsLeft', 'stepMs', 'computeMs', 'waitMs'],
  epoch: ['testLoss', 'testAccuracy'],
  memory: ['residentBytes', 'peakBytes', 'predictedBytes'],
  network: ['bytesSent', 'bytesReceived', 'resent'],
  plan: ['tiles'],
} as const;

/**
 * Pure. @param topic `mqtile/<cluster>/job/<job>/telemetry/<node>/<kind>`, or `…/plan` for {@link planned}
 * @returns one message for each chosen measure that the document has
 */
export function measured(
  topic: string,
  document: Readonly<Record<string, unknown>>,
  chosen: readonly string[],
): readonly FlowMessage[] {
  const [, , , , family, node = '', kind = ''] = topic.split('/');
  if (family === 'plan') return planned(topic, document, chosen);
  if (!isKind(kind)) return [];
  const { run, epoch, step, losses: _, ...figures } = document;
  const about = { node, mqtile: { run, epoch, step, device: node } };
  const single = MEASURES[kind]
    .filter((measure) => chosen.includes(measure) && typeof document[measure] === 'number')
    .map((measure) => ({ topic: `${node}/${measure}`, payload: document[measure], ...about }));
  const whole = chosen.includes(kind) ? [{ topic: `${node}/${kind}`, payload: figures, ...about }] : [];
  return [...single, ...whole];
}

function isKind(text: string): text is keyof typeof MEASURES {
  return Object.hasOwn(MEASURES, text);
}
