/**
 * Weight gradient of a convolution: some gradient planes against some (input channel, tap) pairs at a time, over chunks of at most 512
 * pixels (1,024 in eight lanes), whose packed gradients stay in the innermost cache while all pairs pass.
 */

import { Chunk, Stretch, packPlanes, packRows } from './gradient-chunk';
import { gradients3x3, gradients4x2, gradients4x2wide, gradients6x2, gradients6x2wide } from './generated/gradients';
import { NARROW_PLANE_BYTES, NARROW_VECTORS, WIDE_PLANE_BYTES, WIDE_VECTORS } from './generated/gradients';
import { VIEW_BYTES, rowOf, viewOf } from './view';

@unmanaged
class ConvolveWeights {
  target: usize;
  /** Working memory: {@link TILE_BYTES}, {@link PACKED_BYTES}, the float64 sums of all pairs, then a table of where they lie. */
  scratch: usize;
  kernelTaps: usize;
  tapCount: usize;
  /** 1 where the engine makes one register of two vectors side by side, else 0. */
  wide: usize;
  /** Pixels of a stretch, and stretches of a sample. */
  columns: usize;
  height: usize;
  /** Vectors of the pieces that a stretch is cut in. */
  piece: usize;
}

const FIELDS: usize = 2 * VIEW_BYTES;
const CHUNK: usize = FIELDS + offsetof<ConvolveWeights>();
const STRETCH: usize = CHUNK + offsetof<Chunk>();
const TAPS: usize = STRETCH + offsetof<Stretch>();

/** What a wide tile folds its lanes in: 6 x 2 sums of two vectors. */
const TILE_BYTES: usize = 384;

/** Packed planes of a chunk. */
const PACKED_BYTES: usize = 6 * WIDE_PLANE_BYTES;

/** Float64 sums of a pair: one for each plane of a tile. */
const PAIR_BYTES: usize = 48;

/** Pairs that a table has room for beyond the last one. */
const SPARE_PAIRS: usize = 2;

/** Pixels between rows that are worth less than rows of an odd number of vectors cost. */
const GAP_PIXELS: usize = 8;

/** Pixels of a stretch that can be cut in two pieces of whole pairs of vectors. */
const LEAST_JOINED: usize = 16;

/** Block: source, gradient, {@link ConvolveWeights}, a {@link Chunk}, a {@link Stretch}, byte offsets of taps, their indices in the kernel. */
export function convolveWeights(block: usize): void {
  const gradient = viewOf(block, 1);
  const pairs = viewOf(block, 0).channels * changetype<ConvolveWeights>(block + FIELDS).tapCount;
  const chunk = changetype<Chunk>(block + CHUNK);
  layOut(block);
  listPairs(block, pairs);
  for (let channel: usize = 0; channel < gradient.channels; ) {
    const planes = tilePlanes(gradient.channels - channel);
    memory.fill(chunk.sums, 0, (pairs + SPARE_PAIRS) * (planes << 3));
    walkColumns(block, channel, planes);
    storeSums(block, channel, planes);
    channel += planes;
  }
}

/** Gradient planes of the next tile when `left` are left: the most that registers hold, and fours so that none is computed for nothing. */
function tilePlanes(left: usize): usize {
  if (ASC_FEATURE_RELAXED_SIMD) return left >= 9 || left == 6 || left == 5 ? 6 : 4;
  return left % 3 == 0 || left < 4 || left == 5 ? 3 : 4;
}

/**
 * What a stretch is: a row, or all rows of a plane where a wide tile would not fit rows and the source's border is small. The latter is
 * another order of sums, and so not for mode strict. Nothing is read beyond the last row's last vector: a joined stretch that would is
 * cut in two pieces, the last of which moves back to end with it.
 */
function layOut(block: usize): void {
  const source = viewOf(block, 0);
  const gradient = viewOf(block, 1);
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const stretch = changetype<Stretch>(block + STRETCH);
  const distance = source.row >> 2;
  const whole = (gradient.columns + 3) & ~3;
  const before = (gradient.rows - 1) * distance;
  const odd = whole & 4;
  const near = distance >= gradient.columns && distance <= whole + GAP_PIXELS;
  const joins = near && gradient.rows > 1 && before + gradient.columns >= LEAST_JOINED;
  if (!ASC_FEATURE_RELAXED_SIMD || (odd && !joins)) fields.wide = 0;
  const joined = fields.wide && odd;
  fields.columns = (joined ? before : 0) + gradient.columns;
  fields.height = joined ? 1 : gradient.rows;
  stretch.rows = joined ? gradient.rows : 1;
  stretch.distance = distance;
  const vectors = stretchVectors(fields);
  const most = chunkVectors(fields);
  const beyond = joined && vectors << 2 > before + whole;
  fields.piece = vectors > most || !beyond ? min(vectors, most) : pairsOf((vectors + 1) >> 1, fields);
}

/** Vectors of a stretch; wide tiles take pairs of them. */
function stretchVectors(fields: ConvolveWeights): usize {
  return pairsOf((fields.columns + 3) >> 2, fields);
}

function pairsOf(vectors: usize, fields: ConvolveWeights): usize {
  return (vectors + fields.wide) & ~fields.wide;
}

/** Vectors of a chunk at most. */
function chunkVectors(fields: ConvolveWeights): usize {
  return fields.wide ? WIDE_VECTORS : NARROW_VECTORS;
}

