/**
 * Convolution by Winograd's F(4x4, 3x3). A block of tiles at a time: all input channels are transformed; then, some output channels at a
 * time, 36 matrix products and the transform back. Values and products of a block stay in the second cache.
 */

import { Product, multiply } from './products';
import { VIEW_BYTES, viewOf } from './view';
import { Tiles, transformInput } from './winograd-input';
import { Epilogue, transformOutput } from './winograd-output';

@unmanaged
class ConvolveWinograd {
  packed: usize;
  /** Bytes between the weights of frequencies. */
  packedFrequency: usize;
  /** Values and products of a block of tiles, and bytes between the products of frequencies. */
  values: usize;
  products: usize;
  productFrequency: usize;
  /** Tiles of a block at most, of all samples, and output channels at a time. */
  tiles: usize;
  tileCount: usize;
  rows: usize;
}

const FIELDS: usize = 2 * VIEW_BYTES;
const EPILOGUE: usize = FIELDS + offsetof<ConvolveWinograd>();
const TILES: usize = EPILOGUE + offsetof<Epilogue>();
const PRODUCT: usize = TILES + offsetof<Tiles>();

/** Block: source, target, {@link ConvolveWinograd}, {@link Epilogue}, {@link Tiles}, {@link Product}. */
export function convolveWinograd(block: usize): void {
  const fields = changetype<ConvolveWinograd>(block + FIELDS);
  const tiles = changetype<Tiles>(block + TILES);
  for (let first: usize = 0; first < fields.tileCount; first += fields.tiles) {
    tiles.first = first;
    tiles.count = min(fields.tileCount - first, fields.tiles);
    transformInput(viewOf(block, 0), tiles, fields.values);
    multiplyRows(block);
  }
}

function multiplyRows(block: usize): void {
  const fields = changetype<ConvolveWinograd>(block + FIELDS);
  const tiles = changetype<Tiles>(block + TILES);
  const target = viewOf(block, 1);
  for (let row: usize = 0; row < target.channels; row += fields.rows) {
    const end = min(row + fields.rows, target.channels);
    multiplyFrequencies(block, row, end - row);
    transformOutput(target, tiles, fields.products, fields.productFrequency, row, end, changetype<Epilogue>(block + EPILOGUE));
  }
}

/** The products of all frequencies of `count` output channels from `row` on. */
function multiplyFrequencies(block: usize, row: usize, count: usize): void {
  const fields = changetype<ConvolveWinograd>(block + FIELDS);
  const tiles = changetype<Tiles>(block + TILES);
  const product = changetype<Product>(block + PRODUCT);
  product.weights = fields.packed + ((row * product.terms) << 2);
  product.rows = count;
  product.values = fields.values;
  product.columns = (tiles.count + 7) & ~7;
  product.target = fields.products;
  for (let frequency = 0; frequency < 36; frequency++) {
    multiply(product);
    product.weights += fields.packedFrequency;
    product.values += tiles.frequency;
    product.target += fields.productFrequency;
  }
}
