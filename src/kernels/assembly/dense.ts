/** Fully connected layers. Values of a sample are contiguous; samples, and the outputs of a batch, share what is loaded. */

import { CHUNK_VECTORS, SUMS_BYTES, dots } from './dots';
import { CHUNK_TERMS, TILE_BYTES, Terms, outer } from './outer';
import { activateOne } from './vector';
import { View, VIEW_BYTES, lengthOf, viewOf } from './view';

const FIELDS: usize = 2 * VIEW_BYTES;

@unmanaged
class Dense {
  weights: usize;
  bias: usize;
  slope: f32;
}

const SUMS: usize = FIELDS + offsetof<Dense>();

/** Block: source, target, {@link Dense}, eight float64. Tiles of four outputs by two samples. */
export function dense(block: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const outputs = lengthOf(target);
  for (let o: usize = 0; o < outputs; o += 4) {
    for (let n: usize = 0; n < source.samples; n += 2) {
      denseTile(block, o, n);
      for (let j = n; j < min(n + 2, source.samples); j++) {
        for (let i = o; i < min(o + 4, outputs); i++) denseStore(block, i, j, block + SUMS + ((4 * (j - n) + (i - o)) << 3));
      }
    }
  }
}

/** Sums over whole vectors of inputs; missing outputs and samples are stood in for by the last one. */
function denseTile(block: usize, o: usize, n: usize): void {
  const source = viewOf(block, 0);
  const row = lengthOf(source) << 2;
  const vectors = lengthOf(source) >> 2;
  const outputs = lengthOf(viewOf(block, 1)) - o - 1;
  const samples = source.samples - n - 1;
  let a = changetype<Dense>(block + FIELDS).weights + o * row;
  let b = source.offset + n * source.sample;
  const a1 = min<usize>(outputs, 1) * row;
  const a2 = min<usize>(outputs, 2) * row;
  const a3 = min<usize>(outputs, 3) * row;
  const b1 = min<usize>(samples, 1) * source.sample;
  memory.fill(block + SUMS, 0, SUMS_BYTES);
  for (let v: usize = 0; v < vectors; v += CHUNK_VECTORS, a += CHUNK_VECTORS << 4, b += CHUNK_VECTORS << 4) {
    dots(a, a + a1, a + a2, a + a3, b, b + b1, min(vectors - v, CHUNK_VECTORS), block + SUMS);
  }
}

/** Adds the inputs beyond the last whole vector and the bias, activates and stores one output. */
function denseStore(block: usize, o: usize, n: usize, sums: usize): void {
  const source = viewOf(block, 0);
  const target = viewOf(block, 1);
  const fields = changetype<Dense>(block + FIELDS);
  const inputs = lengthOf(source);
  let sum = load<f64>(sums);
  for (let i = inputs & ~3; i < inputs; i++) {
    const weight = <f64>load<f32>(fields.weights + ((o * inputs + i) << 2));
    sum += weight * <f64>load<f32>(source.offset + n * source.sample + (i << 2));
  }
  if (fields.bias != 0) sum += <f64>load<f32>(fields.bias + (o << 2));
  store<f32>(target.offset + n * target.sample + (o << 2), activateOne(<f32>sum, fields.slope));
}

/** Rows of a product: row_j[i] = sum over k of a[j][k] * b[k][i]. */
@unmanaged
class Product {
  a: usize;
  b: usize;
  target: usize;
  rows: usize;
  columns: usize;
  /** Bytes between rows of `a` and of the target; those between terms are in {@link Terms}. */
  aRow: usize;
  targetRow: usize;
}

/** Address of the matrix, and bytes between its rows. */
@unmanaged
class Matrix {
  address: usize;
  row: usize;
}

const PRODUCT: usize = FIELDS + offsetof<Matrix>();
const TERMS: usize = PRODUCT + offsetof<Product>();
const TILE: usize = TERMS + offsetof<Terms>();

/** Block: target gradient, source gradient, the weights as a {@link Matrix}, a {@link Product}, {@link Terms}, 32 float64. Tiles of four samples by eight inputs. */
export function denseInput(block: usize): void {
  const gradient = viewOf(block, 0);
  const target = viewOf(block, 1);
  const weights = changetype<Matrix>(block + FIELDS);
  const product = changetype<Product>(block + PRODUCT);
  product.a = gradient.offset;
  product.aRow = gradient.sample;
  product.b = weights.address;
  product.target = target.offset;
  product.targetRow = target.sample;
  product.rows = target.samples;
  product.columns = lengthOf(target);
  const terms = changetype<Terms>(block + TERMS);
  terms.count = lengthOf(gradient);
  terms.aStride = 4;
  terms.bStride = weights.row;
  multiply(block);
}

/** Block: source, target gradient, the target as a {@link Matrix}, then as for {@link denseInput}. Tiles of four outputs by eight inputs. */
export function denseWeights(block: usize): void {
  const source = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const matrix = changetype<Matrix>(block + FIELDS);
  const product = changetype<Product>(block + PRODUCT);
  product.a = gradient.offset;
  product.aRow = 4;
  product.b = source.offset;
  product.target = matrix.address;
  product.targetRow = matrix.row;
  product.columns = lengthOf(source);
  product.rows = lengthOf(gradient);
  const terms = changetype<Terms>(block + TERMS);
  terms.count = source.samples;
  terms.aStride = gradient.sample;
  terms.bStride = source.sample;
  multiply(block);
}

/** Blocks of four rows, each over tiles of eight columns; the last tile overlaps the one before it. */
function multiply(block: usize): void {
  const product = changetype<Product>(block + PRODUCT);
  const terms = changetype<Terms>(block + TERMS);
  terms.sums = block + TILE;
  const columns = product.columns;
  if (columns < 4 || terms.count == 0) {
    multiplyNarrow(product, terms);
    return;
  }
  terms.step = min<usize>(columns - 4, 4) << 2;
  for (let i: usize = 0; i < columns; i += 8) {
    const at: usize = columns < 8 ? 0 : min(i, columns - 8) << 2;
    for (let row: usize = 0; row < product.rows; row += 4) multiplyTile(product, terms, row, at);
  }
}

function multiplyTile(product: Product, terms: Terms, row: usize, at: usize): void {
  const left = product.rows - row - 1;
  const j1 = min<usize>(left, 1);
  const j2 = min<usize>(left, 2);
  const j3 = min<usize>(left, 3);
  const a = product.a + row * product.aRow;
  const to = product.target + row * product.targetRow + at;
  const aRow = product.aRow;
  const toRow = product.targetRow;
  outer(
    a,
    a + j1 * aRow,
    a + j2 * aRow,
    a + j3 * aRow,
    product.b + at,
    terms,
    to,
    to + j1 * toRow,
    to + j2 * toRow,
    to + j3 * toRow,
  );
}

/** Fewer than four columns: one sum after the other, in float64 after at most 128 terms. */
function multiplyNarrow(product: Product, terms: Terms): void {
  for (let row: usize = 0; row < product.rows; row++) {
    for (let i: usize = 0; i < product.columns; i++) {
      let a = product.a + row * product.aRow;
      let b = product.b + (i << 2);
      let total: f64 = 0;
      for (let k: usize = 0; k < terms.count; k += CHUNK_TERMS) {
        let sum: f32 = 0;
        for (let left = min(terms.count - k, CHUNK_TERMS); left != 0; left--, a += terms.aStride, b += terms.bStride) {
          sum += load<f32>(a) * load<f32>(b);
        }
        total += sum;
      }
      store<f32>(product.target + row * product.targetRow + (i << 2), <f32>total);
    }
  }
}