/** Fills the table of pairs: input channel by input channel, in each one tap by tap. Beyond the last one come some that repeat it. */
function listPairs(block: usize, pairs: usize): void {
  const source = viewOf(block, 0);
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const chunk = changetype<Chunk>(block + CHUNK);
  chunk.working = fields.scratch;
  chunk.sums = fields.scratch + TILE_BYTES + PACKED_BYTES;
  chunk.offsets = chunk.sums + (pairs + SPARE_PAIRS) * PAIR_BYTES;
  chunk.offsetsEnd = chunk.offsets + (pairs << 2);
  let at = chunk.offsets;
  for (let input: usize = 0; input < source.channels; input++) {
    for (let t: usize = 0; t < fields.tapCount; t++, at += 4) {
      store<usize>(at, input * source.plane + load<usize>(block + TAPS + (t << 2)));
    }
  }
  const last = load<usize>(at - 4);
  store<usize>(at, last);
  store<usize>(at, last, 4);
}

/** Stretches in pieces, of which one or more make a chunk. */
function walkColumns(block: usize, channel: usize, planes: usize): void {
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const vectors = stretchVectors(fields);
  for (let v: usize = 0; v < vectors; v += fields.piece) {
    walkChunks(block, channel, planes, v << 2, min(vectors - v, fields.piece));
  }
}

/** Chunks of whole pieces, which begin with pixel `first` of a stretch. What a piece that moved back covers twice is zeros. */
function walkChunks(block: usize, channel: usize, planes: usize, first: usize, vectors: usize): void {
  const source = viewOf(block, 0);
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const chunk = changetype<Chunk>(block + CHUNK);
  const stretch = changetype<Stretch>(block + STRETCH);
  const rows = max(chunkVectors(fields) / vectors, 1);
  const stretches = viewOf(block, 1).samples * fields.height;
  const moves = stretch.rows > 1 && first != 0 && first + (vectors << 2) > fields.columns;
  stretch.first = first;
  stretch.from = moves ? fields.columns - (vectors << 2) : first;
  stretch.end = stretch.from + (vectors << 2);
  chunk.vectors = vectors;
  chunk.height = fields.height;
  chunk.rowJump = source.row - (vectors << 4);
  chunk.sampleJump = source.sample - (fields.height - 1) * source.row - (vectors << 4);
  for (let row: usize = 0; row < stretches; row += rows) {
    chunk.y = row % fields.height;
    chunk.rows = min(rows, stretches - row);
    packChunk(block, channel, planes, row);
    readAhead(block, channel, row + rows, stretches);
    tile(block, planes, rowOf(source, row / fields.height, 0, chunk.y) + (stretch.from << 2));
  }
}

/** Says where the chunk that begins with stretch `row` lies in the first plane, as far as it goes on without a gap; nowhere behind the last one. */
function readAhead(block: usize, channel: usize, row: usize, stretches: usize): void {
  const gradient = viewOf(block, 1);
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const chunk = changetype<Chunk>(block + CHUNK);
  const y = row % fields.height;
  const rows = row < stretches ? min(min(chunk.rows, stretches - row), fields.height - y) : 0;
  const tiles = (chunk.offsetsEnd - chunk.offsets) >> 3;
  chunk.plane = gradient.plane;
  chunk.last = gradient.channels - channel - 1;
  chunk.ahead = rowOf(gradient, row / fields.height, channel, y);
  const bytes = rows != 0 && fields.height == gradient.rows ? (rows - 1) * gradient.row + (gradient.columns << 2) : 0;
  chunk.aheadEnd = chunk.ahead + bytes;
  chunk.aheadStep = (bytes / (tiles + 1) + 127) & ~63;
}

/** Packs the planes of a tile; missing ones are stood in for by the last one. */
function packChunk(block: usize, channel: usize, planes: usize, row: usize): void {
  const gradient = viewOf(block, 1);
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const chunk = changetype<Chunk>(block + CHUNK);
  const stretch = changetype<Stretch>(block + STRETCH);
  const planeBytes = fields.wide ? WIDE_PLANE_BYTES : NARROW_PLANE_BYTES;
  const packed = fields.scratch + TILE_BYTES;
  for (let plane: usize = 0; plane < planes; plane++) {
    const c = min(channel + plane, gradient.channels - 1);
    const from = rowOf(gradient, row / chunk.height, c, chunk.y);
    const to = packed + plane * planeBytes;
    if (stretch.rows > 1) packPlanes(to, from, gradient, stretch, chunk);
    else packRows(to, from + (stretch.first << 2), gradient, chunk);
  }
}

function tile(block: usize, planes: usize, source: usize): void {
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const chunk = changetype<Chunk>(block + CHUNK);
  const packed = fields.scratch + TILE_BYTES;
  if (!ASC_FEATURE_RELAXED_SIMD) {
    if (planes == 3) gradients3x3(chunk, packed, source);
    else gradients4x2(chunk, packed, source);
  } else if (planes == 6) {
    if (fields.wide) gradients6x2wide(chunk, packed, source);
    else gradients6x2(chunk, packed, source);
  } else {
    if (fields.wide) gradients4x2wide(chunk, packed, source);
    else gradients4x2(chunk, packed, source);
  }
}

/** Rounds the sums of a tile's output channels to float32, each to its place in the kernel. */
function storeSums(block: usize, channel: usize, planes: usize): void {
  const inputs = viewOf(block, 0).channels;
  const fields = changetype<ConvolveWeights>(block + FIELDS);
  const indices = block + TAPS + (fields.tapCount << 2);
  const rows = min<usize>(viewOf(block, 1).channels - channel, planes);
  for (let row: usize = 0; row < rows; row++) {
    let sum = changetype<Chunk>(block + CHUNK).sums + (row << 3);
    for (let input: usize = 0; input < inputs; input++) {
      const kernel = ((channel + row) * inputs + input) * fields.kernelTaps;
      for (let t: usize = 0; t < fields.tapCount; t++, sum += planes << 3) {
        const index = kernel + load<usize>(indices + (t << 2));
        store<f32>(fields.target + (index << 2), <f32>load<f64>(sum));
      }
    }
  }
}
