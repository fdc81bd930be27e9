/** A decoded image: rows of pixels, the upper left one first. */

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and opacity of each pixel, unsigned bytes. */
  readonly rgba: Uint8Array;
}

/**
 * Turns or mirrors an image as Exif's orientation says, so that what was up is up.
 * @param orientation 1 as it is, 2 mirrored, 3 upside down, 4 both; 5 to 8 the same with rows and columns exchanged; others count as 1
 */
export function orient(raster: Raster, orientation: number): Raster {
  if (!(orientation >= 2 && orientation <= 8)) return raster;
  const { width, height } = raster;
  const exchanged = orientation >= 5;
  const mirrored = [2, 3, 7, 8].includes(orientation);
  const flipped = [3, 4, 6, 7].includes(orientation);
  const source = new Uint32Array(Uint8Array.from(raster.rgba).buffer);
  const target = new Uint32Array(source.length);
  const [columns, rows] = exchanged ? [height, width] : [width, height];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const [u, v] = exchanged ? [y, x] : [x, y];
      const column = mirrored ? width - 1 - u : u;
      const row = flipped ? height - 1 - v : v;
      target[y * columns + x] = source[row * width + column]!;
    }
  }
  return { width: columns, height: rows, rgba: new Uint8Array(target.buffer) };
}
