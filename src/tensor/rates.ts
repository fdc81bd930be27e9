/**
 * Rates: what a device takes for convolutions in mode `fast`, measured once. The planner chooses by them; nothing but speed depends on how
 * good they are.
 */

/** Nanoseconds that one thread takes for a unit of each kind of work in a pass of a convolution. */
export interface ConvolutionCost {
  /** A multiply-add, of those that the algorithm makes. */
  readonly product: number;
  /** A channel of a 4x4 tile that is read, and one that is written; for a weight gradient both are read. */
  readonly source: number;
  readonly target: number;
  /** The kernel of one pair of an input and an output channel. */
  readonly weights: number;
}

/** One pass by each algorithm. */
export interface PassRates {
  readonly direct: ConvolutionCost;
  readonly winograd: ConvolutionCost;
}

/** The passes of a convolution. */
export const PASSES = ['forward', 'inputGradient', 'weightGradient'] as const;

export type ConvolutionPass = (typeof PASSES)[number];

/** Of one device. */
export interface KernelRates extends Readonly<Record<ConvolutionPass, PassRates>> {
  /** Whether register tiles of two vectors are the faster ones. */
  readonly wide: boolean;
}

const CONVOLVED: PassRates = {
  direct: { product: 0.035, source: 0, target: 4, weights: 5 },
  winograd: { product: 0.055, source: 15, target: 15, weights: 12 },
};

/** For devices that have measured none: about what an x64 core without wide registers takes, which few ratios differ from. */
export const TYPICAL_RATES: KernelRates = {
  wide: false,
  forward: CONVOLVED,
  inputGradient: CONVOLVED,
  weightGradient: {
    direct: { product: 0.035, source: 0, target: 0, weights: 15 },
    winograd: { product: 0.06, source: 7, target: 2, weights: 11 },
  },
};

/** Reads rates from a file or a message; undefined where they are none. */
export function parseKernelRates(document: unknown): KernelRates | undefined {
  if (!isRecord(document) || typeof document['wide'] !== 'boolean') return undefined;
  const [forward, inputGradient, weightGradient] = PASSES.map((pass) => parsePass(document[pass]));
  if (!forward || !inputGradient || !weightGradient) return undefined;
  return { wide: document['wide'], forward, inputGradient, weightGradient };
}

function parsePass(document: unknown): PassRates | undefined {
  if (!isRecord(document)) return undefined;
  const [direct, winograd] = [parseCost(document['direct']), parseCost(document['winograd'])];
  return direct && winograd && { direct, winograd };
}

function parseCost(document: unknown): ConvolutionCost | undefined {
  if (!isRecord(document)) return undefined;
  const { product, source, target, weights } = document;
  if (!isCost(product) || !isCost(source) || !isCost(target) || !isCost(weights)) return undefined;
  return { product, source, target, weights };
}

function isCost(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
