/** Optimizer steps over flat stretches of parameters. */

@unmanaged
class Sgd {
  weights: usize;
  gradient: usize;
  momentum: usize;
  length: usize;
  rate: usize;
  coefficient: f32;
  weightDecay: f32;
}

/** Block: {@link Sgd}. Four values at a time, the remainder one by one with the same bits. */
export function sgd(block: usize): void {
  const fields = changetype<Sgd>(block);
  const end = fields.length << 2;
  const vectors = end & ~15;
  const rate = v128.load32_splat(fields.rate);
  for (let at: usize = 0; at < vectors; at += 16) {
    const weight = v128.load(fields.weights + at);
    const step = stepOf(fields, v128.load(fields.gradient + at), weight, fields.momentum != 0 ? v128.load(fields.momentum + at) : weight);
    if (fields.momentum != 0) v128.store(fields.momentum + at, step);
    v128.store(fields.weights + at, f32x4.sub(weight, f32x4.mul(step, rate)));
  }
  for (let at = vectors; at < end; at += 4) {
    const weight = v128.load32_zero(fields.weights + at);
    const step = stepOf(fields, v128.load32_zero(fields.gradient + at), weight, fields.momentum != 0 ? v128.load32_zero(fields.momentum + at) : weight);
    if (fields.momentum != 0) v128.store_lane<f32>(fields.momentum + at, step, 0);
    v128.store_lane<f32>(fields.weights + at, f32x4.sub(weight, f32x4.mul(step, rate)), 0);
  }
}

/** g + weightDecay * w, then momentum * m added where there is a momentum. */
function stepOf(fields: Sgd, gradient: v128, weight: v128, momentum: v128): v128 {
  const step = f32x4.add(gradient, f32x4.mul(weight, f32x4.splat(fields.weightDecay)));
  if (fields.momentum == 0) return step;
  return f32x4.add(f32x4.mul(momentum, f32x4.splat(fields.coefficient)), step);
}
