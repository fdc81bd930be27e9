/**
 * Convolution by Winograd's F(4x4, 3x3). A block of tiles at a time: all input channels are transformed; then, some output channels at a
 * time, 36 matrix products, which are 1x1 convolutions of rows of eight tiles, and the transform back. Values and products
 * of a block stay in the second cache.
 */

import { convolve } from './convolve';
import { Convolve, FIELDS as PRODUCT_FIELDS } from './convolve-block';
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

/** The parameter block of the products. */
const PRODUCT: usize = TILES + offsetof<Tiles>();

/** Block: source, target, {@link ConvolveWinograd}, {@link Epilogue}, {@link Tiles}, the block of a 1x1 convolution. */
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
    products(block, row, end - row);
    transformOutput(target, tiles, fields.products, fields.productFrequency, row, end, changetype<Epilogue>(block + EPILOGUE));
  }
}

/** The products of all frequencies of `count` output channels from `row` on. */
function products(block: usize, row: usize, count: usize): void {
  const fields = changetype<ConvolveWinograd>(block + FIELDS);
  const tiles = changetype<Tiles>(block + TILES);
  const values = viewOf(block + PRODUCT, 0);
  const target = viewOf(block + PRODUCT, 1);
  const product = changetype<Convolve>(block + PRODUCT + PRODUCT_FIELDS);
  values.offset = fields.values;
  target.offset = fields.products;
  target.rows = (tiles.count + 7) >> 3;
  target.channels = count;
  product.packed = fields.packed + row * product.weightBytes;
  for (let frequency = 0; frequency < 36; frequency++) {
    convolve(block + PRODUCT);
    values.offset += tiles.frequency;
    target.offset += fields.productFrequency;
    product.packed += fields.packedFrequency;
  }
}
