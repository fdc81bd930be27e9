/**
 * Transforms of Winograd's F(4x4, 3x3) as lines of source. Points are 0, ±2/3, ±3/2 and infinity: their products are 1, which saves
 * multiplications, and errors are half of those of 0, ±1, ±2.
 */

/** The smaller and the larger point; a · b = 1. */
export const A = 2 / 3;
export const B = 3 / 2;

/** Product of the distances of a point, and of its negative, from the other points. */
export const DISTANCES_A = 2 * A ** 2 * (A ** 2 - B ** 2);
export const DISTANCES_B = 2 * B ** 2 * (B ** 2 - A ** 2);

/** A transform of one axis: names of the values that go in, those that come out, and what is computed in between, in order. */
export interface Transform {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly steps: readonly (readonly [name: string, value: string])[];
}

export const add = (a: string, b: string): string => `f32x4.add(${a}, ${b})`;
export const subtract = (a: string, b: string): string => `f32x4.sub(${a}, ${b})`;
export const times = (a: string, factor: number): string => `f32x4.mul(${a}, f32x4.splat(<f32>${factor}))`;
export const plusTimes = (sum: string, a: string, factor: number): string =>
  `multiplyAdd(${sum}, ${a}, f32x4.splat(<f32>${factor}))`;

/** The lines of a transform of the given values, and the names of what comes out; `suffix` tells it from others. */
export function applied(transform: Transform, inputs: readonly string[], suffix: string) {
  const names = new Map([
    ...transform.steps.map(([name]) => [name, `${name}${suffix}`] as const),
    ...transform.inputs.map((name, i) => [name, inputs[i]!] as const),
  ]);
  const renamed = (text: string): string => text.replaceAll(/\b[a-z]+\d\b/gu, (name) => names.get(name) ?? name);
  return {
    steps: transform.steps.map(([name, value]) => `  const ${renamed(name)} = ${renamed(value)};`),
    outputs: transform.outputs.map(renamed),
  };
}

/** The body of a loop with its constants in variables that are set before it: engines make a constant anew wherever it stands. */
export function hoisted(body: readonly string[]): {
  readonly before: readonly string[];
  readonly body: readonly string[];
} {
  const names = new Map<string, string>();
  const nameOf = (constant: string): string => {
    if (!names.has(constant)) names.set(constant, `constant${names.size}`);
    return names.get(constant)!;
  };
  const renamed = body.map((line) => line.replaceAll(/f32x4\.splat\(<f32>[^)]*\)/gu, nameOf));
  return { before: [...names].map(([constant, name]) => `  const ${name} = ${constant};`), body: renamed };
}
