/**
 * Seeded random numbers from 32-bit integer operations alone, so that every machine draws the same bits.
 *
 * A stream is a counter that goes through a fixed scrambler (Steele's SplitMix with the 32-bit finalizer of MurmurHash3): the k-th
 * value is mix(key + k·0x9e3779b9). Streams of different purposes get different keys by {@link deriveSeed}.
 */

/** Odd increment of the counter: 2^32 divided by the golden ratio, so that successive counters lie far apart. */
const INCREMENT = 0x9e3779b9;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A stream of pseudo-random numbers. */
export interface Random {
  /** The next unsigned 32-bit integer. */
  next(): number;
  /** The next integer in `[0, bound)`, without bias. @param bound 1 to 2^32 */
  below(bound: number): number;
}

/** @param seed any safe integer; all of its 53 bits count */
export function createRandom(seed: number): Random {
  let counter = foldSeed(seed);
  const next = (): number => {
    counter = (counter + INCREMENT) >>> 0;
    return mix(counter);
  };
  return { next, below: (bound) => drawBelow(next, bound) };
}

/**
 * A seed of its own for each purpose, e.g. `deriveSeed(1, 'conv1.weight')` or `deriveSeed(1, 'shuffle', '3')`.
 * @returns an unsigned 32-bit integer
 */
export function deriveSeed(seed: number, ...purpose: readonly string[]): number {
  let hash = FNV_OFFSET ^ foldSeed(seed);
  for (const word of purpose) {
    for (let i = 0; i < word.length; i++) {
      hash = Math.imul(hash ^ word.charCodeAt(i), FNV_PRIME);
    }
    // A separator, so that ('ab', 'c') and ('a', 'bc') differ.
    hash = Math.imul(hash ^ 0xffff, FNV_PRIME);
  }
  return mix(hash >>> 0);
}

/**
 * Fills `target` with values spread evenly over [-bound, bound): multiples of 2^-23·bound. Each is one exact product in
 * float64, rounded once to float32.
 */
export function uniform(target: Float32Array, bound: number, seed: number): void {
  const random = createRandom(seed);
  for (let i = 0; i < target.length; i++) {
    const unit = (random.next() >>> 8) * 2 ** -23 - 1;
    target[i] = unit * bound;
  }
}

/**
 * The order in which an epoch visits its samples: a permutation of `[0, length)`, by Fisher and Yates.
 * @param length number of samples, below 2^32
 * @param epoch counts from 0; each has an order of its own
 */
export function shuffle(length: number, seed: number, epoch: number): Uint32Array {
  const random = createRandom(deriveSeed(seed, 'shuffle', String(epoch)));
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let last = length - 1; last > 0; last--) {
    const chosen = random.below(last + 1);
    const value = order[last]!;
    order[last] = order[chosen]!;
    order[chosen] = value;
  }
  return order;
}

/** Draws again where the top of the 32-bit range does not hold a whole multiple of `bound`. */
function drawBelow(next: () => number, bound: number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound);
  let value = next();
  while (value >= limit) {
    value = next();
  }
  return value % bound;
}

/** The 53 bits of a safe integer folded to 32, the upper ones scrambled so that they do not cancel the lower. */
function foldSeed(seed: number): number {
  const upper = Math.floor(seed / 2 ** 32) >>> 0;
  return ((seed >>> 0) ^ (upper === 0 ? 0 : mix(upper))) >>> 0;
}

/** The finalizer of MurmurHash3: a bijection of 32 bits in which every input bit changes about half of the output bits. */
function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
