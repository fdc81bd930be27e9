/** Answers: what a prediction becomes on a wire and in the status line. */

import type { LoadedPredictor, Prediction } from 'mqtile';
import type { FlowMessage, Status } from '../red.ts';

/** A prediction and how it came about. */
export interface Answer {
  readonly prediction: Prediction;
  readonly predictor: LoadedPredictor;
  /** Milliseconds that the network took, without the decoding of the image. */
  readonly ms: number;
}

/** The message with the answer in it; its other properties stay. @param top how many of the likeliest classes are listed */
export function answerMessage(message: FlowMessage, { prediction, predictor, ms }: Answer, top: number): FlowMessage {
  const { class: best, probabilities } = prediction;
  const ranked = probabilities
    .map((probability, index) => ({ class: index, probability }))
    .toSorted((a, b) => b.probability - a.probability);
  const payload = {
    class: best,
    probability: probabilities[best]!,
    probabilities,
    top: ranked.slice(0, top),
    ms: Number(ms.toFixed(3)),
  };
  return {
    ...message,
    topic: message.topic ?? 'prediction',
    payload,
    mqtile: { step: predictor.step, phase: 'predict' },
  };
}

/** @param stale whether a newer checkpoint is there and cannot be read */
export function answerStatus({ prediction, predictor, ms }: Answer, stale: boolean): Status {
  const share = (100 * prediction.probabilities[prediction.class]!).toFixed(1);
  const text = `step ${predictor.step} · ${prediction.class} (${share} %) · ${ms.toFixed(1)} ms`;
  return stale
    ? { fill: 'yellow', shape: 'ring', text: `${text} · newer one unreadable` }
    : { fill: 'green', shape: 'dot', text };
}
